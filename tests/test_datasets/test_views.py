from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope
from mmengine.runner import Runner, set_random_seed

from tsgan.datasets import SYSUMM01, collate_views
from tsgan.experiments import load_config
from tsgan.registry import FUNCTIONS, TRANSFORMS

CONFIGS = Path(__file__).parents[2] / 'configs'
PACK = dict(type='mmpretrain.PackInputs', meta_keys=('img_path', 'pid', 'camid', 'modality', 'frame'))
CROP = dict(type='mmpretrain.RandomCrop', crop_size=(16, 8), padding=2)
FLIP = dict(type='RandomFlip', prob=0.5)


def fill(value):
    """A transform that draws into the image itself."""
    return dict(type='mmpretrain.RandomErasing', erase_prob=1.0, min_area_ratio=1.0, max_area_ratio=1.0,
                aspect_range=(2.0, 2.0), fill_color=value)  # fmt: skip


VIEWS = dict(type='ModalityViews', rgb=[[fill(1), PACK], [fill(2), PACK]], ir=[[fill(3), PACK]])
RANDOM = dict(
    type='ModalityViews',
    rgb=[[CROP, FLIP, PACK], [CROP, FLIP, dict(type='ChannelExchange'), dict(type='RadicalRLE'), PACK]],
    ir=[[CROP, FLIP, dict(type='ModerateRLE'), PACK]],
)


def row(modality='rgb', pid=1):
    return {
        'img': np.full((16, 8, 3), 9, np.uint8), 'img_path': f'{pid}.jpg', 'pid': pid, 'gt_label': pid, 'camid': 1,
        'modality': modality, 'frame': 1,
    }  # fmt: skip


def said(samples, name):
    return [sample.get(name) for sample in samples]


def test_a_view_begins_with_the_image_itself_whatever_another_one_drew_into_it():
    transform = TRANSFORMS.build(dict(VIEWS, rgb=[[fill(1), PACK], [PACK], [fill(2), PACK]]))
    given = row()
    made = transform(given)
    assert [view['inputs'].unique().tolist() for view in made] == [[1], [9], [2]]
    assert (given['img'] == 9).all()
    assert [view['data_samples'].view for view in made] == [0, 1, 2]


def test_an_image_has_the_views_of_its_modality_which_samples_name_whatever_they_keep():
    transform = TRANSFORMS.build(dict(VIEWS, ir=[[dict(type='mmpretrain.PackInputs', meta_keys=())]]))
    (made,) = transform(row('ir'))
    assert made['data_samples'].metainfo == {'modality': 'ir', 'view': 0}
    assert made['inputs'].unique().tolist() == [9]


def test_a_batch_is_rgb_first_view_by_view_in_the_rows_order():
    transform = TRANSFORMS.build(VIEWS)
    rows = [transform(row(modality, pid)) for modality, pid in [('ir', 4), ('rgb', 3), ('rgb', 1), ('ir', 3)]]
    batch = collate_views(rows)
    assert batch['inputs'].shape == (6, 3, 16, 8) and batch['inputs'].dtype == torch.uint8
    assert batch['inputs'][:, 0, 0, 0].tolist() == [1, 1, 2, 2, 3, 3]
    assert said(batch['data_samples'], 'modality') == ['rgb'] * 4 + ['ir'] * 2
    assert said(batch['data_samples'], 'view') == [0, 0, 1, 1, 0, 0]
    assert said(batch['data_samples'], 'pid') == [3, 1, 3, 1, 4, 3]


def test_the_batch_of_one_view_each_is_that_of_no_views():
    transform, plain = TRANSFORMS.build(dict(VIEWS, rgb=[[PACK]], ir=[[PACK]])), TRANSFORMS.build(PACK)
    rows = [('rgb', 2), ('rgb', 5), ('ir', 2), ('ir', 5)]
    found = collate_views([transform(row(*one)) for one in rows])
    expected = default_collate([plain(row(*one)) for one in rows])
    assert torch.equal(found['inputs'], expected['inputs'])
    assert said(found['data_samples'], 'pid') == said(expected['data_samples'], 'pid')
    labels = [torch.cat([sample.gt_label for sample in batch['data_samples']]) for batch in (found, expected)]
    assert torch.equal(*labels)


def dropping(results):
    return None


def test_a_view_that_drops_the_image_is_told_as_the_pipelines_drop(sysu_root):
    views = dict(type='ModalityViews', rgb=[[PACK], [dropping, PACK]], ir=[[PACK]])
    dataset = SYSUMM01(sysu_root, pipeline=[dict(type='LoadReIDImage'), views])
    with pytest.raises(ValueError, match=r'jpg was dropped by the pipeline: expected it to give back every image'):
        dataset[0]


@pytest.fixture
def loader_cfg(sysu_root):
    cfg = Config.fromfile(CONFIGS / '_base_/datasets/sysu_mm01.py').train_dataloader
    cfg.dataset.update(data_root=str(sysu_root), pipeline=[dict(type='LoadReIDImage'), RANDOM])
    cfg.update(batch_size=16, num_workers=0, collate_fn=dict(type='tsgan.collate_views'))
    cfg.batch_sampler.update(num_batches=3, num_pairs=4)
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope('tsgan'):
        return Runner.build_dataloader(cfg, seed=7)


def test_a_loader_gives_pairs_of_three_views_each_of_one_person(loader_cfg):
    batches = list(build(loader_cfg))
    assert len(batches) == 3
    for batch in batches:
        assert batch['inputs'].shape == (24, 3, 16, 8)
        first, second, infrared = (batch['data_samples'][start : start + 8] for start in (0, 8, 16))
        assert set(said(first, 'modality') + said(second, 'modality')) == {'rgb'}
        assert set(said(infrared, 'modality')) == {'ir'}
        assert set(said(first + infrared, 'view')) == {0} and set(said(second, 'view')) == {1}
        assert said(first, 'img_path') == said(second, 'img_path')
        assert said(first, 'pid') == said(second, 'pid') == said(infrared, 'pid')
        assert [int(sample.gt_label) for sample in first] == [int(sample.gt_label) for sample in infrared]


def epoch(loader):
    batches = list(loader)
    return [b['inputs'] for b in batches], [said(b['data_samples'], 'img_path') for b in batches]


def test_batches_without_random_transforms_are_the_same_at_any_number_of_workers(loader_cfg):
    loader_cfg.dataset.pipeline[-1] = VIEWS
    whole, paths = epoch(build(loader_cfg))
    loader_cfg.num_workers = 2
    others, other_paths = epoch(build(loader_cfg))
    assert paths == other_paths
    assert all(torch.equal(a, b) for a, b in zip(whole, others, strict=True))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_views_follow_the_seed_and_change_with_the_epoch(loader_cfg, num_workers):
    loader_cfg.num_workers = num_workers
    loader = build(loader_cfg)
    set_random_seed(0)
    first, second = torch.cat(epoch(loader)[0]), torch.cat(epoch(loader)[0])
    set_random_seed(0)
    assert torch.equal(torch.cat(epoch(loader)[0]), first)
    assert not torch.equal(second, first)
    assert not torch.equal(first[:8], first[8:16])


@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_in_a_training_views_are_the_same_at_any_number_of_workers_whatever_was_drawn_before(loader_cfg):
    def views(num_workers, seed):
        loader_cfg.num_workers = num_workers
        loader = build(loader_cfg)
        loader.dataset.epoch_seed = seed
        np.random.rand()  # noqa: NPY002
        return torch.cat(epoch(loader)[0])

    whole = views(0, seed=5)
    assert torch.equal(views(1, seed=5), whole) and torch.equal(views(4, seed=5), whole)
    assert not torch.equal(views(0, seed=6), whole)
    assert not torch.equal(whole[:8], whole[8:16])


def test_an_image_that_comes_again_in_an_epoch_is_drawn_anew(loader_cfg):
    dataset = build(loader_cfg).dataset
    dataset.epoch_seed = 5

    def first_view(rows, place):
        return dataset.__getitems__(rows)[place][0]['inputs']

    drawn = [first_view([3, 4, 3], 0), first_view([3, 4, 3], 2), first_view([3, 4, 5], 0), first_view([4, 3, 3], 2)]
    assert not any(torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_the_function_has_a_scoped_name():
    assert FUNCTIONS.get('tsgan.collate_views') is collate_views


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        ({'rgb': [[PACK], [CROP, FLIP]]}, r'ModalityViews.rgb.1 ends in RandomFlip: expected mmpretrain.PackInputs'),
        ({'ir': [[]]}, r'ModalityViews.ir.0 ends in nothing: expected mmpretrain.PackInputs last in each view'),
        ({'ir': [CROP, PACK]}, r'ModalityViews.ir.0 is \{.*\}: expected the transforms of a view, a list for each'),
    ],
)
def test_views_that_are_none_are_refused(changes, told):
    with pytest.raises(ValueError, match=told):
        TRANSFORMS.build({**VIEWS, **changes})


def test_an_image_of_a_modality_without_a_view_is_refused():
    with pytest.raises(ValueError, match="5.jpg is of modality 'ir', of which ModalityViews has no view"):
        TRANSFORMS.build(dict(type='ModalityViews', rgb=[[PACK]]))(row('ir', 5))


@pytest.mark.parametrize(
    ('pipeline', 'options', 'told'),
    [
        ([VIEWS], {'test_mode': True}, 'images to be searched has ModalityViews: expected one view of each'),
        ([VIEWS, PACK], {}, 'has PackInputs after ModalityViews: expected ModalityViews last'),
        ([dict(VIEWS, ir=[])], {}, 'ModalityViews has no view of ir images, which the data set holds'),
        ([dict(VIEWS, rgb=[])], {'modality': 'rgb'}, 'ModalityViews has no view of rgb images'),
    ],
)
def test_a_data_set_refuses_views_in_the_wrong_place(sysu_root, pipeline, options, told):
    with pytest.raises(ValueError, match=told):
        SYSUMM01(sysu_root, pipeline=[dict(type='LoadReIDImage'), *pipeline], **options)


def test_a_data_set_of_one_modality_needs_no_view_of_the_other(sysu_root):
    dataset = SYSUMM01(sysu_root, modality='ir', pipeline=[dict(type='LoadReIDImage'), dict(VIEWS, rgb=[])])
    assert len(dataset[0]) == 1


def test_rows_without_views_are_refused_by_the_batch():
    with pytest.raises(ValueError, match='collate_views got images without views: expected a pipeline that ends in'):
        collate_views([TRANSFORMS.build(PACK)(row())])


def write_config(folder, pipeline, collate):
    file = folder / 'mine.py'
    file.write_text(
        f"_base_ = '{CONFIGS}/synthetic/backbone.py'\n"
        f'train_dataloader = dict(dataset=dict(pipeline={pipeline!r}), collate_fn=dict(type={collate!r}))\n'
    )
    return str(file)


def test_a_config_whose_views_nothing_collates_is_refused(tmp_path):
    file = write_config(tmp_path, [dict(type='LoadReIDImage'), VIEWS], 'default_collate')
    with pytest.raises(ValueError, match=r'train_dataloader.collate_fn is default_collate: expected .*collate_views'):
        load_config(file)
    with pytest.raises(ValueError, match='train_dataloader.collate_fn is None: expected .*collate_views'):
        load_config(file, cfg_options={'train_dataloader.collate_fn': None})
    cfg = load_config(file, cfg_options={'train_dataloader.collate_fn.type': 'tsgan.collate_views'})
    assert cfg.train_dataloader.collate_fn.type == 'tsgan.collate_views'


def test_views_in_a_test_are_refused(tmp_path):
    file = tmp_path / 'mine.py'
    pipeline = [dict(type='LoadReIDImage'), VIEWS]
    file.write_text(
        f"_base_ = '{CONFIGS}/synthetic/backbone.py'\n"
        f"test_dataloader = dict(dataset=dict(pipeline={pipeline!r}), collate_fn=dict(type='tsgan.collate_views'))\n"
    )
    with pytest.raises(ValueError, match='test_dataloader makes views: .*without ModalityViews'):
        load_config(str(file))


def test_a_config_that_collates_views_which_nothing_makes_is_refused(tmp_path):
    file = write_config(tmp_path, [dict(type='LoadReIDImage'), PACK], 'tsgan.collate_views')
    with pytest.raises(ValueError, match='is tsgan.collate_views: expected a pipeline that ends in ModalityViews'):
        load_config(file)
