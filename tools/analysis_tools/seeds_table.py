"""Mean and standard deviation over seeds: ``python tools/analysis_tools/seeds_table.py work_dirs/seeds/*``.

Each folder is one seed's; in it, each folder with a ``results.json`` is one row. Prints Markdown.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

METRICS = ('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP')


def read_results(seeds: list[Path]) -> dict[tuple[str, str], list[dict]]:
    """(row, setting) -> that setting's numbers, one dict a seed."""
    runs = {}
    for seed in seeds:
        for file in sorted(seed.glob('*/results.json')):
            for setting, numbers in json.loads(file.read_text()).items():
                if setting != 'about':
                    runs.setdefault((file.parent.name, setting), []).append(numbers)
    return runs


def read_scalars(seeds: list[Path], row: str, last: int) -> list[dict[str, float]]:
    """For each seed, the mean of every loss and gradient over the last ``last`` times that a training logged it."""
    runs = []
    for seed in seeds:
        files = sorted((seed / row).glob('*/vis_data/scalars.json'))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        logged = {}
        for line in lines:
            for name, value in line.items():
                if '/' in name:
                    logged.setdefault(name, []).append(value)
        if logged:
            runs.append({name: float(np.mean(values[-last:])) for name, values in logged.items()})
    return runs


def spread(values: list[float], digits: int = 1) -> str:
    mean = f'{np.mean(values):.{digits}f}'
    return f'{mean} ± {np.std(values, ddof=1):.{digits}f}' if len(values) > 1 else mean


def main() -> None:
    parser = argparse.ArgumentParser(description='Mean and standard deviation over seeds, as Markdown')
    parser.add_argument('seeds', nargs='+', type=Path, help='one folder a seed')
    parser.add_argument('--settings', nargs='+', default=['all_single', 'all_single_rerank', 'single_modality'])
    parser.add_argument('--losses', action='store_true', help="also the sizes of a row's loss terms and gradients")
    args = parser.parse_args()

    runs = read_results(args.seeds)
    if not runs:
        sys.exit(f'no results.json in any */ of {", ".join(map(str, args.seeds))}: test a model there first.')
    print('| row | setting | seeds | ' + ' | '.join(METRICS) + ' |')
    print('|---' * (len(METRICS) + 3) + '|')
    for (row, setting), numbers in sorted(runs.items(), key=lambda run: (args.settings + [run[0][1]]).index(run[0][1])):
        if setting in args.settings:
            values = ' | '.join(spread([run[metric] for run in numbers]) for metric in METRICS)
            print(f'| {row} | {setting} | {len(numbers)} | {values} |')
    if args.losses:
        for row in sorted({row for row, _ in runs}):
            scalars = read_scalars(args.seeds, row, last=3)
            terms = [name for name in (scalars[0] if scalars else {}) if name.startswith('reid/loss_')]
            if terms:
                print(f'\n{row}\n\n| term | value | gradient norm |\n|---|---|---|')
            for name in terms:
                gradient = name.replace('loss_', 'grad_loss_')
                print(
                    f'| {name} | {spread([run[name] for run in scalars], 3)} '
                    f'| {spread([run[gradient] for run in scalars], 3)} |'
                )


if __name__ == '__main__':
    main()
