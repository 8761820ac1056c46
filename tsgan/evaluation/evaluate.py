"""Features and a protocol in, numbers out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .features import FeatureTable, centre, first_equal, l2_normalize
from .progress import progress
from .protocols import Setting, Trial
from .ranking import METRIC_NAMES, QueryScores, score_queries, score_trials, summarize
from .rerank import MAX_ROWS, MIB, FeatureDistances, KReciprocalReranker, MatrixDistances


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
    device: str | None = None,
    memory_mb: float = 1024,
) -> dict[str, dict]:
    """Measures features under a protocol, by Euclidean distance.

    Args:
        features (FeatureTable): All test images of both modalities.
        protocol (EvaluationProtocol): For example `SYSUMM01Protocol()`.
        rerank (bool): Measure every setting a second time after k-reciprocal re-ranking of queries and drawn gallery.
            Pairs are excluded afterwards. Defaults to False.
        normalize (bool): Bring every feature to unit length first. Defaults to True.
        device (str, optional): Where re-ranking computes distances. Defaults to None: the GPU where torch sees one.
        memory_mb (float): Budget for blocks of distances in MiB, beside the features and some copies of them. Defaults
            to 1024.

    Returns:
        dict[str, dict]: For each setting (`all_single` ...), and with re-ranking for each `{setting}_rerank`:

        - `R1 R5 R10 R20 mAP mINP`: means over trials, in percent;
        - `R1_std` ... `mINP_std`: standard deviations over trials (population), in percent points;
        - `num_queries`: queries with a match in their gallery, and `num_gallery`: gallery images, both a trial (mean);
        - `num_trials`, `sampling` (how the trials were drawn) and `reranked`.

    Raises:
        ValueError: Features that tell nobody apart (all equal, or zeros that are to be brought to unit length), a
            setting in which no query has a match, or whatever the protocol finds wrong with the table.
    """
    scored = score_settings(features, protocol, rerank, normalize, device, memory_mb)
    return {name: _summarize_trials(setting) for name, setting in scored.items()}


@dataclass(frozen=True, eq=False)
class ScoredSetting:
    """What each query of a setting was given, trial by trial.

    Attributes:
        setting (Setting): Its trials.
        scores (list[QueryScores]): Of the queries of each trial, (Q,).
        reranked (bool): Whether after re-ranking.
    """

    setting: Setting
    scores: list[QueryScores]
    reranked: bool


def score_settings(
    features: FeatureTable,
    protocol: EvaluationProtocol,
    rerank: bool = False,
    normalize: bool = True,
    device: str | None = None,
    memory_mb: float = 1024,
) -> dict[str, ScoredSetting]:
    """What `evaluate` takes its means of; arguments as there.

    Returns:
        dict[str, ScoredSetting]: By name of the setting, with re-ranking by `{setting}_rerank` too.

    Raises:
        ValueError: As `evaluate` does.
    """
    settings = protocol.settings(features)
    feats = unit_length(features) if normalize else features.feats  # (N, D)
    if (feats == feats[0]).all():  # ties rank by row: the order of the table would make the numbers
        raise ValueError(f'All {len(feats)} features are equal: they tell nobody apart.')
    scored = _score_plain(features, centre(feats), settings, memory_mb)
    if rerank:
        scored |= _score_reranked(features, feats, settings, device, memory_mb)
    for name, setting in scored.items():
        if not all(trial.valid.any() for trial in setting.scores):
            raise ValueError(
                f"Setting '{name}' is empty: no query has an image of its identity in the gallery it may see."
            )
    return scored


def unit_length(table: FeatureTable) -> np.ndarray:
    """Features of unit length, (N, D) float32. Raises ValueError for those that are zeros."""
    zeros = ~table.feats.any(axis=1)  # (N,)
    if zeros.any():
        raise ValueError(
            f'{zeros.sum()} of {len(table)} features are all zeros, the first is {table.name_row(zeros.argmax())}: '
            'they have no direction, and cannot be brought to unit length (normalize=False: as they are).'
        )
    return l2_normalize(table.feats)


def _score_plain(
    table: FeatureTable, feats: np.ndarray, settings: dict[str, Setting], memory_mb: float
) -> dict[str, ScoredSetting]:
    """Scores of every trial, from one ranking for all trials that share queries and rules."""
    scores = {name: [None] * len(setting.trials) for name, setting in settings.items()}
    for (dedupe, exclude, _), trials in by_queries_and_rules(settings).items():
        query = trials[0][2].query  # (Q,)
        gallery = np.unique(np.concatenate([trial.gallery for _, _, trial in trials]))  # (G,): of all these trials
        members = np.stack([np.isin(gallery, trial.gallery) for _, _, trial in trials], axis=1)  # (G, T)
        gallery_feats = feats[gallery]  # (G, D)
        different, column = np.unique(first_equal(gallery_feats), return_inverse=True)  # (U,), (G,)
        repeats = len(different) < len(gallery)
        gallery_feats = gallery_feats[different] if repeats else gallery_feats  # (U, D)
        squares = np.einsum('gd,gd->g', gallery_feats, gallery_feats)  # (U,)
        step = int(np.clip(memory_mb * MIB // (16 * len(gallery)), 1, MAX_ROWS))
        parts = []
        for start in progress(range(0, len(query), step), 'Ranking, blocks of queries'):
            block = query[start : start + step]  # (B,)
            # |q - g|^2 without |q|^2, which is the same for all that a query is compared with
            dist = feats[block] @ gallery_feats.T  # (B, U)
            dist *= -2
            dist += squares
            dist = dist[:, column] if repeats else dist  # (B, G)
            excluded = exclude(table, block, gallery) if exclude else None
            parts.append(score_trials(dist, table.pids[block], table.pids[gallery], members, excluded, dedupe))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]  # (Q, T) each
        for t, (name, index, _) in enumerate(trials):
            scores[name][index] = QueryScores(*(column[:, t] for column in columns))
    return {name: ScoredSetting(setting, scores[name], reranked=False) for name, setting in settings.items()}


def by_queries_and_rules(settings: dict[str, Setting]) -> dict[tuple, list[tuple[str, int, Trial]]]:
    """Trials that one ranking will do for, each with the name of its setting and its number there."""
    groups = {}
    for name, setting in settings.items():
        for index, trial in enumerate(setting.trials):
            key = setting.dedupe, setting.exclude, trial.query.tobytes()
            groups.setdefault(key, []).append((name, index, trial))
    return groups


def _score_reranked(
    table: FeatureTable, feats: np.ndarray, settings: dict[str, Setting], device: str | None, memory_mb: float
) -> dict[str, ScoredSetting]:
    """Scores of every trial, each re-ranked on its own gallery; one distance matrix serves all where it fits."""
    trials = [(name, trial) for name, setting in settings.items() for trial in setting.trials]
    rows = np.unique(np.concatenate([np.concatenate(trial) for _, trial in trials]))  # (M,)
    shared = None
    if len(trials) > 1 and 4 * len(rows) ** 2 <= memory_mb * MIB / 2:
        distances = FeatureDistances(feats, device, rows)
        shared = MatrixDistances(distances, distances.rows(0, len(rows)), np.arange(len(rows)))
        memory_mb /= 2
    scores = {name: [] for name in settings}
    for name, trial in progress(trials, 'Re-ranking, trials'):
        index = np.concatenate(trial)  # (N,): queries, then gallery
        distances = shared.subset(np.searchsorted(rows, index)) if shared else FeatureDistances(feats, device, index)
        reranker = KReciprocalReranker(distances, len(trial.query), memory_mb=memory_mb)
        parts = []
        for start, dist in reranker.blocks():
            block, setting = trial.query[start : start + len(dist)], settings[name]
            excluded = setting.exclude(table, block, trial.gallery) if setting.exclude else None
            parts.append(score_queries(dist, table.pids[block], table.pids[trial.gallery], excluded, setting.dedupe))
        scores[name].append(QueryScores(*(np.concatenate(column) for column in zip(*parts, strict=True))))
    return {f'{name}_rerank': ScoredSetting(setting, scores[name], reranked=True) for name, setting in settings.items()}


def _summarize_trials(scored: ScoredSetting) -> dict:
    trials = [summarize(trial) for trial in scored.scores]
    values = {key: np.array([trial[key] for trial in trials]) for key in METRIC_NAMES}  # (T,) each
    return {
        **{key: float(value.mean()) for key, value in values.items()},
        **{f'{key}_std': float(value.std()) for key, value in values.items()},
        'num_queries': float(np.mean([trial.valid.sum() for trial in scored.scores])),
        'num_gallery': float(np.mean([len(trial.gallery) for trial in scored.setting.trials])),
        'num_trials': len(trials),
        'sampling': scored.setting.sampling,
        'reranked': scored.reranked,
    }
