"""Verification: are these two images of one person? What thresholds on a score let through, rightly and wrongly.

A pair is accepted where its score is at or above a threshold. FAR is the share of impostor pairs (of two people) that
are accepted, TAR the share of genuine pairs (of one person). Both change at scores alone, so a wished FAR is met by the
lowest threshold whose FAR is not above it. Nothing is interpolated; equal scores are accepted together or not at all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .ranking import flipped, sortable

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
                raise ValueError(
                    f'There is nothing that should {"not " * (name == "false")}be accepted: no rate of it.'
                )
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
        false, refused = _at_or_above(self.false, around), self.num_true - _at_or_above(self.true, around)
        gap = np.abs(false * self.num_true - refused * len(self.false))  # whole numbers: equal ones stay equal
        error = (false / len(self.false) + refused / self.num_true) / 2
        return float(error[gap == gap.min()].max())

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
    rates = verification_rates(ScoreCurve(genuine, impostor))
    return {name: None if rate is None else 100 * rate for name, rate in zip(VERIFICATION_NAMES, rates, strict=True)}


def verification_rates(curve: ScoreCurve) -> list[float | None]:
    """TAR at `FARS` and the EER, in [0, 1], as `VERIFICATION_NAMES` names them."""
    return [*(curve.true_rate_at(far) for far in FARS), curve.equal_error_rate()]


def _at_or_above(rising: np.ndarray, thresholds: np.ndarray | float) -> np.ndarray:
    """How many scores are at or above each threshold."""
    return len(rising) - np.searchsorted(rising, thresholds, 'left')


class Pairs(NamedTuple):
    """Pairs of a query and a gallery image that it may see, of P of which the score is known, in rising order.

    Attributes:
        scores (np.ndarray): (P,), float32.
        cells (np.ndarray): Whom a pair is of, (P,) int: query person * J + gallery person.
        query_people (np.ndarray): Who the query people are, (I,).
        gallery_people (np.ndarray): Who the gallery people are, (J,).
    """

    scores: np.ndarray
    cells: np.ndarray
    query_people: np.ndarray
    gallery_people: np.ndarray

    @property
    def genuine(self) -> np.ndarray:
        """np.ndarray: Cells of one person, (I, J) bool."""
        return self.query_people[:, None] == self.gallery_people


def sort_pairs(scores: np.ndarray, query_people: np.ndarray, gallery_people: np.ndarray) -> Pairs:
    """Sorts the scores of (Q, G) pairs, float32, -inf where a query never sees a gallery image."""
    query_people, row = np.unique(query_people, return_inverse=True)
    gallery_people, column = np.unique(gallery_people, return_inverse=True)
    seen = scores > -np.inf
    keys = sortable(scores[seen]).astype(np.int64)  # (P,)
    keys <<= 32
    keys |= (row[:, None] * len(gallery_people) + column)[seen]
    keys.sort()  # integers, since an order by indices takes ten times as long
    cells = (keys & 0xFFFFFFFF).astype(np.int32)
    scores = flipped((keys >> 32).astype(np.int32)).view(np.float32)
    return Pairs(scores, cells, query_people, gallery_people)


def resample_verification(pairs: Pairs, weights: np.ndarray, memory_mb: float = 1024) -> np.ndarray:
    """What `verification` gives with people drawn anew.

    An impostor pair counts as often as its two people were drawn, one times the other, a genuine pair as often as its
    person. Thresholds are found anew, among all scores where there are few; else among 512 that are evenly spaced in
    the rank of genuine pairs and 512 in the logarithm of the rank of impostor pairs (fewer where `memory_mb` is
    little): the next higher one is taken, which moves a rate by some tenths of a percent point at most.

    Args:
        pairs (Pairs): P pairs, of I people with J.
        weights (np.ndarray): How often each person was drawn in each resample, (R, N); people are its columns.
        memory_mb (float): Budget for counts of pairs in MiB. Defaults to 1024.

    Returns:
        np.ndarray: Rates in [0, 1], (3, R), as `VERIFICATION_NAMES`; NaN where a resample has no pair of a kind.
    """
    query_weights, gallery_weights = (
        weights[:, people].astype(np.float64) for people in (pairs.query_people, pairs.gallery_people)
    )
    same = pairs.genuine.ravel()  # (I * J,)
    counts = _counts(pairs, same, memory_mb)  # (K, I * J)
    genuine, of_person = counts[:, same], query_weights[:, np.flatnonzero(same) // len(pairs.gallery_people)]
    counts[:, same] = 0
    shape = len(pairs.query_people), len(pairs.gallery_people)

    def accepted(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Impostor and genuine pairs of each resample, (R,), at its threshold; at place -1 there are none."""
        false = np.zeros(len(weights))
        for k in np.unique(place[place >= 0]):
            rows = np.flatnonzero(place == k)
            drawn = query_weights[rows] @ counts[k].reshape(shape).astype(np.float64)  # (n, J)
            false[rows] = np.einsum('nj,nj->n', drawn, gallery_weights[rows])
        true = np.einsum('rp,rp->r', of_person, np.where(place[:, None] >= 0, genuine[place], 0))
        return false, true

    def last_place(holds: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The lowest threshold of each resample at which a condition holds that holds at the higher ones too, (R,)."""
        low, high = np.full(len(weights), -1), np.full(len(weights), len(counts))
        while (high - low > 1).any():
            middle = (low + high) // 2
            fine = holds(middle)
            low, high = np.where(fine, middle, low), np.where(fine, high, middle)
        return low

    all_false, all_true = accepted(np.full(len(weights), len(counts) - 1))
    rates = []
    with np.errstate(invalid='ignore'):  # 0 / 0 is NaN: a resample without a pair of a kind
        for far in FARS:
            place = last_place(lambda k, far=far: accepted(k)[0] <= far * all_false + WHOLE)
            rates.append(accepted(place)[1] / all_true)

        def gap(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            """False ones less true ones refused, as whole numbers, and the mean of both rates."""
            false, true = accepted(k)
            refused = all_true - true
            return false * all_true - refused * all_false, (false / all_false + refused / all_true) / 2

        place = last_place(lambda k: gap(k)[0] <= 0)
        (below, error), (above, next_error) = gap(place), gap(np.minimum(place + 1, len(counts) - 1))
        nearer, as_near = np.abs(above) < np.abs(below), np.abs(above) == np.abs(below)
        rates.append(np.where(nearer, next_error, np.where(as_near, np.maximum(error, next_error), error)))
    return np.where((all_false > 0) & (all_true > 0), np.stack(rates), np.nan)


def _counts(pairs: Pairs, same: np.ndarray, memory_mb: float) -> np.ndarray:
    """How many pairs of each cell are accepted at each of K thresholds, from the highest down to the lowest score."""
    total = np.bincount(pairs.cells, minlength=len(same))
    kind = np.min_scalar_type(int(total.max()))
    most = int(np.clip(memory_mb * 2**18 // (kind.itemsize * len(same)), 16, 2 * MOST_THRESHOLDS)) // 2
    if len(pairs.scores) <= 2 * most:
        places = np.arange(len(pairs.scores))
    else:
        impostor = ~same[pairs.cells]
        impostor, genuine = np.flatnonzero(impostor), np.flatnonzero(~impostor)  # rising
        ranks = np.unique(np.geomspace(1, len(impostor), most).astype(int))
        places = np.concatenate([
            [0], impostor[-ranks], genuine[np.linspace(0, len(genuine) - 1, min(most, len(genuine))).astype(int)]
        ])  # fmt: skip
    places = np.unique(np.searchsorted(pairs.scores, pairs.scores[places], 'left'))[::-1]  # where equal scores begin
    counts, so_far, end = np.empty((len(places), len(same)), kind), np.zeros(len(same), kind), len(pairs.scores)
    for k, start in enumerate(places):
        so_far += np.bincount(pairs.cells[start:end], minlength=len(same)).astype(kind)
        counts[k], end = so_far, start
    return counts
