import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from tsgan.unsupervised import Matching, adjusted_rand_index, matching_precision, purity

LABELS = np.array([0, 0, 0, 1, 1, -1, -1])
TRUTH = np.array([7, 7, 3, 3, 3, 7, 9])


def test_purity_counts_the_majority_of_each_cluster_among_the_clustered():
    assert purity(LABELS, TRUTH) == 4 / 5  # 2 of 3, 2 of 2


def test_adjusted_rand_index_by_hand():
    # together in both: 1 + 1 of 10 pairs; in clusters 3 + 1; in identities 1 + 3; by chance 4 x 4 / 10
    assert adjusted_rand_index(LABELS, TRUTH) == pytest.approx((2 - 1.6) / (4 - 1.6))


@pytest.mark.parametrize('seed', range(5))
def test_adjusted_rand_index_is_scikit_learns(seed):
    draws = np.random.default_rng(seed)
    labels, truth = draws.integers(-1, 6, 80), draws.integers(0, 5, 80) * 11
    inside = labels >= 0
    expected = adjusted_rand_score(truth[inside], labels[inside])
    assert adjusted_rand_index(labels, truth) == pytest.approx(expected)
    assert adjusted_rand_index(truth // 11, truth) == purity(truth // 11, truth) == 1


def test_precision_asks_whether_the_majorities_of_a_matched_pair_are_one_person():
    rgb, rgb_truth = np.array([0, 0, 0, 1, 1, 2]), np.array([5, 5, 8, 8, 8, 6])  # persons 5, 8, 6
    ir, ir_truth = np.array([0, 0, 1, 1, 1, -1]), np.array([8, 8, 5, 5, 6, 6])  # persons 8, 5
    both_ways = Matching(np.array([1, 0, 0]), np.array([1, 0]))  # right, right, wrong
    assert matching_precision(both_ways, rgb, rgb_truth, ir, ir_truth) == 2 / 3
    assert matching_precision(Matching(np.array([-1, 0, -1]), np.array([1, -1])), rgb, rgb_truth, ir, ir_truth) == 1
    assert matching_precision(Matching(np.array([0, -1, -1]), np.array([0, -1])), rgb, rgb_truth, ir, ir_truth) == 0


def test_nothing_to_measure_is_nan():
    none = np.array([-1, -1])
    assert math.isnan(purity(none, none)) and math.isnan(adjusted_rand_index(none, none))
    assert math.isnan(adjusted_rand_index(np.array([0, 0]), np.array([4, 4])))
    assert math.isnan(matching_precision(Matching(none, none), none, none, none, none))
