"""Two methods on the same images: is the difference larger than the choice of people makes it?"""

from collections.abc import Sequence

import numpy as np

from .bootstrap import check_resampling, draw_identities, interval
from .evaluate import EvaluationProtocol, ScoredSetting, score_settings
from .features import FeatureTable, check_same_images
from .ranking import METRIC_NAMES, measures


def compare(
    a: FeatureTable,
    b: FeatureTable,
    protocol: EvaluationProtocol,
    rerank: bool = False,
    num_resamples: int = 10_000,
    confidence: float = 95.0,
    seed: int = 0,
    device: str | None = None,
    memory_mb: int = 1024,
) -> dict[str, dict[str, dict[str, float]]]:
    """Paired difference of two methods, with a bootstrap interval over the identities of the queries.

    Both methods answer the same queries with the same galleries. Queries of one person are alike, so people are drawn
    anew, not queries: with each person come all their queries in all trials, for both methods at once. The interval is
    of percentiles. It says how far the difference hangs on who was searched for; it knows nothing of the spread over
    training seeds.

    Args:
        a (FeatureTable): Features of the first method.
        b (FeatureTable): Features of the second, of the same images in the same order.
        protocol (EvaluationProtocol): For example `SYSUMM01Protocol()`.
        rerank (bool): Compare after re-ranking too. Defaults to False.
        num_resamples (int): Bootstrap samples. Defaults to 10,000.
        confidence (float): Of the interval, in percent. Defaults to 95.
        seed (int): Of the resampling. Defaults to 0.
        device (str, optional): See `evaluate`.
        memory_mb (int): See `evaluate`.

    Returns:
        dict[str, dict[str, dict[str, float]]]: By setting and by metric (R1 ... mINP), in percent: `a`, `b`,
        `difference` (b - a), and `low`, `high` of its interval.

    Raises:
        ValueError: Tables of different images, a bad number of resamples or confidence, or as `evaluate` does.
    """
    check_resampling(num_resamples, confidence)
    check_same_images(a, b)
    scored_a, scored_b = (score_settings(t, protocol, rerank, device=device, memory_mb=memory_mb) for t in (a, b))
    draws = np.random.default_rng(seed)
    result = {}
    for name in scored_a:
        sums, counts = zip(*(by_identity(a.pids, scored[name]) for scored in (scored_a, scored_b)), strict=True)
        num_ids = len(counts[0][0])
        weights = draw_identities(draws, num_ids, num_resamples)  # (R, I)
        means = np.stack(
            [identity_means(np.ones((1, num_ids)), s, c)[0] for s, c in zip(sums, counts, strict=True)]
        )  # (2, 6)
        resampled = np.stack([identity_means(weights, s, c) for s, c in zip(sums, counts, strict=True)])  # (2, R, 6)
        low, high = interval(resampled[1] - resampled[0], confidence)  # (6,) each
        columns = {'a': means[0], 'b': means[1], 'difference': means[1] - means[0], 'low': low, 'high': high}
        result[name] = {
            metric: {key: float(column[m]) for key, column in columns.items()} for m, metric in enumerate(METRIC_NAMES)
        }
    return result


def comparison_table(result: dict[str, dict[str, dict[str, float]]], confidence: float = 95.0) -> str:
    """What `compare` returns, as a table; a star where the interval leaves out 0."""
    width = max(len('setting'), *map(len, result))
    lines = [f'{"setting":<{width}}  metric     A %     B %    B - A   {confidence:g} % interval over identities']
    for name, metrics in result.items():
        for metric, row in metrics.items():
            star = ' *' if row['low'] > 0 or row['high'] < 0 else ''
            lines.append(
                f'{name:<{width}}  {metric:<6}{row["a"]:8.2f}{row["b"]:8.2f}{row["difference"]:+9.2f}   '
                f'[{row["low"]:+.2f}, {row["high"]:+.2f}]{star}'
            )
    return '\n'.join(lines)


def by_identity(pids: np.ndarray, scored: ScoredSetting) -> tuple[Sequence[np.ndarray], Sequence[np.ndarray]]:
    """Sums of the measures over the valid queries of each identity, (I, 6) a trial, and how many they are, (I,)."""
    trials = list(zip(scored.setting.trials, scored.scores, strict=True))
    people = np.unique(np.concatenate([pids[trial.query[scores.valid]] for trial, scores in trials]))  # (I,)
    sums, counts = [], []
    for trial, scores in trials:
        person = np.searchsorted(people, pids[trial.query[scores.valid]])  # (V,)
        counts.append(np.bincount(person, minlength=len(people)))
        values = measures(scores)[scores.valid]  # (V, 6)
        sums.append(np.stack([np.bincount(person, column, minlength=len(people)) for column in values.T], axis=1))
    return sums, counts


def identity_means(weights: np.ndarray, sums: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> np.ndarray:
    """Means over queries, then over trials, in percent, with each identity taken as often as its weight, (R, 6)."""
    trials = [(weights @ s) / np.maximum(weights @ c, 1)[:, None] for s, c in zip(sums, counts, strict=True)]
    return 100 * np.mean(trials, axis=0)
