"""How good clusters and matching are, where identities are known after all: to be read, never to be trained on."""

import numpy as np

from .matching import Matching


def contingency(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How many images of each cluster show each person, (K, number of identities).

    Args:
        labels (np.ndarray): Clusters 0 to K - 1, (N,); images of -1 are left out.
        truth (np.ndarray): Identities, (N,), any integers.
    """
    identity = np.unique(truth, return_inverse=True)[1]  # (N,)
    shape = int(labels.max(initial=-1)) + 1, int(identity.max(initial=-1)) + 1
    inside = labels >= 0
    return np.bincount(labels[inside] * shape[1] + identity[inside], minlength=shape[0] * shape[1]).reshape(shape)


def purity(labels: np.ndarray, truth: np.ndarray) -> float:
    """Share of the clustered images that show the person whom most of their cluster show; NaN without clusters.

    Args:
        labels, truth (np.ndarray): See :func:`contingency`.
    """
    table = contingency(labels, truth)
    return float(table.max(axis=1, initial=0).sum() / table.sum()) if table.sum() else float('nan')


def adjusted_rand_index(labels: np.ndarray, truth: np.ndarray) -> float:
    """How far clusters and identities agree on which pairs of the clustered images belong together.

    1: on all; 0: as chance does. NaN where no pair can tell: fewer than two images, or one group, or none, in both.

    Source: Hubert and Arabie, "Comparing Partitions", Journal of Classification, 1985.

    Args:
        labels, truth (np.ndarray): See :func:`contingency`.
    """
    table = contingency(labels, truth)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    both, of_clusters, of_identities = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    every = pairs(table.sum())
    chance = of_clusters * of_identities / every if every else 0.0
    highest = (of_clusters + of_identities) / 2
    return (both - chance) / (highest - chance) if highest != chance else float('nan')


def matching_precision(
    matching: Matching,
    rgb_labels: np.ndarray,
    rgb_truth: np.ndarray,
    ir_labels: np.ndarray,
    ir_truth: np.ndarray,
) -> float:
    """Share of the matched pairs of clusters most of whose images show one and the same person; NaN without pairs.

    Of persons equally often in a cluster, the one with the lower number counts.

    Args:
        matching (Matching): Of the clusters in ``rgb_labels`` and ``ir_labels``.
        rgb_labels, ir_labels (np.ndarray): Clusters, (N_rgb,) and (N_ir,); -1: none.
        rgb_truth, ir_truth (np.ndarray): Identities, (N_rgb,) and (N_ir,).
    """
    pairs = matching.pairs
    person = [
        np.unique(truth)[contingency(labels, truth).argmax(axis=1)]
        for labels, truth in ((rgb_labels, rgb_truth), (ir_labels, ir_truth))
    ]
    return float((person[0][pairs[:, 0]] == person[1][pairs[:, 1]]).mean()) if len(pairs) else float('nan')
