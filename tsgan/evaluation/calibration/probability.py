"""From scores to likelihood ratios, and from ratios to the probability of each person, and of nobody."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tsgan.extras import need

METHODS = ('isotonic', 'platt')
MOST_FITTED = 300_000  # pairs of different people that a curve is fitted to


class Isotonic(NamedTuple):
    """A rising curve through points; on either side it goes on level."""

    scores: np.ndarray  # (K,), ascending
    probabilities: np.ndarray  # (K,), ascending, within (0, 1)

    def probability(self, scores: np.ndarray) -> np.ndarray:
        return np.interp(scores, self.scores, self.probabilities)


class Platt(NamedTuple):
    """A logistic curve, cut off at the least and at the most probability."""

    slope: float
    intercept: float
    least: float
    most: float

    def probability(self, scores: np.ndarray) -> np.ndarray:
        logits = np.clip(self.slope * np.asarray(scores, float) + self.intercept, -700, 700)
        return np.clip(1 / (1 + np.exp(-logits)), self.least, self.most)


def fit_curve(
    method: str, same: np.ndarray, weights: np.ndarray, different: np.ndarray, num_ids: int, num_different: float
) -> Isotonic | Platt:
    """Probability that a pair of this score is of one person, if half of all pairs were.

    Each kind of pair has one more than was seen, where it tells most against the kind: of M + 1 people one scores
    lowest of all with an image of their own, and of E + 1 independent pairs of two people one scores highest (the rule
    of succession, as in Brümmer's FoCal toolkit; a logistic curve has Platt's targets instead, and is cut off). So
    ratios are from 1 / (M + 1) to E + 1: what is rarer than that, the calibration's people cannot tell.

    Args:
        method (str): 'isotonic', or 'platt': a logistic curve.
        same (np.ndarray): Scores of pairs of one person, (K,).
        weights (np.ndarray): Their weights, (K,), of sum 1.
        different (np.ndarray): Scores of pairs of different people, (L,), ascending, that weigh the same.
        num_ids (int): M.
        num_different (float): E, how many independent pairs would tell as much.
    """
    step = -(-len(different) // MOST_FITTED)
    different = different[step // 2 :: step]  # every so many of them, in their order
    scores = np.concatenate([same, different]).astype(float)
    weights = np.concatenate([weights, np.full(len(different), 1 / len(different))])
    is_same = np.arange(len(scores)) < len(same)
    counts = np.where(is_same, num_ids, num_different)
    if method == 'isotonic':
        fit = need('sklearn.isotonic', 'calibration').IsotonicRegression()
        fit.fit(
            np.concatenate([scores, [scores.min(), scores.max()]]),
            np.concatenate([is_same, [1, 0]]),
            sample_weight=np.concatenate(
                [weights * counts / (counts + 1), [1 / (num_ids + 1), 1 / (num_different + 1)]]
            ),
        )
        return Isotonic(fit.X_thresholds_.astype(float), fit.y_thresholds_.astype(float))
    # Platt's targets: of N pairs of a kind, each counts as such by (N + 1) / (N + 2), and as the other one by the rest
    flipped = weights / (counts + 2)
    centre, spread = scores.mean(), scores.std()
    logistic = need('sklearn.linear_model', 'calibration').LogisticRegression(C=1e6)
    logistic.fit(
        np.tile((scores[:, None] - centre) / spread, (2, 1)),
        np.concatenate([is_same, ~is_same]),
        num_ids * np.concatenate([weights - flipped, flipped]),
    )
    slope = max(0.0, float(logistic.coef_[0, 0]) / spread)  # as for the other curve: a higher score never tells less
    intercept = float(logistic.intercept_[0]) - slope * centre if slope else 0.0
    slope, intercept = (float(f'{number:.12g}') for number in (slope, intercept))  # the last digits hang on threads
    return Platt(slope, intercept, 1 / (num_ids + 2), (num_different + 1) / (num_different + 2))


def person_probabilities(
    ratios: np.ndarray,
    persons: Sequence[object],
    num_persons: int,
    enrolled: float = 0.5,
    unseen: float = 1.0,
) -> tuple[np.ndarray, float]:
    """Who the query shows, of the people in a gallery, or nobody of them: Bayes' rule, if all ratios told alike.

    P(i) = (e/n) r_i / ((1 - e) + sum_j (e/n) r_j), P(nobody) = (1 - e) / the same, where r_i is the mean ratio of the
    rows of person i: the likelihood ratio if any one row, each alike, scores as one person's does, and the others as
    anybody's. A ratio of a row has mean 1 among strangers, and so has the mean of many rows, however much alike they
    are: so to strangers P(nobody) is 1 - e or more on average. The best of many rows, or the product, promises no such
    thing. Where several rows of the person score as one person's, the mean says too little. A row of which nobody knows
    whom it shows counts as one more person: where several show the same, they share this person's probability.

    Args:
        ratios (np.ndarray): Likelihood ratios of the rows that were seen, (K,), above 0, as of :meth:`Group.ratio`.
        persons (Sequence): Whom each of them shows, None where it is not known.
        num_persons (int): n, people in the gallery; rows of which it is not known whom they show count one each.
        enrolled (float): e, the probability, before any score, that the query's person is in the gallery; each of n
            alike. Defaults to 0.5.
        unseen (float): Mean ratio of the people who are not among the rows, see :meth:`Group.unseen`. Defaults to 1.0.

    Returns:
        tuple[np.ndarray, float]: Probability of each row that it shows the query's person, (K,); P(nobody).

    Raises:
        ValueError: On ratios that are not above 0, another number of persons than of rows, more of them than n, or an
            ``enrolled`` outside [0, 1].
    """
    ratios = np.asarray(ratios, float)
    if ratios.shape != (len(persons),) or not (np.isfinite(ratios) & (ratios > 0)).all():
        raise ValueError(f'ratios must be {len(persons)} finite numbers above 0, one for each of persons.')
    if not 0 <= enrolled <= 1:
        raise ValueError(f'enrolled is a probability, from 0 to 1, not {enrolled}.')
    if not (np.isfinite(unseen) and unseen >= 0):
        raise ValueError(f'unseen is a mean ratio, at least 0, not {unseen}.')
    of_person: dict[object, list[float]] = {}
    labels = [('row', row) if person is None else ('person', person) for row, person in enumerate(persons)]
    for label, ratio in zip(labels, ratios.tolist(), strict=True):
        of_person.setdefault(label, []).append(ratio)
    means = {label: sum(each) / len(each) for label, each in of_person.items()}
    seen = len(means)
    if num_persons < max(1, seen):
        raise ValueError(f'num_persons is {num_persons}, and the rows show {seen}: expected as many at least.')
    prior = enrolled / num_persons
    whole = (1 - enrolled) + prior * (sum(means.values()) + (num_persons - seen) * unseen)
    odds = prior * np.array([means[label] for label in labels])
    if whole == 0:
        raise ValueError('enrolled is 1, no row was given, and unseen is 0: nobody is left.')
    return odds / whole, (1 - enrolled) / whole
