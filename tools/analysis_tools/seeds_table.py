"""Mean and standard deviation over seeds: ``python tools/analysis_tools/seeds_table.py work_dirs/seeds/*``.

Each folder is one seed's; in it, each folder with a ``results.json`` is one row, at whatever depth. Prints Markdown.
"""

import argparse
import json
from pathlib import Path

from tsgan.command_line import run
from tsgan.evaluation import METRIC_NAMES
from tsgan.experiments import mean_and_std, over_seeds, spread
from tsgan.visualization.curves import read_curves


def read_results(seeds: list[Path]) -> dict[str, list[dict]]:
    """Row -> its results, one dict a seed."""
    runs = {}
    for seed in seeds:
        for file in sorted(seed.rglob('results.json')):
            try:
                results = json.loads(file.read_text(encoding='utf-8'))
            except (ValueError, RecursionError) as error:
                raise ValueError(f'{file} is no whole JSON ({error}): test that model again.') from error
            runs.setdefault(file.parent.relative_to(seed).as_posix(), []).append(results)
    return runs


def read_scalars(seeds: list[Path], row: str, last: int) -> list[dict[str, float]]:
    """For each seed, the mean of every loss and gradient over the last ``last`` times that a training logged it."""
    runs = []
    for seed in seeds:
        if any((seed / row).glob('*/vis_data/scalars.json')):
            curves = read_curves(seed / row)
            runs.append({name: float(curve.values[-last:].mean()) for name, curve in curves.items() if '/' in name})
    return runs


def mean_of(scalars: list[dict[str, float]], name: str) -> str:
    """Mean and deviation of a scalar; '-' where a seed has none, as of the gradients of a training of few steps."""
    if not all(name in run for run in scalars):
        return '-'
    return spread(*mean_and_std([run[name] for run in scalars]), digits=3)


def main() -> None:
    parser = argparse.ArgumentParser(description='Mean and standard deviation over seeds, as Markdown')
    parser.add_argument('seeds', nargs='+', type=Path, help='one folder a seed')
    parser.add_argument('--settings', nargs='+', default=['all_single', 'all_single_rerank', 'single_modality'])
    parser.add_argument('--losses', action='store_true', help="also the sizes of a row's loss terms and gradients")
    args = parser.parse_args()

    runs = read_results(args.seeds)
    if not runs:
        raise FileNotFoundError(f'no results.json below {", ".join(map(str, args.seeds))}: test a model there first.')
    measured = {row: over_seeds(results) for row, results in runs.items()}
    print('| row | setting | seeds | ' + ' | '.join(METRIC_NAMES) + ' |')
    print('|---' * (len(METRIC_NAMES) + 3) + '|')
    for setting in args.settings:
        for row, found in sorted(measured.items()):
            if setting in found:
                values = ' | '.join(spread(*found[setting][metric]) for metric in METRIC_NAMES)
                print(f'| {row} | {setting} | {found[setting]["seeds"]} | {values} |')
    if args.losses:
        for row in sorted(runs):
            scalars = read_scalars(args.seeds, row, last=3)
            terms = [name for name in (scalars[0] if scalars else {}) if '/loss_' in name]
            if terms:
                print(f'\n{row}\n\n| term | value | gradient norm |\n|---|---|---|')
            for name in terms:
                value, gradient = mean_of(scalars, name), mean_of(scalars, name.replace('loss_', 'grad_loss_'))
                print(f'| {name} | {value} | {gradient} |')


if __name__ == '__main__':
    run(main)
