"""Thresholds for a wished rate of false alarms, by the number of people in the gallery.

FPIR(t, G): the probability that a search for somebody who is not among G people, one image of each, finds any score at
or above t (NIST's 1:N evaluations). Of a query that k of its n people reach, and G of them drawn without replacement,
it is 1 - C(n - k, G) / C(n, G): averaged over all sub-galleries, none has to be drawn.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln
from scipy.stats import beta

CONFIDENCE = 0.95


class Threshold(NamedTuple):
    """A score for a wished rate of false alarms, with what is known of both.

    ``low`` and ``high`` are the 95 % interval of the score that has the wished rate, ``rate_low`` and ``rate_high`` that
    of the rate that ``score`` gives, both over the choice of the calibration's people.
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
        different (np.ndarray): Scores, (R, M, M): rounds, query's person, gallery's person, -inf where they are the same.
    """

    def __init__(self, different: np.ndarray) -> None:
        self.different = different
        self.num_ids = different.shape[1]
        self.pool = self.num_ids - 1  # people whom a query may be mistaken for
        off = ~np.eye(self.num_ids, dtype=bool)
        rows = different[:, off].reshape(-1, self.pool)  # (R * M, n)
        rows = -np.sort(-rows, axis=1)
        order = np.argsort(-rows, axis=None, kind='stable')
        self.scores = rows.ravel()[order]  # (R * M * n,), the highest first
        self.rank = order % self.pool  # of each score among those of its query, from 0

    def rates(self, gallery_size: int) -> np.ndarray:
        """FPIR at each of :attr:`scores`, ascending."""
        clear = _clear(self.pool, gallery_size)
        return np.cumsum((clear[:-1] - clear[1:])[self.rank]) / (len(self.rank) / self.pool)

    def score_at(self, rate: float, rates: np.ndarray) -> float:
        """The lowest score whose FPIR, of :meth:`rates`, is at most ``rate``."""
        place = np.searchsorted(rates, rate + 1e-9, side='right')
        if place == len(self.scores):
            return float(self.scores[-1])
        return float(np.nextafter(self.scores[place], np.float32(np.inf)))  # it is the first that is too low

    def threshold(self, false_alarm_rate: float, gallery_size: int) -> Threshold:
        """The threshold for a wished rate; it takes M >= 1 / rate - 1 and M > gallery_size."""
        rates = self.rates(gallery_size)
        count = self.effective(self.score_at(false_alarm_rate, rates), gallery_size)
        # As if one more search had been a false alarm: then a new one is with this rate at most
        count_for_one = max(count, self.num_ids)
        score = self.score_at(false_alarm_rate - (1 - false_alarm_rate) / count_for_one, rates)
        count = self.effective(score, gallery_size)
        rate_low, rate_high = rate_interval(self.rate(score, gallery_size), count)
        least, most = rate_interval(false_alarm_rate, count)
        low, high = min(score, self.score_at(most, rates)), max(score, self.score_at(least, rates))
        return Threshold(score, low, high, false_alarm_rate, rate_low, rate_high, gallery_size, self.num_ids)

    def rate(self, score: float, gallery_size: int) -> float:
        """FPIR at a score."""
        reached = (self.different >= score).sum(axis=2)  # (R, M)
        return float(1 - _clear(self.pool, gallery_size)[reached].mean())

    def effective(self, score: float, gallery_size: int) -> float:
        """Independent searches that would tell the rate at a score as exactly: p (1 - p) / its variance.

        The variance is the jackknife's over identities, each left out as query and as one of the gallery.
        """
        clear = _clear(self.pool - 1, min(gallery_size, self.pool - 1))  # of the people who remain
        reaches = self.different >= score  # (R, M, M)
        reached = reaches.sum(axis=2)
        alarms = 1 - clear[np.minimum(reached, self.pool - 1)]  # (R, M), where one is left out who does not reach it
        fewer = alarms - (1 - clear[np.maximum(reached - 1, 0)])  # and how many fewer, where one does
        without = alarms.sum(axis=1, keepdims=True) - alarms - np.matmul(fewer[:, None], reaches)[:, 0]  # (R, M)
        without = without.mean(axis=0) / (self.num_ids - 1)  # (M,)
        variance = (self.num_ids - 1) / self.num_ids * np.square(without - without.mean()).sum()
        rate = self.rate(score, gallery_size)
        return float(rate * (1 - rate) / variance) if variance > 0 and 0 < rate < 1 else float(self.num_ids)


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
    low = beta.ppf(tail, alarms, count - alarms + 1) if alarms > 0 else 0.0
    high = beta.ppf(1 - tail, alarms + 1, count - alarms) if alarms < count else 1.0
    return float(low), float(high)
