"""Compare two methods: ``python tools/analysis_tools/compare.py A.npz B.npz --protocol sysu-mm01 --perm FILE``.

Prints the paired difference in every metric with a bootstrap interval over identities. Both files are features of the
same images in the same order, as `eval_features.py` reads them.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.evaluation import compare, comparison_table, load_features, write_results
from tsgan.evaluation.command_line import add_protocol_arguments, build_protocol, describe, name_settings


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare the features of two methods')
    parser.add_argument('a', metavar='A.npz')
    parser.add_argument('b', metavar='B.npz')
    add_protocol_arguments(parser)
    parser.add_argument('--resamples', type=int, default=10_000, help='bootstrap samples; default: 10000')
    parser.add_argument('--confidence', type=float, default=95, help='of the interval, in percent; default: 95')
    parser.add_argument('--seed', type=int, default=0, help='of the resampling; default: 0')
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the results too')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    protocol = build_protocol(args)
    result = compare(
        load_features(args.a),
        load_features(args.b),
        protocol,
        args.rerank,
        args.resamples,
        args.confidence,
        args.seed,
        args.device,
        args.memory_mb,
    )
    result = name_settings(result, args)
    about = describe(protocol, args)
    print(f'{about}\nA: {args.a}\nB: {args.b}\n{comparison_table(result, args.confidence)}')
    if args.json:
        options = {name: getattr(args, name) for name in ('a', 'b', 'resamples', 'confidence', 'seed')}
        write_results(args.json, result, **about, **options)


if __name__ == '__main__':
    run(main)
