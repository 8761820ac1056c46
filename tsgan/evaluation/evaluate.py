"""Features and a protocol in, numbers out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .features import FeatureTable, centre, first_equal, l2_normalize
from .progress import progress
from .protocols import Setting, Trial
from .ranking import METRIC_NAMES, QueryScores, score_queries, score_trials, summarize
from .rerank import MAX_ROWS, MIB, FeatureDistances, KReciprocalReranker, MatrixDistances

EMPTY = 'is empty: no query has an image of its identity in the gallery it may see.'


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
    return {name: summarize_trials(setting) for name, setting in scored.items()}


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
    feats = comparable(features, normalize)  # (N, D)
    scored = score_plain(features, feats, settings, memory_mb)
    if rerank:
        reranked = score_reranked(features, feats, settings, device, memory_mb)
        scored |= {f'{name}_rerank': setting for name, setting in reranked.items()}
    check_answered(scored)
    return scored


def check_answered(scored: dict[str, ScoredSetting]) -> None:
    """Raises ValueError for a setting with a trial in which no query has a match."""
    for name, setting in scored.items():
        if not all(trial.valid.any() for trial in setting.scores):
            raise ValueError(f"Setting '{name}' {EMPTY}")


def comparable(table: FeatureTable, normalize: bool = True) -> np.ndarray:
    """The features as they are compared, (N, D), float32 where they are brought to unit length.

    Raises:
        ValueError: Features that tell nobody apart: all equal, or zeros that are to be brought to unit length.
    """
    feats = unit_length(table) if normalize else table.feats
    if (feats == feats[0]).all():  # ties rank by row: the order of the table would make the numbers
        raise ValueError(f'All {len(feats)} features are equal: they tell nobody apart.')
    return feats


def unit_length(table: FeatureTable) -> np.ndarray:
    """Features of unit length, (N, D) float32. Raises ValueError for those that are zeros."""
    zeros = ~table.feats.any(axis=1)  # (N,)
    if zeros.any():
        raise ValueError(
            f'{zeros.sum()} of {len(table)} features are all zeros, the first is {table.name_row(zeros.argmax())}: '
            'they have no direction, and cannot be brought to unit length (normalize=False: as they are).'
        )
    return l2_normalize(table.feats)


def side_by_side(branches: Sequence[FeatureTable]) -> np.ndarray:
    """Unit features of several branches as one, (N, sum of D_b) float32: its products are the sums of their cosines.

    Raises:
        ValueError: Features that are zeros.
    """
    return np.concatenate([unit_length(branch) for branch in branches], axis=1)


def mean_with_mirrored(table: FeatureTable, mirrored: FeatureTable, normalize: bool = True) -> np.ndarray:
    """Means of the features of images and of their mirror images, (N, D), both at unit length with ``normalize``.

    Raises:
        ValueError: Features that are zeros, with ``normalize``.
    """
    one, other = (unit_length(each) if normalize else each.feats for each in (table, mirrored))
    return (one + other) / 2


def score_plain(
    table: FeatureTable, feats: np.ndarray, settings: dict[str, Setting], memory_mb: float = 1024
) -> dict[str, ScoredSetting]:
    """Scores of every trial by Euclidean distance, from one ranking for all trials that share queries and rules.

    Args:
        table (FeatureTable): The labels.
        feats (np.ndarray): What is compared, (N, D).
        settings (dict[str, Setting]): Of a protocol, by name.
        memory_mb (float): See `evaluate`.

    Raises:
        ValueError: A setting whose galleries have no image.
    """
    feats = centre(feats)
    scores = {name: [None] * len(setting.trials) for name, setting in settings.items()}
    for (dedupe, exclude, ties, _), trials in by_queries_and_rules(settings).items():
        query = trials[0][2].query  # (Q,)
        gallery = np.unique(np.concatenate([trial.gallery for _, _, trial in trials]))  # (G,): of all these trials
        if not len(gallery):  # as where every image is a query
            raise ValueError(f"Setting '{trials[0][0]}' {EMPTY}")
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
            parts.append(score_trials(dist, table.pids[block], table.pids[gallery], members, excluded, dedupe, ties))
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]  # (Q, T) each
        for t, (name, index, _) in enumerate(trials):
            scores[name][index] = QueryScores(*(column[:, t] for column in columns))
    return {name: ScoredSetting(setting, scores[name], reranked=False) for name, setting in settings.items()}


def by_queries_and_rules(settings: dict[str, Setting]) -> dict[tuple, list[tuple[str, int, Trial]]]:
    """Trials that one ranking will do for, each with the name of its setting and its number there."""
    groups = {}
    for name, setting in settings.items():
        for index, trial in enumerate(setting.trials):
            key = setting.dedupe, setting.exclude, setting.ties, trial.query.tobytes()
            groups.setdefault(key, []).append((name, index, trial))
    return groups


def score_reranked(
    table: FeatureTable,
    feats: np.ndarray,
    settings: dict[str, Setting],
    device: str | None = None,
    memory_mb: float = 1024,
    reranker: Callable[..., KReciprocalReranker] = KReciprocalReranker,
) -> dict[str, ScoredSetting]:
    """Scores of every trial, each re-ranked on its own gallery; one distance matrix serves all where it fits.

    Args:
        table (FeatureTable): The labels.
        feats (np.ndarray): What is compared, (N, D).
        settings (dict[str, Setting]): Of a protocol, by name.
        device (str, optional): See `evaluate`.
        memory_mb (float): See `evaluate`.
        reranker (Callable): Made of distances, the number of queries and `memory_mb`.
    """
    trials = [trial for setting in settings.values() for trial in setting.trials]
    rows = np.unique(np.concatenate([np.concatenate(trial) for trial in trials]))  # (M,)
    shared = None
    if len(trials) > 1 and 4 * len(rows) ** 2 <= memory_mb * MIB / 2:
        distances = FeatureDistances(feats, device, rows)
        shared = MatrixDistances(distances, distances.rows(0, len(rows)), np.arange(len(rows)))
        memory_mb /= 2

    def blocks(_: str, trial: Trial) -> Iterable[tuple[int, np.ndarray]]:
        index = np.concatenate(trial)  # (N,): queries, then gallery
        distances = shared.subset(np.searchsorted(rows, index)) if shared else FeatureDistances(feats, device, index)
        return reranker(distances, len(trial.query), memory_mb=memory_mb).blocks()

    return score_blocks(table, settings, blocks, 'Re-ranking, trials')


def score_blocks(
    table: FeatureTable,
    settings: dict[str, Setting],
    blocks: Callable[[str, Trial], Iterable[tuple[int, np.ndarray]]],
    title: str,
) -> dict[str, ScoredSetting]:
    """Scores of every trial by any distance, which comes a block of queries at a time.

    Args:
        table (FeatureTable): The labels.
        settings (dict[str, Setting]): Of a protocol, by name.
        blocks (Callable): Of a setting's name and a trial, yields (first query, its and the next ones' distances to
            the trial's gallery, (B, G)).
        title (str): Of the progress line.
    """
    trials = [(name, trial) for name, setting in settings.items() for trial in setting.trials]
    scores = {name: [] for name in settings}
    for name, trial in progress(trials, title):
        parts, setting = [], settings[name]
        for start, dist in blocks(name, trial):
            block = trial.query[start : start + len(dist)]
            excluded = setting.exclude(table, block, trial.gallery) if setting.exclude else None
            labels = table.pids[block], table.pids[trial.gallery]
            parts.append(score_queries(dist, *labels, excluded, setting.dedupe, setting.ties))
        scores[name].append(QueryScores(*(np.concatenate(column) for column in zip(*parts, strict=True))))
    return {name: ScoredSetting(setting, scores[name], reranked=True) for name, setting in settings.items()}


def summarize_trials(scored: ScoredSetting) -> dict:
    """A setting's row of what `evaluate` returns."""
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
