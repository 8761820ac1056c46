"""LOMO and XQDA through the command lines."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from command_lines import run as command_line

REPO = Path(__file__).parents[2]
LOMO = 'synthetic/rivals/lomo_xqda'
OPTIONS = ['data_root=data/synthetic', 'test_dataloader.num_workers=0']  # which has SYSU-MM01's layout


@pytest.fixture(scope='module')
def run(workshop):
    """Runs a command line in the workshop: ``run('tools/test.py', CKPT, options=[...])``."""

    def start(tool, *args, options=(), fails=False):
        python = sys.executable if tool.endswith('.py') else 'bash'
        command = [python, REPO / tool, REPO / f'configs/{LOMO}.py', *args, '--cfg-options', *OPTIONS, *options]
        return command_line(command, workshop, fails).text

    return start


@pytest.fixture(scope='module')
def trained(workshop, run):
    """Work dir after two epochs, with the checkpoint of each; what the training said is in ``log.txt``."""
    options = ['train_cfg.max_epochs=2', 'default_hooks.checkpoint.max_keep_ckpts=2']
    text = run('tools/train.py', '--work-dir', 'runs/lomo', options=options)
    (workshop / 'runs/lomo/log.txt').write_text(text)
    return workshop / 'runs/lomo'


@pytest.fixture
def features(run, tmp_path):
    """The features that tools/test.py writes, queries first."""

    def read(checkpoint, options=()):
        file = tmp_path / 'features.npz'
        run('tools/test.py', checkpoint, '--out', file, '--json', tmp_path / 'r.json', options=options)
        with np.load(file) as arrays:
            return np.concatenate([arrays['query_feats'], arrays['gallery_feats']])

    return read


def state(path):
    return torch.load(path, weights_only=False)['state_dict']


def test_the_metric_is_fitted_to_so_many_images_and_changes_the_features(trained, features):
    checkpoint = trained / 'epoch_1.pth'
    assert 'XQDA of 96 images' in (trained / 'log.txt').read_text()  # 6 identities x (10 of 12 RGB + 6 IR)
    plain = features(checkpoint, options=['model.reid.metric=None'])
    assert plain.shape[1] == 26960
    projection = state(checkpoint)['reid.metric.projection'].numpy()
    np.testing.assert_allclose(features(checkpoint), plain @ projection, atol=1e-3 * abs(projection).max())


def test_a_training_resumed_after_an_epoch_ends_as_if_it_had_never_stopped(trained, run, tmp_path):
    shutil.copy(trained / 'epoch_1.pth', tmp_path)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    run('tools/train.py', '--work-dir', tmp_path, '--resume', options=['train_cfg.max_epochs=2'])
    first, second = (state(trained / f'epoch_{i}.pth')['reid.metric.projection'] for i in (1, 2))
    assert torch.equal(state(tmp_path / 'epoch_2.pth')['reid.metric.projection'], second)
    assert first.shape != second.shape or not torch.equal(first, second)  # which images, the epoch has drawn


def test_two_processes_test_a_metric_but_do_not_fit_one(trained, run, features, free_port, tmp_path):
    text = run('tools/dist_train.sh', 2, '--work-dir', tmp_path, fails=True)
    assert 'a metric is fitted in one process, and this training has 2' in text
    checkpoint = trained / 'epoch_1.pth'
    run('tools/dist_test.sh', checkpoint, 2, '--json', tmp_path / 'two.json')
    features(checkpoint)
    two, one = (json.loads((tmp_path / name).read_text())['all_single'] for name in ('two.json', 'r.json'))
    assert two == one
