"""Several processes that train and test: how they end, what each of them writes, images that they do not divide."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from command_lines import run_ranks
from small_options import EPOCH, STUDENT
from torch.utils.data import get_worker_info

from tsgan import command_line
from tsgan.datasets import SYSUMM01
from tsgan.engine import FiniteLossHook

REPO = Path(__file__).parents[2]
CONFIG = REPO / 'configs/synthetic/backbone.py'
OPTIONS = [*STUDENT, 'model.reid.encoder.checkpoint=None', 'env_cfg.dist_cfg.timeout=60']


def train_command(work_dir, *options):
    tool = [sys.executable, REPO / 'tools/train.py', CONFIG, '--launcher', 'pytorch', '--work-dir', work_dir]
    return [*tool, '--cfg-options', *EPOCH, *OPTIONS, *options]


def at_the_second_iteration(rank, fault):
    """Has rank 1 meet a fault there."""
    watch = FiniteLossHook.after_train_iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        watch(self, runner, batch_idx, data_batch, outputs)
        if runner.iter == 1:
            fault()

    if rank == 1:
        FiniteLossHook.after_train_iter = after_train_iter


def in_a_data_worker(rank, fault):
    load = SYSUMM01.prepare_data

    def prepare_data(self, idx):
        if get_worker_info() is not None:
            fault()
        return load(self, idx)

    if rank == 1:
        SYSUMM01.prepare_data = prepare_data


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def erring():
    raise KeyError('nobody has foreseen this')


def refusing():
    from tsgan.checkpoints import find_checkpoint

    find_checkpoint('/nowhere.pth')


@pytest.mark.parametrize(
    ('place', 'fault', 'code', 'said'),
    [
        (at_the_second_iteration, killed, -9, ''),
        (at_the_second_iteration, erring, 1, "KeyError: 'nobody has foreseen this'"),
        (at_the_second_iteration, refusing, 2, 'error: no checkpoint at /nowhere.pth'),
        (in_a_data_worker, erring, 1, 'nobody has foreseen this'),
        (in_a_data_worker, refusing, 2, 'error: no checkpoint at /nowhere.pth'),
    ],
    ids=['killed', 'error', 'refusal', 'error of a data worker', 'refusal of a data worker'],
)
def test_where_a_rank_ends_the_other_ends_too_with_one_sentence(workshop, tmp_path, place, fault, code, said):
    def plant(rank):
        command_line.PATIENCE = 0.5
        place(rank, fault)

    begin = time.monotonic()
    survivor, ended = run_ranks(2, lambda rank: train_command(tmp_path), workshop, plant)
    assert time.monotonic() - begin < 60
    assert ended.code == code and said in ended.text
    last = ended.text.splitlines()[-1] if ended.text else ''
    assert said in last and ended.text.count(said) <= 1 + (said.startswith('nobody'))
    assert survivor.code == 1 and 'Traceback' not in survivor.text
    errors = [line for line in survivor.text.splitlines() if 'error: ' in line]
    assert len(errors) == 1 and 'error: rank 0 stops, as another has ended' in errors[0]
