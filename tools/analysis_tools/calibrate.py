"""What scores mean, by images of known people: ``python tools/analysis_tools/calibrate.py photos/ --out photos.json``.

The people must not be those whom the model was trained on. Images lie in folders ``<modality>/<camera>/<identity>/``,
as `tools/extract.py` takes them; or in their place stands its FEATURES.npz, or that of `tools/test.py --out`.
"""

import argparse

import numpy as np

from tsgan.command_line import MODEL, add_model_arguments, out_file, run
from tsgan.evaluation.calibration import (
    FALSE_ALARM_RATES,
    LEVELS,
    Calibration,
    calibration_table,
    held_out_reliability,
)
from tsgan.evaluation.command_line import read_words
from tsgan.evaluation.features import image_labels, load_labelled_features


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Learn what scores mean: probabilities, candidate sets, thresholds for a rate of false alarms'
    )
    parser.add_argument(
        'images', nargs='+', metavar='IMAGES|FEATURES.npz', help='folders, files, patterns; or one file of features'
    )
    add_model_arguments(parser)
    parser.set_defaults(model=None)
    parser.add_argument(
        '--ids', metavar='IDS.txt', help='calibrate on these identities alone: names, by commas or lines'
    )
    parser.add_argument(
        '--method',
        choices=['isotonic', 'platt'],
        default='isotonic',
        help='curve of the probability; default: isotonic',
    )
    parser.add_argument('--levels', nargs='+', type=float, default=LEVELS, help='of candidate sets')
    parser.add_argument('--false-alarm-rates', nargs='+', type=float, default=FALSE_ALARM_RATES, metavar='RATE')
    parser.add_argument(
        '--gallery-sizes', nargs='+', type=int, metavar='PEOPLE', help='default: 1 2 5 10 ... half of the identities'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the images that are drawn for a person; default: 0')
    parser.add_argument('--out', type=out_file, required=True, metavar='CALIBRATION.json', help='the file to write')
    parser.add_argument(
        '--plot', type=out_file, metavar='OUT.png', help='draw it, and how it holds on half of the people'
    )
    args = parser.parse_args()
    if args.plot:
        from tsgan.visualization.files import FIGURES, check_suffix

        check_suffix(args.plot, FIGURES)
    return args


def main() -> None:
    args = parse_args()
    columns, model, fingerprint = read(args)
    known = (columns['pids'] >= 0) & np.isin(columns['modalities'], ('rgb', 'ir'))
    if args.ids:
        known &= np.isin(columns['identities'], sorted(wanted(args.ids, set(columns['identities'].tolist()))))
    if not known.any():
        raise ValueError('of no image both identity and modality are known: expected folders of identities.')
    if not known.all():
        print(f'{(~known).sum():,} of {len(known):,} images are left out')
    labelled = [columns[name][known] for name in ('feats', 'pids', 'camids', 'modalities')]
    calibration = Calibration.fit(
        *labelled,
        method=args.method,
        levels=args.levels,
        false_alarm_rates=args.false_alarm_rates,
        gallery_sizes=args.gallery_sizes,
        model=model,
        fingerprint=fingerprint,
        data=', '.join(args.images),
        seed=args.seed,
    )
    calibration.save(args.out)
    print(f'{calibration_table(calibration)}\n\nsaved in {args.out}')
    if args.plot:
        from tsgan.visualization import plot_calibration
        from tsgan.visualization.files import save_figure

        save_figure(args.plot, plot_calibration(calibration, held_out_reliability(*labelled, args.method, args.seed)))
        print(f'drawn in {args.plot}')


def read(args: argparse.Namespace) -> tuple[dict[str, np.ndarray], str, str]:
    """Features with their labels, and the name and fingerprint of the model that made them."""
    is_file = args.images[0].endswith('.npz')
    if is_file and len(args.images) > 1:
        raise ValueError(f'{len(args.images)} files were given: expected one FEATURES.npz, or images.')
    columns, model, fingerprint = load_labelled_features(args.images[0]) if is_file else ({}, '', '')
    if fingerprint and (args.model or args.weights):
        raise ValueError(f'{args.images[0]} says that {model} made it: expected neither --model nor --weights.')
    if fingerprint:
        return columns, model, fingerprint
    if is_file and not args.model:
        raise ValueError(
            f'{args.images[0]} does not say what made it: expected --model, and --weights where it has some.'
        )
    from tsgan.apis import ReIDInferencer

    reid = ReIDInferencer(args.model or MODEL, args.weights, args.device)
    if not is_file:
        feats = reid.extract(args.images)
        columns = {'feats': feats, **image_labels(reid.rows)}
    elif columns['feats'].shape[1] != reid.dim:
        raise ValueError(
            f'{args.images[0]} has features of {columns["feats"].shape[1]} numbers, {reid.name} makes {reid.dim}: '
            'they are of another model.'
        )
    return columns, reid.name, reid.fingerprint


def wanted(file: str, there: set[str]) -> set[str]:
    """The identities that a file names. Raises ValueError where one is not there."""
    names = set(read_words(file)) - {''}
    if not names:
        raise ValueError(f'{file} names no identity: expected names, by commas or lines.')
    numbers = {int(name): name for name in there if name.isdecimal()}  # 7 is 0007
    found = {name if name in there else numbers.get(int(name) if name.isdecimal() else None) for name in names}
    if None in found:
        missing = sorted(
            name for name in names if name not in there and not (name.isdecimal() and int(name) in numbers)
        )
        raise ValueError(f'{file} names {missing[0][:20]}, of whom there is no image.')
    return found


if __name__ == '__main__':
    run(main)
