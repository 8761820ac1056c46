from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tsgan.apis import describe_tested, load_config
from tsgan.apis.runs import set_split
from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
ROWS = ['backbone', 'teacher_ir', 'tsgan_jd']


def load(name, **options):
    return load_config(str(CONFIGS / f'{name}.py'), cfg_options=options)


def test_data_root_reaches_data_sets_and_protocol():
    cfg = load('backbone', data_root='elsewhere')
    assert cfg.train_dataloader.dataset.data_root == cfg.test_dataloader.dataset.data_root == 'elsewhere'
    assert cfg.test_evaluator.protocol.perm_file == 'elsewhere/exp/rand_perm_cam.mat'


@pytest.mark.parametrize('row', ROWS)
@pytest.mark.parametrize(('options', 'split'), [({}, 1), ({'split': 3}, 3), ({'split': 10}, 10)])
def test_the_split_reaches_data_sets_and_work_dir(row, options, split):
    cfg = load(f'regdb/{row}', **options)
    assert cfg.split == cfg.train_dataloader.dataset.split == cfg.test_dataloader.dataset.split == split
    assert cfg.work_dir == f'work_dirs/regdb/{row}/split_{split}'


@pytest.mark.parametrize(('options', 'split'), [({}, 1), ({'split': 10}, 10)])
def test_the_teacher_is_that_of_the_split(options, split):
    encoder = load('regdb/tsgan_jd', **options).model.teacher.encoder
    assert encoder.checkpoint == f'work_dirs/regdb/teacher_ir/split_{split}'
    assert encoder.checkpoint == load('regdb/teacher_ir', **options).work_dir
    assert encoder.trained_by == f'configs/regdb/teacher_ir.py --cfg-options split={split}'


def test_what_is_asked_for_by_its_own_name_stays_as_it_is():
    options = {'model.teacher.encoder.checkpoint': 'mine/split_1', 'test_dataloader.dataset.split': 2}
    cfg = load('regdb/tsgan_jd', split=3, **options)
    assert cfg.model.teacher.encoder.checkpoint == 'mine/split_1'
    assert (cfg.train_dataloader.dataset.split, cfg.test_dataloader.dataset.split) == (3, 2)
    assert load_config(str(CONFIGS / 'regdb/backbone.py'), 'mine', {'split': 3}).work_dir == 'mine'


def test_a_config_on_top_may_name_the_split(tmp_path):
    (tmp_path / 'third.py').write_text(f"_base_ = '{CONFIGS}/regdb/tsgan_jd.py'\nsplit = 3\n")
    cfg = load_config(str(tmp_path / 'third.py'))
    assert cfg.train_dataloader.dataset.split == cfg.test_dataloader.dataset.split == 3
    assert cfg.model.teacher.encoder.checkpoint == 'work_dirs/regdb/teacher_ir/split_3'
    assert cfg.work_dir == 'work_dirs/third/split_3'


def test_a_split_is_written_over_numbers_and_over_text_that_ends_with_one_and_nothing_else():
    kept = {'split': 'train', 'number': 10, 'path': 'split_10/epoch_1.pth', 'of': 'work_dirs/presplit_10'}
    parts = [None, {**kept, 'nested': [{'split': 10}, {'checkpoint': 'a/split_10', 'trained_by': 'b.py split=10'}]}]
    set_split(parts, 2)
    nested = [{'split': 2}, {'checkpoint': 'a/split_2', 'trained_by': 'b.py split=2'}]
    assert parts == [None, {**kept, 'nested': nested}]


@pytest.mark.parametrize('name', ['backbone', 'llcm/backbone', 'synthetic/tsgan_jd', 'image_folder/teacher_ir'])
def test_other_configs_have_no_split_and_stay_as_they_are(name):
    cfg = load(name)
    assert cfg.work_dir == f'work_dirs/{name}'
    cfg.pop('work_dir')
    assert cfg._cfg_dict == Config.fromfile(CONFIGS / f'{name}.py')._cfg_dict


@pytest.fixture
def small():
    """Config of a small network on RegDB, with options."""

    def make(name='regdb/backbone', **options):
        backbone = {f'model.reid.encoder.backbone.{k}': v for k, v in dict(depth=18, base_channels=16).items()}
        backbone |= {'model.reid.encoder.backbone.stem_channels': 16, 'model.reid.head.in_channels': 128}
        return load(name, **backbone, **options)

    return make


def save(cfg, path):
    """A checkpoint as a training with this config writes it."""
    meta = {'epoch': 120, 'cfg': cfg.pretty_text}
    torch.save({'state_dict': MODELS.build(cfg.model).state_dict(), 'meta': meta}, path)
    return str(path)


def test_a_test_says_which_split_it_is_about(small, tmp_path):
    cfg = small(split=3)
    checkpoint = save(cfg, tmp_path / 'a.pth')
    describe_tested(cfg, checkpoint)
    assert cfg.test_evaluator.tested == dict(config=cfg.filename, checkpoint=checkpoint, epoch=120, split=3)


def test_a_model_of_another_split_is_refused(small, tmp_path):
    checkpoint = save(small(split=3), tmp_path / 'a.pth')
    with pytest.raises(
        RuntimeError, match='a.pth was trained on split 3, and would be tested on split 1, .*`--cfg-options split=3`'
    ):
        describe_tested(small(), checkpoint)


@pytest.mark.parametrize(
    ('trained', 'tested', 'split'), [('llcm', 'regdb', 2), ('regdb', 'llcm', None), (None, 'regdb', 2)]
)
def test_a_model_of_another_data_set_and_bare_weights_are_tested(small, tmp_path, trained, tested, split):
    file = save(small(f'{trained or tested}/backbone'), tmp_path / 'a.pth')
    if trained is None:
        torch.save(torch.load(file, weights_only=False)['state_dict'], file)
    cfg = small(f'{tested}/backbone', **({} if split is None else {'split': split}))
    describe_tested(cfg, file)
    assert cfg.test_evaluator.tested.get('split') == split


def test_all_that_a_test_runs_must_be_in_the_checkpoint(tmp_path):
    cfg = load('synthetic/rivals/align_gan')  # whose generators run at test
    file = save(cfg, tmp_path / 'a.pth')
    describe_tested(cfg, file)
    state = torch.load(file, weights_only=False)
    state['state_dict'] = {name: t for name, t in state['state_dict'].items() if name.startswith('reid.')}
    torch.save(state, file)
    with pytest.raises(RuntimeError, match='a.pth does not hold the network of .*: .* generators'):
        describe_tested(cfg, file)


def test_tensors_of_another_shape_are_refused_but_for_the_classifier(small, tmp_path):
    file = save(small(), tmp_path / 'a.pth')
    describe_tested(small(**{'model.reid.head.num_classes': 5}), file)
    with pytest.raises(RuntimeError, match='or have another shape, reid.encoder.backbone.conv1.weight first'):
        describe_tested(small(**{'model.reid.encoder.backbone.in_channels': 1}), file)
