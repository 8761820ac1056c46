"""CMC, mAP and mINP, without a loop over queries, of many galleries at once.

The trials of a protocol draw their galleries from the same images. So all images are ranked once, and what a trial is
scored by is read off that one ranking: the rank of a match in a trial is how many of the trial's images come up to it.

Every (distance, gallery index) pair becomes one sortable integer, so that equal distances always rank by gallery index;
its last bit says whether the pair is a true match, so that the sorted integers are all that the measures need. Where
ties are to rank by their best or worst order, a bit between distance and index says which comes first.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

RANKS = (1, 5, 10, 20)
METRIC_NAMES = (*(f'R{rank}' for rank in RANKS), 'mAP', 'mINP')

CHUNK = 2**18  # pairs that are ranked at a time: what is made of them stays in cache
WORD = 64  # trials that one integer holds a bit of
TIES = ('index', 'best', 'worst')
TIE_BIT = 31


class QueryScores(NamedTuple):
    """What the ranking gives each query. One without a match in its gallery is not `valid`, its other entries are 0.

    The shape of each array is (Q,) for one gallery, (Q, T) for T of them.

    Attributes:
        valid (np.ndarray): Whether a match is left in the gallery, bool.
        first_match (np.ndarray): Rank of the first match, from 0, int: the number of images (de-duplicated: of
            identities) before it.
        ap (np.ndarray): Average precision, in [0, 1].
        inp (np.ndarray): Inverse negative penalty: matches / rank of the last match, in [0, 1].
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
    ties: str = 'index',
) -> QueryScores:
    """Ranks a gallery for each query and scores the ranking; arguments as in `score_trials`.

    Returns:
        QueryScores: One entry a query, (Q,).
    """
    members = np.ones((len(gallery_pids), 1), bool)
    scores = score_trials(dist, query_pids, gallery_pids, members, exclude, dedupe, ties)
    return QueryScores(*(column[:, 0] for column in scores))


def score_trials(
    dist: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    members: np.ndarray,
    exclude: np.ndarray | None = None,
    dedupe: bool = False,
    ties: str = 'index',
) -> QueryScores:
    """Ranks the gallery of each of T trials for each query and scores the rankings.

    Args:
        dist (np.ndarray): Distances, (Q, G), compared as float32.
        query_pids (np.ndarray): Identities of the queries, (Q,).
        gallery_pids (np.ndarray): Identities of the gallery images, (G,).
        members (np.ndarray): True where a trial's gallery has the image, (G, T), bool.
        exclude (np.ndarray, optional): True where a query never sees a gallery image, (Q, G), bool.
        dedupe (bool): Count identities, not images, in `first_match`: walking the ranked list, each identity is kept
            once. AP and INP are over images either way. Defaults to False.
        ties (str): How equal distances rank: by gallery 'index', or matches first ('best') or last ('worst'), between
            which lies any other order. Defaults to 'index'.

    Returns:
        QueryScores: One entry a query and trial, (Q, T).

    Raises:
        ValueError: Distances that are not finite, shapes that do not fit, or an unknown order of ties.

    Source: the evaluation code of Wu et al., ICCV 2017 (SYSU-MM01); INP from Ye et al., TPAMI 2021 (AGW).
    """
    dist, query_pids, gallery_pids = np.asarray(dist), np.asarray(query_pids), np.asarray(gallery_pids)
    if dist.shape != (len(query_pids), len(gallery_pids)) or (exclude is not None and exclude.shape != dist.shape):
        raise ValueError(
            f'Distances of shape {dist.shape} need as many query and gallery identities and an exclusion mask of their '
            f'shape, not {query_pids.shape}, {gallery_pids.shape}, {None if exclude is None else exclude.shape}.'
        )
    if ties not in TIES:
        raise ValueError(f'ties is one of {", ".join(TIES)}, not {ties!r}.')
    members = np.asarray(members, bool)
    exclude = None if exclude is None else np.asarray(exclude, bool)
    if not np.isfinite(dist).all():
        raise ValueError('Distances must be finite.')
    if 0 in (*dist.shape, members.shape[1]):
        shape = len(dist), members.shape[1]
        return QueryScores(np.zeros(shape, bool), np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape))
    most = np.unique(gallery_pids, return_counts=True)[1].max()  # matches that a query may have
    step = max(1, CHUNK // max(len(gallery_pids), most * members.shape[1]))
    parts = [
        _score_chunk(
            dist[start : start + step],
            query_pids[start : start + step],
            gallery_pids,
            members,
            None if exclude is None else exclude[start : start + step],
            dedupe,
            ties,
        )
        for start in range(0, len(dist), step)
    ]
    return QueryScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def summarize(scores: QueryScores) -> dict[str, float]:
    """Means over the valid queries of one gallery in percent: R1 R5 R10 R20 (CMC), mAP, mINP.

    A gallery of fewer than 20 identities (or images) gives R20 = 100: its whole list has been walked by then.

    Raises:
        ValueError: No query is valid.
    """
    if not scores.valid.any():
        raise ValueError('No query has a match in its gallery: there is nothing to average.')
    means = measures(scores)[scores.valid].mean(axis=0)  # (6,)
    return {name: 100 * float(value) for name, value in zip(METRIC_NAMES, means, strict=True)}


def measures(scores: QueryScores) -> np.ndarray:
    """Each query's part in R1 R5 R10 R20 mAP mINP, (Q, 6) float64 in [0, 1], 0 where a query is not valid."""
    found = scores.valid & (scores.first_match < np.array(RANKS)[:, None])  # (4, Q)
    return np.stack([*found, scores.ap, scores.inp], axis=1)


def _score_chunk(
    dist: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    members: np.ndarray,
    exclude: np.ndarray | None,
    dedupe: bool,
    ties: str,
) -> QueryScores:
    (num_query, num_gallery), num_trials = dist.shape, members.shape[1]
    keys = _sort_keys(dist, query_pids[:, None] == gallery_pids, exclude, ties)  # (Q, G)
    keys.sort(axis=1)
    if ties != 'index':  # the bit has done its work
        keys &= ~(1 << TIE_BIT)
    column = (keys.astype(np.int32) >> 1).ravel()  # (Q * G,): gallery indices, query by query, best first
    place = np.flatnonzero(keys & 1)  # (P,): every match, in the same order
    row = place // num_gallery  # (P,): its query

    # Images of each trial that come up to a match: within the ranking of all queries, one after the other, less those
    # of the queries before.
    since_last = sparse.csr_array(  # (P, G): the images after one match, up to and with the next
        (np.ones(place[-1] + 1 if len(place) else 0, np.int32), column[: place[-1] + 1 if len(place) else 0],
         np.concatenate([[0], place + 1])), shape=(len(place), num_gallery),
    )  # fmt: skip
    rank = np.cumsum(since_last @ members.astype(np.int32), axis=0, dtype=np.int64) - row[:, None] * members.sum(axis=0)
    member = members[column[place]]  # (P, T): the match is in the trial's gallery

    of_query = sparse.csr_array(  # (Q, P): sums over the matches of a query
        (np.ones(len(row)), np.arange(len(row)), np.searchsorted(row, np.arange(num_query + 1))),
        shape=(num_query, len(row)),
    )
    matches = (of_query @ member.astype(float)).astype(np.int64)  # (Q, T)
    before = np.cumsum(matches, axis=0) - matches  # (Q, T)
    nth = np.cumsum(member, axis=0) - before[row]  # (P, T): this is its query's nth match in the trial
    ap = of_query @ np.where(member, nth / np.maximum(rank, 1), 0) / np.maximum(matches, 1)
    first = of_query @ np.where(member & (nth == 1), rank, 0)  # (Q, T): ranks from 1, 0 without a match
    last = of_query @ np.where(member & (nth == matches[row]), rank, 0)
    if dedupe:
        first = np.hstack([
            _identities_up_to(
                place, column, nth[:, trials] > 0, matches[:, trials] > 0, gallery_pids, members[:, trials]
            )
            for trials in (slice(start, start + WORD) for start in range(0, num_trials, WORD))
        ])  # fmt: skip
    valid = matches > 0
    first_match = np.where(valid, first - 1, 0).astype(np.int64)
    return QueryScores(valid, first_match, ap, matches / np.maximum(last, 1))


def sortable(values: np.ndarray) -> np.ndarray:
    """Numbers as integers of the same order, int32: as float32, of which -0 and 0 are one."""
    return flipped((values.astype(np.float32) + np.float32(0)).view(np.int32))  # + 0 makes -0 the same number as 0


def flipped(bits: np.ndarray) -> np.ndarray:
    """Bits of float32 as integers of the same order, and back, int32: floats are sign and magnitude."""
    return bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))


def _sort_keys(dist: np.ndarray, match: np.ndarray, exclude: np.ndarray | None, ties: str) -> np.ndarray:
    """One integer a pair that sorts by (distance, tie bit, gallery index) and ends in the match bit, (Q, G) int64."""
    bits = sortable(dist)
    if exclude is not None:  # behind every other pair, and no match
        bits[exclude] = np.iinfo(np.int32).max
        match = match & ~exclude
    keys = bits.astype(np.int64)
    keys <<= 32
    keys |= np.arange(dist.shape[1]) << 1
    keys |= match
    if ties != 'index':
        keys |= (match == (ties == 'worst')).astype(np.int64) << TIE_BIT
    return keys


def _identities_up_to(
    place: np.ndarray,
    column: np.ndarray,
    found: np.ndarray,
    valid: np.ndarray,
    gallery_pids: np.ndarray,
    members: np.ndarray,
) -> np.ndarray:
    """Number of identities in each trial's ranked list up to the query's own, its own included, (Q, T), T <= 64.

    The trials are bits of one integer: of each ranked image, the trials that have it and whose match is not found yet;
    over the images of an identity, joined by "or".

    Args:
        place (np.ndarray): Where the matches stand in the rankings, (P,).
        column (np.ndarray): Gallery indices of the rankings, one query's after the other, (Q * G,).
        found (np.ndarray): Whether a trial has found its query at a match, (P, T), bool.
        valid (np.ndarray): Whether it ever does, (Q, T), bool.
        gallery_pids (np.ndarray): (G,).
        members (np.ndarray): (G, T), bool.
    """
    num_query, num_trials = valid.shape
    num_gallery = len(gallery_pids)
    # What is found changes after each match, and is forgotten where the next query begins.
    start = np.concatenate([place + 1, np.arange(num_query) * num_gallery])  # (P + Q,)
    known = np.concatenate([_pack(found), np.zeros(num_query, np.uint64)])
    order = np.argsort(start, kind='stable')  # a query's last image may be a match: then the next query's 0 holds
    length = np.diff(start[order], append=len(column))
    news = _pack(members)[column] & np.repeat(~known[order], length)  # (Q * G,)

    people, person = np.unique(gallery_pids, return_inverse=True)  # (I,), (G,)
    some = np.flatnonzero(news)  # few: those nearer than the first match
    seen = np.zeros((num_query, len(people)), np.uint64)
    np.bitwise_or.at(seen.ravel(), some // num_gallery * len(people) + person[column[some]], news[some])
    bits = np.unpackbits(seen.view(np.uint8).reshape(num_query, -1, WORD // 8), axis=2, bitorder='little')  # (Q, I, 64)
    return bits[:, :, :num_trials].sum(axis=1)


def _pack(bits: np.ndarray) -> np.ndarray:
    """Rows of up to 64 bits as integers, (n, T) bool -> (n,) uint64."""
    packed = np.zeros((len(bits), WORD // 8), np.uint8)
    packed[:, : -(-bits.shape[1] // 8)] = np.packbits(bits, axis=1, bitorder='little')
    return packed.view(np.uint64)[:, 0]
