"""Curves of trainings: ``python tools/visualization/plot_log.py WORK_DIR... --out FILE.png``.

Every term of the losses, every gradient and learning rate that was logged: a block a phase, a panel a name, a colour a
run. A training that was resumed is one curve.
"""

import argparse
from pathlib import Path

from tsgan.command_line import out_file, run
from tsgan.visualization.curves import plot_curves, read_curves
from tsgan.visualization.files import FIGURES, check_suffix, save_figure


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Plot what trainings have logged')
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work dir of a training')
    parser.add_argument(
        '--keys', nargs='+', default=[], metavar='PATTERN', help="which curves, such as 'reid/*'; default: all"
    )
    parser.add_argument('--names', nargs='+', metavar='NAME', help='what to call the runs; default: by their folders')
    parser.add_argument(
        '--out', type=out_file, default='curves.png', metavar='FILE', help='.png, .svg, .pdf; default: curves.png'
    )
    return parser.parse_args()


def run_names(work_dirs: list[str]) -> list[str]:
    """By the ends of their paths, as long as it takes to tell them apart."""
    paths = [Path(work_dir).resolve() for work_dir in work_dirs]
    for parts in range(1, 1 + max(len(path.parts) for path in paths)):
        names = ['/'.join(path.parts[-parts:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    raise ValueError(f'{" ".join(work_dirs)}: a work dir was given twice.')


def main() -> None:
    args = parse_args()
    check_suffix(args.out, FIGURES)
    names = args.names or run_names(args.work_dirs)
    if len(names) != len(args.work_dirs) or len(set(names)) < len(names):
        raise ValueError(f'--names: expected one for each of {len(args.work_dirs)} runs, all different.')
    runs = {name: read_curves(work_dir) for name, work_dir in zip(names, args.work_dirs, strict=True)}
    save_figure(args.out, plot_curves(runs, args.keys))
    print(f'{args.out}: {", ".join(names)}')


if __name__ == '__main__':
    run(main)
