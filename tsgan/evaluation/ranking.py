"""CMC, mAP and mINP of a block of distances, without a loop over queries.

Every (distance, gallery index) pair becomes one sortable integer, so that equal distances always rank by gallery index;
its last bit says whether the pair is a true match, so that the sorted integers are all that the measures need.
"""

from typing import NamedTuple

import numpy as np

RANKS = (1, 5, 10, 20)
METRIC_NAMES = (*(f'R{rank}' for rank in RANKS), 'mAP', 'mINP')

_LAST = np.iinfo(np.int64).max - 1  # the key of an excluded pair: behind every other, no match


class QueryScores(NamedTuple):
    """What the ranking gives each query. One without a match in its gallery is not `valid`, its other entries are 0.

    Attributes:
        valid (np.ndarray): Whether a match is left in the gallery, (Q,), bool.
        first_match (np.ndarray): Rank of the first match, from 0, (Q,), int: the number of images (de-duplicated:
            of identities) before it.
        ap (np.ndarray): Average precision, (Q,), in [0, 1].
        inp (np.ndarray): Inverse negative penalty: matches / rank of the last match, (Q,), in [0, 1].
    """

    valid: np.ndarray
    first_match: np.ndarray
    ap: np.ndarray
    inp: np.ndarray


def score_queries(
    dist: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    exclude: np.ndarray | None = None,
    dedupe: bool = False,
) -> QueryScores:
    """Ranks the gallery for each query and scores the ranking.

    Args:
        dist (np.ndarray): Distances, (Q, G), compared as float32. Equal distances rank by gallery index.
        query_pids (np.ndarray): Identities of the queries, (Q,).
        gallery_pids (np.ndarray): Identities of the gallery images, (G,).
        exclude (np.ndarray, optional): True where a query never sees a gallery image, (Q, G), bool.
        dedupe (bool): Count identities, not images, in `first_match`: walking the ranked list, each identity is kept
            once. AP and INP are over images either way. Defaults to False.

    Returns:
        QueryScores: One entry a query.

    Raises:
        ValueError: Distances that are not finite, or shapes that do not fit.

    Source: the evaluation code of Wu et al., ICCV 2017 (SYSU-MM01); INP from Ye et al., TPAMI 2021 (AGW).
    """
    dist, query_pids, gallery_pids = np.asarray(dist), np.asarray(query_pids), np.asarray(gallery_pids)
    if dist.shape != (len(query_pids), len(gallery_pids)) or (exclude is not None and exclude.shape != dist.shape):
        raise ValueError(
            f'Distances of shape {dist.shape} need as many query and gallery identities and an exclusion mask of their '
            f'shape, not {query_pids.shape}, {gallery_pids.shape}, {None if exclude is None else exclude.shape}.'
        )
    if not np.isfinite(dist).all():
        raise ValueError('Distances must be finite.')
    if dist.size == 0:
        return QueryScores(np.zeros(len(dist), bool), *np.zeros((3, len(dist))))

    keys = _sort_keys(dist, query_pids[:, None] == gallery_pids, exclude)  # (Q, G)
    identities_before = _identities_before(keys, query_pids, gallery_pids) if dedupe else None  # (Q,)
    keys.sort(axis=1)
    row, column = np.divmod(
        np.flatnonzero((keys & 1).astype(bool)), keys.shape[1]
    )  # (P,): every match, query by query, best first

    matches = np.bincount(row, minlength=len(dist))  # (Q,)
    end = np.cumsum(matches)
    nth = np.arange(len(row)) - (end - matches)[row] + 1  # (P,): this is its query's nth match
    valid = matches > 0
    ap = np.bincount(row, nth / (column + 1), minlength=len(dist)) / np.maximum(matches, 1)
    inp, first_match = np.zeros(len(dist)), np.zeros(len(dist), np.int64)
    inp[valid] = matches[valid] / (column[end[valid] - 1] + 1)
    first_match[valid] = identities_before[valid] if dedupe else column[(end - matches)[valid]]
    return QueryScores(valid, first_match, ap, inp)


def summarize(scores: QueryScores) -> dict[str, float]:
    """Means over the valid queries in percent: R1 R5 R10 R20 (CMC), mAP, mINP.

    A gallery of fewer than 20 identities (or images) gives R20 = 100: its whole list has been walked by then.

    Raises:
        ValueError: No query is valid.
    """
    valid = scores.valid
    if not valid.any():
        raise ValueError('No query has a match in its gallery: there is nothing to average.')
    values = [(scores.first_match[valid] < rank).mean() for rank in RANKS]
    values += [scores.ap[valid].mean(), scores.inp[valid].mean()]
    return {name: 100 * float(value) for name, value in zip(METRIC_NAMES, values, strict=True)}


def _sort_keys(dist: np.ndarray, match: np.ndarray, exclude: np.ndarray | None) -> np.ndarray:
    """One integer a pair that sorts by (distance, gallery index) and ends in the match bit, (Q, G) int64."""
    bits = (dist.astype(np.float32) + np.float32(0)).view(np.int32)  # + 0 makes -0 the same number as 0
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)  # floats are sign and magnitude: now the negative ones sort too
    keys = bits.astype(np.int64)
    keys <<= 32
    keys |= np.arange(dist.shape[1]) << 1
    keys |= match
    if exclude is not None:
        keys[exclude] = _LAST
    return keys


def _identities_before(keys: np.ndarray, query_pids: np.ndarray, gallery_pids: np.ndarray) -> np.ndarray:
    """Number of identities that appear before the query's own in each ranked list, (Q,)."""
    if (np.diff(gallery_pids) < 0).any():
        order = np.argsort(gallery_pids, kind='stable')
        keys, gallery_pids = keys[:, order], gallery_pids[order]
    pids, start = np.unique(gallery_pids, return_index=True)  # (I,)
    best = np.minimum.reduceat(keys, start, axis=1)  # (Q, I): each identity's first image
    own = np.minimum(np.searchsorted(pids, query_pids), len(pids) - 1)
    return (best < np.take_along_axis(best, own[:, None], axis=1)).sum(axis=1)
