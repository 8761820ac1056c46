"""DEEN's and MPANet's losses, and MPANet's averages, on two gloo processes against one process on the whole batch."""

import copy
import os
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODEL_WRAPPERS, init_default_scope
from mmpretrain.structures import DataSample
from test_deen_mpanet_losses import SLOW, batch, computed
from test_mpanet import model

from tsgan.registry import MODELS

AVERAGES = ('reid.average_rgb', 'reid.average_ir')


def half(labels, rank):
    """Rows of the first or of the last two of four identities."""
    return torch.isin(labels, torch.tensor([[7, 2], [5, 0]][rank]))


def share(batch, rank):
    """One of the two identities of a batch of images."""
    pairs = len(batch['data_samples']) // 2
    rows = [first + rank * pairs // 2 + i for first in (0, pairs) for i in range(pairs // 2)]
    return dict(inputs=batch['inputs'][rows], data_samples=[copy.deepcopy(batch['data_samples'][i]) for i in rows])


def steps(net, batches):
    """Weights and buffers after a step on each."""
    cfg = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
    wrapper = build_optim_wrapper(net, dict(constructor='PerModuleOptimWrapperConstructor', reid=cfg))
    for one in batches:
        net.train_step(one, wrapper)
    return getattr(net, 'module', net).state_dict()


def rank_worker(rank, folder):
    torch.set_num_threads(1)
    init_default_scope('tsgan')
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=2), rank=rank, world_size=2)
    found = {}
    for kind, (_, blocks) in SLOW.items():
        vectors, labels, is_rgb = batch(8, blocks=blocks)
        mine = half(labels, rank)
        found[kind] = computed(MODELS.build(dict(type=kind)), vectors[mine], labels[mine], is_rgb[mine])
    job = torch.load(f'{folder}/job.pt', weights_only=False)
    wrapper = dict(type='MMSeparateDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=False)
    net = MODEL_WRAPPERS.build(wrapper, default_args=dict(module=job['model']))
    found['state'] = steps(net.train(), [share(one, rank) for one in job['batches']])
    torch.save(found, f'{folder}/{rank}.pt')
    os._exit(0)  # at the end of Python, gloo may wait for ever


def images(seed):
    """Four RGB images of two identities, and four IR images of them, in the sampler's order."""
    samples = []
    for modality in ('rgb', 'ir'):
        for i in range(4):
            sample = DataSample().set_gt_label(i // 2)
            sample.set_field(modality, 'modality', field_type='metainfo')
            samples.append(sample)
    torch.manual_seed(seed)
    return dict(inputs=torch.randint(0, 256, (8, 3, 64, 32), dtype=torch.uint8), data_samples=samples)


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    init_default_scope('tsgan')
    torch.save(dict(model=model(), batches=[images(seed) for seed in range(2)]), folder / 'job.pt')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('CUDA_VISIBLE_DEVICES', '')
        mp.spawn(rank_worker, (str(folder),), nprocs=2)
    return [torch.load(folder / f'{rank}.pt', weights_only=False) for rank in range(2)]


@pytest.mark.parametrize('kind', list(SLOW))
def test_gradients_of_two_ranks_are_those_of_one_process_on_the_whole_batch(kind, ranks):
    vectors, labels, is_rgb = batch(8, blocks=SLOW[kind][1])
    expected, gradient = computed(MODELS.build(dict(type=kind)), vectors, labels, is_rgb)
    for rank, found in enumerate(ranks):
        # 2: gradients of parameters are averaged over ranks afterwards
        torch.testing.assert_close(found[kind][1] / 2, gradient[half(labels, rank)], rtol=1e-7, atol=1e-12)
    assert sum(found[kind][0] for found in ranks) / 2 == pytest.approx(expected, rel=1e-9)


def test_ranks_agree_on_the_averages_of_the_classifiers(ranks):
    first, second = (found['state'] for found in ranks)
    for name in AVERAGES:
        assert torch.equal(first[name], second[name])
        assert not torch.equal(first[name], first[name.replace('average', 'classifier') + '.weight'])
    for name, tensor in first.items():
        if 'running_' not in name:  # BN statistics are each rank's own until SyncBuffersHook
            assert torch.equal(tensor, second[name]), name
