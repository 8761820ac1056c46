"""Whether probabilities hold: of what is said to be so with probability p, a share p is so."""

from typing import NamedTuple

import numpy as np

BINS = 10


class Reliability(NamedTuple):
    """Events by the probability that was given to them; empty bins are left out."""

    predicted: np.ndarray  # (B,): mean probability
    observed: np.ndarray  # (B,): share that was so
    weight: np.ndarray  # (B,), of sum 1
    error: float  # expected calibration error: mean of |observed - predicted|


def reliability(predicted: np.ndarray, was_so: np.ndarray, weights: np.ndarray | None = None) -> Reliability:
    """Compare probabilities with what was so, in ten bins of equal width.

    Source: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.

    Args:
        predicted (np.ndarray): Probabilities, (N,).
        was_so (np.ndarray): (N,), bool.
        weights (np.ndarray, optional): (N,). Defaults to None: all alike.
    """
    weights = np.ones(len(predicted)) if weights is None else weights
    place = np.minimum((predicted * BINS).astype(int), BINS - 1)
    weight, said, so = (np.bincount(place, weights * each, BINS) for each in (1, predicted, was_so))
    full = weight > 0
    weight, said, so = weight[full], said[full] / weight[full], so[full] / weight[full]
    weight = weight / weight.sum()
    return Reliability(said, so, weight, float(weight @ np.abs(so - said)))
