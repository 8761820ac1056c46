from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tsgan.unsupervised import Matching, aggregated, match_by_hungarian, match_by_votes
from tsgan.unsupervised import matching as module


def unit(draws, *shape):
    vectors = draws.normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def slow_votes(rgb, rgb_labels, ir, ir_labels, threshold):
    votes = Counter()
    for x, a in zip(rgb, rgb_labels, strict=True):
        for y, b in zip(ir, ir_labels, strict=True):
            if a >= 0 and b >= 0 and float(x @ y) >= threshold:
                votes[a, b] += 1
    pairs = []
    for a, b in sorted(votes, key=lambda pair: (-votes[pair], pair)):
        if a not in {i for i, _ in pairs} and b not in {j for _, j in pairs}:
            pairs.append((a, b))
    return sorted(pairs)


@pytest.mark.parametrize('seed', range(6))
@pytest.mark.parametrize('threshold', [0.0, 0.5, 0.95])
def test_votes_are_counted_image_by_image_and_matched_one_to_one(seed, threshold, monkeypatch):
    monkeypatch.setattr(module, 'BLOCK', 60)  # two RGB images at a time
    draws = np.random.default_rng(seed)
    rgb, ir = unit(draws, 40, 3), unit(draws, 30, 3)
    rgb_labels, ir_labels = draws.integers(-1, 6, 40), draws.integers(-1, 4, 30)
    rgb_labels[:6], ir_labels[:4] = np.arange(6), np.arange(4)
    found = match_by_votes(rgb, rgb_labels, ir, ir_labels, threshold)
    assert found.pairs.tolist() == [list(pair) for pair in slow_votes(rgb, rgb_labels, ir, ir_labels, threshold)]
    for i, j in found.pairs:
        assert found.rgb_to_ir[i] == j and found.ir_to_rgb[j] == i
    assert len(found.rgb_to_ir) == 6 and len(found.ir_to_rgb) == 4


def test_most_votes_come_first_and_who_is_taken_is_passed_over():
    # cluster 0 of RGB: 2 x 3 votes for IR 0; cluster 1: 1 x 3 for IR 0, which is taken, and none for IR 1
    rgb, ir = np.array([[1, 0], [1, 0], [1, 0]]), np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    found = match_by_votes(rgb, np.array([0, 0, 1]), ir, np.array([0, 0, 0, 1]))
    assert found.rgb_to_ir.tolist() == [0, -1] and found.ir_to_rgb.tolist() == [0, -1]


def cheapest(cost):
    """Every injection of rows into columns (rows <= columns), tried."""
    rows, columns = cost.shape
    return min(permutations(range(columns), rows), key=lambda p: sum(cost[i, j] for i, j in enumerate(p)))


@pytest.mark.parametrize(('num_rgb', 'num_ir'), [(4, 4), (3, 6), (6, 3), (7, 2), (2, 7), (1, 5), (5, 1)])
@pytest.mark.parametrize('seed', range(3))
def test_the_assignment_is_the_cheapest_of_all_and_repeated_until_everybody_has_a_partner(num_rgb, num_ir, seed):
    draws = np.random.default_rng(seed)
    rgb, ir = unit(draws, num_rgb, 5), unit(draws, num_ir, 5)
    found = match_by_hungarian(rgb, ir)
    swap = num_rgb > num_ir
    few, many = (ir, rgb) if swap else (rgb, ir)
    of_few, of_many = found[::-1] if swap else found
    cost = np.exp(-few.astype(float) @ many.T)
    assert of_few.tolist() == list(cheapest(cost))
    left = [j for j in range(len(many)) if j not in of_few.tolist()]
    assert all(of_many[j] == i for i, j in enumerate(of_few))
    while left:  # again, with those that are left
        rest = cost[:, left]
        turn = (
            dict(enumerate(cheapest(rest))) if len(few) <= len(left) else {i: k for k, i in enumerate(cheapest(rest.T))}
        )
        for i, k in turn.items():
            assert of_many[left[k]] == i
        left = [j for k, j in enumerate(left) if k not in turn.values()]


def test_one_round_for_the_rest_is_the_published_padding_with_zeros():
    draws = np.random.default_rng(0)
    rgb, ir = unit(draws, 19, 8), unit(draws, 12, 8)
    cost = 1 / np.exp(rgb.astype(float) @ ir.T)
    row, column = linear_sum_assignment(np.concatenate([cost, np.zeros((19, 7))], axis=1))
    partner = np.where(column < 12, column, -1)
    rest = np.flatnonzero(partner < 0)
    again_row, again_column = linear_sum_assignment(cost[rest])
    partner[rest[again_row]] = again_column
    assert match_by_hungarian(rgb, ir).rgb_to_ir.tolist() == partner.tolist()


def test_no_cluster_is_refused():
    with pytest.raises(ValueError, match='got 0 of RGB and 2 of IR'):
        match_by_hungarian(np.zeros((0, 2)), np.eye(2))


def test_pairs_are_those_of_both_ways_each_once():
    matching = Matching(np.array([1, -1, 1]), np.array([-1, 0, 2]))
    assert matching.pairs.tolist() == [[0, 1], [2, 1], [2, 2]]


def test_a_matched_rgb_centre_becomes_a_tenth_of_itself_and_the_rest_its_partners():
    rgb, ir = np.array([[1, 0], [0, 1]], np.float32), np.array([[1, 0], [0, -1], [0.6, 0.8]], np.float32)
    found = aggregated(rgb, ir, Matching(np.array([2, -1]), np.array([-1, -1, 0])))
    mixed = np.array([0.1 + 0.54, 0.72])
    np.testing.assert_allclose(found, [mixed / np.linalg.norm(mixed), [0, 1]], rtol=1e-6)
    assert rgb.tolist() == [[1, 0], [0, 1]] and found.dtype == np.float32
