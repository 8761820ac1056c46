"""What trainings would cost, before they are begun: seconds a step on this machine, and checkpoints."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import median
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from tsgan.engine import AlternatingPhasesHook
from tsgan.registry import MODELS

BATCHES = 3  # of each row: loaded once, and taken in turn
Kind = tuple[tuple[str, ...], frozenset[str]]  # a step's phases, and its loss terms that do not count


class Estimate(NamedTuple):
    """What a training and its test would take on this machine."""

    epoch: float  # seconds
    test: float  # seconds, of one test
    mib: float  # of the checkpoints


def estimate(cfg: Config) -> Estimate:
    """From a few batches of training and test, loading included."""
    model, wrapper, train = training(cfg)
    seconds = seconds_a_batch(lambda batch: model.train_step(batch, wrapper), train) * len(train)
    if getattr(model.reid, 'metric', None) is not None:
        model.reid.metric = None  # there is none before a training has fitted it
    model.eval()
    test = loader(cfg, 'test_dataloader')
    test_seconds = seconds_a_batch(model.test_step, test) * len(test)
    states = sum(p.numel() for p in model.parameters() if p.requires_grad) * 8  # Adam's two, at most
    mib = (sum(t.numel() * t.element_size() for t in model.state_dict().values()) + states) / 2**20
    return Estimate(seconds, test_seconds, mib * cfg.default_hooks.checkpoint.max_keep_ckpts)


def training(cfg: Config) -> tuple[nn.Module, object, DataLoader]:
    """The model of a training, with weights of chance, what moves it, and its batches."""
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu').train()
    return model, build_optim_wrapper(model, cfg.optim_wrapper), loader(cfg, 'train_dataloader')


def loader(cfg: Config, name: str) -> DataLoader:
    """One of a config's loaders, without processes of its own."""
    parts = dict(cfg[name], num_workers=0, persistent_workers=False)
    return Runner.build_dataloader(parts, seed=0)


def seconds_a_batch(step: Callable[[dict], object], loader: DataLoader) -> float:
    """Median of three, loading included, after one to warm up. A loader of fewer batches gives them again."""
    taken, batches = [], cycle(loader)
    for _ in range(4):
        taken.append(seconds(lambda: step(next(batches))))
    return median(taken[1:])


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def iterations_an_epoch(cfg: Config) -> int:
    """Steps of one epoch, in one process."""
    sampler = cfg.train_dataloader.get('batch_sampler') or {}
    return sampler.get('num_batches') or len(loader(cfg, 'train_dataloader'))


def kinds_of_steps(cfg: Config, iterations: int) -> Counter[Kind | None]:
    """How often a training makes which step; None is a step of a model whose phases nothing schedules."""
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook.type == 'AlternatingPhasesHook']
    if not hooks:
        return Counter([None])
    hook = AlternatingPhasesHook(hooks[0].phases, hooks[0].get('terms'))
    steps = range(iterations * cfg.train_cfg.max_epochs)
    return Counter(hook.at(step // iterations, step) for step in steps)


class TimedTraining:
    """Steps of one training to time, of each kind that it makes.

    Loading counts as in a training: beside the steps where the config has processes for it, so that the slower of the
    two makes the pace, else before each.

    Args:
        cfg (Config): The training's.
    """

    def __init__(self, cfg: Config) -> None:
        self.model, self.wrapper, train = training(cfg)
        self.iterations, self.workers = len(train), cfg.train_dataloader.get('num_workers', 0)
        self.loading, self.batches, loaded = [], [], iter(train)
        for _ in range(min(BATCHES, len(train))):
            self.loading.append(seconds(lambda: self.batches.append(next(loaded))))
        self.kinds = kinds_of_steps(cfg, self.iterations)
        self.taken: dict[Kind | None, list[float]] = {kind: [] for kind in self.kinds}
        self.next = cycle(self.batches)

    def step(self) -> None:
        """Time one step of each kind."""
        for kind, taken in self.taken.items():
            if kind is not None:
                self.model.phases, self.model.inactive_terms = kind
            batch = next(self.next)
            taken.append(seconds(lambda batch=batch: self.model.train_step(batch, self.wrapper)))

    def seconds(self) -> float:
        """Of a step, in the mean over the training; of each kind the median, without the first two."""
        of_kinds = sum(count * median(self.taken[kind][2:]) for kind, count in self.kinds.items())
        step, load = of_kinds / self.kinds.total(), median(self.loading)
        return max(step, load / self.workers) if self.workers else step + load


def seconds_a_step(cfgs: Sequence[Config], steps: int) -> list[float]:
    """Seconds that a step of each training takes, median of so many; trainings take turns, after two steps each."""
    trainings = [TimedTraining(cfg) for cfg in cfgs]
    for _ in range(steps + 2):
        for timed in trainings:
            timed.step()
    return [timed.seconds() for timed in trainings]
