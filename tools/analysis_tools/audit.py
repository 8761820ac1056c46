"""Measure features as others do, too: ``python tools/analysis_tools/audit.py FEATURES.npz --protocol sysu-mm01``.

One table: the protocol's own definition, and every convention in print that applies, with its difference and the
sentence that a paper must state. Features are those that `tools/test.py --out FEATURES.npz` writes, or anybody's (see
`eval_features.py`); files of mirror images and of branches are of the same images in the same order.
"""

import argparse
import json
from pathlib import Path

from tsgan.command_line import out_file, run
from tsgan.evaluation import load_features
from tsgan.evaluation.command_line import add_protocol_arguments, build_protocol, describe, name_settings
from tsgan.evaluation.conventions import audit, ledger_table
from tsgan.visualization.files import FIGURES, check_suffix, save_figure
from tsgan.visualization.ledger import plot_ledger
from tsgan.whole_files import write_whole


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure features under every convention in print')
    parser.add_argument('features', metavar='FEATURES.npz')
    parser.add_argument('--mirror', metavar='MIRRORED.npz', help='features of the mirrored images')
    parser.add_argument(
        '--branches', nargs='+', default=[], metavar='BRANCH.npz', help='features whose cosines are summed'
    )
    add_protocol_arguments(parser, rerank=False)
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the rows too')
    parser.add_argument('--plot', type=out_file, metavar='OUT.png', help='a dot a convention; also svg, pdf, jpg')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.plot:
        check_suffix(args.plot, FIGURES)
    protocol = build_protocol(args)
    ledger = audit(
        load_features(args.features),
        protocol,
        load_features(args.mirror) if args.mirror else None,
        [load_features(file) for file in args.branches],
        args.perm,
        args.device,
        args.memory_mb,
    )
    settings = dict.fromkeys(row.setting for row in ledger.rows)
    names = dict(zip(settings, name_settings(settings, args), strict=True))
    ledger = ledger._replace(rows=[row._replace(setting=names[row.setting]) for row in ledger.rows])
    print(f'{describe(protocol, args)}\n\n{ledger_table(ledger)}')
    if args.json:
        write_whole(args.json, json.dumps([row._asdict() for row in ledger.rows], indent=2) + '\n')
    if args.plot:
        save_figure(args.plot, plot_ledger(ledger.rows, Path(args.features).name))


if __name__ == '__main__':
    run(main)
