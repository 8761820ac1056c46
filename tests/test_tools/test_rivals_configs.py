"""Every config of other methods, of Table I and after it, trains two steps on images, and its checkpoint is tested.

In this process and with small networks: a command line for each would cost minutes of imports. Those are run in the
files beside this one.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from small_configs import UNTRAINED, shorten, shrink_model

from tsgan.experiments import build_runner, describe_tested, load_config

CONFIGS = Path(__file__).parents[2] / 'configs'
NAMES = sorted(
    str(file.relative_to(CONFIGS).with_suffix(''))
    for folder in ('rivals', 'synthetic/rivals', 'modern', 'synthetic/modern')
    for file in (CONFIGS / folder).glob('*.py')
)
LENGTHS = {'hog': 3780, 'lomo_xqda': 26960}
AT_UNIT_LENGTH = ('cmgan', 'align_gan')  # the others of Table I are compared as they are


def is_slow(name):
    """Whether others stand for it in a quick run; tests/test_configs.py trains a step of each."""
    at_papers_size, row = name.startswith('modern/'), name.split('/')[-1]
    return at_papers_size or row.endswith('_rle') or row in ('backbone_erasing', 'tsgan_erasing', 'pgm')


def run_in(folder, cfg, name):
    cfg.experiment_name = name  # of its log, which MMEngine keeps as long as a process lives
    cfg.work_dir = str(folder)
    return build_runner(cfg)


@pytest.mark.parametrize('name', [pytest.param(n, marks=[pytest.mark.slow] if is_slow(n) else []) for n in NAMES])
def test_a_config_trains_two_steps_and_its_checkpoint_is_tested(name, workshop, monkeypatch, tmp_path):
    monkeypatch.chdir(workshop)
    cfg = load_config(str(CONFIGS / f'{name}.py'), cfg_options={'data_root': 'data/synthetic'})  # in SYSU-MM01's layout
    row = name.split('/')[-1]
    shrink_model(cfg, name, checkpoint=None)  # begins with nothing
    shorten(cfg, name)
    cfg.train_dataloader.dataset.split = 'train'
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=1)

    model = run_in(tmp_path, cfg, f'{name} train').train()
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())

    checkpoint = str(tmp_path / 'epoch_1.pth')
    cfg.load_from = checkpoint
    cfg.test_evaluator.update(json_file=str(tmp_path / 'r.json'), features_file=str(tmp_path / 'f.npz'))
    describe_tested(cfg, checkpoint)
    run_in(tmp_path, cfg, f'{name} test').test()
    results = json.loads((tmp_path / 'r.json').read_text())
    assert results['about']['normalize'] == ('modern' in name or row in AT_UNIT_LENGTH)
    assert results['all_single']['num_queries'] == 4 * 2 * 3  # identities x IR cameras x frames
    with np.load(tmp_path / 'f.npz') as arrays:
        features = np.concatenate([arrays['query_feats'], arrays['gallery_feats']])
    assert np.isfinite(features).all() and features.std(axis=0).max() > 0
    if row in UNTRAINED:
        tensors = torch.load(checkpoint, weights_only=False)['state_dict']
        wanted = {'reid.metric.projection': (LENGTHS[row], features.shape[1])} if row == 'lomo_xqda' else {}
        assert {key: tuple(tensor.shape) for key, tensor in tensors.items()} == wanted
        assert row == 'lomo_xqda' or features.shape[1] == LENGTHS[row]
