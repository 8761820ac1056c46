"""The k-reciprocal re-ranking that the field's code carries: in float16, and on SYSU-MM01 among the probes alone."""

import numpy as np
from scipy import sparse

from ..rerank import FeatureDistances, KReciprocalReranker, MatrixDistances, membership, sharing


class HalfReranker(KReciprocalReranker):
    """As MPANet's `utils/rerank.py` re-ranks, which many have taken over; what differs from the paper's steps:

    - V (step 4), its expansion (step 5), each sum of minima (step 6, one neighbour after the other) and the Jaccard
      distance are rounded to float16; D is not.
    - With `probes_only` (its `eval_type=True`, for SYSU-MM01) nobody has a gallery image among the neighbours: their
      columns of D are set to its maximum before neighbours are sought. A gallery image is then no neighbour of its own,
      its V is empty, and by step 5 it has the mean V of its k2 nearest probes.

    Where fewer than k1 + 1 probes are there, the published code takes gallery images after all; here there are none.
    Equal distances rank by index, as in `KReciprocalReranker`; the published sort is not stable.

    Args:
        distances (FeatureDistances | MatrixDistances): Over queries, then gallery.
        num_queries (int): How many of the N are queries.
        probes_only (bool): Seek neighbours among the queries alone. Defaults to False.
        memory_mb (float): Budget for dense blocks in MiB. Defaults to 1024.

    Source: Wu et al., CVPR 2021 (MPANet), DoubtedSteam/MPANet utils/rerank.py.
    """

    def __init__(
        self,
        distances: FeatureDistances | MatrixDistances,
        num_queries: int,
        probes_only: bool = False,
        memory_mb: float = 1024,
    ):
        num_candidates = num_queries if probes_only else None
        super().__init__(distances, num_queries, memory_mb=memory_mb, num_candidates=num_candidates)

    def _vectors(
        self, mutual: sparse.csr_array, half: sparse.csr_array, half_size: np.ndarray, start: int
    ) -> sparse.csr_array:
        vectors = super()._vectors(mutual, half, half_size, start)
        vectors.data = _rounded(vectors.data)
        return vectors

    def _expand(self, vectors: sparse.csr_array, neighbours: np.ndarray) -> sparse.csr_array:
        total = (membership(neighbours, np.float32(1)) @ vectors).tocsr()
        total.data = _rounded(total.data / neighbours.shape[1])
        total.eliminate_zeros()
        total.sort_indices()
        return total

    def _jaccard(self, rows: sparse.csr_array) -> np.ndarray:
        shared = np.zeros((rows.shape[0], self.gallery_vectors.shape[0]), np.float16)  # (B, Ng)
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))  # (nnz,)
        place = np.arange(len(row)) - rows.indptr[row]  # (nnz,): an entry is its row's first, second, ...
        order = np.argsort(place, kind='stable')
        for entries in np.split(order, np.cumsum(np.bincount(place))[:-1]):  # at most one of each row
            other, length = sharing(rows.indices[entries], self.gallery_vectors)
            minima = np.minimum(np.repeat(rows.data[entries], length), self.gallery_vectors.data[other])
            cell = np.repeat(row[entries], length), self.gallery_vectors.indices[other]
            shared[cell] += minima.astype(np.float16)
        return 1 - shared / (2 - shared)


def _rounded(values: np.ndarray) -> np.ndarray:
    """To float16 and back: SciPy's sparse matrices hold none."""
    return values.astype(np.float16).astype(np.float32)
