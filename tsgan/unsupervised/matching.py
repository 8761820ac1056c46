"""Clusters of visible images <-> clusters of infrared images."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

BLOCK = 2**24  # similarities that are in memory at a time


class Matching(NamedTuple):
    """The partner of each cluster in the other modality; -1: it has none."""

    rgb_to_ir: np.ndarray  # (K_rgb,) int64
    ir_to_rgb: np.ndarray  # (K_ir,) int64

    @property
    def pairs(self) -> np.ndarray:
        """np.ndarray: (RGB cluster, IR cluster), each pair once, (M, 2)."""
        there = np.stack([np.arange(len(self.rgb_to_ir)), self.rgb_to_ir], axis=1)
        back = np.stack([self.ir_to_rgb, np.arange(len(self.ir_to_rgb))], axis=1)
        pairs = np.concatenate([there, back])
        return np.unique(pairs[(pairs >= 0).all(axis=1)], axis=0)


def match_by_votes(
    rgb: np.ndarray, rgb_labels: np.ndarray, ir: np.ndarray, ir_labels: np.ndarray, threshold: float = 0.5
) -> Matching:
    """ADCA's matching, one to one: what most pairs of images vote for is matched first.

    Every pair of an RGB and an IR image whose cosine is at least ``threshold`` votes for the pair of their clusters. Of
    equal votes the lower RGB cluster comes first, then the lower IR cluster. Clusters may stay without a partner.

    Source: Yang et al., "Augmented Dual-Contrastive Aggregation Learning for Unsupervised Visible-Infrared Person
    Re-Identification", ACM MM 2022 (yangbincv/ADCA).

    Args:
        rgb (np.ndarray): Features of unit length, (N_rgb, C).
        rgb_labels (np.ndarray): Their clusters, (N_rgb,); -1: none, and no vote.
        ir (np.ndarray): (N_ir, C).
        ir_labels (np.ndarray): (N_ir,).
        threshold (float): Defaults to 0.5.
    """
    num_rgb, num_ir = (int(labels.max(initial=-1)) + 1 for labels in (rgb_labels, ir_labels))
    rgb, rgb_labels = rgb[rgb_labels >= 0], rgb_labels[rgb_labels >= 0]
    ir, ir_labels = ir[ir_labels >= 0], ir_labels[ir_labels >= 0]
    votes = np.zeros(num_rgb * num_ir, np.int64)
    step = max(1, BLOCK // max(1, len(ir)))
    for start in range(0, len(rgb), step):
        row, column = np.nonzero(rgb[start : start + step] @ ir.T >= threshold)
        votes += np.bincount(rgb_labels[start + row] * num_ir + ir_labels[column], minlength=len(votes))
    matching = Matching(np.full(num_rgb, -1), np.full(num_ir, -1))
    order = np.argsort(-votes, kind='stable')
    for i, j in zip(*np.divmod(order[votes[order] > 0], num_ir), strict=True):
        if matching.rgb_to_ir[i] < 0 and matching.ir_to_rgb[j] < 0:
            matching.rgb_to_ir[i], matching.ir_to_rgb[j] = j, i
    return matching


def match_by_hungarian(rgb: np.ndarray, ir: np.ndarray) -> Matching:
    """PGM's progressive graph matching: every cluster has a partner.

    The cost of a pair is exp(-cosine) of its centres, and the assignment the cheapest one: one to one for the modality
    with fewer clusters. Those of the other that are left over are assigned again, to all clusters of the first, until
    none is left. The published code has one such round, and expects no fewer RGB than IR clusters.

    Source: Wu and Ye, "Unsupervised Visible-Infrared Person Re-Identification via Progressive Graph Matching and
    Alternate Learning", CVPR 2023 (zesenwu23/USL-VI-ReID).

    Args:
        rgb (np.ndarray): Centres at unit length, (K_rgb, C).
        ir (np.ndarray): (K_ir, C).

    Raises:
        ValueError: When a modality has no cluster.
    """
    if not len(rgb) or not len(ir):
        raise ValueError(
            f'matching takes clusters of both modalities, got {len(rgb)} of RGB and {len(ir)} of IR images'
        )
    cost = np.exp(-(rgb.astype(np.float64) @ ir.T))  # (K_rgb, K_ir)
    matching = Matching(np.full(len(rgb), -1), np.full(len(ir), -1))
    for i, j in zip(*linear_sum_assignment(cost), strict=True):  # of a rectangle: as if padded with equal costs
        matching.rgb_to_ir[i], matching.ir_to_rgb[j] = j, i
    for partner, costs in ((matching.rgb_to_ir, cost), (matching.ir_to_rgb, cost.T)):
        while (left := np.flatnonzero(partner < 0)).size:
            row, column = linear_sum_assignment(costs[left])
            partner[left[row]] = column
    return matching


def aggregated(rgb: np.ndarray, ir: np.ndarray, matching: Matching, own: float = 0.1) -> np.ndarray:
    """ADCA's cross-modality memory aggregation: RGB centres, drawn to those of their IR partners, (K_rgb, C) float32.

    Both memories become ``own`` times themselves and the rest the IR partner's: that of IR images stays what it is. At
    unit length again, as every other vector of a memory; the published code leaves that to the first update.

    Args:
        rgb (np.ndarray): Centres at unit length, (K_rgb, C).
        ir (np.ndarray): (K_ir, C).
        matching (Matching): A cluster without a partner stays as it is.
        own (float): Defaults to 0.1.
    """
    result, matched = rgb.copy(), matching.rgb_to_ir >= 0
    mixed = own * rgb[matched] + (1 - own) * ir[matching.rgb_to_ir[matched]]
    result[matched] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return result
