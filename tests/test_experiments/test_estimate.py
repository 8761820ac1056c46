"""Seconds a step, from made-up clocks and loaders."""

from collections import Counter
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from tsgan.experiments import load_config

estimate = import_module('tsgan.experiments.estimate')  # by whose name goes a function
CONFIGS = Path(__file__).parents[2] / 'configs/synthetic'


@pytest.fixture
def make_training(monkeypatch):
    """A :class:`TimedTraining` whose loader and steps take what it is told, by a clock that nothing else moves."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(estimate.time, 'perf_counter', lambda: clock.now)
    monkeypatch.setattr(estimate.torch.cuda, 'is_available', lambda: False)

    def make(row, load, step, workers=1):
        def batches():
            for number in range(50):
                clock.now += load
                yield number

        def train_step(batch, wrapper):
            clock.now += step(model.phases)

        model = SimpleNamespace(train_step=train_step, phases=('reid',), inactive_terms=None)
        loader = type('Loader', (), {'__iter__': lambda self: batches(), '__len__': lambda self: 50})()
        monkeypatch.setattr(estimate, 'training', lambda cfg: (model, None, loader))
        cfg = load_config(str(CONFIGS / f'{row}.py'))
        cfg.train_dataloader.num_workers = workers
        return cfg

    return make


@pytest.mark.parametrize(
    ('load', 'workers', 'expected'), [(0.02, 1, 0.1), (0.3, 1, 0.3), (0.3, 2, 0.15), (0.02, 0, 0.12)]
)
def test_the_slower_of_loading_and_steps_makes_the_pace(make_training, load, workers, expected):
    cfg = make_training('backbone', load, lambda phases: 0.1, workers)
    assert estimate.seconds_a_step([cfg], steps=3) == [pytest.approx(expected)]


def test_phases_count_as_often_as_they_run(make_training):
    """AlignGAN's 12 epochs: 4 of features, 2 of pixels, 6 of both, which is all three of its phases."""
    cfg = make_training('rivals/align_gan', 0, lambda phases: {1: 1.0, 2: 2.0, 3: 6.0}[len(phases)])
    kinds = Counter({len(phases): 0 for phases, _ in estimate.kinds_of_steps(cfg, 50)})
    for (phases, _), count in estimate.kinds_of_steps(cfg, 50).items():
        kinds[len(phases)] += count
    assert kinds == {1: 200, 2: 100, 3: 300}
    assert estimate.seconds_a_step([cfg], steps=3) == [pytest.approx((4 * 1 + 2 * 2 + 6 * 6) / 12)]


def test_a_phase_in_every_fifth_step_counts_a_fifth(make_training):
    cfg = make_training('rivals/cmgan', 0, len)
    assert estimate.seconds_a_step([cfg], steps=3) == [pytest.approx(1.2)]


def test_the_iterations_of_an_epoch_are_the_samplers_or_the_loaders(monkeypatch):
    cfg = load_config(str(CONFIGS / 'backbone.py'))
    assert estimate.iterations_an_epoch(cfg) == 50
    cfg.train_dataloader.batch_sampler.num_batches = None
    monkeypatch.setattr(estimate, 'loader', lambda cfg, name: range(7))
    assert estimate.iterations_an_epoch(cfg) == 7
