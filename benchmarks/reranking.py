"""k-reciprocal re-ranking against a dense implementation: ``python benchmarks/reranking.py``.

3,803 queries and the gallery of a trial of SYSU-MM01's all-search, single-shot (301) and multi-shot (3,010), 2048-d.
The reference holds N x N arrays and loops over images, as the published code does; its distances are one matrix
product.
"""

import argparse
import time

import numpy as np
from common import clustered_features, machine, seconds

from tsgan.command_line import run
from tsgan.evaluation import FeatureDistances, KReciprocalReranker

NUM_QUERIES = 3803
K1, K2, LAMBDA = 20, 6, 0.3


class TimedDistances(FeatureDistances):
    """Notes how long the distance products take."""

    taken = 0.0

    def rows(self, start, stop, begin=0):
        began = time.perf_counter()
        dist = super().rows(start, stop, begin)
        self.taken += time.perf_counter() - began
        return dist


def rerank(feats: np.ndarray) -> tuple[np.ndarray, float]:
    """Re-ranked distances, and how long the distance products took."""
    distances = TimedDistances(feats, 'cpu')
    reranker = KReciprocalReranker(distances, NUM_QUERIES, K1, K2, LAMBDA)
    return np.concatenate([block for _, block in reranker.blocks()]), distances.taken


def dense_rerank(feats: np.ndarray) -> tuple[np.ndarray, float]:
    """Re-ranked distances in the features' own precision, and how long the product took."""
    start = time.perf_counter()
    squares = np.square(feats).sum(axis=1)
    dist = squares[:, None] + squares - 2 * feats @ feats.T  # (N, N)
    taken = time.perf_counter() - start
    np.fill_diagonal(dist, 0)
    dist = np.maximum(dist, 0)
    dist = (dist / dist.max(axis=0)).T  # as published
    count = len(feats)
    rank = np.argsort(dist, axis=1)

    def reciprocal(image, k):
        forward = rank[image, : k + 1]
        return forward[(rank[forward, : k + 1] == image).any(axis=1)]

    vectors = np.zeros((count, count), feats.dtype)
    for image in range(count):
        near = reciprocal(image, K1)
        grown = near
        for candidate in near:
            half = reciprocal(candidate, int(np.around(K1 / 2)))
            if len(np.intersect1d(half, near)) > 2 / 3 * len(half):
                grown = np.append(grown, half)
        grown = np.unique(grown)
        weight = np.exp(-dist[image, grown])
        vectors[image, grown] = weight / weight.sum()
    vectors = np.stack([vectors[rank[image, :K2]].mean(axis=0) for image in range(count)])
    holders = [np.flatnonzero(vectors[:, image]) for image in range(count)]
    jaccard = np.zeros((NUM_QUERIES, count), feats.dtype)
    for query in range(NUM_QUERIES):
        shared = np.zeros(count, feats.dtype)
        for neighbour in np.flatnonzero(vectors[query]):
            holding = holders[neighbour]
            shared[holding] += np.minimum(vectors[query, neighbour], vectors[holding, neighbour])
        jaccard[query] = 1 - shared / (2 - shared)
    return ((1 - LAMBDA) * jaccard + LAMBDA * dist[:NUM_QUERIES])[:, NUM_QUERIES:], taken


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    columns = ['N', 'dense, s', 'of it product', 'ours, s (median of 5; least, most)', 'of it product', 'ratio']
    columns += ['ratio of what follows the product', 'entries apart from dense in float64', 'dense in float32 from it']
    rows = []
    for num_gallery in (301, 3010):
        count = NUM_QUERIES + num_gallery
        feats = clustered_features(np.random.default_rng(0).integers(0, 96, count), 2048)
        rerank(feats)  # libraries warm up
        runs = sorted(
            (taken[0], product) for taken, (_, product) in (seconds(lambda f=feats: rerank(f), 1) for _ in range(5))
        )
        ours, product = runs[2]
        (dense,), (result, dense_product) = seconds(lambda f=feats: dense_rerank(f), repeats=1)
        exact, _ = dense_rerank(feats.astype(np.float64))
        apart = [f'{(np.abs(dist - exact) > 1e-5).mean():.3%}' for dist in (rerank(feats)[0], result)]
        rows.append(
            f'| {count:,} | {dense:.2f} | {dense_product:.2f} | {ours:.2f} ({runs[0][0]:.2f}, {runs[-1][0]:.2f}) '
            f'| {product:.2f} | {dense / ours:.1f} | {(dense - dense_product) / (ours - product):.0f} '
            f'| {apart[0]} | {apart[1]} |'
        )
    print(machine())
    print(f'| {" | ".join(columns)} |\n{"|---" * len(columns)}|')
    print('\n'.join(rows))
    print('\napart: by over 1e-5')


if __name__ == '__main__':
    run(main)
