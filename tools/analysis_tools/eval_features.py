"""Evaluate anybody's features: ``python tools/analysis_tools/eval_features.py FEATURES.npz --protocol sysu-mm01``.

FEATURES.npz holds `query_feats` (Nq, D), `query_pids`, `query_camids`, `gallery_feats` (Ng, D), `gallery_pids`,
`gallery_camids`, `gallery_frames`: all images of the test identities, of which the protocol draws its galleries; frames
are numbered from 1 within camera and identity. `tools/test.py --out` writes such a file, and the images' `query_paths`,
`gallery_paths` with it.
"""

import argparse

from tsgan.command_line import out_file, run
from tsgan.evaluation import evaluate, load_features, results_table, write_results
from tsgan.evaluation.command_line import add_protocol_arguments, build_protocol, describe, name_settings


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Evaluate features')
    parser.add_argument('features', metavar='FEATURES.npz')
    add_protocol_arguments(parser)
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the results too')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    protocol = build_protocol(args)
    features = load_features(args.features)
    results = evaluate(features, protocol, args.rerank, device=args.device, memory_mb=args.memory_mb)
    results = name_settings(results, args)
    about = describe(protocol, args)
    print(f'{about}\n{results_table(results)}')
    if args.json:
        write_results(args.json, {name: {**row, 'protocol': about} for name, row in results.items()})


if __name__ == '__main__':
    run(main)
