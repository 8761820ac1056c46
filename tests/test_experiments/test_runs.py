from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from tsgan.checkpoints import save_weights
from tsgan.experiments import continue_from, describe_tested, load_config, runs
from tsgan.experiments.options import limit_workers, set_split
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
    plain = Config.fromfile(CONFIGS / f'{name}.py')
    limit_workers(plain)
    assert cfg._cfg_dict == plain._cfg_dict


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
    wider = small()
    wider.model.reid.encoder.backbone.stem_channels = 32
    with pytest.raises(RuntimeError, match='or have another shape, reid.encoder.backbone.conv1.weight first'):
        describe_tested(wider, file)


def test_a_model_without_its_classifier_is_tested(small, tmp_path):
    file = save(small(), tmp_path / 'a.pth')
    weights = torch.load(file, weights_only=False)['state_dict']
    save_weights(tmp_path / 'a.safetensors', {n: t.half() for n, t in weights.items() if 'classifier' not in n}, {})
    cfg = small()
    describe_tested(cfg, str(tmp_path / 'a.safetensors'))
    assert cfg.test_evaluator.tested.checkpoint == str(tmp_path / 'a.safetensors')


def stopped(work_dir, epoch=3, without=()):
    """A work dir that was moved after some epochs."""
    content = {'meta': {'epoch': epoch, 'iter': epoch * 50}, 'state_dict': {}, 'optimizer': {}, 'message_hub': {}}
    work_dir.mkdir(exist_ok=True)
    torch.save({k: v for k, v in content.items() if k not in without}, work_dir / f'epoch_{epoch}.pth')
    (work_dir / 'last_checkpoint').write_text(f'/where/it/was/epoch_{epoch}.pth')
    return load_config(str(CONFIGS / 'image_folder/tsgan_jd.py'), str(work_dir))


def named(tmp_path):
    return [None, str(tmp_path / 'run'), str(tmp_path / 'run/epoch_3.pth')]


@pytest.mark.parametrize('place', range(3))
def test_a_training_goes_on_from_its_work_dir_and_from_a_file_without_its_first_weights(tmp_path, place):
    cfg = stopped(tmp_path / 'run')
    assert continue_from(cfg, named(tmp_path)[place]) is None
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'run/epoch_3.pth'))
    assert cfg.model.teacher.encoder.checkpoint is None and cfg.model.reid.encoder.backbone.init_cfg is None


def test_a_training_that_has_not_begun_begins(tmp_path):
    cfg = load_config(str(CONFIGS / 'image_folder/tsgan_jd.py'), str(tmp_path / 'run'))
    assert continue_from(cfg) is None
    assert (cfg.resume, cfg.load_from) == (False, None)
    assert cfg.model.teacher.encoder.checkpoint == 'work_dirs/image_folder/teacher_ir'


@pytest.mark.parametrize('epoch', [120, 130])
def test_a_training_that_has_reached_its_end_says_so(tmp_path, epoch):
    cfg = stopped(tmp_path / 'run', epoch)
    assert continue_from(cfg).endswith(
        f'run has reached its end, epoch {epoch} of 120: for a longer one, give `--cfg-options train_cfg.max_epochs=N`.'
    )
    assert cfg.resume is False
    cfg.train_cfg.max_epochs = 140
    assert continue_from(cfg) is None and cfg.resume is True


@pytest.mark.parametrize('without', ['meta', 'optimizer', 'message_hub'])
def test_weights_alone_are_no_training_to_go_on_with(tmp_path, without):
    cfg = stopped(tmp_path / 'run', without=[without])
    with pytest.raises(RuntimeError, match='epoch_3.pth holds weights, and no training .*`--cfg-options load_from='):
        continue_from(cfg)


def test_half_a_checkpoint_is_named_and_nothing_begins_anew(tmp_path):
    cfg = stopped(tmp_path / 'run')
    file = tmp_path / 'run/epoch_3.pth'
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(RuntimeError, match='run/epoch_3.pth cannot be read .* half a file'):
        continue_from(cfg)
    file.unlink()
    with pytest.raises(FileNotFoundError, match='run/last_checkpoint names /where/it/was/epoch_3.pth'):
        continue_from(cfg)


@pytest.mark.parametrize('damage', ['half', 'gone', 'no note', 'no file of notes', 'folders'])
def test_a_damaged_or_lost_last_checkpoint_gives_way_to_the_one_before_and_it_is_said(damage, tmp_path, monkeypatch):
    run, lines = tmp_path / 'run', []
    monkeypatch.setattr(runs, 'print_log', lambda line, *_: lines.append(line))
    for epoch in (9, 10):
        cfg = stopped(run, epoch)
    within = run / 'epoch_10_iter_7.pth'
    within.write_bytes((run / 'epoch_10.pth').read_bytes()[:500])
    (run / 'last_checkpoint').write_text('' if damage == 'no note' else str(within))
    if damage == 'gone':
        within.unlink()
    if damage == 'no file of notes':
        (run / 'last_checkpoint').unlink()
        within.unlink()
    if damage == 'folders':
        within.unlink()
        within.mkdir()
        (run / 'epoch_11.pth').mkdir()
    assert continue_from(cfg) is None
    assert (cfg.resume, cfg.load_from) == (True, str(run / 'epoch_10.pth'))
    said = {'half': 'epoch_10_iter_7.pth cannot be read', 'gone': f'names {within}', 'no note': 'names (nothing)'}
    said |= {'no file of notes': 'no checkpoint in', 'folders': 'epoch_10_iter_7.pth'}
    (line,) = lines
    assert said[damage] in line and line.endswith(f'The training goes on from {run}/epoch_10.pth.')
    if damage == 'half':
        with pytest.raises(RuntimeError, match='epoch_10_iter_7.pth cannot be read .* half a file'):
            continue_from(cfg, str(within))  # what was named is what is meant
