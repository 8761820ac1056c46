import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_references import dense_rerank

from tsgan.evaluation import FeatureDistances, KReciprocalReranker, MatrixDistances, k_reciprocal_rerank


def clustered(count, seed, dim=16, spread=0.5):
    draws = np.random.default_rng(seed)
    feats = draws.normal(size=(count // 12 + 1, dim))[draws.integers(0, count // 12 + 1, count)]
    feats = feats + spread * draws.normal(size=feats.shape)
    return (feats / np.linalg.norm(feats, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(
    ('count', 'num_queries', 'k1', 'k2', 'lambda_value'),
    [(300, 120, 20, 6, 0.3), (200, 199, 20, 6, 0.3), (150, 1, 7, 3, 0.0), (150, 60, 9, 1, 1.0), (90, 30, 5, 2, 0.5)],
)
@pytest.mark.parametrize('spread', [0.2, 1.0])
def test_equals_the_dense_seven_steps(count, num_queries, k1, k2, lambda_value, spread):
    feats = clustered(count, seed=count, spread=spread)
    settings = {'k1': k1, 'k2': k2, 'lambda_value': lambda_value}
    result = k_reciprocal_rerank(feats[:num_queries], feats[num_queries:], **settings)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, dense_rerank(feats, num_queries, **settings), rtol=0, atol=1e-5)


@pytest.mark.parametrize('seed', range(4))
def test_equals_the_dense_seven_steps_where_many_distances_are_equal(seed):
    # Small integers: distances are exact in float32, and equal by the dozen; most images have exact duplicates.
    feats = np.random.default_rng(seed).integers(0, 3, (160, 4)).astype(np.float32)
    np.testing.assert_allclose(k_reciprocal_rerank(feats[:50], feats[50:]), dense_rerank(feats, 50), rtol=0, atol=1e-5)


@st.composite
def rerankings(draw):
    count = draw(st.integers(2, 40))
    values = st.integers(0, draw(st.integers(1, 4)))  # the fewer there are, the more images and distances are equal
    feats = draw(st.lists(st.lists(values, min_size=3, max_size=3), min_size=count, max_size=count))
    k1 = draw(st.integers(1, 25))
    weights = st.sampled_from([0.0, 0.3, 0.5, 1.0])
    arguments = {'k1': k1, 'k2': draw(st.integers(1, k1 + 1)), 'lambda_value': draw(weights)}
    return (
        np.array(feats, np.float32),
        draw(st.integers(1, count - 1)),
        arguments,
        draw(st.sampled_from([1, 2, 7, None])),
    )


@pytest.mark.parametrize('examples', [40, pytest.param(300, marks=pytest.mark.slow)])
def test_equals_the_dense_seven_steps_of_any_images_ties_duplicates_and_blocks(examples):
    @settings(max_examples=examples, deadline=None)
    @given(rerankings())
    def holds(case):
        feats, num_queries, arguments, rows = case
        memory_mb = 1024 if rows is None else rows * 64 * len(feats) / 2**20  # so many rows of distances at a time
        result = k_reciprocal_rerank(feats[:num_queries], feats[num_queries:], memory_mb=memory_mb, **arguments)
        np.testing.assert_allclose(result, dense_rerank(feats, num_queries, **arguments), rtol=0, atol=1e-5)

    holds()


@pytest.mark.parametrize('seed', range(4))
def test_neighbours_are_exact_where_a_matrix_product_cannot_tell_distances_apart(seed):
    draws = np.random.default_rng(seed)
    feats = draws.integers(0, 3, (160, 4)) + 2.0**-22 * draws.integers(0, 3, (160, 4))
    feats = feats.astype(np.float32)  # holds them; distances of some 5 differ by some 1e-6, products are off by as much
    np.testing.assert_allclose(k_reciprocal_rerank(feats[:50], feats[50:]), dense_rerank(feats, 50), rtol=0, atol=1e-5)


@pytest.mark.parametrize('unit', [True, False])
def test_near_duplicates_rank_by_their_true_distance(unit):
    draws = np.random.default_rng(5)
    feats = draws.normal(size=(60, 32)).astype(np.float32)
    feats = np.concatenate([feats, feats + 1e-7 * draws.normal(size=feats.shape)]).astype(np.float32)
    feats = feats / np.linalg.norm(feats, axis=1, keepdims=True) if unit else feats
    result = k_reciprocal_rerank(feats[:40], feats[40:], k1=7, k2=3)
    np.testing.assert_allclose(result, dense_rerank(feats, 40, k1=7, k2=3), rtol=0, atol=1e-5)


@pytest.mark.parametrize(('scale', 'offset'), [(1, 30), (1, 1000), (1e15, 0), (1e-12, 0), (0.01, 1)])
def test_what_all_features_have_in_common_and_their_scale_say_nothing(scale, offset):
    feats = (clustered(200, seed=6, dim=64) * scale + offset * np.random.default_rng(0).random(64)).astype(np.float32)
    result = k_reciprocal_rerank(feats[:80], feats[80:])
    np.testing.assert_allclose(result, dense_rerank(feats.astype(float), 80), rtol=0, atol=1e-5)


def test_fewer_images_than_k1():
    feats = clustered(12, seed=0)
    np.testing.assert_allclose(k_reciprocal_rerank(feats[:4], feats[4:]), dense_rerank(feats, 4), rtol=0, atol=1e-5)


@pytest.mark.parametrize('dim', [3, 64, 2048])
def test_features_that_are_all_the_same_are_all_at_one_distance(dim):
    feature = np.random.default_rng(0).normal(size=dim)
    result = k_reciprocal_rerank(np.tile(feature, (30, 1)), np.tile(feature, (40, 1)))
    assert np.isfinite(result).all()
    assert (np.ptp(result, axis=1) == 0).all()


def test_equal_gallery_features_get_equal_distances():
    feats = clustered(200, seed=7, dim=512)
    twice = np.concatenate([feats, feats[100:]])  # the gallery a second time
    result = k_reciprocal_rerank(twice[:100], twice[100:], lambda_value=1.0)
    np.testing.assert_array_equal(result[:, :100], result[:, 100:])


def test_the_block_size_changes_nothing(monkeypatch):
    feats = clustered(250, seed=1)
    whole = k_reciprocal_rerank(feats[:100], feats[100:])
    reranker = KReciprocalReranker(FeatureDistances(feats), 100)
    reranker.budget = 200_000
    blocks = list(reranker.blocks())
    assert len(blocks) > 10
    assert [start for start, _ in blocks] == np.cumsum([0] + [len(block) for _, block in blocks[:-1]]).tolist()
    np.testing.assert_allclose(np.concatenate([block for _, block in blocks]), whole, atol=1e-6)
    monkeypatch.setattr('tsgan.evaluation.rerank.MIB', 16)
    np.testing.assert_allclose(k_reciprocal_rerank(feats[:100], feats[100:]), whole, atol=1e-6)


def test_a_shared_distance_matrix_gives_the_same_as_features():
    feats = clustered(300, seed=2)
    index = np.random.default_rng(0).permutation(300)[:200]
    every = FeatureDistances(feats)
    shared = MatrixDistances(every, every.rows(0, 300), np.arange(300)).subset(index)
    alone = FeatureDistances(feats, index=index)
    for (_, block), (_, expected) in zip(
        KReciprocalReranker(shared, 80).blocks(), KReciprocalReranker(alone, 80).blocks(), strict=True
    ):
        np.testing.assert_allclose(block, expected, atol=1e-5)


@pytest.mark.parametrize('dtype', [np.float16, np.float64])
def test_other_float_types_are_accepted(dtype):
    feats = clustered(100, seed=3).astype(dtype)
    result = k_reciprocal_rerank(feats[:40], feats[40:])
    np.testing.assert_allclose(result, dense_rerank(feats.astype(np.float32), 40), rtol=0, atol=1e-5)


def test_memory_stays_within_the_budget():
    code = """
import resource, numpy as np
from tsgan.evaluation import FeatureDistances, KReciprocalReranker
def rerank(count):
    feats = np.random.default_rng(0).standard_normal((count, 16), np.float32)
    for _ in KReciprocalReranker(FeatureDistances(feats, 'cpu'), count // 2, memory_mb=16).blocks():
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = rerank(500)  # libraries are loaded
print((rerank(10_000) - before) // 1024)
"""
    grown = int(subprocess.run([sys.executable, '-c', code], check=True, capture_output=True).stdout)
    assert grown < 200, f'{grown} MiB'  # one dense 10,000 x 10,000 array is 381 MiB, the sets are some 100


def test_a_budget_that_holds_no_row_of_distances_is_refused(monkeypatch):
    monkeypatch.setattr('tsgan.evaluation.rerank.MIB', 1)
    with pytest.raises(ValueError, match=r'memory_mb=1024 is too little to re-rank 30 images: give at least 1920\.'):
        k_reciprocal_rerank(clustered(30, seed=0)[:5], clustered(30, seed=0)[5:])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_a_gpu_gives_the_same_as_the_cpu():
    feats = clustered(2000, seed=4, dim=256)
    feats[::7] = feats[0]
    on_cpu, on_gpu = (k_reciprocal_rerank(feats[:600], feats[600:], device=device) for device in ('cpu', 'cuda'))
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=0, atol=1e-5)


@pytest.mark.parametrize('num_candidates', [0, 31])
def test_neighbours_are_some_of_the_images(num_candidates):
    distances = FeatureDistances(np.random.default_rng(0).normal(size=(30, 4)), 'cpu')
    with pytest.raises(ValueError, match=f'num_candidates is one of 1 to 30, .* not {num_candidates}'):
        KReciprocalReranker(distances, 10, num_candidates=num_candidates)


def test_bad_input_is_refused():
    feats = clustered(30, seed=0)
    with pytest.raises(ValueError, match='finite'):
        k_reciprocal_rerank(feats[:5] * np.nan, feats[5:])
    with pytest.raises(ValueError, match='queries and gallery'):
        k_reciprocal_rerank(feats, feats[:0])
    for query, gallery in ((feats[0], feats), (feats[:, :3], feats), (feats[:, :0], feats[:, :0])):
        with pytest.raises(ValueError, match='features of shape'):
            k_reciprocal_rerank(query, gallery)
    with pytest.raises(ValueError, match='k2 <= k1'):
        k_reciprocal_rerank(feats[:5], feats[5:], k1=3, k2=6)
