"""How a campaign starts its trainings."""

import os
import subprocess

import pytest

from tsgan.experiments import Campaign, campaign


@pytest.mark.parametrize('jobs', [1, 2, 5])
def test_with_a_number_of_threads_given_a_training_starts_alike_at_any_number_of_jobs(jobs, tmp_path, monkeypatch):
    started = []

    class Started:
        def __init__(self, command, env, **_):
            started.append((command, env))

        def wait(self):
            return 0

    monkeypatch.setattr(subprocess, 'Popen', Started)
    monkeypatch.setattr(campaign, 'num_cores', lambda: 8)
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    run = Campaign(rows=None, tested=set(), jobs=jobs)
    assert run.call(tmp_path / 'log.txt', 'train.py', 'config.py') is None
    ((command, env),) = started
    assert command[2:] == ['config.py'] and env == dict(os.environ)
    monkeypatch.delenv('OMP_NUM_THREADS')
    run.call(tmp_path / 'log.txt', 'train.py', 'config.py')
    assert started[1][1].get('OMP_NUM_THREADS') == {1: None, 2: '4', 5: '1'}[jobs]
