from itertools import permutations

import numpy as np
import pytest
from slow_references import slow_scores

from tsgan.evaluation import METRIC_NAMES, score_queries, score_trials, summarize


@pytest.mark.parametrize('dedupe', [False, True])
@pytest.mark.parametrize('seed', range(30))
def test_agrees_with_a_loop_over_queries_ties_and_missing_identities_included(seed, dedupe):
    draws = np.random.default_rng(seed)
    num_query, num_gallery = draws.integers(1, 25, 2)
    query_pids, gallery_pids = draws.integers(0, 9, num_query), draws.integers(0, 7, num_gallery)  # 7 and 8: missing
    dist = draws.normal(size=(num_query, num_gallery)).astype(np.float32)
    if seed % 2:
        dist = draws.integers(-2, 3, dist.shape) / 2  # many ties, negative numbers too
    exclude = draws.random(dist.shape) < 0.3 if seed % 3 else None
    scores = score_queries(dist, query_pids, gallery_pids, exclude, dedupe)
    for column, expected in zip(scores, slow_scores(dist, query_pids, gallery_pids, exclude, dedupe), strict=True):
        np.testing.assert_allclose(column, expected, rtol=1e-12)


@pytest.mark.parametrize('dedupe', [False, True])
@pytest.mark.parametrize('num_trials', [1, 2, 63, 64, 65, 130])
def test_trials_scored_together_agree_with_each_scored_alone(num_trials, dedupe, monkeypatch):
    draws = np.random.default_rng(num_trials)
    monkeypatch.setattr('tsgan.evaluation.ranking.CHUNK', 70)  # two queries at a time
    query_pids, gallery_pids = draws.integers(0, 9, 21), draws.integers(0, 7, 33)
    dist = draws.integers(-9, 9, (21, 33)) / 4  # ties
    exclude = draws.random(dist.shape) < 0.2
    members = draws.random((33, num_trials)) < draws.random(num_trials)  # from hardly any image to nearly all
    members[:, 0] = False
    together = score_trials(dist, query_pids, gallery_pids, members, exclude, dedupe)
    assert not together.valid[:, 0].any()
    for t in range(num_trials):
        mine = members[:, t]
        alone = slow_scores(dist[:, mine], query_pids, gallery_pids[mine], exclude[:, mine], dedupe)
        for column, expected in zip(together, alone, strict=True):
            np.testing.assert_allclose(column[:, t], expected, rtol=1e-12)


def test_nothing_to_rank_is_no_error():
    for num_query, num_gallery, num_trials in ((0, 3, 2), (3, 0, 2), (3, 2, 0)):
        pids = np.arange(3)
        scores = score_trials(
            np.zeros((num_query, num_gallery)), pids[:num_query], pids[:num_gallery],
            np.ones((num_gallery, num_trials), bool), dedupe=True,
        )  # fmt: skip
        assert all(column.shape == (num_query, num_trials) for column in scores)
        assert not scores.valid.any()


def test_masks_of_numbers_are_masks():
    dist, pids = np.random.default_rng(0).random((6, 4)), np.arange(6) % 4
    exclude = np.random.default_rng(1).integers(0, 2, (6, 4))
    for as_numbers, as_bools in zip(
        score_queries(dist, pids, pids[:4], exclude), score_queries(dist, pids, pids[:4], exclude > 0), strict=True
    ):
        np.testing.assert_array_equal(as_numbers, as_bools)


def test_a_worked_example():
    # ranked list of the one query, identity 1:   7  7  1  8  1   -> first match at place 3, matches at 3 and 5
    scores = score_queries(np.array([[0.3, 0.1, 0.2, 0.4, 0.5]]), np.array([1]), np.array([1, 7, 7, 8, 1]))
    assert scores.first_match == [2]
    assert scores.ap == pytest.approx([(1 / 3 + 2 / 5) / 2])
    assert scores.inp == pytest.approx([2 / 5])


def test_deduplicated_cmc_counts_identities_and_leaves_map_and_minp_alone():
    case = np.array([[0.3, 0.1, 0.2, 0.4, 0.5]]), np.array([1]), np.array([1, 7, 7, 8, 1])
    images, identities = score_queries(*case), score_queries(*case, dedupe=True)
    assert (images.first_match, identities.first_match) == ([2], [1])
    assert (images.ap, images.inp) == (identities.ap, identities.inp)


def test_an_excluded_match_is_not_found_and_an_excluded_impostor_not_in_the_way():
    exclude = np.array([[True, True, False, False, False]])
    scores = score_queries(
        np.array([[0.0, 0.1, 0.2, 0.4, 0.5]]), np.array([1]), np.array([1, 7, 7, 8, 1]), exclude, dedupe=True
    )
    assert scores.first_match == [2]  # after 7 and 8
    assert scores.ap == pytest.approx([1 / 3])


def test_equal_distances_rank_by_gallery_index():
    dist = np.array([[0.0, -0.0, 0.0]])  # -0 and 0 are equal too
    for place, gallery_pids in enumerate(([1, 2, 3], [2, 1, 3], [2, 3, 1])):
        assert score_queries(dist, np.array([1]), np.array(gallery_pids)).first_match == [place]


def test_a_query_without_a_match_is_skipped_by_the_means():
    scores = score_queries(np.array([[0.1, 0.2], [0.1, 0.2]]), np.array([1, 9]), np.array([1, 2]))
    assert scores.valid.tolist() == [True, False]
    assert summarize(scores) == dict.fromkeys(METRIC_NAMES, 100.0)


def test_nothing_but_queries_without_a_match_is_an_error():
    with pytest.raises(ValueError, match='No query has a match'):
        summarize(score_queries(np.zeros((2, 1)), np.array([1, 2]), np.array([3])))
    with pytest.raises(ValueError, match='No query has a match'):
        summarize(score_queries(np.zeros((2, 0)), np.array([1, 2]), np.array([], int)))


def test_r20_is_100_where_the_gallery_has_fewer_identities():
    draws = np.random.default_rng(0)
    scores = score_queries(draws.random((50, 30)), np.arange(50) % 10, np.arange(30) % 10, dedupe=True)
    summary = summarize(scores)
    assert summary['R10'] == summary['R20'] == 100
    assert summary['R1'] < 100


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_distances_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match='finite'):
        score_queries(np.array([[bad, 1.0]]), np.array([1]), np.array([1, 2]))


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match='shape'):
        score_queries(np.zeros((2, 3)), np.array([1, 2]), np.array([1, 2]))
    with pytest.raises(ValueError, match='shape'):
        score_queries(np.zeros((1, 2)), np.array([1]), np.array([1, 2]), exclude=np.zeros((2, 2), bool))


def test_ties_worked_by_hand():
    dist, pids = np.array([[2.0, 1, 1, 1, 2]]), np.array([7, 8, 7, 9, 6])
    # by index: 8 7 9 | 7 6; best: 7 8 9 | 7 6; worst: 8 9 7 | 6 7
    expected = {
        'index': (1, (1 / 2 + 2 / 4) / 2, 2 / 4),
        'best': (0, (1 + 2 / 4) / 2, 2 / 4),
        'worst': (2, (1 / 3 + 2 / 5) / 2, 2 / 5),
    }
    for ties, (first, ap, inp) in expected.items():
        for dedupe in (False, True):  # nobody else is there twice
            scores = score_queries(dist, np.array([7]), pids, dedupe=dedupe, ties=ties)
            assert scores.first_match.tolist() == [first], ties
            assert (scores.ap.tolist(), scores.inp.tolist()) == ([pytest.approx(ap)], [pytest.approx(inp)]), ties


@pytest.mark.parametrize('dedupe', [False, True])
def test_ties_by_best_and_worst_are_the_extremes_of_all_orders(dedupe):
    draws = np.random.default_rng(5)
    gallery_pids, query_pids = np.array([1, 2, 1, 3, 2, 1]), np.arange(1, 4)
    dist = draws.integers(-1, 2, size=(3, 6)).astype(float)
    exclude = draws.random((3, 6)) < 0.2
    every = []
    for order in map(list, permutations(range(6))):
        scores = slow_scores(dist[:, order], query_pids, gallery_pids[order], exclude[:, order], dedupe)
        every.append(np.array(list(scores)))
    every = np.stack(every)  # (orders, 4, Q)
    for ties, first, extreme in (('best', np.min, np.max), ('worst', np.max, np.min)):
        scores = score_queries(dist, query_pids, gallery_pids, exclude, dedupe, ties)
        np.testing.assert_array_equal(scores.first_match, first(every[:, 1], axis=0))
        np.testing.assert_allclose(scores.ap, extreme(every[:, 2], axis=0))
        np.testing.assert_allclose(scores.inp, extreme(every[:, 3], axis=0))


def test_an_unknown_order_of_ties_is_refused():
    with pytest.raises(ValueError, match="ties is one of index, best, worst, not 'lucky'"):
        score_queries(np.ones((1, 1)), np.ones(1), np.ones(1), ties='lucky')
