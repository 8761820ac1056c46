"""Command lines one after the other: what they say, what they leave, and what is not made twice."""

import pytest

from tsgan.experiments import Steps, steps

TRAINS = """
import sys
from pathlib import Path
print(*sys.argv[1:])
work_dir = Path(sys.argv[sys.argv.index('--work-dir') + 1])
work_dir.mkdir(parents=True)
for epoch in (1, 2):
    print(f'Epoch(train)  [{epoch}][ 50/100]  lr: 1e-3  eta: 0:00:0{5 - epoch}  loss: 1')
(work_dir / 'epoch_2.pth').touch()
(work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))
"""
SHORT = ['train_cfg.max_epochs=2']


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder of tools of which the steps are made, beside the package's configs."""
    (tmp_path / 'configs').symlink_to(steps.ROOT / 'configs')
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools/train.py').write_text(TRAINS)
    monkeypatch.setattr(steps, 'ROOT', tmp_path)
    return tmp_path / 'tools'


def test_a_training_is_made_once_and_all_that_it_said_is_in_the_log(tools, tmp_path, capsys):
    run = Steps(tmp_path / 'new/log.txt')
    for _ in range(2):
        assert run.train('synthetic/backbone.py', tmp_path / 'run', 'backbone', SHORT) == tmp_path / 'run/epoch_2.pth'
    log = (tmp_path / 'new/log.txt').read_text()
    assert log.count('--resume') == 1 and 'train_cfg.max_epochs=2' in log and 'epoch_2.pth is there' not in log
    assert 'epoch_2.pth is there' in capsys.readouterr().out.replace('\n', '')


def test_how_far_a_training_is_and_what_is_left_are_read_from_its_log(tools, tmp_path, monkeypatch):
    seen = []
    update = lambda self, task, completed, left: seen.append((completed, left))  # noqa: E731
    monkeypatch.setattr(steps.Progress, 'update', update)
    Steps(tmp_path / 'log.txt').train('synthetic/backbone.py', tmp_path / 'run', 'backbone', SHORT)
    assert seen == [(0.25, '0:00:04'), (0.75, '0:00:03')]  # of two epochs


def test_a_step_that_fails_says_its_last_lines(tools, tmp_path):
    (tools / 'test.py').write_text('print("before"); raise SystemExit("no checkpoint")')
    with pytest.raises(RuntimeError, match=r'test.py failed; .*log.txt, its end:\n(.*\n)*no checkpoint'):
        Steps(tmp_path / 'log.txt').call('test.py')
