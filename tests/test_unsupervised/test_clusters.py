import sys
from pathlib import Path

import numpy as np
import pytest

from tsgan.unsupervised import centres, cluster, jaccard_graph

sys.path.append(str(Path(__file__).parents[1] / 'test_evaluation'))
from slow_references import dense_rerank  # noqa: E402


def people(count, images, spread, seed=0, dim=16):
    """Features of unit length, (N, dim), and who each is of, (N,), in no order."""
    draws = np.random.default_rng(seed)
    truth = draws.permutation(np.repeat(np.arange(count), images))
    feats = draws.normal(size=(count, dim))[truth] + spread * draws.normal(size=(len(truth), dim))
    return (feats / np.linalg.norm(feats, axis=1, keepdims=True)).astype(np.float32), truth


def slow_jaccard(feats, k1, k2):
    """All N x N distances: each half against the other, in random halves until every pair has come."""
    count = len(feats)
    dist = np.full((count, count), np.nan)
    np.fill_diagonal(dist, 0)
    draws = np.random.default_rng(0)
    while np.isnan(dist).any():
        order = draws.permutation(count)
        left, right = order[: count // 2], order[count // 2 :]
        block = dense_rerank(feats[order], len(left), k1=k1, k2=k2, lambda_value=0)
        dist[np.ix_(left, right)], dist[np.ix_(right, left)] = block, block.T
    return dist


def slow_dbscan(dist, eps, min_samples):
    """Components of cores that are near each other, in the order of their first core, and who is near a core."""
    near = dist <= eps
    core = near.sum(axis=1) >= min_samples
    labels = np.full(len(dist), -1)
    for first in np.flatnonzero(core):
        if labels[first] >= 0:
            continue
        number, waiting = labels.max() + 1, [first]
        labels[first] = number
        while waiting:
            i = waiting.pop()
            for j in np.flatnonzero(near[i] & (labels < 0)) if core[i] else ():
                labels[j] = number
                waiting.append(j)
    return labels


@pytest.mark.parametrize(('k1', 'k2', 'eps'), [(8, 3, 0.6), (30, 6, 0.4), (5, 1, 0.8)])
def test_the_graph_has_the_distances_within_eps_of_all_pairs(k1, k2, eps):
    feats, _ = people(6, 8, spread=0.7)
    graph = jaccard_graph(feats, eps, k1, k2)
    assert graph.dtype == np.float32
    slow = slow_jaccard(feats, k1, k2)
    i, j = graph.nonzero()  # without stored zeros
    np.testing.assert_allclose(graph[i, j], slow[i, j], rtol=0, atol=1e-5)
    stored = np.zeros_like(slow, bool)
    stored[np.repeat(np.arange(len(feats)), np.diff(graph.indptr)), graph.indices] = True
    clear = np.abs(slow - eps) > 1e-5
    assert np.array_equal(stored[clear], (slow <= eps)[clear])
    assert stored.diagonal().all() and 0 < stored.mean() < 1


@pytest.mark.parametrize('spread', [0.3, 0.8])
@pytest.mark.parametrize('min_samples', [1, 4])
def test_clusters_are_those_of_a_slow_dbscan_on_slow_distances(spread, min_samples):
    feats, _ = people(8, 8, spread, seed=3)
    slow = slow_dbscan(slow_jaccard(feats, 8, 3), 0.5, min_samples)
    labels = cluster(feats, eps=0.5, min_samples=min_samples, k1=8, k2=3)
    assert np.array_equal(labels, slow)
    assert labels.dtype == np.int64 and labels.max() > 1


def test_people_who_stand_apart_are_clusters_and_a_stranger_is_in_none():
    feats, truth = people(5, 10, spread=0.1)
    labels = cluster(np.concatenate([feats, -feats.sum(axis=0, keepdims=True)]), k1=9, k2=1)
    assert labels[-1] == -1
    assert len(set(zip(labels[:-1].tolist(), truth.tolist(), strict=True))) == 5 == labels.max() + 1


def test_images_that_are_all_alike_are_one_cluster():
    assert set(cluster(np.ones((9, 4), np.float32)).tolist()) == {0}


@pytest.mark.parametrize('count', [0, 1])
def test_too_few_images_to_compare_are_in_no_cluster(count):
    assert cluster(np.ones((count, 4), np.float32)).tolist() == [-1] * count


@pytest.mark.parametrize('wrong', [dict(eps=0), dict(eps=1), dict(min_samples=0), dict(k2=40)])
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r'eps between 0 and 1|1 <= k2 <= k1 \+ 1'):
        cluster(np.eye(4, dtype=np.float32), **wrong)


def test_scikit_learn_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.cluster', None)
    with pytest.raises(ImportError, match=r'pip install "tsgan\[unsupervised\]"'):
        cluster(np.eye(4, dtype=np.float32))


def test_centres_are_mean_features_at_unit_length_without_images_of_no_cluster():
    feats = np.array([[1, 0], [0, 1], [0, -1], [1, 0], [0.6, 0.8]], np.float32)
    found = centres(feats, np.array([0, 0, -1, 1, 0]))
    expected = np.array([1.6, 1.8]) / np.hypot(1.6, 1.8)
    np.testing.assert_allclose(found, [expected, [1, 0]], rtol=1e-6)
    assert found.dtype == np.float32
