"""Results as people read them and as programs do."""

import json

from tsgan.whole_files import write_whole

from .ranking import METRIC_NAMES


def results_table(results: dict[str, dict]) -> str:
    """A table as the paper's Table I: a row a setting, mean and standard deviation over trials in percent.

    Args:
        results (dict[str, dict]): What `evaluate` returns.
    """
    width = max(len('setting'), *map(len, results))
    head = ''.join(f'{name + " %":>14}' for name in METRIC_NAMES)
    lines = [f'{"setting":<{width}}{head}   queries   gallery  sampling   re-ranked']
    for name, row in results.items():
        stds = [f' ±{row[f"{key}_std"]:4.1f}' if row['num_trials'] > 1 else ' ' * 6 for key in METRIC_NAMES]
        values = ''.join(f'{row[key]:8.2f}{std}' for key, std in zip(METRIC_NAMES, stds, strict=True))
        reranked = 'yes' if row['reranked'] else 'no'
        sampling = f'{row["sampling"]} x{row["num_trials"]}'
        lines.append(
            f'{name:<{width}}{values}{row["num_queries"]:10.0f}{row["num_gallery"]:10.0f}  {sampling:<12} {reranked}'
        )
    return '\n'.join(lines)


def write_results(path: str, results: dict[str, dict], **about: object) -> None:
    """Writes results by setting as JSON, and beside them under `about` what more is to be said of them."""
    write_whole(path, json.dumps({**results, 'about': about} if about else results, indent=2) + '\n')
