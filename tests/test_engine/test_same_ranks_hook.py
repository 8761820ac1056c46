"""Three gloo processes, of which one holds something else."""

import os
import re
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import CheckpointHook, SyncBuffersHook
from mmengine.registry import init_default_scope
from mmengine.runner.priority import get_priority
from small_models import TSGAN, build
from test_distributed import wrap
from torch import nn

from tsgan.engine import SameRanksHook
from tsgan.engine.same_ranks_hook import checksum
from tsgan.registry import HOOKS

RANKS = 3
FIRST, LAST = 'reid.encoder.backbone.conv1.weight', 'discriminators.ir.joint_branch.0.weight'
TEACHER, BUFFER = 'teacher.encoder.backbone.conv1.weight', 'reid.encoder.backbone.bn1.running_mean'


def plant(model, name, change):
    """Change a tensor of a wrapped model where a rank holds it."""
    with torch.no_grad():
        change(model.module.state_dict()[name])


def next_number(tensor):
    tensor.view(torch.int32)[(-1,) * tensor.dim()] += 1


def swap(tensor):
    tensor[:2] = tensor[:2].flip(0).clone()


# what is planted, on which rank -> what is said
CASES = {
    'nothing': [],
    'one bit': [(1, LAST, next_number)],
    'two values': [(2, FIRST, swap)],
    'frozen': [(0, TEACHER, next_number)],
    'several': [(1, LAST, next_number), (1, FIRST, next_number), (2, LAST, swap)],
    'buffers': [(2, BUFFER, next_number)],
}


def said(check, *args):
    try:
        check(*args)
    except RuntimeError as error:
        return str(error)
    return ''


def worker(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=1), rank=rank, world_size=RANKS)
    found = {}
    init_default_scope('tsgan')
    for name, planted in CASES.items():
        runner = SimpleNamespace(model=wrap(build(TSGAN)), iter=9, epoch=0)
        for at, tensor, change in planted:
            if rank == at:
                plant(runner.model, tensor, change)
        hook = HOOKS.build(dict(type='SameRanksHook', interval=5, buffers=True))
        found[name] = said(hook.after_train_iter, runner, 9), said(hook.after_train_epoch, runner)
        runner.iter = 8
        found[f'{name}, between'] = said(hook.after_train_iter, runner, 8)
        found[f'{name}, parameters'] = said(SameRanksHook().after_train_epoch, runner)
    torch.save(found, folder / f'rank{rank}.pt')
    os._exit(0)  # at the end of Python, gloo may wait for ever


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('same_ranks')
    mp.start_processes(worker, args=(folder,), nprocs=RANKS, start_method='fork')
    return [torch.load(folder / f'rank{rank}.pt') for rank in range(RANKS)]


@pytest.mark.parametrize(
    ('case', 'sentence'),
    [
        ('nothing', None),
        ('one bit', f'1 of .* first {LAST} of the child module discrim.* on rank 0, 2 and another on rank 1;'),
        ('two values', f'1 of .* first {FIRST} of the child module reid, .* on rank 0, 1 and another on rank 2;'),
        ('frozen', f'first {TEACHER} of the child module teacher, .* on rank 0 and another on rank 1, 2;'),
        ('several', f'2 of .* differ after iteration 10, first {FIRST} of .* on rank 0, 2 and another on rank 1;'),
    ],
)
def test_ranks_with_other_parameters_stop_in_one_iteration_and_say_which(ranks, case, sentence):
    for rank in ranks:
        found, _ = rank[case]
        assert re.search(sentence, found) if sentence else not found, found
        assert found == ranks[0][case][0]
        assert not rank[f'{case}, between'] and not rank[f'{case}, parameters']


def test_buffers_are_compared_after_an_epoch_where_asked(ranks):
    for rank in ranks:
        within, after = rank['buffers']
        assert not within and f'first {BUFFER} of the child module reid' in after
        assert not any(rank['nothing']) and not rank['buffers, parameters']


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_a_checksum_sees_each_value_and_its_place(dtype):
    tensor = torch.arange(6).reshape(2, 3).remainder(2 if dtype == torch.bool else 7).to(dtype)
    sums = [checksum(tensor)]
    for i in range(6):
        other = tensor.clone().flatten()
        other[i] = not other[i] if dtype == torch.bool else other[i] + 9
        sums.append(checksum(other))
    sums.append(checksum(tensor.flatten().roll(1)))
    assert len({int(s) for s in sums}) == len(sums)
    assert checksum(tensor.t().contiguous().t()) == sums[0]  # however it lies in memory


def test_one_process_compares_nothing_and_a_nan_equals_itself():
    runner = SimpleNamespace(model=nn.Linear(16, 16), iter=0)
    SameRanksHook(interval=1).after_train_iter(runner, 0)
    assert checksum(torch.tensor([float('nan')])) == checksum(torch.tensor([float('nan')]))


def test_it_comes_after_the_mean_of_the_buffers_and_before_what_saves():
    places = [get_priority(hook.priority) for hook in (SyncBuffersHook, SameRanksHook, CheckpointHook)]
    assert places == sorted(set(places))
