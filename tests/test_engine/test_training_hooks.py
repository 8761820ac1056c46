import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tsgan.engine import hooks
from tsgan.registry import HOOKS

PHASES = ['generators', 'reid', 'discriminators']


@pytest.fixture
def runner(make_tsgan):
    return SimpleNamespace(model=make_tsgan(), epoch=0, iter=0, seed=3)


def phases_hook(runner, phases, terms=None):
    hook = HOOKS.build(dict(type='AlternatingPhasesHook', phases=phases, terms=terms))
    hook.before_train(runner)
    return hook


def phases_run(hook, runner, iters, per_epoch=100):
    """The phases of each iteration."""
    ran = []
    for runner.iter in range(iters):
        runner.epoch = runner.iter // per_epoch
        hook.before_train_iter(runner, batch_idx=runner.iter % per_epoch)
        ran.append(runner.model.phases)
    return ran


def test_phases_run_in_the_order_of_the_config(runner, make_optim_wrapper, make_batch):
    order = PHASES[::-1]
    assert phases_run(phases_hook(runner, order), runner, 2) == [tuple(order)] * 2
    log = runner.model.train_step(make_batch(), make_optim_wrapper(runner.model))
    assert list(dict.fromkeys(name.split('/')[0] for name in log)) == order


def test_a_phase_runs_in_every_nth_iteration_of_the_training(runner):
    hook = phases_hook(runner, ['reid', dict(name='discriminators', every=3)])
    both, one = ('reid', 'discriminators'), ('reid',)
    assert phases_run(hook, runner, 7, per_epoch=5) == [both, one, one, both, one, one, both]


def test_a_phase_begins_with_its_epoch(runner):
    hook = phases_hook(runner, ['generators', dict(name='reid', begin=1), dict(name='discriminators', begin=2)])
    assert [len(phases) for phases in phases_run(hook, runner, 6, per_epoch=2)] == [1, 1, 2, 2, 3, 3]


def test_a_phase_ends_before_its_epoch_and_may_begin_again(runner):
    phases = [dict(name='reid', end=1), dict(name='reid', begin=3), dict(name='generators', begin=1, end=3)]
    ran = phases_run(phases_hook(runner, phases), runner, 8, per_epoch=2)
    assert ran == [('reid',)] * 2 + [('generators',)] * 4 + [('reid',)] * 2


def test_a_phase_that_ends_with_epoch_0_never_runs(runner):
    hook = phases_hook(runner, ['reid', dict(name='generators', end=0)])
    assert phases_run(hook, runner, 2) == [('reid',)] * 2


def test_a_loss_term_counts_within_its_epochs(runner):
    terms = {'reid/loss_gan': 2, 'reid/loss_tri': dict(end=1), 'reid/loss_id': dict(begin=1, end=3)}
    hook = phases_hook(runner, PHASES, terms)
    waiting = []
    for runner.epoch in range(4):
        hook.before_train_iter(runner, batch_idx=0)
        waiting.append({term.removeprefix('reid/loss_') for term in runner.model.inactive_terms})
    assert waiting == [{'gan', 'id'}, {'gan', 'tri'}, {'tri'}, {'tri', 'id'}]


def test_a_malformed_term_is_refused_with_the_right_form():
    with pytest.raises(ValueError, match=r'reid/loss_id .*dict\(begin=0, end=None\); got'):
        HOOKS.build(dict(type='AlternatingPhasesHook', phases=PHASES, terms={'reid/loss_id': dict(start=3)}))


def test_a_loss_term_counts_from_its_epoch_on(runner, make_optim_wrapper, make_batch):
    terms = {'reid/loss_ts_cd': 1, 'reid/loss_gan': 2}
    hook = phases_hook(runner, PHASES, terms)
    wrapper = make_optim_wrapper(runner.model)
    counted = []
    for runner.epoch in range(3):
        hook.before_train_iter(runner, batch_idx=0)
        log = runner.model.train_step(make_batch(), wrapper)
        hook.after_train_iter(runner, batch_idx=0, outputs=log)
        counted.append([log[term].item() > 0 for term in terms])
    assert counted == [[False, False], [True, False], [True, True]]


def test_an_unknown_loss_term_fails_with_the_names_that_exist(runner, make_optim_wrapper, make_batch):
    hook = phases_hook(runner, PHASES, {'reid/loss_ts': 1})
    hook.before_train_iter(runner, batch_idx=0)
    log = runner.model.train_step(make_batch(), make_optim_wrapper(runner.model))
    with pytest.raises(ValueError, match=r"\['reid/loss_ts'\]; there are .*'reid/loss_ts_cd'"):
        hook.after_train_iter(runner, batch_idx=0, outputs=log)


@pytest.mark.parametrize(
    ('phases', 'terms', 'named'),
    [
        (['generators', 'student'], None, 'student'),
        ([dict(name='teacher', every=2)], None, 'teacher'),
        (PHASES, {'ried/loss_ts_cd': 5}, 'ried'),
    ],
)
def test_unknown_phases_fail_before_training_with_the_names_that_exist(runner, phases, terms, named):
    with pytest.raises(ValueError, match=rf"\['{named}'\]; TSGAN has \['generators', 'reid', 'discriminators'\]"):
        phases_hook(runner, phases, terms)


@pytest.mark.parametrize('phase', [dict(every=2), dict(name='reid', start=3)])
def test_a_malformed_phase_is_refused_with_the_right_form(phase):
    with pytest.raises(ValueError, match=r'dict\(name=..., every=1, begin=0, end=None\); got'):
        HOOKS.build(dict(type='AlternatingPhasesHook', phases=[phase]))


def test_an_iteration_without_any_phase_is_refused(runner):
    hook = phases_hook(runner, [dict(name='reid', begin=1)])
    with pytest.raises(ValueError, match=r'no phase runs in iteration 0 \(epoch 0\)'):
        phases_run(hook, runner, 1)


def test_gradients_are_shown_at_every_interval_for_every_term(runner, make_optim_wrapper, make_batch):
    hook = HOOKS.build(dict(type='GradientNormHook', interval=2))
    wrapper = make_optim_wrapper(runner.model)
    shown = {}
    runner.visualizer = SimpleNamespace(add_scalars=lambda scalars, step: shown.update({step: scalars}))
    for runner.iter in range(4):
        hook.before_train_iter(runner, batch_idx=runner.iter)
        log = runner.model.train_step(make_batch(), wrapper)
        hook.after_train_iter(runner, batch_idx=runner.iter, outputs=log)
    assert list(shown) == [2, 4]
    terms = {name.replace('/loss_', '/grad_loss_') for name in log if '/loss_' in name}
    for norms in shown.values():
        assert norms.keys() == terms and all(norm > 0 for norm in norms.values())
    assert shown[2] != shown[4]


def test_measuring_gradients_does_not_change_the_training(make_tsgan, make_optim_wrapper, make_batch):
    trained = []
    for measured in (False, True):
        torch.manual_seed(0)
        model = make_tsgan()
        model.measure_gradients = measured
        model.train_step(make_batch(), make_optim_wrapper(model))
        trained.append(model.state_dict())
    for name, tensor in trained[0].items():
        assert torch.equal(tensor, trained[1][name]), name


def draws():
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize('unit', ['epoch', 'iter'])
def test_randomness_of_an_epoch_and_of_a_step_depends_on_seed_place_and_rank_alone(unit, runner, monkeypatch):
    hook = HOOKS.build(dict(type='EpochSeedHook'))
    runner.train_dataloader = SimpleNamespace(dataset=SimpleNamespace(epoch_seed=None))

    def drawn(seed, place, rank, before):
        runner.seed = seed
        setattr(runner, unit, place)
        monkeypatch.setattr(hooks, 'get_rank', lambda: rank)
        for _ in range(before):  # whatever has been drawn so far
            draws()
        if unit == 'epoch':
            hook.before_train_epoch(runner)
        else:
            hook.before_train_iter(runner, batch_idx=0)
        return draws()

    first = drawn(seed=3, place=5, rank=1, before=0)
    assert drawn(seed=3, place=5, rank=1, before=7) == first
    for seed, place, rank in [(4, 5, 1), (3, 6, 1), (3, 5, 0)]:
        assert not set(drawn(seed, place, rank, before=0)) & set(first)
    drawn(seed=2**31 - 1, place=10_000_000, rank=64, before=0)  # any seed is in the range that NumPy takes


def test_the_data_set_gets_a_seed_of_the_epoch_the_same_in_all_ranks(runner, monkeypatch):
    hook, dataset = HOOKS.build(dict(type='EpochSeedHook')), SimpleNamespace(epoch_seed=None)
    runner.train_dataloader, seeds = SimpleNamespace(dataset=dataset), []
    for runner.epoch, rank in [(0, 0), (0, 1), (1, 0)]:
        monkeypatch.setattr(hooks, 'get_rank', lambda rank=rank: rank)
        hook.before_train_epoch(runner)
        seeds.append(dataset.epoch_seed)
    assert seeds[0] == seeds[1] != seeds[2]


def test_a_head_of_another_number_of_identities_is_refused(runner):
    hook = HOOKS.build(dict(type='IdentityCountHook'))
    runner.train_dataloader = SimpleNamespace(dataset=SimpleNamespace(num_ids=6))
    hook.before_train(runner)
    runner.train_dataloader.dataset.num_ids = 395
    with pytest.raises(ValueError, match=r'has 395 identities.*is 6.*`--cfg-options model.reid.head.num_classes=395`'):
        hook.before_train(runner)
