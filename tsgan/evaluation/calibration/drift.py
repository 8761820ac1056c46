"""Whether scores are still distributed as in the calibration: a two-sample test with people as the unit.

Scores of all queries with all of a gallery are a two-way table: queries have effects of their own, and so have people
of the gallery, each in a whole row or column. A test that took scores for independent would warn of every new gallery.
Neyman's smooth test ("'Smooth test' for goodness of fit", 1937): u = the share of the calibration's pairs of different
people below a score is uniform where nothing has changed, and so Legendre polynomials of it have mean 0. The covariance
of their means comes from rows and columns of the calibration; the square of the distance, so measured, is Hotelling's.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import fdtrc

LEAST_QUERIES = 20
SIZE = 0.01  # of false warnings
LEAST_VARIANCE = 1e-9  # where nothing varied in the calibration: a change is seen, rounding is not


class Drift(NamedTuple):
    """What a two-sample test says."""

    statistic: float
    p_value: float
    num_queries: int
    drifted: bool
    sentence: str


class DriftReference(NamedTuple):
    """What of a calibration its scores are compared with, K polynomials."""

    mean: np.ndarray  # (K,) of the polynomials; 0 but for ties
    same: np.ndarray  # (K,) of pairs of one person: one of the gallery may be the query's
    mean_covariance: np.ndarray  # (K, K) of the mean
    query_covariance: np.ndarray  # (K, K) of a query's effect
    gallery_covariance: np.ndarray  # (K, K) of the effect of one of the gallery
    rest_covariance: np.ndarray  # (K, K) of what is of neither alone
    num_ids: int

    @classmethod
    def fit(cls, shares: np.ndarray, same: np.ndarray) -> 'DriftReference':
        """From the shares below each score of pairs of different people, (R, M, M), and ``same``, (K,)."""
        num_rounds, num_ids, _ = shares.shape
        pool, off = num_ids - 1, ~np.eye(num_ids, dtype=bool)
        queries, gallery, products = [], [], 0.0
        for table in shares:
            values = polynomials(table) * off[..., None]  # (M, M, K)
            queries.append(values.sum(axis=1) / pool)
            gallery.append(values.sum(axis=0) / pool)
            products = products + np.einsum('qgk,qgl->kl', values, values)  # not BLAS: its sums hang on threads
        mean = np.mean(queries, axis=(0, 1))
        of_queries, of_gallery = (np.mean([np.cov(rows.T) for rows in side], axis=0) for side in (queries, gallery))
        total = products / (num_rounds * num_ids * pool) - np.outer(mean, mean)
        # Means over n have the n-th part of what is of neither alone: total = queries + gallery + rest
        rest = _positive((total - of_queries - of_gallery) / (1 - 2 / pool))
        both = np.mean(queries, axis=0) + np.mean(gallery, axis=0)  # (M, K): as one and the other
        return cls(
            mean,
            same,
            np.cov(both.T) / num_ids,
            _positive(of_queries - rest / pool),
            _positive(of_gallery - rest / pool),
            rest,
            num_ids,
        )

    def test(self, means: np.ndarray, gallery_size: float) -> tuple[float, float]:
        """Hotelling's T-square and its p-value, of the polynomials' mean by query, (Q, K), in a gallery of so many."""
        num_queries, k = means.shape
        covariance = (
            LEAST_VARIANCE * np.eye(k)
            + self.mean_covariance
            + self.query_covariance / num_queries
            + self.gallery_covariance / gallery_size
            + self.rest_covariance / (num_queries * gallery_size)
        )
        inverse = np.linalg.inv(covariance)
        apart = means.mean(axis=0) - self.mean
        towards = (self.same - self.mean) / gallery_size  # where each query's person is in the gallery
        if towards.any():
            apart = apart - towards * np.clip(apart @ inverse @ towards / (towards @ inverse @ towards), 0, 1)
        statistic = float(apart @ inverse @ apart)
        free = self.num_ids - 1
        return statistic, float(fdtrc(k, free - k + 1, statistic * (free - k + 1) / (free * k)))


def _positive(covariance: np.ndarray) -> np.ndarray:
    """The nearest matrix without negative eigenvalues, (K, K)."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.maximum(values, 0) @ vectors.T


def polynomials(shares: np.ndarray) -> np.ndarray:
    """Legendre's on [0, 1], of degree 1, 2, 3: mean 0 and variance 1 where shares are uniform; (...) -> (..., 3)."""
    x = 2 * shares - 1
    squares, values = x * x, np.empty((*x.shape, 3))
    values[..., 0] = 3**0.5 * x
    values[..., 1] = 5**0.5 * (3 * squares - 1) / 2
    values[..., 2] = 7**0.5 * (5 * squares - 3) * x / 2
    return values
