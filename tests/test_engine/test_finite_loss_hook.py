import math
import os
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.runner.priority import get_priority
from small_models import BASELINE, build

from tsgan.engine import FiniteLossHook
from tsgan.models.alternating import AlternatingModel, not_finite
from tsgan.registry import HOOKS


@pytest.fixture
def runner(make_tsgan):
    return SimpleNamespace(model=make_tsgan(), epoch=3, iter=0)


@pytest.mark.parametrize(
    ('phase', 'term', 'value'),
    [
        ('generators', 'loss_cyc_ir', math.inf),
        ('reid', 'loss_ts_cd', math.nan),
        ('discriminators', 'loss_rgb_fake', -math.inf),
    ],
)
def test_a_term_that_is_not_finite_stops_the_training_by_its_name(
    runner, make_batch, make_optim_wrapper, monkeypatch, phase, term, value
):
    hook, model, wrapper = HOOKS.build(dict(type='FiniteLossHook')), runner.model, make_optim_wrapper(runner.model)
    hook.after_train_iter(runner, 0, outputs=model.train_step(make_batch(), wrapper))  # of a sound iteration nothing
    losses = getattr(model, f'{phase}_loss')

    def planted(step):
        terms = losses(step)
        return terms | {term: terms[term] * value}

    monkeypatch.setattr(model, f'{phase}_loss', planted)
    outputs = model.train_step(make_batch(), wrapper)
    with pytest.raises(
        FloatingPointError, match=f'{phase}/{term} is -?(nan|inf).* in epoch 4, iteration 8 of it; the tra'
    ):
        hook.after_train_iter(runner, 7, outputs=outputs)


def with_loss(model, made):
    """A baseline with one more loss, of the vectors."""
    model.losses['loss_own'] = torch.nn.Module()
    model.losses.loss_own.forward = lambda output, labels, is_rgb: made(output.vector)
    return model


def without_gradient(vectors):
    """A loss of 0 with a gradient that is NaN."""
    return (0 * vectors).sum().sqrt()


def test_a_gradient_that_is_not_finite_stops_it_in_the_same_iteration(baseline, make_batch, make_optim_wrapper):
    model = with_loss(baseline, without_gradient)
    outputs = model.train_step(make_batch(), make_optim_wrapper(model))
    assert outputs['reid/loss'].isfinite()
    with pytest.raises(
        FloatingPointError, match='^the gradient of the phase reid is not finite, and its loss is in epoch 1, iter'
    ):
        FiniteLossHook().after_train_iter(SimpleNamespace(model=model, epoch=0), 0, outputs=outputs)


@pytest.mark.parametrize('broken', [without_gradient, lambda vectors: (vectors * math.inf).sum()])
def test_a_training_that_skips_ends_as_one_that_has_never_seen_those_batches(broken, make_batch, make_optim_wrapper):
    states, said, turn = [], [], []
    for batches in ([0, 1, 2, 3], [0, 3]):
        torch.manual_seed(0)
        model = build(BASELINE).train()
        turn.clear()
        with_loss(model, lambda vectors: broken(vectors) if turn[-1] in (1, 2) else vectors.square().mean())
        wrapper, hook = make_optim_wrapper(model, dict(type='Adam', lr=1e-3)), FiniteLossHook(skip=2)
        runner = SimpleNamespace(model=model, epoch=0, logger=SimpleNamespace(warning=said.append))
        hook.before_train(runner)
        for i in batches:
            turn.append(i)
            hook.after_train_iter(runner, i, outputs=model.train_step(make_batch(seed=i), wrapper))
        states.append((model.state_dict(), wrapper['reid'].optimizer.state_dict()['state']))
    (weights, momenta), (expected, expected_momenta) = states
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights.items())
    assert all(torch.equal(momenta[i][key], state[key]) for i, state in expected_momenta.items() for key in state)
    assert len(said) == 2 and 'reid' in said[0]
    assert said[1].endswith(
        'iteration 3 of it; nothing of it reaches the weights: 2 of 2 iterations that may be skipped.'
    )


def test_it_skips_so_many_iterations_and_no_more(baseline, make_batch, make_optim_wrapper):
    model, wrapper = with_loss(baseline, lambda vectors: vectors.sum() * math.nan), make_optim_wrapper(baseline)
    runner = SimpleNamespace(model=model, epoch=0, logger=SimpleNamespace(warning=lambda _: None))
    hook = HOOKS.build(dict(type='FiniteLossHook', skip=1))
    hook.before_train(runner)
    hook.after_train_iter(runner, 0, outputs=model.train_step(make_batch(), wrapper))
    with pytest.raises(
        FloatingPointError, match='reid/loss_own is nan .*the training stops after 1 skipped iterations'
    ):
        hook.after_train_iter(runner, 1, outputs=model.train_step(make_batch(), wrapper))
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    with pytest.raises(ValueError, match='skip of FiniteLossHook is a number of iterations, 0 or more, not -1'):
        FiniteLossHook(skip=-1)


def test_a_gradient_that_overflows_in_mixed_precision_is_the_loss_scalers():
    layer = torch.nn.Linear(2, 1)
    (layer(torch.ones(1, 2)) * math.inf).sum().backward()
    amp, plain = (object.__new__(kind) for kind in (AmpOptimWrapper, OptimWrapper))
    assert not not_finite(torch.tensor(1.0), layer, amp) and not_finite(torch.tensor(1.0), layer, plain)
    assert not_finite(torch.tensor(math.nan), layer, amp)


@pytest.mark.parametrize('name', ['reid.head.classifier.weight', 'reid.encoder.backbone.bn1.running_var'])
def test_weights_that_are_not_finite_stop_it_before_the_epoch_is_saved(runner, name):
    hook = FiniteLossHook()
    hook.after_train_epoch(runner)
    runner.model.state_dict()[name].flatten()[-1] = math.nan
    with pytest.raises(FloatingPointError, match=f'^{name}: not finite after epoch 4'):
        hook.after_train_epoch(runner)


def test_a_model_without_losses_and_weights_goes_on(runner):
    hook, runner.model = FiniteLossHook(), torch.nn.Identity()
    hook.after_train_iter(runner, 0, outputs={})
    hook.after_train_epoch(runner)


def test_it_comes_before_what_logs_and_saves():
    assert get_priority(FiniteLossHook.priority) < min(get_priority(h.priority) for h in (CheckpointHook, LoggerHook))


class OneWeight(AlternatingModel):
    """A model of one number, whose loss is NaN in rank 1."""

    PHASES = ('reid',)

    def __init__(self):
        super().__init__(data_preprocessor=dict(type='BaseDataPreprocessor'))
        self.reid = torch.nn.Linear(1, 1, bias=False)

    def forward(self):
        raise NotImplementedError

    def make_step(self, inputs, data_samples):
        return inputs

    def reid_loss(self, step):
        return {'loss': self.reid(step).sum()}


def worker(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=1), rank=rank, world_size=2)
    model = OneWeight()
    before = model.reid.weight.item()
    runner = SimpleNamespace(model=model, epoch=0, logger=SimpleNamespace(warning=lambda _: None))
    wrapper = OptimWrapperDict(reid=OptimWrapper(torch.optim.SGD(model.reid.parameters(), lr=1)))
    batch = dict(inputs=torch.full((1, 1), math.nan if rank else 1.0), data_samples=[])
    hook = FiniteLossHook(skip=1)
    hook.before_train(runner)
    try:
        for i in range(2):
            hook.after_train_iter(runner, i, outputs=model.train_step(batch, wrapper))
    except FloatingPointError as error:
        (folder / f'rank{rank}.txt').write_text(f'{model.reid.weight.item() - before} {error}')
    os._exit(0)  # at the end of Python, gloo may wait for ever


def test_all_ranks_skip_and_stop_where_one_has_met_it(tmp_path):
    mp.spawn(worker, args=(tmp_path,), nprocs=2)
    assert (tmp_path / 'rank0.txt').read_text().startswith('0.0 a loss term or gradient of another rank is not finite')
    assert (tmp_path / 'rank1.txt').read_text().startswith('0.0 reid/loss is nan in epoch 1, iteration 2 of it')
