"""Two gloo processes on the CPU against one process on the same global batch.

The processes are started once; they go through all cases and leave what they found in files that the tests read.
"""

import copy
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODEL_WRAPPERS, init_default_scope
from mmengine.runner import save_checkpoint
from mmengine.runner.checkpoint import load_checkpoint

from tsgan.structures import unwrapped

RANKS = 2
PHASES = ('generators', 'reid', 'discriminators')
WAITING = frozenset({'discriminators/loss_rgb_real', 'discriminators/loss_rgb_fake'})  # all that moves D_R
RUNTIME = Path(__file__).parents[2] / 'configs/_base_/default_runtime.py'


def share(batch, rank):
    """A rank's identities of a global batch, RGB images first, then IR, as the sampler gives them."""
    pairs = len(batch['data_samples']) // 2
    mine = pairs // RANKS
    rows = [first + rank * mine + i for first in (0, pairs) for i in range(mine)]
    return dict(inputs=batch['inputs'][rows], data_samples=[copy.deepcopy(batch['data_samples'][i]) for i in rows])


def wrap(model):
    return MODEL_WRAPPERS.build(Config.fromfile(RUNTIME).model_wrapper_cfg, default_args=dict(module=model))


def optimizers(model, **settings):
    cfg = {name: dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01), **settings) for name in PHASES}
    return build_optim_wrapper(model, dict(constructor='PerModuleOptimWrapperConstructor', **cfg))


def gradients_of_a_step(model, batch):
    """phase -> every gradient with which that phase's optimizer stepped, in one vector."""
    wrapper = optimizers(model)
    found = {}

    def keep(name):
        def hook(optimizer, args, kwargs):
            parameters = [p for group in optimizer.param_groups for p in group['params'] if p.requires_grad]
            found[name] = torch.cat([p.grad.flatten() for p in parameters])

        return hook

    for name in PHASES:
        wrapper[name].optimizer.register_step_pre_hook(keep(name))
    model.train_step(batch, wrapper)
    return found


def adversarial_gradient(model, batch, **switches):
    """The generators' gradient of Eq. 1 alone, by one reading of it."""
    plain = unwrapped(model)
    for name, value in switches.items():
        assert hasattr(plain, name)
        setattr(plain, name, value)
    plain.phases = ('generators',)
    plain.loss_cyc.loss_weight = 0.0  # most of the gradient otherwise, and most of the rest goes through the images
    unwrapped(plain.discriminators).ir.map_branch[0].weight.data.mul_(30)
    return gradients_of_a_step(model, batch)['generators']


def steps(model, batches, **settings):
    """One vector of all parameters after each step."""
    wrapper = optimizers(model, **settings)
    after = []
    for batch in batches:
        model.train_step(batch, wrapper)
        after.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    return torch.stack(after)


def own_mining_only():
    return mock.patch('tsgan.models.losses.gathering.get_world_size', return_value=1)


def with_own_averages(model, work_dir):
    """MMEngine's EMAHook over one step, a checkpoint, and the resumption from it."""
    runner = SimpleNamespace(model=model, iter=0, epoch=0, _resume=True)
    hook = EMAHook(momentum=0.5)
    hook.before_run(runner)
    hook.after_train_iter(runner, 0)
    trained = [p.detach().clone() for p in model.parameters()]
    for p in model.parameters():
        p.data.add_(1)
    hook.after_train_iter(runner, 1)  # now the mean of the two
    unwrapped = model.module if is_model_wrapper(model) else model
    checkpoint = dict(state_dict=copy.deepcopy(unwrapped.state_dict()))
    hook.before_save_checkpoint(runner, checkpoint)
    resumed = EMAHook(momentum=0.5)
    resumed.before_run(runner)
    resumed.after_load_checkpoint(runner, copy.deepcopy(checkpoint))
    names = set(checkpoint['state_dict'])
    averages = list(resumed.ema_model.parameters())
    is_mean = all(torch.allclose(a, p + 0.5, atol=1e-6) for a, p in zip(averages, trained, strict=True))
    return dict(names=names, ema_names=set(checkpoint['ema_state_dict']), is_mean=is_mean)


def worker(rank, folder):
    torch.set_num_threads(1)
    init_default_scope('tsgan')
    rendezvous = f'file://{folder}/rendezvous'
    dist.init_process_group('gloo', rendezvous, timedelta(minutes=2), rank=rank, world_size=RANKS)
    job = torch.load(folder / 'job.pt', weights_only=False)
    batches = [share(batch, rank) for batch in job['batches']]

    def model():  # BatchNorm statistics fixed
        return wrap(copy.deepcopy(job['model'])).eval()

    found = dict(gradients=gradients_of_a_step(model(), batches[0]))
    for through in (True, False):
        found['through', through] = adversarial_gradient(model(), batches[0], adv_through_reid=through)
    batch_stats = model().train()
    before = copy.deepcopy(dict(batch_stats.module.reid.named_buffers()))
    found['batch_stats'] = adversarial_gradient(batch_stats, batches[0], adv_map_stats='batch')
    now = dict(batch_stats.module.reid.named_buffers())
    found['buffers_stay'] = all(torch.equal(now[name], buffer) for name, buffer in before.items())
    found['student_waits'] = all(p.grad is None or not p.grad.any() for p in batch_stats.module.reid.parameters())
    batch_stats.module.phases, batch_stats.module.loss_cyc.loss_weight = PHASES, 10.0
    found['with_batch_stats'] = steps(batch_stats, batches)
    with own_mining_only():
        found['own_mining'] = gradients_of_a_step(model(), batches[0])
    found['training'] = steps(model().train(), batches)
    found['accumulating'] = steps(model(), batches, accumulative_counts=2)
    measured = model()
    measured.module.measure_gradients = True
    found['measuring'] = steps(measured, batches[:2])
    assert measured.module.gradient_norms
    waiting = model()
    waiting.module.inactive_terms = WAITING
    found['waiting'] = steps(waiting, batches[:2])
    found['averages'] = with_own_averages(model(), folder)

    trained = model()
    save_checkpoint(dict(state_dict=trained.module.state_dict()), f'{folder}/wrapped_{rank}.pth')
    for p in trained.parameters():
        p.data.zero_()
    load_checkpoint(trained.module, f'{folder}/plain.pth', strict=True)
    found['loaded'] = dict(trained.module.state_dict())
    torch.save(found, folder / f'rank{rank}.pt')
    os._exit(0)  # at the end of Python, gloo may wait for ever


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('ranks')


@pytest.fixture
def job(folder, make_tsgan, make_batch):
    """A small TS-GAN and four global batches of 4 identities x 2 pairs, the same in every test."""
    if not (folder / 'job.pt').exists():
        batches = [make_batch(num_ids=4, num_pairs=2, seed=i) for i in range(4)]
        torch.save(dict(model=make_tsgan(), batches=batches), folder / 'job.pt')
    return torch.load(folder / 'job.pt', weights_only=False)


@pytest.fixture
def ranks(folder, job):
    """What each of the two ranks found."""
    if not (folder / 'plain.pth').exists():
        save_checkpoint(dict(state_dict=job['model'].state_dict()), str(folder / 'plain.pth'))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv('CUDA_VISIBLE_DEVICES', '')
            patch.setenv('OMP_NUM_THREADS', '1')
            mp.spawn(worker, args=(folder,), nprocs=RANKS)
    assert (folder / 'rank1.pt').exists(), 'the ranks failed in the first of these tests'
    return [torch.load(folder / f'rank{rank}.pt', weights_only=False) for rank in range(RANKS)]


def distance(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize('phase', PHASES)
def test_gradients_on_two_ranks_are_those_of_one_process_on_the_global_batch(ranks, job, phase):
    expected = gradients_of_a_step(job['model'].eval(), job['batches'][0])[phase]
    for rank in ranks:
        assert distance(rank['gradients'][phase], expected) < 1e-4


def test_the_triplet_is_mined_over_all_ranks(ranks, job):
    expected = gradients_of_a_step(job['model'].eval(), job['batches'][0])['reid']
    assert distance(ranks[0]['gradients']['reid'], expected) < 1e-4
    assert distance(ranks[0]['own_mining']['reid'], expected) > 1e-2  # where each rank mined its own images only


@pytest.mark.parametrize('through', [True, False])
def test_the_gradient_of_eq_1_goes_through_the_wrapped_student_where_asked(through, ranks, job):
    expected = adversarial_gradient(job['model'].eval(), job['batches'][0], adv_through_reid=through)
    for rank in ranks:
        assert distance(rank['through', through], expected) < 1e-2
        assert distance(rank['through', not through], expected) > 5e-2


def test_batch_statistics_for_eq_1_are_those_of_each_ranks_share_and_do_not_move_the_wrapped_student(ranks, job):
    alone = [
        adversarial_gradient(copy.deepcopy(job['model']).train(), share(job['batches'][0], i), adv_map_stats='batch')
        for i in range(RANKS)
    ]
    expected = sum(alone) / RANKS
    assert distance(alone[0], alone[1]) > 5e-2
    for rank in ranks:
        assert distance(rank['batch_stats'], expected) < 1e-2
        assert distance(rank['through', True], expected) > 5e-2  # with running statistics
        assert rank['buffers_stay'] and rank['student_waits']


@pytest.mark.parametrize('case', ['training', 'with_batch_stats', 'accumulating', 'measuring', 'waiting'])
def test_ranks_hold_equal_parameters_after_every_step(ranks, case):
    first, second = (rank[case] for rank in ranks)
    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1]) or case == 'accumulating'


def test_gradients_accumulated_on_two_ranks_are_those_of_one_process(ranks, job):
    expected = steps(job['model'].eval(), job['batches'], accumulative_counts=2)
    found = ranks[0]['accumulating']
    assert torch.equal(found[0], found[2]) is False and torch.equal(found[1], found[2])  # steps in every second
    # a ReLU's input that rounding takes past 0 moves one gradient by a thousandth, and the next steps by more
    assert distance(found - found[0], expected - expected[0]) < 5e-2


def test_measuring_gradients_does_not_disturb_their_averaging(ranks, job):
    expected = steps(job['model'].eval(), job['batches'][:2])
    assert distance(ranks[0]['measuring'], expected) < 1e-5


def test_parameters_whose_terms_have_not_begun_do_not_stop_the_ranks(ranks, job):
    job['model'].inactive_terms = WAITING
    expected = steps(job['model'].eval(), job['batches'][:2])
    assert distance(ranks[0]['waiting'], expected) < 1e-5


def test_a_checkpoint_has_the_same_names_wrapped_and_unwrapped_and_loads_either_way(ranks, job, folder):
    plain = job['model'].state_dict()
    wrapped = torch.load(folder / 'wrapped_0.pth')['state_dict']
    assert set(wrapped) == set(plain) == set(ranks[0]['loaded'])
    for name, tensor in plain.items():
        assert torch.equal(ranks[0]['loaded'][name], tensor), name
    for p in job['model'].parameters():
        p.data.zero_()
    load_checkpoint(job['model'], str(folder / 'wrapped_0.pth'), strict=True)
    for name, tensor in job['model'].state_dict().items():
        assert torch.equal(wrapped[name], tensor), name


def test_ema_of_wrapped_children_saves_their_plain_names_and_resumes(ranks, job):
    plain = set(job['model'].state_dict())
    for rank in ranks:
        assert rank['averages']['names'] == plain
        assert rank['averages']['ema_names'] == {f'module.{name}' for name in plain} | {'steps'}
        assert rank['averages']['is_mean']
