"""Thresholds for a wished rate of false alarms, by the number of people in the gallery.

FPIR(t, G): the probability that a search for somebody who is not among G people, one image of each, finds any score at
or above t (NIST's 1:N evaluations). Of a query that k of its n people reach, and G of them drawn without replacement,
it is 1 - C(n - k, G) / C(n, G): averaged over all sub-galleries, none has to be drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betaincinv, gammaln

CONFIDENCE = 0.95


class Threshold(NamedTuple):
    """A score for a wished rate of false alarms, with what is known of both.

    ``low`` and ``high`` are the 95 % interval of the score that has the wished rate (``high`` is 1 where that may be
    above all scores that were seen), ``rate_low`` and ``rate_high`` that of the rate which ``score`` gives, both over
    the choice of the calibration's people.
    """

    score: float
    low: float
    high: float
    false_alarm_rate: float
    rate_low: float
    rate_high: float
    gallery_size: int
    num_ids: int


class FalseAlarms:
    """Searches for people who are not in the gallery.

    Args:
        different (np.ndarray): Scores, (R, M, M): rounds, query's person, gallery's person, -inf on the diagonal.

    Attributes:
        scores (np.ndarray): All of them but the diagonal, (R * M * n,), the highest first.
        pool (int): n = M - 1, people whom a query may be taken for.
    """

    def __init__(self, different: np.ndarray) -> None:
        self.num_rounds, self.num_ids, _ = different.shape
        self.pool = self.num_ids - 1
        flat = different[:, ~np.eye(self.num_ids, dtype=bool)].ravel()  # row by row, (R * M * n,)
        order = np.argsort(-flat)  # of equal scores any order will do
        self.scores = flat[order]
        self._ascending = self.scores[::-1].copy()
        self.query = order // self.pool  # (R * M * n,), 0 ... R * M - 1
        member = order % self.pool
        self.member = member + (member >= self.query % self.num_ids)  # 0 ... M - 1: the diagonal was left out
        self.rank = np.empty_like(order)  # of each score among those of its query, from 0
        numbers = self.query.astype(np.min_scalar_type(self.num_rounds * self.num_ids))  # those of 16 bits sort fastest
        by_query = np.argsort(numbers, kind='stable')
        self.rank[by_query] = np.tile(np.arange(self.pool), len(order) // self.pool)

    def thresholds(self, false_alarm_rates: Sequence[float], gallery_size: int) -> list[Threshold]:
        """Thresholds for wished rates; they take M >= 1 / rate - 1 and M >= 2 G people."""
        rates = self.rates(gallery_size)
        return [self._threshold(rate, gallery_size, rates) for rate in false_alarm_rates]

    def _threshold(self, wished: float, gallery_size: int, rates: np.ndarray) -> Threshold:
        _, count = self.rate_and_count(self.score_at(wished, rates), gallery_size)
        # As if one more search had been a false alarm: then a new one is with this rate at most
        score = self.score_at(wished - (1 - wished) / max(count, self.num_ids), rates)
        rate, count = self.rate_and_count(score, gallery_size)
        least, most = rate_interval(wished, count)
        low = min(score, self.score_at(most, rates))
        high = max(score, self.score_at(least, rates) if least >= rates[0] else 1.0)  # it may be above all
        return Threshold(score, low, high, wished, *rate_interval(rate, count), gallery_size, self.num_ids)

    def rates(self, gallery_size: int) -> np.ndarray:
        """FPIR at each of :attr:`scores`, ascending."""
        clear = _clear(self.pool, gallery_size)
        return np.cumsum((clear[:-1] - clear[1:])[self.rank]) / (self.num_rounds * self.num_ids)

    def score_at(self, rate: float, rates: np.ndarray) -> float:
        """The lowest score whose FPIR, of :meth:`rates`, is at most ``rate``."""
        place = np.searchsorted(rates, rate + 1e-9, side='right')
        if place == len(self.scores):
            return float(self.scores[-1])
        return float(np.nextafter(self.scores[place], np.float32(np.inf)))  # it is the first that is too low

    def rate_and_count(self, score: float, gallery_size: int) -> tuple[float, float]:
        """FPIR at a score, p, and how many independent searches would tell it as exactly: p (1 - p) / its variance.

        The variance is the jackknife's over identities, each left out as query and as one of the gallery.
        """
        above = len(self.scores) - np.searchsorted(self._ascending, np.float32(score))
        query, member = self.query[:above], self.member[:above]
        reached = np.bincount(query, minlength=self.num_rounds * self.num_ids)  # (R * M,)
        rate = float(1 - _clear(self.pool, gallery_size)[reached].mean())
        clear = _clear(self.pool - 1, gallery_size)  # of the people who remain
        alarms = 1 - clear[np.minimum(reached, self.pool - 1)]  # (R * M,), where one is left out who does not reach it
        fewer = alarms - (1 - clear[np.maximum(reached - 1, 0)])  # and by how much it is fewer, where one does
        without = alarms.sum() - alarms.reshape(-1, self.num_ids).sum(axis=0)  # (M,)
        without = (without - np.bincount(member, fewer[query], self.num_ids)) / (self.num_rounds * self.pool)
        variance = self.pool / self.num_ids * np.square(without - without.mean()).sum()
        known = 0 < rate < 1 and variance > 1e-12 * rate
        return rate, float(rate * (1 - rate) / variance) if known else float(self.num_ids)

    def num_pairs(self) -> float:
        """E, M or more: so many independent pairs would tell as exactly how rare the scores of one pair in M are."""
        _, count = self.rate_and_count(self.score_at(1 / self.num_ids, self.rates(1)), 1)
        return max(count, float(self.num_ids))


def _clear(pool: int, gallery_size: int) -> np.ndarray:
    """Probability that none of k people is among G that are drawn from n, for k = 0 ... n, (n + 1,)."""
    left = pool - np.arange(pool + 1)  # n - k
    drawn = left >= gallery_size
    logs = gammaln(left + 1) - gammaln(np.maximum(left - gallery_size, 0) + 1)
    return np.where(drawn, np.exp(logs - logs[0]), 0.0)


def rate_interval(rate: float, count: float) -> tuple[float, float]:
    """Clopper and Pearson's interval of a rate, of a number of searches that need not be whole.

    Source: Korn, Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", 1998.
    """
    alarms, tail = rate * count, (1 - CONFIDENCE) / 2
    low = betaincinv(alarms, count - alarms + 1, tail) if alarms > 0 else 0.0
    high = betaincinv(alarms + 1, count - alarms, 1 - tail) if alarms < count else 1.0
    return float(low), float(high)
