"""Mean gallery affinity: images are alike that are alike to the same gallery images.

Source: Fang et al., "Visible-Infrared Person Re-Identification via Semantic Alignment and Affinity Inference",
ICCV 2023 (SAAI, there "AIM"), as its code computes it. With cosines S:

1. A query's profile: its cosines to the gallery, all but the k1 largest set to 0.
2. A gallery image's profile: the same of its cosines to the gallery (itself among them), and of these the mean over its
   k2 nearest gallery images (itself the first).
3. Similarity: cosine of the two profiles + cosine of the two features.
"""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from ..features import first_equal
from ..rerank import MAX_ROWS, MIB


def affinity_blocks(
    query: np.ndarray, gallery: np.ndarray, k1: int = 30, k2: int = 6, memory_mb: float = 1024
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (first query, distances of a block of queries to the gallery, (B, Ng) float32), less the similarity.

    Cosines that equal the k1-th largest are kept too; of equal cosines, the neighbour with the lower index is nearer.
    Where the gallery has fewer than k1 images, all are kept.

    Args:
        query (np.ndarray): Features of unit length, (Nq, D).
        gallery (np.ndarray): Features of unit length, (Ng, D).
        k1 (int): Cosines that a profile keeps. Defaults to 30.
        k2 (int): Neighbours whose profiles are averaged. Defaults to 6.
        memory_mb (float): Budget for blocks of cosines in MiB. Defaults to 1024.
    """
    different, column = np.unique(first_equal(gallery), return_inverse=True)  # (U,), (Ng,): equals stay equal
    gallery = gallery[different]  # (U, D)
    k1, k2 = min(k1, len(column)), min(k2, len(column))
    step = int(np.clip(memory_mb * MIB // (32 * len(column)), 1, MAX_ROWS))
    profiles, neighbours = [], []
    for start in range(0, len(different), step):
        cosines = (gallery[start : start + step] @ gallery.T)[:, column]  # (B, Ng)
        profiles.append(_largest(cosines, k1))
        neighbours.append(column[_nearest(cosines, k2)])  # (B, k2)
    neighbours = np.concatenate(neighbours)  # (U, k2)
    weights = np.full(neighbours.size, np.float32(1 / k2))
    begin = np.arange(0, neighbours.size + 1, k2)
    mean = sparse.csr_array((weights, neighbours.ravel(), begin), shape=(len(different),) * 2)
    profiles = _unit_rows((mean @ sparse.vstack(profiles, format='csr')).tocsr())  # (U, Ng)
    profiles = profiles[column].T.tocsr()  # (Ng, Ng), a column a gallery image
    for start in range(0, len(query), step):
        cosines = (query[start : start + step] @ gallery.T)[:, column]  # (B, Ng)
        yield start, -(_unit_rows(_largest(cosines, k1)) @ profiles).toarray() - cosines


def _among_largest(cosines: np.ndarray, k: int) -> np.ndarray:
    """True for the k largest of each row, and those equal to the least of them, (B, Ng)."""
    return cosines >= np.partition(cosines, -k, axis=1)[:, -k, None]


def _largest(cosines: np.ndarray, k: int) -> sparse.csr_array:
    """Rows of which only the k largest are left, (B, Ng)."""
    return sparse.csr_array(np.where(_among_largest(cosines, k), cosines, 0))


def _nearest(cosines: np.ndarray, k: int) -> np.ndarray:
    """Where the k largest of each row are, the largest first, of equal ones the first, (B, k)."""
    row, image = np.nonzero(_among_largest(cosines, k))  # (C,) each
    order = np.lexsort((-cosines[row, image], row))  # stable: equal ones stay by index
    begin = np.searchsorted(row, np.arange(len(cosines)))  # (B,)
    return image[order][begin[:, None] + np.arange(k)]


def _unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Rows of unit length; a row of zeros stays as it is."""
    norm = np.sqrt(matrix.multiply(matrix).sum(axis=1))  # (B,)
    matrix.data /= np.repeat(np.maximum(norm, 1e-12), np.diff(matrix.indptr))
    return matrix
