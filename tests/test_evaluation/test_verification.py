import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tsgan.evaluation import ScoreCurve, verification
from tsgan.evaluation.verification import FARS, resample_verification, sort_pairs

pytestmark = pytest.mark.filterwarnings('error')


def slow_rate(true, false, num_true, level):
    """Tries every threshold: the highest TAR of those whose FAR is not above the level."""
    if level * len(false) < 1 - 1e-9:
        return None
    rates = [0]
    for t in {*true, *false}:
        if sum(score >= t for score in false) <= level * len(false) + 1e-9:
            rates.append(sum(score >= t for score in true) / num_true)
    return max(rates)


def slow_eer(true, false, num_true):
    """Tries every threshold, and one above all: (difference of both errors, less their mean), the smallest."""
    errors = []
    for t in {*true, *false, np.inf}:
        accepted, refused = sum(score >= t for score in false), num_true - sum(score >= t for score in true)
        mean = (accepted / len(false) + refused / num_true) / 2
        errors.append((abs(accepted * num_true - refused * len(false)), -mean))
    return -min(errors)[1]


# Five people, a query each and a gallery image each: 5 genuine pairs, 20 impostor pairs.
GENUINE = [0.9, 0.8, 0.7, 0.5, 0.3]
IMPOSTOR = [0.8, 0.6, 0.5, 0.5, 0.4, *np.linspace(0.2, 0, 15)]


def test_five_people_by_hand():
    curve = ScoreCurve(GENUINE, IMPOSTOR)
    #  t      FAR    TAR
    #  0.9    0/20   1/5
    #  0.8    1/20   2/5
    #  0.7    1/20   3/5
    #  0.6    2/20   3/5
    #  0.5    4/20   4/5   <- as many falsely accepted (4/20) as falsely refused (1/5)
    #  0.4    5/20   4/5
    #  0.3    5/20   5/5
    far, tar = curve.rates(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]))
    np.testing.assert_allclose(far, np.array([0, 1, 1, 2, 4, 5, 5]) / 20)
    np.testing.assert_allclose(tar, np.array([1, 2, 3, 3, 4, 4, 5]) / 5)
    assert curve.thresholds[:7].tolist() == [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]
    assert curve.equal_error_rate() == 0.2
    assert curve.true_rate_at(0.04) is None  # not even one pair of 20
    assert curve.true_rate_at(0.05) == 3 / 5  # t = 0.7; at 0.8 the same FAR, and less is found
    assert curve.true_rate_at(0.10) == 3 / 5
    assert curve.true_rate_at(0.15) == 3 / 5  # the third is one of two that score 0.5: both or none
    assert curve.true_rate_at(0.20) == 4 / 5
    assert curve.true_rate_at(1) == 1
    assert verification(GENUINE, IMPOSTOR) == {'TAR@FAR=0.001': None, 'TAR@FAR=0.01': None, 'EER': 20}


def test_an_impostor_that_scores_as_a_genuine_pair_goes_with_it():
    assert ScoreCurve([0.9, 0.8], [0.9, *[0.1] * 9]).true_rate_at(0.1) == 1
    assert ScoreCurve([0.9, 0.8], [0.9, 0.9, *[0.1] * 8]).true_rate_at(0.1) == 0


def test_where_the_errors_do_not_meet_the_nearest_threshold_counts():
    # t = 3: FAR 0, refused 2/3; t = 2: FAR 1/2, refused 1/3, which is nearer; t = 1: FAR 1, refused 0
    assert ScoreCurve([3, 2, 1], [2, 1]).equal_error_rate() == pytest.approx((1 / 2 + 1 / 3) / 2)
    # t = 2: FAR 0, refused 1/2; t = 1: FAR 1, refused 1/2: as near, and worse
    assert ScoreCurve([2, 0], [1]).equal_error_rate() == 0.75


@pytest.mark.parametrize(
    ('genuine', 'impostor', 'eer'), [([1, 1], [1, 1, 1], 50), ([5], [1, 2], 0), ([1], [5], 100), ([1, 1], [1], 50)]
)
def test_scores_that_are_all_equal_or_all_apart(genuine, impostor, eer):
    assert verification(genuine, impostor)['EER'] == eer
    assert verification(genuine, impostor * 1000)['TAR@FAR=0.001'] == (100 if eer == 0 else 0)


def test_pairs_of_one_kind_alone_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match='There is no impostor pair: neither TAR nor EER can be measured.'):
        verification([0.5], [])
    with pytest.raises(ValueError, match='There is no genuine pair'):
        verification([], [0.5])
    with pytest.raises(ValueError, match='nothing that should be accepted'):
        ScoreCurve([], [0.5])
    with pytest.raises(ValueError, match='nothing that should not be accepted'):
        ScoreCurve([0.5], [])
    with pytest.raises(ValueError, match='must be finite'):
        ScoreCurve([0.5, np.nan], [0.5])
    with pytest.raises(ValueError, match='2 scores of 1 that should'):
        ScoreCurve([0.5, 0.5], [0.5], 1)


some_scores = st.lists(st.integers(-9, 9), min_size=1, max_size=40)


@settings(deadline=None)
@given(some_scores, some_scores, st.integers(0, 5), st.floats(0.001, 1))
def test_rates_are_those_of_trying_every_threshold(true, false, missed, level):
    curve, num_true = ScoreCurve(true, false, len(true) + missed), len(true) + missed
    assert curve.true_rate_at(level) == slow_rate(true, false, num_true, level)
    assert curve.equal_error_rate() == pytest.approx(slow_eer(true, false, num_true), abs=1e-12)


@settings(deadline=None)
@given(some_scores, some_scores)
def test_a_rate_grows_with_the_false_alarms_that_it_may_have(true, false):
    curve = ScoreCurve(true, false)
    rates = [curve.true_rate_at(level) for level in np.linspace(1 / len(false), 1, 30)]
    assert rates == sorted(rates) and rates[-1] == 1


@settings(deadline=None)
@given(some_scores, some_scores)
def test_only_the_order_of_scores_counts(true, false):
    def other(scores):
        return np.exp(np.array(scores) / 3) - 5

    curve, changed, turned = (
        ScoreCurve(true, false),
        ScoreCurve(other(true), other(false)),
        ScoreCurve([-score for score in false], [-score for score in true]),
    )
    assert curve.equal_error_rate() == changed.equal_error_rate() == pytest.approx(turned.equal_error_rate())
    for level in (0.05, 0.1, 0.5):
        assert curve.true_rate_at(level) == changed.true_rate_at(level)


def slow_pairs(scores, query, gallery, drawn):
    """Genuine and impostor scores with people drawn several times: each pair written out as often as it counts."""
    kinds = {True: [], False: []}
    for q in range(len(query)):
        for g in range(len(gallery)):
            same = query[q] == gallery[g]
            times = drawn[query[q]] if same else drawn[query[q]] * drawn[gallery[g]]
            if scores[q, g] > -np.inf:
                kinds[same] += [scores[q, g]] * times
    return kinds[True], kinds[False]


@settings(deadline=None)
@given(
    arrays(np.int8, (7, 6), elements=st.integers(-9, 8)),
    arrays(int, 7, elements=st.integers(0, 4)),
    arrays(int, 6, elements=st.integers(0, 4)),
    st.integers(0, 99),
)
def test_people_drawn_anew_count_as_often_as_they_are_drawn(scores, query, gallery, seed):
    scores = np.where(scores == -9, -np.inf, scores / 7).astype(np.float32)  # some are hidden, many are equal
    weights = np.random.default_rng(seed).multinomial(5, np.full(5, 0.2), 6)
    pairs = sort_pairs(scores, query, gallery)
    same = pairs.genuine.ravel()[pairs.cells]
    if same.all() or not same.any():
        return
    rates = resample_verification(pairs, weights)
    for drawn, (*tars, eer) in zip(weights, rates.T, strict=True):
        genuine, impostor = slow_pairs(scores, query, gallery, drawn)
        if not genuine or not impostor:
            assert np.isnan([*tars, eer]).all()
            continue
        assert eer == pytest.approx(slow_eer(genuine, impostor, len(genuine)))
        above_all = np.mean([score > max(impostor) for score in genuine])  # of fewer than 1 / FAR, none may be accepted
        for far, tar in zip(FARS, tars, strict=True):
            assert tar == pytest.approx(slow_rate(genuine, impostor, len(genuine), far) or above_all)


def test_many_pairs_are_resampled_at_some_thresholds_almost_as_at_all(monkeypatch):
    draws = np.random.default_rng(0)
    query, gallery = draws.integers(0, 30, 240), draws.integers(0, 30, 200)
    centres = draws.normal(size=(30, 8))
    scores = (centres[query] + draws.normal(size=(240, 8))) @ (centres[gallery] + draws.normal(size=(200, 8))).T
    pairs = sort_pairs(scores.astype(np.float32), query, gallery)
    weights = draws.multinomial(30, np.full(30, 1 / 30), 50)
    some = resample_verification(pairs, weights)
    fewer = resample_verification(pairs, weights, memory_mb=0.3)
    monkeypatch.setattr(sys.modules['tsgan.evaluation.verification'], 'MOST_THRESHOLDS', 10**6)
    every = resample_verification(pairs, weights)
    assert np.abs(some - every).max() < 0.004 and (some[:2] <= every[:2]).all()
    assert 0 < np.abs(fewer - every).max() < 0.05


def test_pairs_are_sorted_with_whom_they_are_of():
    scores = np.array([[0.5, -0.25, -np.inf], [-0.0, -1, 0.5]], np.float32)
    pairs = sort_pairs(scores, np.array([7, 4]), np.array([4, 7, 9]))
    people = zip(
        pairs.scores.tolist(),
        pairs.query_people[pairs.cells // 3].tolist(),
        pairs.gallery_people[pairs.cells % 3].tolist(),
        strict=True,
    )
    assert list(people) == [(-1, 4, 7), (-0.25, 7, 7), (0, 4, 4), (0.5, 4, 9), (0.5, 7, 4)]
