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

Who is among the k nearest must not hang on how a matrix product rounds: where distances at a place that counts are
closer than float32 tells apart, they are taken anew in float64. So results do not depend on device or size of block.
The unit of D is of no account, since rows are divided by their maxima.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from .features import centre, first_equal
from .progress import progress

if TYPE_CHECKING:
    import torch

MIB = 2**20
MAX_ROWS = 1024  # of a block of distances: more gain nothing
ROW_BYTES = 64  # that a distance may cost, in the worst case that all are equal
_TINY = 1e-12  # a row maximum of 0 (all features equal) divides nothing


def checked_device(device: str | None) -> 'torch.device':
    """The device of this name; by default, the GPU where torch sees one.

    Raises:
        ValueError: When there is no such device.
    """
    import torch

    try:
        return torch.empty(0, device=device or default_device()).device
    except (RuntimeError, AssertionError) as error:  # no such name; not there
        raise ValueError(f'no device {device}: expected cpu, or cuda where torch sees a GPU.') from error


def default_device() -> str:
    """'cuda' where torch sees a GPU, else 'cpu'."""
    import torch

    return 'cuda' if torch.cuda.is_available() else 'cpu'


@contextmanager
def full_precision() -> Iterator[None]:
    """No TF32, which rounds a thousand times coarser than what `rounding` allows for."""
    import torch

    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


class FeatureDistances:
    """Squared Euclidean distances among N features, computed when asked for, in a unit of their own.

    Args:
        feats (np.ndarray): (M, D).
        device (str, optional): Where torch computes. Defaults to None: the GPU where torch sees one.
        index (np.ndarray, optional): The N items among the M, (N,). Defaults to None: all.
    """

    def __init__(self, feats: np.ndarray, device: str | None = None, index: np.ndarray | None = None):
        import torch  # only re-ranking needs it: the rest of evaluation is numpy

        self.source, self.index = feats, np.arange(len(feats)) if index is None else index
        chosen = feats if index is None else feats[index]
        equal = first_equal(chosen)
        self.equal = equal if (equal != np.arange(len(equal))).any() else None  # (N,), where some are equal
        self.feats = torch.as_tensor(centre(chosen), device=checked_device(device))  # (N, D)
        self.squares = torch.einsum('nd,nd->n', self.feats, self.feats)  # (N,)
        # How far a distance of `rows` may be off: float32 rounds each of the D products that it sums, and the features.
        eps, digits = torch.finfo(torch.float32).eps, 2 + self.feats.shape[1] ** 0.5
        self.rounding = digits * eps * (self.squares + self.squares.amax())  # (N,)

    def __len__(self) -> int:
        return len(self.feats)

    def rows(self, start: int, stop: int, begin: int = 0) -> 'torch.Tensor':
        """Distances of items start..stop to items begin..N, (B, N - begin); an item is at 0 from itself."""
        import torch

        dist = self.squares[start:stop, None] + self.squares[begin:]  # (B, N - begin)
        with full_precision():
            dist.addmm_(self.feats[start:stop], self.feats[begin:].T, alpha=-2).clamp_(min=0)
        dist.diagonal(start - begin).zero_()
        if self.equal is not None:  # equal items are equally far
            _, first, group = np.unique(self.equal[begin:], return_index=True, return_inverse=True)
            dist = dist.index_select(1, torch.as_tensor(first[group], device=dist.device))
        return dist

    def exact_pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Distances of pairs of items in the features' own unit, (P,) float64."""
        dist = np.empty(len(left))
        step = max(1, 2**19 // self.source.shape[1])  # stays in cache
        for at in range(0, len(left), step):
            rows = (self.index[side[at : at + step]] for side in (left, right))
            a, b = (self.source[row].astype(np.float64) for row in rows)  # (p, D)
            a -= b
            dist[at : at + step] = np.einsum('pd,pd->p', a, a)
        return dist

    def sampled(self, start: int, pattern: sparse.csr_array) -> np.ndarray:
        """Distances of items start..start + B to those items where a sparse (B, N) pattern has entries, (nnz,)."""
        import torch

        stop, device = start + pattern.shape[0], self.feats.device
        indptr, indices = (torch.as_tensor(part, device=device) for part in (pattern.indptr, pattern.indices))
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='Sparse CSR tensor support is in beta')
            wanted = torch.sparse_csr_tensor(
                indptr, indices, torch.zeros(len(indices), device=device), size=pattern.shape, check_invariants=False
            )
        with full_precision():
            products = torch.sparse.sampled_addmm(wanted, self.feats[start:stop], self.feats.T, beta=0).values()
        squares = self.squares[start:stop].repeat_interleave(indptr.diff()) + self.squares[indices]  # (nnz,)
        dist = squares - 2 * products
        return dist.clamp_(min=0).cpu().numpy()


class MatrixDistances:
    """The same, read from one matrix that many re-rankings share: trials differ in their gallery only.

    Args:
        source (FeatureDistances): Distances among M items.
        matrix (torch.Tensor): The same, (M, M).
        index (np.ndarray): The N items among the M, (N,).
    """

    def __init__(self, source: FeatureDistances, matrix: 'torch.Tensor', index: np.ndarray):
        import torch

        self.source, self.matrix, self.chosen = source, matrix, index
        self.index = torch.as_tensor(index, device=matrix.device)
        self.rounding = source.rounding[self.index]  # (N,)

    def __len__(self) -> int:
        return len(self.index)

    def rows(self, start: int, stop: int, begin: int = 0) -> 'torch.Tensor':
        """Distances of items start..stop to items begin..N, (B, N - begin)."""
        return self.matrix[self.index[start:stop]].index_select(1, self.index[begin:])

    def exact_pairs(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Distances of pairs of items in the features' own unit, (P,) float64."""
        return self.source.exact_pairs(self.chosen[left], self.chosen[right])

    def sampled(self, start: int, pattern: sparse.csr_array) -> np.ndarray:
        """Distances of items start..start + B to those items where a sparse (B, N) pattern has entries, (nnz,)."""
        items = np.repeat(np.arange(start, start + pattern.shape[0]), np.diff(pattern.indptr))  # (nnz,)
        return self.matrix[self.index[items], self.index[pattern.indices]].cpu().numpy()

    def subset(self, index: np.ndarray) -> 'MatrixDistances':
        """The same distances among some of the items, in the order of `index`."""
        return MatrixDistances(self.source, self.matrix, self.chosen[index])


class KReciprocalReranker:
    """Steps 1-5 when made, steps 6 and 7 a block of queries at a time.

    Memory, beside the features: O(N k1), and at most `memory_mb` for what is dense. Neighbours at equal distance rank
    by index; where more than k1 images coincide, an image may be no neighbour of its own, as in the published code.

    Args:
        distances (FeatureDistances | MatrixDistances): Over queries, then gallery.
        num_queries (int, optional): How many of the N are queries. None: all N are queries, and the gallery too.
        k1 (int): Neighbours that the reciprocal sets are made of. Defaults to 20.
        k2 (int): Neighbours that query expansion averages. Defaults to 6.
        lambda_value (float): Weight of the original distance. Defaults to 0.3.
        memory_mb (float): Budget for dense blocks in MiB. Defaults to 1024.
        num_candidates (int, optional): How many of the N, from the first, may be anybody's neighbours. Defaults to
            None: all.

    Raises:
        ValueError: No query or no gallery, k1, k2, lambda out of range, or a budget too small for one row of distances.
    """

    def __init__(
        self,
        distances: FeatureDistances | MatrixDistances,
        num_queries: int | None,
        k1: int = 20,
        k2: int = 6,
        lambda_value: float = 0.3,
        memory_mb: float = 1024,
        num_candidates: int | None = None,
    ):
        count = len(distances)
        if not 0 < (1 if num_queries is None else num_queries) < count:
            raise ValueError(
                f'Re-ranking needs queries and gallery, got {num_queries} queries of {count} images in all.'
            )
        if not (k1 >= 1 and 1 <= k2 <= k1 + 1 and 0 <= lambda_value <= 1):
            raise ValueError(f'Need k1 >= 1, 1 <= k2 <= k1 + 1, 0 <= lambda <= 1: got {k1}, {k2}, {lambda_value}.')
        if num_candidates is not None and not 0 < num_candidates <= count:
            raise ValueError(f'num_candidates is one of 1 to {count}, the number of images, not {num_candidates}.')
        self.budget = int(memory_mb * MIB)
        if self.budget < ROW_BYTES * count:
            raise ValueError(
                f'memory_mb={memory_mb} is too little to re-rank {count} images: give at least '
                f'{-(-ROW_BYTES * count // MIB)}.'
            )
        self.distances, self.lambda_value = distances, lambda_value
        self.num_queries, self.gallery_begin = (count, 0) if num_queries is None else (num_queries, num_queries)
        self.num_candidates = count if num_candidates is None else num_candidates
        half_k = int(np.around(k1 / 2))  # half to even, as in the published code
        self.row_max, nearest = self._nearest([k2, half_k + 1, k1 + 1])  # (N,), (N, k1 + 1)

        mutual, half = _mutual(nearest), _mutual(nearest[:, : half_k + 1])
        half_size = np.diff(half.indptr)  # (N,)
        step = max(1, self.budget // (16 * (k1 + 1) * (half_k + 1)))  # what the products below may hold
        parts = [self._vectors(mutual[start : start + step], half, half_size, start) for start in range(0, count, step)]
        vectors = self._expand(sparse.vstack(parts, format='csr'), nearest[:, :k2])  # (N, N): V
        self.query_vectors = vectors[: self.num_queries]  # (Nq, N)
        self.gallery_vectors = vectors[self.gallery_begin :].tocsc()  # (Ng, N), by column: who shares neighbour l

    def _nearest(self, places: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Row maxima of D before division, (N,), and each item's nearest, (N, k), k the last of `places`.

        The first p are the p nearest for each p of `places`, equal distances by index; in between, order is not exact.
        """
        count, k = len(self.distances), min(places[-1], self.num_candidates)
        row_max, nearest = np.empty(count, np.float32), np.empty((count, k), np.int32)
        places = [place for place in places if place < self.num_candidates]
        step = min(MAX_ROWS, self.budget // (ROW_BYTES // 4 * count))
        for start in progress(range(0, count, step), 'Re-ranking: neighbours, blocks'):
            dist = self.distances.rows(start, min(start + step, count))  # (B, N)
            row_max[start : start + step] = dist.amax(1).clamp_(min=_TINY).cpu().numpy()
            dist = dist[:, : self.num_candidates]
            value, index = dist.topk(min(k + 1, self.num_candidates), largest=False)  # (B, k + 1), ascending
            nearest[start : start + step] = index[:, :k].cpu().numpy()
            blur = 2 * self.distances.rounding[start : start + step, None]  # (B, 1): of a difference of distances
            gap = value[:, places] - value[:, [place - 1 for place in places]]
            limit = value[:, k - 1 : k] + blur  # (B, 1): none of the k nearest is farther
            unclear = (gap <= blur).any(1).nonzero()[:, 0]  # (U,)
            for rows in unclear.split(max(1, step // 16)):
                near = (dist[rows] <= limit[rows]).nonzero().cpu().numpy()  # (C, 2), by row, then by index
                rows = start + rows.cpu().numpy()
                far = self.distances.exact_pairs(rows[near[:, 0]], near[:, 1])  # (C,)
                order = np.lexsort((far, near[:, 0]))  # stable: equal distances stay by index
                begin = np.searchsorted(near[:, 0], np.arange(len(rows)))  # (U,)
                nearest[rows] = near[order, 1][begin[:, None] + np.arange(k)]
        return row_max, nearest

    def _vectors(
        self, mutual: sparse.csr_array, half: sparse.csr_array, half_size: np.ndarray, start: int
    ) -> sparse.csr_array:
        """Steps 3 and 4 for some items, (B, N): their sets grown, and weighted.

        Args:
            mutual (sparse.csr_array): R of items start..start + B, (B, N).
            half (sparse.csr_array): R_half of all, (N, N), and `half_size` its sizes, (N,).
        """
        # common(i, q) = |R_half(q) & R(i)| for q in R(i), compared in integers: no rounding in "2/3".
        common = (mutual @ half.T).multiply(mutual).tocsr()
        common.data = (3 * common.data > 2 * half_size[common.indices]).astype(np.int32)
        common.eliminate_zeros()
        grown = (mutual + common @ half).tocsr()
        row = np.repeat(np.arange(grown.shape[0]), np.diff(grown.indptr))  # (nnz,)
        weight = np.exp(-self.distances.sampled(start, grown) / self.row_max[start + row])  # (nnz,)
        total = np.bincount(row, weight, minlength=grown.shape[0])
        weight = (weight / total[row]).astype(np.float32)
        return sparse.csr_array((weight, grown.indices, grown.indptr), shape=grown.shape)

    def _expand(self, vectors: sparse.csr_array, neighbours: np.ndarray) -> sparse.csr_array:
        """Step 5, (N, N): means of the vectors of each one's first neighbours, (N, k2)."""
        return (membership(neighbours, np.float32(1 / neighbours.shape[1])) @ vectors).tocsr()

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first query, re-ranked distances of a block of queries to the gallery, (B, Ng) float32)."""
        num_gallery = len(self.distances) - self.gallery_begin
        column_size = np.diff(self.gallery_vectors.indptr).astype(np.int64)  # (N,)
        work = (self.query_vectors != 0) @ column_size  # (Nq,)
        # A query costs rows of doubles and of distances, and some 40 bytes for every minimum that it sums.
        cost = np.cumsum(40 * work + 48 * num_gallery)
        stops = [0]
        while stops[-1] < self.num_queries:
            spent = cost[stops[-1] - 1] if stops[-1] else 0
            stop = int(np.searchsorted(cost, spent + self.budget, side='right'))
            stops.append(min(max(stop, stops[-1] + 1), stops[-1] + MAX_ROWS))
        for start, stop in progress(list(pairwise(stops)), 'Re-ranking: queries, blocks'):
            yield start, self._block(start, stop)

    def _block(self, start: int, stop: int) -> np.ndarray:
        jaccard = self._jaccard(self.query_vectors[start:stop])  # (B, Ng)
        dist = self.distances.rows(start, stop, begin=self.gallery_begin).cpu().numpy()
        dist = dist / self.row_max[start:stop, None]  # (B, Ng)
        return ((1 - self.lambda_value) * jaccard + self.lambda_value * dist).astype(np.float32)

    def _jaccard(self, rows: sparse.csr_array) -> np.ndarray:
        """Step 6 for the vectors of some queries, (B, N): their distances to the gallery, (B, Ng)."""
        num_rows, num_gallery = rows.shape[0], self.gallery_vectors.shape[0]
        entry, length = sharing(rows.indices, self.gallery_vectors)
        minima = np.minimum(np.repeat(rows.data, length), self.gallery_vectors.data[entry])  # (M,)
        row = np.repeat(np.arange(num_rows), np.diff(rows.indptr))  # (nnz,)
        cell = np.repeat(row * num_gallery, length) + self.gallery_vectors.indices[entry]
        shared = np.bincount(cell, minima, minlength=num_rows * num_gallery).reshape(num_rows, num_gallery)  # m
        return 1 - shared / (2 - shared)


def k_reciprocal_rerank(
    query_feats: np.ndarray,
    gallery_feats: np.ndarray,
    k1: int = 20,
    k2: int = 6,
    lambda_value: float = 0.3,
    memory_mb: float = 1024,
    device: str | None = None,
) -> np.ndarray:
    """Re-ranked distances of queries to gallery; arguments as in `FeatureDistances` and `KReciprocalReranker`.

    Args:
        query_feats (np.ndarray): (Nq, D). The published numbers use features of unit length.
        gallery_feats (np.ndarray): (Ng, D).

    Returns:
        np.ndarray: (Nq, Ng), float32.

    Raises:
        ValueError: Features that are not finite, an empty side, or arguments out of range.
    """
    shapes = np.shape(query_feats), np.shape(gallery_feats)
    if [len(shape) for shape in shapes] != [2, 2] or shapes[0][1] != shapes[1][1] or not shapes[0][1]:
        raise ValueError(f'Re-ranking takes features of shape (Nq, D) and (Ng, D), not {shapes[0]} and {shapes[1]}.')
    feats = np.concatenate([query_feats, gallery_feats])  # (N, D)
    if feats.dtype != np.float64:
        feats = feats.astype(np.float32, copy=False)
    if not np.isfinite(feats).all():
        raise ValueError('Features must be finite: some are NaN or infinity.')
    reranker = KReciprocalReranker(FeatureDistances(feats, device), len(query_feats), k1, k2, lambda_value, memory_mb)
    dist = np.empty((len(query_feats), len(gallery_feats)), np.float32)
    for start, block in reranker.blocks():
        dist[start : start + len(block)] = block
    return dist


def membership(index: np.ndarray, value: float | np.integer) -> sparse.csr_array:
    """A sparse matrix with `value` at (i, index[i, j]), (N, N)."""
    count, k = index.shape
    data = np.full(index.size, value)
    indptr = np.arange(0, index.size + 1, k, dtype=np.int32)
    return sparse.csr_array((data, index.ravel(), indptr), shape=(count, count))


def _mutual(nearest: np.ndarray) -> sparse.csr_array:
    """1 at (i, j) where each is among the other's nearest, (N, N)."""
    member = membership(nearest, np.int32(1))
    return member.multiply(member.T).tocsr()


def sharing(neighbours: np.ndarray, columns: sparse.csc_array) -> tuple[np.ndarray, np.ndarray]:
    """Who else has these neighbours, (n,): entries of `columns` (Ng, N), (M,), and how many each neighbour has, (n,).

    m(i, j) = sum over l of min(V(i, l), V(j, l)): only neighbours l that i and j share add to it.
    """
    length = np.diff(columns.indptr)[neighbours]  # (n,)
    first = np.cumsum(length) - length
    return np.arange(length.sum()) + np.repeat(columns.indptr[neighbours] - first, length), length
