"""A workshop: a folder with a small synthetic data set, in which the command lines run as a user runs them.

The configs are those of configs/synthetic; options on the command line make networks and epochs small.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest
from command_lines import free_port, run
from filelock import FileLock
from small_options import EPOCH, STUDENT, TSGAN

from tsgan.datasets.synthetic import render_dataset

REPO = Path(__file__).parents[2]
CONFIGS = REPO / 'configs/synthetic'
IDENTITIES = dict(num_train=6, num_val=3, num_test=4, num_pretrain=4)


@pytest.fixture(scope='session')
def shared(tmp_path_factory):
    """Folder that all processes of pytest-xdist have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if 'PYTEST_XDIST_WORKER' in os.environ else own


@pytest.fixture(scope='session')
def once(shared):
    """Makes something in one of the processes, while the others wait for it: ``once(name, make)``."""

    def start(name, make):
        made = shared / f'{name}.made'
        with FileLock(shared / f'{name}.lock'):
            if not made.exists():
                make()
                made.touch()

    return start


@pytest.fixture(scope='session')
def workshop(shared, once):
    root = shared / 'workshop'
    size = dict(IDENTITIES, frames=3, size=(64, 32), workers=1)
    once('workshop', lambda: render_dataset(root / 'data/synthetic', **size))
    return root


@pytest.fixture(scope='session')
def train(workshop):
    """Trains a config of configs/synthetic at a small size: ``train('backbone', '--resume', options=[...])``."""

    def start(name, *args, options=(), ranks=None, cwd=None, fails=False, anew=False):
        options = [*EPOCH, *STUDENT, *(TSGAN if name.startswith('tsgan') else []), *options]
        command = [sys.executable, REPO / 'tools/train.py', CONFIGS / f'{name}.py']
        if ranks:
            command = ['bash', REPO / 'tools/dist_train.sh', CONFIGS / f'{name}.py', ranks]
        return run([*command, *args, '--cfg-options', *options], cwd or workshop, fails, anew)

    return start


@pytest.fixture(scope='session')
def test(workshop):
    """Tests a checkpoint: ``test('tsgan_jd', CKPT, '--rerank')``."""

    def start(name, checkpoint, *args, fails=False, anew=False):
        options = [*STUDENT, *(TSGAN if name.startswith('tsgan') else []), 'test_dataloader.num_workers=0']
        command = [sys.executable, REPO / 'tools/test.py', CONFIGS / f'{name}.py', checkpoint]
        return run([*command, *args, '--cfg-options', *options], workshop, fails, anew)

    return start


@pytest.fixture(scope='session')
def pretrained(workshop, once, train):
    """Work dir of pretrain.py, where the other configs look for it."""
    options = ['model.reid.head.num_classes=4']  # the pre-training has other people
    once('pretrain', lambda: train('pretrain', '--check-data', '--auto-scale-lr', options=options, anew=True))
    return workshop / 'work_dirs/synthetic/pretrain'


@pytest.fixture(scope='session')
def teacher(workshop, once, train, pretrained):
    """Work dir of teacher_ir.py, where TS-GAN's configs look for it."""
    once('teacher_ir', lambda: train('teacher_ir'))
    return workshop / 'work_dirs/synthetic/teacher_ir'


@pytest.fixture(scope='session')
def tsgan(workshop, once, train, teacher):
    """Work dir of tsgan_jd.py after two epochs, with the checkpoint of each."""
    options = ['train_cfg.max_epochs=2', 'default_hooks.checkpoint.max_keep_ckpts=2']
    once('tsgan_jd', lambda: train('tsgan_jd', options=options))
    return workshop / 'work_dirs/synthetic/tsgan_jd'


@pytest.fixture(scope='session')
def regdb_people():
    """Split -> subset -> people of the workshop; a split's labels count them from 0."""
    return {1: {'train': range(1, 7), 'test': range(7, 11)}, 2: {'train': range(5, 11), 'test': range(1, 5)}}


@pytest.fixture(scope='session')
def regdb_shop(workshop, regdb_people, tmp_path_factory):
    """A folder with the toolbox's configs, and two splits of RegDB in small at data/RegDB."""
    root = tmp_path_factory.mktemp('regdb')
    (root / 'configs').symlink_to(REPO / 'configs')
    data = root / 'data/RegDB'
    (data / 'idx').mkdir(parents=True)
    for name, folder, cam in (('visible', 'Visible', 1), ('thermal', 'Thermal', 3)):
        (data / folder).symlink_to(workshop / f'data/synthetic/cam{cam}')
        for split, subsets in regdb_people.items():
            for subset, pids in subsets.items():
                images = [(pid, frame, label) for label, pid in enumerate(pids) for frame in (1, 2, 3)]
                lines = [f'{folder}/{pid:04d}/{frame:04d}.jpg {label}\n' for pid, frame, label in images]
                (data / 'idx' / f'{subset}_{name}_{split}.txt').write_text(''.join(lines))
    return root


@pytest.fixture(scope='session')
def regdb_splits(regdb_shop):
    """Runs tools/regdb_splits.py for two splits at a small size: ``regdb_splits('tsgan_jd', '--rerank')``."""

    def start(name, *args, options=(), fails=False, anew=False):
        small = [*EPOCH, 'train_dataloader.batch_size=16', 'train_dataloader.num_workers=0', *STUDENT]
        small += ['model.reid.encoder.backbone.depth=18', 'model.reid.encoder.backbone.init_cfg=None']
        if name.startswith('tsgan'):
            small += [*TSGAN, 'model.teacher.encoder.backbone.depth=18']
        command = [sys.executable, REPO / 'tools/regdb_splits.py', f'configs/regdb/{name}.py', '--splits', 1, 2, *args]
        command += ['--cfg-options', *small, 'test_dataloader.num_workers=0', *options]
        return run(command, regdb_shop, fails, anew)

    return start


@pytest.fixture
def elsewhere(workshop, tmp_path):
    """Another folder with a copy of the data, and nothing trained."""
    shutil.copytree(workshop / 'data', tmp_path / 'data')
    return tmp_path


@pytest.fixture(name='free_port')
def port_of_launchers(monkeypatch):
    monkeypatch.setenv('PORT', str(free_port()))
