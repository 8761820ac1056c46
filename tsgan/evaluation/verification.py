"""Verification: are these two images of one person? What thresholds on a score let through, rightly and wrongly.

A pair is accepted where its score is at or above a threshold. FAR is the share of impostor pairs (of two people) that
are accepted, TAR the share of genuine pairs (of one person). Both change at scores alone, so a wished FAR is met by the
lowest threshold whose FAR is not above it: nothing is interpolated, and equal scores are accepted together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FARS = (0.001, 0.01)
VERIFICATION_NAMES = (*(f'TAR@FAR={far:g}' for far in FARS), 'EER')
MOST_THRESHOLDS = 512  # of each kind that resamples are searched at, where there are more scores

WHOLE = 1e-9  # far above what rounding adds to a level times a count, far below one


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """What thresholds let through of what should be accepted (true) and of what should not (false).

    Args:
        true (np.ndarray): Scores of what should be accepted, (T,), in any order.
        false (np.ndarray): Scores of what should not be, (F,).
        num_true (int, optional): Of how many `true` are the ones that can be accepted at all: what no threshold
            accepts has no score. Defaults to None: T.

    Raises:
        ValueError: Nothing that should be accepted, nothing that should not be, or scores that are not finite.
    """

    true: np.ndarray
    false: np.ndarray
    num_true: int | None = None

    def __post_init__(self):
        for name, there in (('true', self.num_true), ('false', None)):
            scores = np.sort(np.asarray(getattr(self, name)).ravel())
            if not (len(scores) if there is None else there):
                raise ValueError(f'There is nothing that should {"not " * (name == "false")}be accepted: no rate of it.')
            if not np.isfinite(scores).all():
                raise ValueError('Scores must be finite.')
            object.__setattr__(self, name, scores)
        if self.num_true is None:
            object.__setattr__(self, 'num_true', len(self.true))
        if self.num_true < len(self.true):
            raise ValueError(f'{len(self.true)} scores of {self.num_true} that should be accepted.')

    @property
    def thresholds(self) -> np.ndarray:
        """All scores at which a rate changes, from the highest, (K,)."""
        return np.unique(np.concatenate([self.true, self.false]))[::-1]

    def rates(self, thresholds: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        """False and true acceptance rate at thresholds, each of their shape, in [0, 1]."""
        false, true = (_at_or_above(scores, thresholds) for scores in (self.false, self.true))
        return false / len(self.false), true / self.num_true

    def true_rate_at(self, level: float) -> float | None:
        """The true acceptance rate at the lowest threshold whose false acceptance rate is at most `level`.

        Returns:
            float | None: In [0, 1]. None where `level` is less than one false acceptance of all that there may be: such
            a rate cannot be measured.
        """
        allowed = level * len(self.false) + WHOLE
        if allowed < 1:
            return None
        allowed = int(allowed)
        if allowed >= len(self.false):
            return len(self.true) / self.num_true
        refused = self.false[-1 - allowed]  # the highest score that must not be accepted, with all that equal it
        return (len(self.true) - int(np.searchsorted(self.true, refused, 'right'))) / self.num_true

    def equal_error_rate(self) -> float:
        """The error where as many false are accepted as true are refused, in [0, 1].

        Where no threshold makes both rates equal, it is their mean at the threshold at which they differ least; of two
        such, the larger mean. It hangs on the order of the scores alone.
        """
        scores = np.sort(np.concatenate([self.true, self.false]))
        low, high = -1, len(scores) - 1  # places of a threshold with more false ones accepted than true ones refused...
        while high - low > 1:  # ... and of one with less
            middle = (low + high) // 2
            low, high = (middle, high) if self._more_false(scores[middle]) else (low, middle)
        around = np.append(scores[max(low, 0) : high + 1], np.inf)  # a threshold above all accepts nothing
        far, tar = self.rates(around)
        # as whole numbers: equal differences stay equal
        false, refused = _at_or_above(self.false, around), self.num_true - _at_or_above(self.true, around)
        gap = np.abs(false * self.num_true - refused * len(self.false))
        return float(((far + 1 - tar) / 2)[gap == gap.min()].max())

    def _more_false(self, threshold: float) -> bool:
        false, true = (int(_at_or_above(scores, threshold)) for scores in (self.false, self.true))
        return false * self.num_true > (self.num_true - true) * len(self.false)


def verification(genuine: np.ndarray, impostor: np.ndarray) -> dict[str, float | None]:
    """`TAR@FAR=0.001`, `TAR@FAR=0.01` and `EER` of pairs, in percent.

    Args:
        genuine (np.ndarray): Scores of pairs of one person, (T,), higher where more alike.
        impostor (np.ndarray): Scores of pairs of two people, (F,).

    Returns:
        dict[str, float | None]: By name. None where there are fewer impostor pairs than 1 / FAR: the rate cannot be
        measured.

    Raises:
        ValueError: No genuine pair, no impostor pair, or scores that are not finite.
    """
    for name, scores in (('genuine', genuine), ('impostor', impostor)):
        if not np.size(scores):
            raise ValueError(f'There is no {name} pair: neither TAR nor EER can be measured.')
    curve = ScoreCurve(genuine, impostor)
    return {name: None if rate is None else 100 * rate for name, rate in _rates(curve).items()}


def _rates(curve: ScoreCurve) -> dict[str, float | None]:
    rates = [*(curve.true_rate_at(far) for far in FARS), curve.equal_error_rate()]
    return dict(zip(VERIFICATION_NAMES, rates, strict=True))


def _at_or_above(rising: np.ndarray, thresholds: np.ndarray | float) -> np.ndarray:
    """How many scores are at or above each threshold."""
    return len(rising) - np.searchsorted(rising, thresholds, 'left')
