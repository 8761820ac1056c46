import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from tsgan.registry import HOOKS


class Sign(NamedTuple):
    """Of a training that has gone wrong: a logged value that stays where it should not."""

    name: str  # pattern of what follows the phase
    shows: Callable[[float], bool]  # whether the mean of a window does
    sentence: str
    from_start: bool = False  # whether it is none once a window without it has been


SIGNS = (
    Sign(
        r'(.*_)?at_margin',
        lambda mean: mean > 0.9,
        '{name} was {mean:.0%} over the last {iters} iterations: positives and negatives of nearly all anchors are '
        'equally far, as of features that have collapsed to one point, and the triplet loss is stuck at its margin; '
        'try a smaller optim_wrapper.{phase}.optimizer.lr, a longer warm-up of it, or WeightedTripletLoss, which looks '
        'at all pairs of a batch.',
    ),
    Sign(
        r'(.*_)?active',
        lambda mean: mean == 0,
        '{name} was 0 in the first {iters} iterations: no triplet has been active, and so this loss moves nothing; try '
        'a larger margin, one that fits the distance, more identities or more images of each in a batch.',
        from_start=True,
    ),
    Sign(
        r'accuracy_.*',
        lambda mean: mean > 0.99,
        '{name} was {mean:.1%} over the last {iters} iterations: this discriminator has won, and whoever is to deceive '
        'it learns next to nothing from it; try a smaller optim_wrapper.{phase}.optimizer.lr, or to run its phase less '
        "often, as dict(name='{phase}', every=2) in AlternatingPhasesHook.",
    ),
    Sign(
        r'variety_.*',
        lambda mean: mean < 0.01,
        '{name} was {mean:.2%} over the last {iters} iterations: the generator makes nearly the same picture of every '
        'image; try a smaller optim_wrapper.{phase}.optimizer.lr, a larger weight of model.loss_cyc, or to go on from '
        'a checkpoint before that.',
    ),
)


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warns when a training goes on and learns nothing any more, once of each sign, and says what to try.

    It reads what the phases log: the share of a triplet loss's anchors at its margin, ``tri_at_margin`` (stuck: above
    90%), and that of active ones, ``tri_active`` (0 from the start); how often a discriminator is right, ``accuracy_*``
    (won: above 99%); how much a generator's images differ from each other, beside their originals, ``variety_*``
    (one picture of all: below 1%). A warning is logged when a sign has shown in ``patience`` windows in a row.

    Args:
        window (int): Iterations whose mean is looked at, for which the device is waited for once. Defaults to 50.
        patience (int): Windows. Defaults to 4.
    """

    def __init__(self, window: int = 50, patience: int = 4) -> None:
        self.window = window
        self.patience = patience
        self.values: dict[str, list[Tensor]] = {}  # of this window
        self.windows: dict[tuple[str, Sign], int] = {}  # in a row, in which a sign has shown
        self.done: set[tuple[str, Sign]] = set()  # warned of, or not to be looked for any more
        self.from_start = True  # and not resumed

    def before_train(self, runner: Runner) -> None:
        self.from_start = runner.iter == 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        for name, value in (outputs or {}).items():
            if any(re.fullmatch(sign.name, name.partition('/')[2]) for sign in SIGNS):
                self.values.setdefault(name, []).append(torch.as_tensor(value).detach())
        if self.values and self.every_n_train_iters(runner, self.window):
            means = torch.stack([torch.stack(values).float().mean() for values in self.values.values()]).tolist()
            for name, mean in zip(self.values, means, strict=True):
                self.look(runner, name, mean)
            self.values = {}

    def look(self, runner: Runner, name: str, mean: float) -> None:
        """Whether the mean of a window is a sign of something, and has been for long enough."""
        phase, _, rest = name.partition('/')
        for sign in SIGNS:
            key = name, sign
            if key in self.done or (sign.from_start and not self.from_start) or not re.fullmatch(sign.name, rest):
                continue
            self.windows[key] = self.windows.get(key, 0) + 1 if sign.shows(mean) else 0
            if self.windows[key] == self.patience:
                iters = self.window * self.patience
                runner.logger.warning(sign.sentence.format(name=name, phase=phase, mean=mean, iters=iters))
                self.done.add(key)
            elif sign.from_start and not self.windows[key]:
                self.done.add(key)
