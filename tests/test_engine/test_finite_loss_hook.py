import math
from datetime import timedelta
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.hooks import CheckpointHook, LoggerHook
from mmengine.runner.priority import get_priority

from tsgan.engine import FiniteLossHook
from tsgan.registry import HOOKS

TERMS = [
    ('generators', 'loss_cyc_ir'),
    ('reid', 'loss_tri'),
    ('reid', 'loss_ts_cd'),
    ('discriminators', 'loss_rgb_fake'),
]


@pytest.fixture
def runner(make_tsgan):
    return SimpleNamespace(model=make_tsgan(), epoch=3, iter=0)


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(('phase', 'term'), TERMS)
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


def worker(rank, folder):
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=1), rank=rank, world_size=2)
    try:
        outputs = {'reid/loss': torch.tensor(math.nan if rank else 1.0)}
        FiniteLossHook().after_train_iter(SimpleNamespace(epoch=0), 0, outputs=outputs)
    except FloatingPointError as error:
        (folder / f'rank{rank}.txt').write_text(str(error))
    dist.destroy_process_group()


def test_all_ranks_stop_where_one_has_met_it(tmp_path):
    mp.spawn(worker, args=(tmp_path,), nprocs=2)
    assert (tmp_path / 'rank0.txt').read_text().startswith('a loss term of another rank is not finite in epoch 1')
    assert (tmp_path / 'rank1.txt').read_text().startswith('reid/loss is nan in epoch 1, iteration 1 of it')
