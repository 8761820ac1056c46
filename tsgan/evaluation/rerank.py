"""k-reciprocal re-ranking, exact, without any N x N array.

Source: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017. With N images in all,
queries then gallery:

1. D: squared Euclidean distances over all N, each row divided by its maximum.
2. R(i): mutual neighbours within the top k1 + 1, self included.
3. For q in R(i), R_half(q), mutual within the top k1 / 2 + 1, joins R(i) if |R_half(q) & R(i)| > 2/3 |R_half(q)|.
4. V(i, j) = exp(-D(i, j)) over the grown set, normalised to sum 1.
5. Query expansion: V(i) becomes the mean of V over i's first k2 neighbours.
6. Jaccard distance J = 1 - m / (2 - m), m(i, j) = sum over l of min(V(i, l), V(j, l)).
7. Result: (1 - lambda) J + lambda D, queries x gallery.

Only D is dense, and it is only needed a block of rows at a time; the sets and V are sparse, some k1 entries a row.
Distances and nearest neighbours are torch (any device), the sets are scipy.sparse.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import torch

MIB = 2**20
_TINY = 1e-12  # a row maximum of 0 (all features equal) divides nothing


class FeatureDistances:
    """Squared Euclidean distances among N features, computed when asked for.

    Args:
        feats (np.ndarray | torch.Tensor): (N, D), float32.
        device (str): Where torch computes. Defaults to 'cpu'.
    """

    def __init__(self, feats: 'np.ndarray | torch.Tensor', device: str = 'cpu'):
        import torch  # only re-ranking needs it: the rest of evaluation is numpy

        self.feats = torch.as_tensor(feats, dtype=torch.float32, device=device)  # (N, D)
        self.squares = self.feats.square().sum(1)  # (N,)

    def __len__(self) -> int:
        return len(self.feats)

    def rows(self, start: int, stop: int, begin: int = 0) -> 'torch.Tensor':
        """Distances of items start..stop to items begin..N, (B, N - begin); an item is at 0 from itself."""
        dist = self.squares[start:stop, None] + self.squares[begin:]  # (B, N - begin)
        dist.addmm_(self.feats[start:stop], self.feats[begin:].T, alpha=-2).clamp_(min=0)
        dist.diagonal(start - begin).zero_()
        return dist

    def pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Distances of pairs of items, (P,)."""
        dist = np.empty(len(left), np.float32)
        step = max(1, 2**22 // self.feats.shape[1])  # 16 MB a side
        for at in range(0, len(left), step):
            a, b = self.feats[left[at : at + step]], self.feats[right[at : at + step]]  # (p, D)
            dist[at : at + step] = (a - b).square_().sum(1).cpu().numpy()
        return dist

    def subset(self, index: np.ndarray) -> 'FeatureDistances':
        """The same distances among some of the items, in the order of `index`."""
        return FeatureDistances(self.feats[index], self.feats.device)


class MatrixDistances:
    """The same, read from an N x N matrix that many re-rankings share: trials differ in their gallery only.

    Args:
        matrix (torch.Tensor): Squared Euclidean distances of M items, (M, M).
        index (np.ndarray): The N items among the M, (N,).
    """

    def __init__(self, matrix: 'torch.Tensor', index: np.ndarray):
        import torch

        self.matrix, self.index = matrix, torch.as_tensor(index, device=matrix.device)

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, start: int, stop: int, begin: int = 0) -> 'torch.Tensor':
        """Distances of items start..stop to items begin..N, (B, N - begin)."""
        return self.matrix[self.index[start:stop]].index_select(1, self.index[begin:])

    def pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Distances of pairs of items, (P,)."""
        return self.matrix[self.index[left], self.index[right]].cpu().numpy()

    def subset(self, index: np.ndarray) -> 'MatrixDistances':
        """The same distances among some of the items, in the order of `index`."""
        return MatrixDistances(self.matrix, self.index[index])


class KReciprocalReranker:
    """Steps 1-5 when made, steps 6 and 7 a block of queries at a time.

    Memory is O(N k1) and a few times `block_mb`. Neighbours at equal distance rank by index; where more than k1 images
    coincide, an image may thus be no neighbour of its own, as in the published code.

    Args:
        distances (FeatureDistances | MatrixDistances): Over queries, then gallery.
        num_queries (int): How many of the N are queries.
        k1 (int): Neighbours that the reciprocal sets are made of. Defaults to 20.
        k2 (int): Neighbours that query expansion averages. Defaults to 6.
        lambda_value (float): Weight of the original distance. Defaults to 0.3.
        block_mb (int): Size of a dense block in MiB. Defaults to 64.
    """

    def __init__(
        self,
        distances: FeatureDistances | MatrixDistances,
        num_queries: int,
        k1: int = 20,
        k2: int = 6,
        lambda_value: float = 0.3,
        block_mb: int = 64,
    ):
        count = len(distances)
        if not 0 < num_queries < count:
            raise ValueError(
                f'Re-ranking needs queries and gallery, got {num_queries} queries of {count} images in all.'
            )
        if not (k1 >= 1 and 1 <= k2 <= k1 + 1 and 0 <= lambda_value <= 1):
            raise ValueError(f'Need k1 >= 1, 1 <= k2 <= k1 + 1, 0 <= lambda <= 1: got {k1}, {k2}, {lambda_value}.')
        self.distances, self.num_queries, self.lambda_value = distances, num_queries, lambda_value
        self.block_bytes = block_mb * MIB
        self.row_max, nearest = self._nearest(min(k1 + 1, count))  # (N,), (N, k1 + 1)

        mutual = _mutual(nearest)
        half = _mutual(nearest[:, : int(np.around(k1 / 2)) + 1])  # around: half to even, as in the published code
        # common(i, q) = |R_half(q) & R(i)| for q in R(i), compared in integers: no rounding in "2/3".
        common = (mutual @ half.T).multiply(mutual).tocsr()
        size = np.diff(half.indptr)  # (N,)
        common.data = (3 * common.data > 2 * size[common.indices]).astype(np.int32)
        common.eliminate_zeros()
        grown = (mutual + common @ half).tocoo()
        weight = np.exp(-distances.pairs(grown.row, grown.col) / self.row_max[grown.row])  # (nnz,)
        total = np.bincount(grown.row, weight, minlength=count)
        weight = (weight / total[grown.row]).astype(np.float32)
        vectors = sparse.csr_array((weight, (grown.row, grown.col)), shape=(count, count))  # V
        expansion = _membership(nearest[:, :k2], np.float32(1 / min(k2, count)))
        vectors = (expansion @ vectors).tocsr()
        self.query_vectors = vectors[:num_queries]  # (Nq, N)
        self.gallery_vectors = vectors[num_queries:].tocsc()  # (Ng, N), by column: who shares neighbour l

    def _nearest(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Row maxima of D before division, (N,), and each item's k nearest, equal distances by index, (N, k)."""
        count = len(self.distances)
        row_max, nearest = np.empty(count, np.float32), np.empty((count, k), np.int64)
        step = max(1, self.block_bytes // (4 * count))
        for start in range(0, count, step):
            dist = self.distances.rows(start, min(start + step, count))  # (B, N)
            largest = dist.amax(1).clamp_(min=_TINY)
            dist /= largest[:, None]
            value, index = dist.topk(min(k + 1, count), largest=False)
            # topk keeps any of several equal distances. Sort what it found by (distance, index); where equal distances
            # straddle the k-th place, sort the whole row.
            straddles = (value[:, k:] == value[:, k - 1 : k]).any(1)  # (B,)
            index, order = index[:, :k].sort(1)
            order = value.gather(1, order).argsort(stable=True, dim=1)
            index = index.gather(1, order)
            if straddles.any():
                index[straddles] = dist[straddles].argsort(stable=True, dim=1)[:, :k]
            row_max[start : start + step] = largest.cpu().numpy()
            nearest[start : start + step] = index.cpu().numpy()
        return row_max, nearest

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first query, re-ranked distances of a block of queries to the gallery, (B, Ng) float32)."""
        num_gallery = len(self.distances) - self.num_queries
        column_size = np.diff(self.gallery_vectors.indptr).astype(np.int64)  # (N,)
        work = (self.query_vectors != 0) @ column_size  # (Nq,)
        # A query costs a row of doubles, a row of D, and some 40 bytes for every minimum that it sums.
        cost = np.cumsum(40 * work + 8 * num_gallery + 4 * len(self.distances))
        start = 0
        while start < self.num_queries:
            spent = cost[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(cost, spent + self.block_bytes)))
            yield start, self._block(start, stop)
            start = stop

    def _block(self, start: int, stop: int) -> np.ndarray:
        shared = _sum_of_minima(self.query_vectors[start:stop], self.gallery_vectors)  # (B, Ng): m
        jaccard = 1 - shared / (2 - shared)
        dist = self.distances.rows(start, stop, begin=self.num_queries).cpu().numpy()
        dist = dist / self.row_max[start:stop, None]  # (B, Ng)
        return ((1 - self.lambda_value) * jaccard + self.lambda_value * dist).astype(np.float32)


def k_reciprocal_rerank(
    query_feats: np.ndarray,
    gallery_feats: np.ndarray,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    block_mb: int = 64,
    device: str = 'cpu',
) -> np.ndarray:
    """Re-ranked distances of queries to gallery; arguments as in `KReciprocalReranker`.

    Args:
        query_feats (np.ndarray): (Nq, D). The published numbers use features of unit length.
        gallery_feats (np.ndarray): (Ng, D).

    Returns:
        np.ndarray: (Nq, Ng), float32.

    Raises:
        ValueError: Features that are not finite, an empty side, or k1, k2, lambda out of range.
    """
    feats = np.concatenate([query_feats, gallery_feats]).astype(np.float32)  # (N, D)
    if not np.isfinite(feats).all():
        raise ValueError('Features must be finite: some are NaN or infinity.')
    reranker = KReciprocalReranker(
        FeatureDistances(feats, device), len(query_feats), k1, k2, lambda_value=lambda_value, block_mb=block_mb
    )
    dist = np.empty((len(query_feats), len(gallery_feats)), np.float32)
    for start, block in reranker.blocks():
        dist[start : start + len(block)] = block
    return dist


def _membership(index: np.ndarray, value: float | np.integer) -> sparse.csr_array:
    """A sparse matrix with `value` at (i, index[i, j]), (N, N)."""
    count, k = index.shape
    data = np.full(index.size, value)
    return sparse.csr_array((data, index.ravel(), np.arange(0, index.size + 1, k)), shape=(count, count))


def _mutual(nearest: np.ndarray) -> sparse.csr_array:
    """1 at (i, j) where each is among the other's nearest, (N, N)."""
    member = _membership(nearest, np.int32(1))
    return member.multiply(member.T).tocsr()


def _sum_of_minima(rows: sparse.csr_array, columns: sparse.csc_array) -> np.ndarray:
    """m(i, j) = sum over l of min(rows(i, l), columns(j, l)), (B, Ng): only shared neighbours l add to it."""
    num_rows, num_gallery = rows.shape[0], columns.shape[0]
    length = np.diff(columns.indptr)[rows.indices]  # (nnz,): how many gallery images share the neighbour of an entry
    first = np.cumsum(length) - length
    entry = np.arange(length.sum()) + np.repeat(columns.indptr[rows.indices] - first, length)  # (M,) into columns.data
    minima = np.minimum(np.repeat(rows.data, length), columns.data[entry])
    row = np.repeat(np.arange(num_rows), np.diff(rows.indptr))  # (nnz,)
    cell = np.repeat(row * num_gallery, length) + columns.indices[entry]
    return np.bincount(cell, minima, minlength=num_rows * num_gallery).reshape(num_rows, num_gallery)
