"""Conformal candidate sets: a score that an image of the query's person reaches with a wished probability.

Source: Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023 (hierarchical conformal
prediction); Dunn, Wasserman, Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", 2022.
Images of a person are not exchangeable with those of another one, people are.
"""

import math

import numpy as np
from scipy.special import betaincinv

ROUNDING = 1e-9  # of sums of shares


def identities_needed(level: float) -> int:
    """N, such that N / (N + 1) is at least the level: from so few identities on there is a set.

    Raises:
        ValueError: When the level is no probability between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f'level is a probability, between 0 and 1, not {level}.')
    return math.ceil(level / (1 - level) - ROUNDING)


def candidate_score(same: np.ndarray, people: np.ndarray, level: float) -> float | None:
    """The highest score that a new pair of a new person reaches with this probability at least; None: too few people.

    It is the quantile of the mixture sum_i 1/(N+1) 1/n_i sum_k delta(s_ik) + 1/(N+1) delta(-inf): the largest t with
    sum_i 1/(N+1) (share of i's scores at or above t) >= level.

    Args:
        same (np.ndarray): Scores of pairs of one person, (K,).
        people (np.ndarray): Whose, (K,) int, 0 ... N-1, each of them at least once.
        level (float): Within (0, 1).
    """
    counts = np.bincount(people)  # (N,)
    order = np.argsort(same, kind='stable')[::-1]
    reached = np.cumsum(1 / counts[people[order]]) / (len(counts) + 1)  # (K,): from the highest score on
    place = np.searchsorted(reached, level - ROUNDING)
    return float(same[order[place]]) if place < len(order) else None


def coverage_range(level: float, num_ids: int, share: float = 0.95) -> tuple[float, float]:
    """Where the coverage of one calibration's sets lies in this share of calibrations, with one pair of each identity.

    That of the k-th lowest of N scores is Beta(N + 1 - k, k) (Vovk, "Conditional validity of inductive conformal
    predictors", 2012); more pairs of an identity narrow it.

    Raises:
        ValueError: When there are too few identities for the level.
    """
    if num_ids < (needed := identities_needed(level)):
        raise ValueError(f'sets of level {level:.4g} need {needed:,} identities, not {num_ids:,}.')
    k = math.floor((num_ids + 1) * (1 - level) + ROUNDING)
    low, high = betaincinv(num_ids + 1 - k, k, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
