"""Table I's hand-crafted rows through the command lines."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

REPO = Path(__file__).parents[2]
LENGTHS = {'hog': 3780, 'lomo_xqda': 26960}
LOMO = 'synthetic/rivals/lomo_xqda'
CONFIGS = ['rivals/hog', 'synthetic/rivals/hog', 'rivals/lomo_xqda', LOMO]
OPTIONS = ['data_root=data/synthetic', 'test_dataloader.num_workers=0']  # which has SYSU-MM01's layout


@pytest.fixture(scope='module')
def run(workshop):
    """Runs a command line in the workshop: ``run('tools/test.py', 'rivals/hog', CKPT, options=[...])``."""

    def start(tool, config, *args, options=(), fails=False):
        python = sys.executable if tool.endswith('.py') else 'bash'
        command = [python, REPO / tool, REPO / f'configs/{config}.py', *args, '--cfg-options', *OPTIONS, *options]
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        env = dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1', PATH=path)
        done = subprocess.run([str(c) for c in command], cwd=workshop, env=env, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, (done.stdout + done.stderr)[-5000:]
        return done.stdout + done.stderr

    return start


@pytest.fixture(scope='module')
def train(workshop, run):
    """Trains a config once, for two epochs, each with its checkpoint: ``train('rivals/hog')`` is its work dir."""
    logs = {}

    def start(config):
        options = ['train_cfg.max_epochs=2', 'default_hooks.checkpoint.max_keep_ckpts=2']
        if config not in logs:
            logs[config] = run('tools/train.py', config, '--work-dir', f'runs/{config}', options=options)
        return workshop / 'runs' / config

    start.logs = logs
    return start


@pytest.fixture
def features(run, tmp_path):
    """The features that tools/test.py writes, queries first."""

    def read(config, checkpoint, *args, options=()):
        file = tmp_path / 'features.npz'
        run('tools/test.py', config, checkpoint, '--out', file, '--json', tmp_path / 'r.json', *args, options=options)
        with np.load(file) as arrays:
            return np.concatenate([arrays['query_feats'], arrays['gallery_feats']])

    return read


def state(path):
    return torch.load(path, weights_only=False)['state_dict']


@pytest.mark.parametrize('config', CONFIGS)
def test_every_config_trains_and_its_checkpoint_is_tested(config, train, features, tmp_path):
    work_dir, length = train(config), LENGTHS[Path(config).name]
    tensors = state(work_dir / 'epoch_1.pth')
    found = features(config, work_dir / 'epoch_1.pth')
    assert len(found) == 4 * 6 * 3 and np.isfinite(found).all()  # identities x cameras x frames
    if 'lomo' in config:
        assert list(tensors) == ['reid.metric.projection']
        assert tensors['reid.metric.projection'].shape == (length, found.shape[1])
    else:
        assert not tensors and found.shape[1] == length
    results = json.loads((tmp_path / 'r.json').read_text())
    assert results['about']['normalize'] is False and results['all_single']['num_queries'] == 24


def test_the_metric_is_fitted_to_so_many_images_and_changes_the_features(train, features):
    checkpoint = train(LOMO) / 'epoch_1.pth'
    assert 'XQDA of 96 images' in train.logs[LOMO]  # 6 identities x (10 of 12 RGB + 6 IR)
    plain = features(LOMO, checkpoint, options=['model.reid.metric=None'])
    assert plain.shape[1] == LENGTHS['lomo_xqda']
    projection = state(checkpoint)['reid.metric.projection'].numpy()
    np.testing.assert_allclose(features(LOMO, checkpoint), plain @ projection, atol=1e-3 * abs(projection).max())


def test_a_training_resumed_after_an_epoch_ends_as_if_it_had_never_stopped(train, run, tmp_path):
    whole = train(LOMO)
    shutil.copy(whole / 'epoch_1.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    run('tools/train.py', LOMO, '--work-dir', tmp_path, '--resume', options=['train_cfg.max_epochs=2'])
    first, second = (state(whole / f'epoch_{i}.pth')['reid.metric.projection'] for i in (1, 2))
    assert torch.equal(state(tmp_path / 'epoch_2.pth')['reid.metric.projection'], second)
    assert first.shape != second.shape or not torch.equal(first, second)  # which images, the epoch has drawn


def test_two_processes_test_a_metric_but_do_not_fit_one(train, run, features, free_port, tmp_path):
    text = run('tools/dist_train.sh', LOMO, 2, '--work-dir', tmp_path, fails=True)
    assert 'a metric is fitted in one process, and this training has 2' in text
    checkpoint = train(LOMO) / 'epoch_1.pth'
    run('tools/dist_test.sh', LOMO, checkpoint, 2, '--json', tmp_path / 'two.json')
    features(LOMO, checkpoint)
    two, one = (json.loads((tmp_path / name).read_text())['all_single'] for name in ('two.json', 'r.json'))
    assert two == one
