"""What scores mean between queries and gallery images of one kind each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .conformal import candidate_score, identities_needed
from .drift import LEAST_QUERIES, SIZE, Drift, DriftReference, polynomials
from .pairs import Pairs
from .probability import Isotonic, Platt, fit_curve
from .threshold import FalseAlarms, Threshold

ROUNDING = 1e-6  # of a product of features in float32
KNOTS = 101  # of each kind of pairs, in the table of shares


@dataclass(frozen=True, eq=False)
class Group:
    """Calibration of one query modality and one gallery modality, or of one camera of each.

    Attributes:
        query_modality, gallery_modality (str): 'rgb' or 'ir'.
        query_camera, gallery_camera (int): -1: all, and those that are not known.
        num_ids (int): M, identities with a pair of their own.
        num_pairs (tuple[int, int]): Pairs of one identity, of different ones.
        curve (Isotonic | Platt): Score -> probability, where half of all pairs are of one person.
        scores, same_below, different_below (np.ndarray): (K,): shares of pairs of one person, and of different people,
            that score below.
        candidate_scores (Mapping[float, float]): Level -> score.
        thresholds (tuple[Threshold, ...]): One a rate and a size of gallery.
        drift (DriftReference): What the scores of queries are compared with.
    """

    query_modality: str
    gallery_modality: str
    query_camera: int
    gallery_camera: int
    num_ids: int
    num_pairs: tuple[int, int]
    curve: Isotonic | Platt
    scores: np.ndarray
    same_below: np.ndarray
    different_below: np.ndarray
    candidate_scores: Mapping[float, float]
    thresholds: tuple[Threshold, ...]
    drift: DriftReference

    @property
    def name(self) -> str:
        """Such as 'IR -> RGB', 'IR camera 3 -> RGB camera 1'."""
        return name_of(self.query_modality, self.gallery_modality, self.query_camera, self.gallery_camera)

    @classmethod
    def fit(
        cls,
        kind: tuple[str, str, int, int],
        pairs: Pairs,
        method: str,
        levels: Sequence[float],
        false_alarm_rates: Sequence[float],
        gallery_sizes: Sequence[int] | None,
    ) -> 'Group':
        """Fit all that a group tells.

        Args:
            kind (tuple): Query modality, gallery modality, query camera, gallery camera.
            pairs (Pairs): Of five identities at least.
            method, levels, false_alarm_rates, gallery_sizes: As of :meth:`Calibration.fit`.

        Raises:
            ValueError: When all scores are equal.
        """
        same, people = pairs.same.astype(float), pairs.same_people
        weights = pairs.weights
        alarms = FalseAlarms(pairs.different)
        different = alarms.scores[::-1].astype(float)
        if max(same.max(), different[-1]) - min(same.min(), different[0]) < ROUNDING:
            raise ValueError(
                f'all scores are {same[0]:.3g}: features that tell no image from another tell nobody apart.'
            )
        order = np.argsort(same, kind='stable')
        rates = [rate for rate in false_alarm_rates if alarms.num_ids >= searches_needed(rate)]
        sizes = sizes_up_to(alarms.num_ids // 2) if gallery_sizes is None else gallery_sizes
        knots = np.unique([
            values[np.linspace(0, len(values) - 1, KNOTS).astype(int)] for values in (same[order], different)
        ])  # fmt: skip
        below = np.concatenate([[0.0], np.cumsum(weights[order])])
        same_below = np.minimum(below[np.searchsorted(same[order], knots)], 1)
        different_below = np.searchsorted(different, knots) / len(different)
        shares = np.interp(pairs.different, knots, different_below)
        return cls(
            *kind,
            num_ids=pairs.num_ids,
            num_pairs=(len(same), len(different)),
            curve=fit_curve(method, same, weights, different, pairs.num_ids, alarms.num_pairs()),
            scores=knots,
            same_below=same_below,
            different_below=different_below,
            candidate_scores={  # a little lower: a search may round the same product otherwise
                level: candidate_score(same, people, level) - ROUNDING
                for level in levels
                if pairs.num_ids >= identities_needed(level)
            },
            thresholds=tuple(
                threshold
                for size in sizes
                if 2 * size <= alarms.num_ids
                for threshold in alarms.thresholds(rates, size)
            ),
            drift=DriftReference.fit(shares, weights @ polynomials(np.interp(same, knots, different_below))),
        )

    def ratio(self, scores: np.ndarray) -> np.ndarray:
        """Likelihood ratios, p(score | one person) / p(score | two people), of ``scores``' shape.

        They are within bounds that the calibration's people support, see :func:`.probability.fit_curve`.
        """
        probability = self.curve.probability(np.asarray(scores, float))
        return probability / (1 - probability)

    def probability(self, scores: np.ndarray, prior: float = 0.5) -> np.ndarray:
        """Probability that a pair is of one person, where this share of all pairs is, before their scores are seen.

        Raises:
            ValueError: When ``prior`` is not within [0, 1].
        """
        if not 0 <= prior <= 1:
            raise ValueError(f'prior is the share of pairs that are of one person, from 0 to 1, not {prior}.')
        weighted = prior * self.ratio(scores)
        return weighted / (weighted + 1 - prior)

    def candidates(self, level: float = 0.95) -> float:
        """The score that an image of the query's person reaches with this probability, at least.

        It holds for one image of somebody like the people of the calibration, over the choice of both; the score of a
        pair does not depend on who else is in the gallery, and so it holds in one of any size. With several images of
        a person there, one of them at least is in the set with this probability, or a higher one. Of a level that was
        not calibrated, it is the score of the next higher one.

        Raises:
            ValueError: When there are too few identities for the level; says how many it takes.
        """
        if (needed := identities_needed(level)) > self.num_ids:
            raise ValueError(
                f'a set that holds the person with probability {level:.4g} needs {needed:,} identities, '
                f'{self.name} has {self.num_ids:,}.'
            )
        enough = [known for known in self.candidate_scores if known >= level]
        if not enough:
            raise ValueError(
                f'level {level} was not calibrated, nor a higher one: expected it among levels of the fit.'
            )
        return self.candidate_scores[min(enough)]

    def threshold(self, false_alarm_rate: float, gallery_size: int = 1) -> Threshold:
        """The score for a rate of false alarms in searches among so many people, one image each.

        A false alarm is a search for somebody who is not in the gallery, and any score at or above the threshold. Of a
        size that was not calibrated, it is the threshold of the next larger one, of a rate that of the next lower one.
        It takes 1 / rate - 1 identities, and twice as many as the gallery has: no two galleries of more than half of
        them are without people in common, and all of them tell too little of another gallery.

        Raises:
            ValueError: When there are too few identities; says how many it takes.
        """
        if not 0 < false_alarm_rate < 1:
            raise ValueError(f'false_alarm_rate is a share of searches, between 0 and 1, not {false_alarm_rate}.')
        if gallery_size < 1:
            raise ValueError(f'gallery_size is a number of people, at least 1, not {gallery_size}.')
        what = f'a false-alarm rate of {false_alarm_rate:.4g} among {gallery_size:,} people'
        num_ids = self.drift.num_ids  # all, but of very many some
        if (needed := max(searches_needed(false_alarm_rate), 2 * gallery_size)) > num_ids:
            raise ValueError(f'{what} needs {needed:,} identities, {self.name} has {num_ids:,} that were searched for.')
        enough = [
            known
            for known in self.thresholds
            if known.gallery_size >= gallery_size and known.false_alarm_rate <= false_alarm_rate + 1e-12
        ]
        if not enough:
            raise ValueError(
                f'{what} was not calibrated: expected it in false_alarm_rates and gallery_sizes of the fit.'
            )
        return min(enough, key=lambda known: (known.gallery_size, -known.false_alarm_rate))

    def unseen(self, score: float) -> float:
        """Mean ratio of a person of whom it is known only that all images score below.

        It is P(below | one person) / P(below | two people), as if one person more had scored below than was seen, from
        the lowest ratio there is to 1.
        """
        same = np.interp(score, self.scores, self.same_below)
        different = np.interp(score, self.scores, self.different_below)
        least = float(self.ratio(-1))
        if different <= 0:
            return min(least, 1.0)
        return float(np.clip((same + 1 / self.num_ids) / different, least, max(least, 1.0)))

    def check(self, scores: Sequence[np.ndarray], num_persons: int | None = None) -> Drift:
        """Whether queries score as in the calibration: a two-sample test, whose units are queries and gallery's people.

        Where nothing has changed, it warns about once in a hundred times. It sees the scores of different people, since
        it is not known who is who: of a change that leaves these alone it knows nothing.

        Args:
            scores (Sequence[np.ndarray]): For each query, each of another person, the scores of images of the gallery:
                of all, or of some that were not chosen by their scores, (n,).
            num_persons (int, optional): People whom these images show. Defaults to None: each another one.

        Raises:
            ValueError: When there are too few queries, or one of them has no scores, or scores that are not finite.
        """
        if len(scores) < LEAST_QUERIES:
            raise ValueError(f'the check needs {LEAST_QUERIES} queries, got {len(scores)}.')
        means, sizes = [], []
        for number, row in enumerate(scores):
            row = np.asarray(row, float)
            if row.ndim != 1 or not len(row) or not np.isfinite(row).all():
                raise ValueError(f'scores of query {number} must be finite numbers, (n,), at least one.')
            means.append(polynomials(np.interp(row, self.scores, self.different_below)).mean(axis=0))
            sizes.append(len(row))
        gallery_size = min(float(np.mean(sizes)), num_persons or np.inf)
        statistic, p_value = self.drift.test(np.array(means), gallery_size)
        drifted = p_value < SIZE
        says = 'are not distributed as in' if drifted else 'show no difference from'
        sentence = f'Scores of {len(scores)} queries {says} the calibration of {self.name} (p = {p_value:.2g})'
        sentence += ': its numbers may not hold here.' if drifted else '.'
        return Drift(statistic, p_value, len(scores), drifted, sentence)


def name_of(query_modality: str, gallery_modality: str, query_camera: int, gallery_camera: int) -> str:
    """As :attr:`Group.name`; a camera of -1 is not named."""
    sides = (query_modality, query_camera), (gallery_modality, gallery_camera)
    return ' -> '.join(modality.upper() + (f' camera {cam}' if cam >= 0 else '') for modality, cam in sides)


def searches_needed(rate: float) -> int:
    """Identities, from which on a rate of false alarms can be promised: 1 / (M + 1) must be at most the rate."""
    return math.ceil(1 / rate - 1 - 1e-9)


def sizes_up_to(pool: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... and the number itself."""
    steps = (digit * 10**power for power in range(len(str(pool))) for digit in (1, 2, 5))
    return sorted({size for size in steps if size < pool} | {pool})
