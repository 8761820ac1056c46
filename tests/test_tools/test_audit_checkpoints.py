"""tools/analysis_tools/audit.py --checkpoints, on a training that kept its checkpoints."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from command_lines import run
from small_options import EPOCH, STUDENT

REPO = Path(__file__).parents[2]
SMALL = [*STUDENT, 'model.reid.head.num_classes=4']
CONVENTIONS = ['last checkpoint', 'best on test by R1', 'best on test by mAP']


@pytest.fixture(scope='module')
def training(workshop):
    """Work dir of a training of two epochs that kept both checkpoints, and was tested."""
    config, work_dir = REPO / 'configs/synthetic/pretrain.py', workshop / 'runs/kept'
    options = [*EPOCH, *SMALL, 'train_cfg.max_epochs=2', 'default_hooks.checkpoint.max_keep_ckpts=-1']
    options += ['optim_wrapper.reid.optimizer.lr=0.01']
    run([sys.executable, REPO / 'tools/train.py', config, '--work-dir', work_dir, '--cfg-options', *options], workshop)
    options = [*SMALL, 'test_dataloader.num_workers=0']
    results = work_dir / 'results.json'
    run(
        [sys.executable, REPO / 'tools/test.py', config, work_dir, '--json', results, '--work-dir', workshop / 'runs/t']
        + ['--cfg-options', *options],
        workshop,
    )
    return work_dir


@pytest.fixture
def audit(workshop):
    def start(*args, fails=False, anew=False):
        command = [sys.executable, REPO / 'tools/analysis_tools/audit.py', *args]
        return run([*command, '--cfg-options', 'test_dataloader.num_workers=0'], workshop, fails, anew)

    return start


def test_the_last_row_is_what_a_test_gives_and_what_was_scored_is_kept(audit, training, tmp_path):
    before = {file.name for file in training.iterdir()}
    out = ['--json', tmp_path / 'out.json', '--plot', tmp_path / 'out.png']
    said = audit('--checkpoints', training, *out, anew=True)
    assert {file.name for file in training.iterdir()} == before | {'selection'}
    rows, results = (json.loads(file.read_text()) for file in (tmp_path / 'out.json', training / 'results.json'))
    settings = [name for name in results if name != 'about']
    assert [(row['setting'], row['convention']) for row in rows] == [(s, c) for s in settings for c in CONVENTIONS]
    for row in rows:
        assert all(row[metric] <= 100 for metric in ('R1', 'mAP', 'mINP'))
        if row['convention'] == 'last checkpoint':
            for metric in ('R1', 'mAP', 'mINP'):
                assert row[metric] == pytest.approx(results[row['setting']][metric])
        else:
            metric = row['convention'].split()[-1]
            assert row['difference'][metric][0] >= 0 and row['difference'][metric][1] is None
    assert 'Testing checkpoints: 2/2' in said.text and (tmp_path / 'out.png').stat().st_size > 1000
    assert f'| {settings[0]} | best on test by R1 |' in said.text
    assert said.text.count('Loads checkpoint') == 0

    kept = {file.name: file.stat().st_mtime_ns for file in (training / 'selection').iterdir()}
    assert set(kept) == {'epoch_1.npz', 'epoch_2.npz'}
    os.utime(training / 'epoch_1.pth', (1, 1))  # as if it were another
    again = audit('--checkpoints', training, *out)
    assert json.loads((tmp_path / 'out.json').read_text()) == rows
    now = {file.name: file.stat().st_mtime_ns for file in (training / 'selection').iterdir()}
    assert now['epoch_2.npz'] == kept['epoch_2.npz'] and now['epoch_1.npz'] > kept['epoch_1.npz']
    tables = ([line for line in said.text.splitlines() if line.startswith('|')] for said in (said, again))
    assert next(tables) == next(tables)


def test_two_trainings_have_a_spread(audit, training, tmp_path):
    other = shutil.copytree(training, tmp_path / 'other')
    (other / 'epoch_2.pth').replace(other / 'epoch_1.pth')  # whose choices are none
    shutil.copy2(other / 'epoch_1.pth', other / 'epoch_2.pth')
    audit('--checkpoints', training, other, '--json', tmp_path / 'out.json')
    for row in json.loads((tmp_path / 'out.json').read_text()):
        assert len(row['runs']) == 2
        for name in ('difference', 'gain', 'optimism'):
            if name in row:
                alone = row['runs'][0][name]['R1']
                assert row[name]['R1'] == pytest.approx([alone / 2, abs(alone) / 2**0.5])
                assert row['runs'][1][name]['R1'] == 0


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ([], 'expected FEATURES.npz, or in its place --checkpoints'),
        (['f.npz', '--checkpoints', '.'], 'expected FEATURES.npz, or in its place --checkpoints'),
        (['--checkpoints', '.', '--protocol', 'llcm'], '--protocol is for a features file: a config has its own'),
        (['--checkpoints', '.'], "holds 0 of a training's epoch_*.pth"),
        (['f.npz', '--protocol', 'llcm'], '--cfg-options is for --checkpoints'),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(audit, arguments, said):
    assert said in audit(*arguments, fails=True).error
