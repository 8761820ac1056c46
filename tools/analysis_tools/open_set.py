"""Measure open-set search and verification: ``python tools/analysis_tools/open_set.py FEATURES.npz --protocol llcm``.

A share of the people who are searched for is left out of the gallery, or those whom a file names: how often is somebody
found who is not there (FPIR), and how often the right person (TPIR)? And of pairs: is this the same person (TAR, FAR,
EER)? FEATURES.npz is as `eval_features.py` reads it.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.evaluation import OpenSetProtocol, evaluate_open_set, load_features, open_set_table, write_results
from tsgan.evaluation.command_line import (
    add_protocol_arguments,
    build_protocol,
    describe,
    name_settings,
    read_identities,
)
from tsgan.visualization.files import FIGURES, check_suffix, save_figure
from tsgan.visualization.open_set import plot_open_set


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure open-set search and verification')
    parser.add_argument('features', metavar='FEATURES.npz')
    add_protocol_arguments(parser, rerank=False, device=False)
    parser.add_argument('--unknown', type=float, help='share of the people left out of the gallery; default: 0.5')
    parser.add_argument('--repeats', type=int, help='draws of them; default: 10')
    parser.add_argument(
        '--unknown-ids',
        metavar='IDS.txt',
        help='who is left out, in place of a draw: numbers separated by commas, spaces or lines',
    )
    parser.add_argument('--resamples', type=int, default=1000, help='bootstrap samples; default: 1000')
    parser.add_argument('--confidence', type=float, default=95, help='of the intervals, in percent; default: 95')
    parser.add_argument('--seed', type=int, default=0, help='of the draws and of the resampling; default: 0')
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the results too')
    parser.add_argument('--plot', type=out_file, metavar='OUT.png', help='where to draw curves and distributions')
    return parser.parse_args()


def build_open_set(args: argparse.Namespace) -> OpenSetProtocol:
    closed = build_protocol(args)
    if args.unknown_ids is None:
        share = 0.5 if args.unknown is None else args.unknown
        return OpenSetProtocol(closed, share, 10 if args.repeats is None else args.repeats, args.seed)
    for name in ('unknown', 'repeats'):
        if getattr(args, name) is not None:
            raise ValueError(f'--{name} is of a draw: with --unknown-ids nothing is drawn.')
    return OpenSetProtocol(closed, unknown_ids=read_identities(args.unknown_ids))


def main() -> None:
    args = parse_args()
    if args.plot:
        check_suffix(args.plot, FIGURES)
    protocol = build_open_set(args)
    features = load_features(args.features)
    results = evaluate_open_set(features, protocol, args.resamples, args.confidence, args.seed, args.memory_mb)
    results = name_settings(results, args)
    about = protocol.describe() | {'closed': describe(protocol.closed, args), 'score': 'cosine', 'rank': 1}
    print(f'{about}\n{open_set_table(results, args.confidence)}')
    if args.json:
        options = {'resamples': args.resamples, 'confidence': args.confidence, 'resampling_seed': args.seed}
        write_results(args.json, results, **about, features=args.features, **options)
    if args.plot:
        save_figure(args.plot, plot_open_set(results, args.confidence))


if __name__ == '__main__':
    run(main)
