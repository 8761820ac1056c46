"""Data sets with several splits and a model for each: what is published is the mean over the splits."""

from collections.abc import Sequence

import numpy as np

from tsgan.evaluation import METRIC_NAMES


def average_splits(results: Sequence[dict[str, dict]]) -> dict[str, dict]:
    """Average the results of the splits, each setting that all of them have.

    Args:
        results (Sequence[dict[str, dict]]): For each split, what `evaluate` returns, or the JSON of `tools/test.py`.

    Returns:
        dict[str, dict]: By setting, in the form of `evaluate`: `R1 R5 R10 R20 mAP mINP` are means over the splits,
        `R1_std` ... their standard deviations over the splits (population), `num_trials` is the number of splits.

    Raises:
        ValueError: Without results.
    """
    if not results:
        raise ValueError('there are no splits to average: expected the results of at least one.')
    settings = [name for name in results[0] if name != 'about' and all(name in split for split in results)]
    return {name: _average([split[name] for split in results]) for name in settings}


def _average(rows: list[dict]) -> dict:
    values = {key: np.array([row[key] for row in rows]) for key in METRIC_NAMES}
    return {
        **{key: float(value.mean()) for key, value in values.items()},
        **{f'{key}_std': float(value.std()) for key, value in values.items()},
        **{key: float(np.mean([row[key] for row in rows])) for key in ('num_queries', 'num_gallery')},
        'num_trials': len(rows),
        'sampling': 'splits',
        'reranked': rows[0]['reranked'],
    }
