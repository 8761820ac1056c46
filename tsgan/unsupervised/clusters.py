"""Images -> clusters: DBSCAN on the Jaccard distance of k-reciprocal neighbours.

Source: Dai et al., "Cluster Contrast for Unsupervised Person Re-Identification", ACCV 2022, whose numbers ADCA (Yang et
al., ACM MM 2022) and PGM (Wu and Ye, CVPR 2023) take over. The distance is re-ranking's (Zhong et al., CVPR 2017):
it weights a neighbour by exp(-d / the greatest d of the row), d squared, where the published codes have exp(-d) of unit
vectors. So the same eps is nearly, but not quite, the same radius.
"""

import numpy as np
from scipy import sparse

from tsgan.evaluation.rerank import FeatureDistances, KReciprocalReranker
from tsgan.extras import need


def jaccard_graph(
    feats: np.ndarray, eps: float = 0.6, k1: int = 30, k2: int = 6, device: str | None = None
) -> sparse.csr_array:
    """Jaccard distances of all pairs of images that are no farther than ``eps``; exact, see ``evaluation/rerank.py``.

    Args:
        feats (np.ndarray): (N, C), N at least 2; the published numbers use features of unit length.
        eps (float): Between 0, the same neighbours, and 1, none in common. Defaults to 0.6.
        k1 (int): Neighbours that the reciprocal sets are made of. Defaults to 30.
        k2 (int): Neighbours that query expansion averages. Defaults to 6.
        device (str, optional): Where torch computes distances. Defaults to None: the GPU where torch sees one.

    Returns:
        sparse.csr_array: (N, N), float32; what is not stored is farther. A stored 0 is a distance, too.
    """
    feats = np.ascontiguousarray(feats, np.float32)
    reranker = KReciprocalReranker(FeatureDistances(feats, device), None, k1, k2, lambda_value=0)
    parts = []
    for start, block in reranker.blocks():  # (B, N)
        block = block.clip(min=0)  # 0 may round to less
        near = block <= eps
        near[np.arange(len(block)), np.arange(start, start + len(block))] = True  # an image is its own neighbour
        indptr = np.concatenate([[0], near.sum(axis=1).cumsum()])
        parts.append(sparse.csr_array((block[near], near.nonzero()[1], indptr), shape=block.shape))
    return sparse.vstack(parts, format='csr')


def cluster(
    feats: np.ndarray,
    eps: float = 0.6,
    min_samples: int = 4,
    k1: int = 30,
    k2: int = 6,
    device: str | None = None,
) -> np.ndarray:
    """The cluster of each image, (N,) int64, from 0; -1 of an image that is in none.

    Args:
        feats (np.ndarray): (N, C).
        eps (float): DBSCAN's radius, in Jaccard distance. Defaults to 0.6.
        min_samples (int): Images within the radius, itself included, that make an image the core of a cluster.
            Defaults to 4.
        k1, k2, device: See :func:`jaccard_graph`.

    Raises:
        ValueError: When a number is out of range.
        ImportError: Without scikit-learn.
    """
    dbscan = need('sklearn.cluster', 'unsupervised').DBSCAN
    if not 0 < eps < 1 or min_samples < 1:
        raise ValueError(f'clusters need eps between 0 and 1 and min_samples of at least 1: got {eps}, {min_samples}.')
    if len(feats) < 2:
        return np.full(len(feats), -1)
    graph = sparse.csr_matrix(jaccard_graph(feats, eps, k1, k2, device))  # the kind that scikit-learn knows
    return dbscan(eps=eps, min_samples=min_samples, metric='precomputed').fit(graph).labels_.astype(np.int64)


def centres(feats: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean feature of each cluster at unit length, (K, C) float32.

    Args:
        feats (np.ndarray): (N, C).
        labels (np.ndarray): Clusters 0 to K - 1, (N,); images of -1 are in none.
    """
    inside = labels >= 0
    count = int(labels.max(initial=-1)) + 1
    member = sparse.csr_array(
        (np.ones(inside.sum()), (labels[inside], np.flatnonzero(inside))), shape=(count, len(labels))
    )
    mean = member @ feats.astype(np.float64) / member.sum(axis=1)[:, None]  # (K, C)
    return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)
