"""Features and a protocol in, numbers out."""

from typing import Protocol

import numpy as np

from .features import FeatureTable, l2_normalize
from .progress import progress
from .protocols import Setting, Trial
from .ranking import METRIC_NAMES, QueryScores, score_queries, summarize
from .rerank import FeatureDistances, KReciprocalReranker, MatrixDistances

BLOCK_BYTES = 64 * 2**20  # of a block of distances
SHARED_BYTES = 2**30  # a distance matrix up to this size is kept for all re-rankings


class EvaluationProtocol(Protocol):
    """What `evaluate` asks of a protocol, and what is written beside its results."""

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by name."""

    def describe(self) -> dict:
        """What a result must be published with, as JSON takes it."""


def evaluate(
    features: FeatureTable,
    protocol: EvaluationProtocol,
    rerank: bool = False,
    normalize: bool = True,
    device: str = 'cpu',
) -> dict[str, dict]:
    """Measures features under a protocol, by Euclidean distance.

    Args:
        features (FeatureTable): All test images of both modalities.
        protocol (EvaluationProtocol): For example `SYSUMM01Protocol()`.
        rerank (bool): Measure every setting a second time after k-reciprocal re-ranking of queries and drawn gallery.
            Pairs are excluded afterwards. Defaults to False.
        normalize (bool): Bring every feature to unit length first. Defaults to True.
        device (str): Where re-ranking computes distances. Defaults to 'cpu'.

    Returns:
        dict[str, dict]: For each setting (`all_single` ...), and with re-ranking for each `{setting}_rerank`:

        - `R1 R5 R10 R20 mAP mINP`: means over trials, in percent;
        - `R1_std` ... `mINP_std`: standard deviations over trials (population), in percent points;
        - `num_queries`: queries with a match in their gallery, and `num_gallery`: gallery images, both a trial (mean);
        - `num_trials`, `sampling` (how the trials were drawn) and `reranked`.

    Raises:
        ValueError: A setting in which no query has a match, or whatever the protocol finds wrong with the table.
    """
    settings = protocol.settings(features)
    feats = l2_normalize(features.feats) if normalize else features.feats.astype(np.float32)  # (N, D)
    scores = _score_plain(features, feats, settings)
    results = {name: _summarize_trials(name, settings[name], scores[name], reranked=False) for name in settings}
    if rerank:
        scores = _score_reranked(features, feats, settings, device)
        for name in settings:
            results[f'{name}_rerank'] = _summarize_trials(name, settings[name], scores[name], reranked=True)
    return results


def _score_plain(table: FeatureTable, feats: np.ndarray, settings: dict[str, Setting]) -> dict[str, list[QueryScores]]:
    """Scores of every trial, from one pass: a block of queries meets all gallery images once, for all settings."""
    trials = [(name, trial) for name, setting in settings.items() for trial in setting.trials]
    queries = np.unique(np.concatenate([trial.query for _, trial in trials]))  # (Nq,)
    gallery = np.unique(np.concatenate([trial.gallery for _, trial in trials]))  # (Ng,)
    columns = [np.searchsorted(gallery, trial.gallery) for _, trial in trials]
    gallery_feats = feats[gallery]  # (Ng, D)
    squares = np.square(feats).sum(axis=1)  # (N,)
    parts = [[] for _ in trials]
    step = max(1, min(128, BLOCK_BYTES // (4 * len(gallery))))  # what ranking makes of 128 rows stays in cache
    for start in progress(range(0, len(queries), step), 'Ranking, blocks of queries'):
        block = queries[start : start + step]  # (B,)
        dist = squares[block, None] + squares[gallery] - 2 * (feats[block] @ gallery_feats.T)  # (B, Ng): squared
        for (name, trial), column, part in zip(trials, columns, parts, strict=True):
            mine = np.isin(trial.query, block)
            query = trial.query[mine]  # (b,)
            near = dist.take(column, axis=1)[np.searchsorted(block, query)]  # (b, G)
            part.append((mine, _score(table, settings[name], query, trial.gallery, near)))
    scores = {name: [] for name in settings}
    for (name, trial), part in zip(trials, parts, strict=True):
        scores[name].append(_join(trial, part))
    return scores


def _score_reranked(
    table: FeatureTable, feats: np.ndarray, settings: dict[str, Setting], device: str
) -> dict[str, list[QueryScores]]:
    """Scores of every trial, each re-ranked on its own gallery; one distance matrix serves all where it fits."""
    trials = [(name, trial) for name, setting in settings.items() for trial in setting.trials]
    rows = np.unique(np.concatenate([np.concatenate(trial) for _, trial in trials]))  # (M,)
    distances = FeatureDistances(feats[rows], device)
    if 4 * len(rows) ** 2 <= SHARED_BYTES:
        distances = MatrixDistances(distances.rows(0, len(rows)), np.arange(len(rows)))
    scores = {name: [] for name in settings}
    for name, trial in progress(trials, 'Re-ranking, trials'):
        index = np.searchsorted(rows, np.concatenate(trial))  # (N,): queries, then gallery
        reranker = KReciprocalReranker(distances.subset(index), len(trial.query))
        part = []
        for start, dist in reranker.blocks():
            span = slice(start, start + len(dist))
            part.append((span, _score(table, settings[name], trial.query[span], trial.gallery, dist)))
        scores[name].append(_join(trial, part))
    return scores


def _score(
    table: FeatureTable, setting: Setting, query: np.ndarray, gallery: np.ndarray, dist: np.ndarray
) -> QueryScores:
    exclude = setting.exclude(table, query, gallery) if setting.exclude else None
    return score_queries(dist, table.pids[query], table.pids[gallery], exclude, setting.dedupe)


def _join(trial: Trial, parts: list[tuple[np.ndarray | slice, QueryScores]]) -> QueryScores:
    """Scores of a whole trial, in the order of its queries, from (which queries, their scores)."""
    joined = QueryScores(*(np.zeros(len(trial.query), column.dtype) for column in parts[0][1]))
    for which, scores in parts:
        for whole, column in zip(joined, scores, strict=True):
            whole[which] = column
    return joined


def _summarize_trials(name: str, setting: Setting, scores: list[QueryScores], reranked: bool) -> dict:
    if not all(trial.valid.any() for trial in scores):
        raise ValueError(f"Setting '{name}' is empty: no query has an image of its identity in the gallery it may see.")
    trials = [summarize(trial) for trial in scores]
    values = {key: np.array([trial[key] for trial in trials]) for key in METRIC_NAMES}  # (T,) each
    return {
        **{key: float(value.mean()) for key, value in values.items()},
        **{f'{key}_std': float(value.std()) for key, value in values.items()},
        'num_queries': float(np.mean([trial.valid.sum() for trial in scores])),
        'num_gallery': float(np.mean([len(trial.gallery) for trial in setting.trials])),
        'num_trials': len(scores),
        'sampling': setting.sampling,
        'reranked': reranked,
    }
