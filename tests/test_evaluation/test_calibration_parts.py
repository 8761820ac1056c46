"""Each part of a calibration against the slow computation that it stands for, or simulated people."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tsgan.evaluation.calibration import coverage_range, identities_needed, person_probabilities, reliability
from tsgan.evaluation.calibration.conformal import candidate_score
from tsgan.evaluation.calibration.drift import DriftReference, polynomials
from tsgan.evaluation.calibration.probability import fit_curve
from tsgan.evaluation.calibration.threshold import FalseAlarms, rate_interval

# Candidate sets


def mixture_quantile(scores, level):
    """The largest t that (N + 1)-ths of shares at or above it make up to the level, by trying all scores."""
    reached = {
        t: sum((np.array(of_one) >= t).mean() for of_one in scores) / (len(scores) + 1) for each in scores for t in each
    }
    enough = [t for t, share in reached.items() if share >= level - 1e-9]
    return max(enough, default=None)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=5), min_size=1, max_size=12),
    st.sampled_from([0.5, 0.8, 0.9, 0.95]),
)
def test_candidate_score_is_the_quantile_of_the_mixture(scores, level):
    same = np.concatenate(scores).astype(float)
    people = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    found = candidate_score(same, people, level)
    assert found == mixture_quantile(scores, level)
    assert (found is not None) == (len(scores) >= identities_needed(level))


def test_a_level_takes_as_many_people_as_its_odds():
    levels = {0.5: 1, 0.8: 4, 0.9: 9, 0.95: 19, 0.99: 99, 0.995: 199, 0.999: 999, 0.93: 14}
    assert {level: identities_needed(level) for level in levels} == levels
    for level in (0, 1, -0.5, float('nan')):
        with pytest.raises(ValueError, match='level is a probability, between 0 and 1'):
            identities_needed(level)
    with pytest.raises(ValueError, match='sets of level 0.95 need 19 identities, not 18'):
        coverage_range(0.95, 18)


def test_five_people_by_hand():
    """At level 0.8 with 5 people: shares at or above must add up to 4.8; so that of one may lack 0.2."""
    same, people = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]), np.array([0, 1, 2, 3, 4, 4, 4, 4, 4])
    assert candidate_score(same, people, 0.8) == 0.2
    assert candidate_score(same, people, 0.9) is None


@pytest.mark.parametrize('pairs', [(1, 1), (1, 30)])
def test_sets_hold_new_people_as_often_as_they_say_where_people_differ(pairs):
    """People's own means spread as much as their scores; some have one pair, others up to thirty."""
    draws, level, num_ids = np.random.default_rng(0), 0.9, 49
    covered = []
    for _ in range(400):
        counts = draws.integers(pairs[0], pairs[1] + 1, num_ids)
        people = np.repeat(np.arange(num_ids), counts)
        own = draws.normal(size=num_ids)
        # those with many pairs score high, as people who are often seen well: to take pairs as units would be wrong
        same = own[people] + (counts[people] > 10) + draws.normal(size=len(people))
        score = candidate_score(same, people, level)
        share = (max(0, pairs[1] - 10)) / (pairs[1] - pairs[0] + 1) if pairs[1] > 10 else 0
        covered.append((1 - share) * norm.sf(score / 2**0.5) + share * norm.sf((score - 1) / 2**0.5))
    error = np.std(covered) / len(covered) ** 0.5
    assert level - 3 * error <= np.mean(covered) <= level + 2 / (num_ids + 1) + 3 * error
    if pairs == (1, 1):  # then Beta says how coverage spreads
        low, high = coverage_range(level, num_ids)
        assert 0.91 < np.mean([low <= each <= high for each in covered]) < 0.985


# False alarms


def enumerated(different, score, size):
    """FPIR by trying every sub-gallery of every query."""
    alarms = []
    for table in different:
        for query, row in enumerate(table):
            for members in combinations([other for other in range(len(row)) if other != query], size):
                alarms.append((query, any(row[member] >= score for member in members)))
    return np.mean([np.mean([alarm for q, alarm in alarms if q == query]) for query in range(len(different[0]))])


def drawn(rounds, num_ids, seed=0, digits=None):
    draws = np.random.default_rng(seed)
    scores = draws.normal(size=(rounds, num_ids, num_ids)).astype(np.float32)
    if digits is not None:
        scores = scores.round(digits)
    scores[:, np.arange(num_ids), np.arange(num_ids)] = -np.inf
    return scores


@pytest.mark.parametrize('digits', [None, 0])
@pytest.mark.parametrize('size', [1, 2, 3, 5])
def test_false_alarms_are_those_of_every_sub_gallery(size, digits):
    different = drawn(2, 6, digits=digits)
    alarms = FalseAlarms(different)
    rates = alarms.rates(size)
    for score in np.unique(alarms.scores):
        expected = enumerated(different, score, size)
        assert alarms.rate_and_count(score, size)[0] == pytest.approx(expected)
        assert rates[np.flatnonzero(alarms.scores == score)[-1]] == pytest.approx(expected)
    for rate in (0.05, 0.2, 0.5):
        score = alarms.score_at(rate, rates)
        assert enumerated(different, score, size) <= rate + 1e-9
        lower = alarms.scores[alarms.scores < score]
        if len(lower):
            assert enumerated(different, lower.max(), size) > rate


def test_searches_of_more_rounds_and_people_than_16_bits_number():
    different = drawn(13_200, 5, seed=1)
    alarms = FalseAlarms(different)
    for size in (1, 2):
        score = alarms.score_at(0.2, alarms.rates(size))
        assert alarms.rate_and_count(score, size)[0] == pytest.approx(0.2, abs=1e-4)


@pytest.mark.parametrize('size', [1, 3])
def test_count_is_the_jackknife_over_people_in_both_roles(size):
    different = drawn(3, 9)
    alarms = FalseAlarms(different)
    score = float(np.quantile(alarms.scores, 0.8))
    rate, count = alarms.rate_and_count(score, size)
    without = [
        enumerated(np.delete(np.delete(different, person, axis=1), person, axis=2), score, size) for person in range(9)
    ]
    variance = 8 / 9 * np.square(np.array(without) - np.mean(without)).sum()
    assert count == pytest.approx(rate * (1 - rate) / variance)


def test_rate_interval_is_clopper_and_pearsons():
    assert rate_interval(0.1, 50) == pytest.approx((0.033275, 0.218135), abs=1e-5)  # 5 of 50
    assert rate_interval(0, 30) == (0, pytest.approx(1 - 0.025 ** (1 / 30)))


@pytest.mark.parametrize('of_people', [0.0, 0.5])
def test_thresholds_keep_their_rate_and_intervals_cover_it(of_people):
    """score = query's effect + gallery person's effect + rest, of which the true rate is known."""
    draws, num_ids, size, wished = np.random.default_rng(0), 100, 10, 0.05
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def true_rate(score):
        clear = norm.cdf((score - of_people * nodes) / (of_people**2 + 1) ** 0.5) ** size
        return float((weights / weights.sum()) @ (1 - clear))

    found = []
    for seed in range(200):
        scores = drawn(1, num_ids, seed)
        people = of_people * draws.normal(size=(2, num_ids)).astype(np.float32)
        threshold = FalseAlarms(scores + people[0][:, None] + people[1]).thresholds([wished], size)[0]
        rate = true_rate(threshold.score)
        found.append((
            rate, threshold.rate_low <= rate <= threshold.rate_high,
            true_rate(threshold.high) <= wished <= true_rate(threshold.low),
        ))  # fmt: skip
    rates, by_rate, by_score = np.array(found, float).T
    assert 0.04 < rates.mean() <= wished + 0.001
    assert by_rate.mean() > 0.91 and by_score.mean() > 0.91


def test_a_threshold_may_lie_above_all_scores_and_then_its_interval_is_open():
    scores = 0.2 * drawn(1, 20)
    threshold = FalseAlarms(scores).thresholds([0.05], 10)[0]
    assert scores.max() < threshold.score < 0.7 and threshold.high == 1.0 and threshold.rate_low == 0


# Probabilities


def two_kinds(num_ids=400, seed=0):
    """Scores N(2, 1) of one person and N(0, 1) of two, whose log ratio is 2 s - 2."""
    draws = np.random.default_rng(seed)
    return draws.normal(2, 1, 4 * num_ids), np.full(4 * num_ids, 1 / (4 * num_ids)), np.sort(draws.normal(size=50_000))


@pytest.mark.parametrize(('method', 'tolerance'), [('isotonic', 0.06), ('platt', 0.03)])
def test_probabilities_of_a_known_mixture(method, tolerance):
    curve = fit_curve(method, *two_kinds(2000), 2000, 50_000.0)
    scores = np.linspace(-1, 3, 81)
    np.testing.assert_allclose(curve.probability(scores), 1 / (1 + np.exp(2 - 2 * scores)), atol=tolerance)


@pytest.mark.parametrize('method', ['isotonic', 'platt'])
def test_ratios_stay_within_what_the_people_support(method):
    same, weights, different = two_kinds(30)
    curve = fit_curve(method, same + 50, weights, different, 30, 500.0)
    low, high = curve.probability(np.array([-99.0, 99.0]))
    assert low / (1 - low) >= 1 / 31 - 1e-12 and high / (1 - high) <= 501 + 1e-9
    assert high / (1 - high) > 30  # nobody was ever confused


@pytest.mark.parametrize('method', ['isotonic', 'platt'])
def test_where_higher_scores_are_of_two_people_the_score_tells_nothing(method):
    same, weights, different = two_kinds()
    curve = fit_curve(method, same - 4, weights, different, 400, 5000.0)
    np.testing.assert_allclose(curve.probability(np.linspace(-6, 4, 9)), 0.5, atol=0.01)


def test_every_identity_counts_alike_however_many_pairs_it_has():
    """One person of ten has 991 of the 1,000 pairs, all of them low: a tenth of the evidence."""
    same = np.concatenate([np.full(991, 0.0), np.full(9, 5.0)])
    weights = np.concatenate([np.full(991, 0.1 / 991), np.full(9, 0.1)])
    curve = fit_curve('isotonic', same, weights, np.linspace(-1, 1, 1000), 10, 1000.0)
    assert curve.probability(np.array([0.0]))[0] < 0.25


def test_person_probabilities_are_bayes_rule():
    """Against the posterior over all hypotheses, each with the likelihood of all scores."""
    draws = np.random.default_rng(0)
    for people, enrolled in ((1, 0.5), (4, 0.3), (7, 0.9)):
        scores = draws.normal(size=people)
        as_other, as_same = norm.pdf(scores), norm.pdf(scores, 2)
        likelihood = np.array([np.prod(np.where(np.arange(people) == i, as_same, as_other)) for i in range(people)])
        joint = np.append(enrolled / people * likelihood, (1 - enrolled) * np.prod(as_other))
        p, nobody = person_probabilities(as_same / as_other, list(range(people)), people, enrolled)
        np.testing.assert_allclose(np.append(p, nobody), joint / joint.sum())


def test_people_who_were_not_seen_count_by_what_is_known_of_them():
    """Six people, of whom the best two are seen: of the others it is known that they score lower."""
    scores, lowest, enrolled = np.array([1.9, 1.4]), 1.4, 0.6
    below = norm.cdf(lowest, 2) / norm.cdf(lowest)
    ratios = norm.pdf(scores, 2) / norm.pdf(scores)
    joint = np.array([*(0.1 * ratios), 0.4 * below, 0.4])  # four of six, 0.1 each
    p, nobody = person_probabilities(ratios, ['a', 'b'], 6, enrolled, below)
    np.testing.assert_allclose([*p, nobody], (joint / joint.sum())[[0, 1, 3]])


def test_probabilities_come_true_in_simulated_searches():
    draws, people, enrolled = np.random.default_rng(0), 20, 0.5
    said, so = [], []
    for _ in range(3000):
        scores = draws.normal(size=people)
        there = draws.random() < enrolled
        scores[0] += 2.5 * there
        seen = np.argsort(-scores)[:5]
        lowest = scores[seen[-1]]
        ratios = np.exp(2.5 * scores[seen] - 2.5**2 / 2)
        p, nobody = person_probabilities(
            ratios, seen.tolist(), people, enrolled, norm.cdf(lowest, 2.5) / norm.cdf(lowest)
        )
        said += [nobody, p[0]]
        so += [not there, there and seen[0] == 0]
    assert reliability(np.array(said), np.array(so)).error < 0.03


def test_a_person_is_as_likely_as_the_mean_of_their_rows():
    p, nobody = person_probabilities([8, 2, 4], ['a', 'b', 'a'], 2)
    alone, nobody_alone = person_probabilities([6, 2], ['a', 'b'], 2)
    assert p.tolist() == [alone[0], alone[1], alone[0]] and nobody == nobody_alone


def test_the_mean_of_rows_is_bayes_rule_where_one_row_alone_is_of_the_same_kind():
    """Two people, three rows each: a row of the query's person, nobody knows which, scores N(2, 1), others N(0, 1)."""
    scores = np.random.default_rng(0).normal(1, 1, 6)
    as_other, as_same = norm.pdf(scores), norm.pdf(scores, 2)
    rows = np.array([np.prod(np.where(np.arange(6) == row, as_same, as_other)) for row in range(6)])
    joint = np.array([0.35 * rows[:3].mean(), 0.35 * rows[3:].mean(), 0.3 * np.prod(as_other)])
    p, nobody = person_probabilities(as_same / as_other, list('aaabbb'), 2, 0.7)
    np.testing.assert_allclose([p[0], p[3], nobody], joint / joint.sum())


@pytest.mark.parametrize('shared', [0.0, 0.5, 1.0])
def test_many_images_of_people_do_not_make_a_stranger_one_of_them(shared):
    """Whatever they have in common. (Of the best of ten rows alone, P(nobody) is below 0.3.)"""
    draws, said, persons = np.random.default_rng(0), [], np.repeat(np.arange(20), 10).tolist()
    for _ in range(500):
        scores = shared**0.5 * draws.normal(size=(20, 1)) + (1 - shared) ** 0.5 * draws.normal(size=(20, 10))
        said.append(person_probabilities(np.exp(2 * scores - 2).ravel(), persons, 20)[1])
    assert np.mean(said) > 0.49


def test_a_row_that_shows_nobody_known_counts_as_one_more_person():
    p, nobody = person_probabilities([6, 2, 4, 8], [None, None, 'a', 'a'], 4, 0.5, unseen=3.0)
    assert p == pytest.approx(np.array([6, 2, 6, 6]) / (4 + 6 + 2 + 6 + 3))  # e / n = 1 / 8, (1 - e) 8 = 4
    assert nobody == pytest.approx(4 / (4 + 6 + 2 + 6 + 3))


def test_who_cannot_be_there_has_no_probability():
    assert person_probabilities([], [], 3, 0.5, 0.0) == (pytest.approx(np.empty(0)), 1.0)
    p, nobody = person_probabilities([5], ['a'], 1, 0.0)
    assert (p.tolist(), nobody) == ([0.0], 1.0)
    p, nobody = person_probabilities([5], ['a'], 1, 1.0)
    assert (p.tolist(), nobody) == ([1.0], 0.0)


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (([1, 2], ['a'], 3), 'ratios must be 1 finite numbers'),
        (([0.0], ['a'], 3), 'above 0'),
        (([np.nan], ['a'], 3), 'above 0'),
        (([1], ['a'], 0), 'num_persons is 0, and the rows show 1'),
        (([1, 1], [None, 'a'], 1), 'the rows show 2'),
        (([1], ['a'], 1, 1.1), 'enrolled is a probability'),
        (([1], ['a'], 1, 0.5, np.inf), 'unseen is a mean ratio'),
        (([], [], 1, 1.0, 0.0), 'nobody is left'),
    ],
)
def test_what_cannot_be_weighed_is_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        person_probabilities(*arguments)


def test_reliability_by_hand():
    found = reliability(np.array([0.05, 0.05, 0.62, 0.68, 1.0]), np.array([0, 1, 1, 0, 1]))
    np.testing.assert_allclose(found.predicted, [0.05, 0.65, 1])
    np.testing.assert_allclose(found.observed, [0.5, 0.5, 1])
    assert found.error == pytest.approx(0.4 * 0.45 + 0.4 * 0.15)
    halved = reliability(np.array([0.05, 0.05]), np.array([0, 1]), np.array([3, 1]))
    assert halved.observed[0] == 0.25 and halved.weight.tolist() == [1]


# Drift


def effects(draws, num_queries, num_people, of_people=0.5):
    """Scores with an effect of each query and of each of the gallery's people."""
    rows, columns = draws.normal(size=(num_queries, 1)), draws.normal(size=(1, num_people))
    return of_people * (rows + columns) + draws.normal(size=(num_queries, num_people))


def reference(draws, num_ids=80):
    scores = effects(draws, num_ids, num_ids)
    off = ~np.eye(num_ids, dtype=bool)
    knots = np.sort(scores[off])
    same = polynomials(np.full((1, 1), 0.97))[0, 0]
    return DriftReference.fit(np.searchsorted(knots, scores)[None] / len(knots), same), knots


def p_of(found, knots, scores):
    shares = np.searchsorted(knots, scores) / len(knots)
    return found.test(polynomials(shares).mean(axis=1), scores.shape[1])[1]


def test_polynomials_have_mean_0_and_variance_1():
    shares = (np.arange(20_000) + 0.5) / 20_000
    values = polynomials(shares)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(values.T @ values / len(values), np.eye(3), atol=1e-6)


@pytest.mark.parametrize('size', [(20, 30), (60, 200)])
def test_where_nothing_has_changed_the_check_seldom_warns(size):
    draws = np.random.default_rng(0)
    p = [
        p_of(found, knots, effects(draws, *size))
        for found, knots in (reference(draws) for _ in range(60))
        for _ in '123'
    ]
    assert np.mean(np.array(p) < 0.01) <= 0.04 and np.mean(np.array(p) < 0.05) <= 0.09
    assert np.mean(np.array(p) < 0.5) > 0.2  # nor is it asleep


def test_it_does_not_warn_of_queries_whose_people_are_in_the_gallery():
    draws, p = np.random.default_rng(1), []
    for _ in range(60):
        found, knots = reference(draws)
        scores = effects(draws, 100, 25)
        scores[np.arange(100), np.arange(100) % 25] = np.quantile(knots, 0.97)
        p.append(p_of(found, knots, scores))
    assert np.mean(np.array(p) < 0.01) <= 0.05


@pytest.mark.parametrize(
    'change', [lambda s: s + 0.7, lambda s: 1.5 * s, lambda s: 0.6 * s, lambda s: np.maximum(s, -0.3)]
)
def test_it_warns_of_scores_that_moved_or_spread(change):
    draws = np.random.default_rng(2)
    found, knots = reference(draws)
    assert np.mean([p_of(found, knots, change(effects(draws, 60, 200))) < 0.01 for _ in range(10)]) >= 0.8
