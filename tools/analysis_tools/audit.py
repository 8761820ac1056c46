"""Measure features as others do, too: ``python tools/analysis_tools/audit.py FEATURES.npz --protocol sysu-mm01``.

One table: the protocol's own definition, and every convention in print that applies, with its difference and the
sentence that a paper must state. Features are those that `tools/test.py --out FEATURES.npz` writes, or anybody's (see
`eval_features.py`); files of mirror images and of branches are of the same images in the same order.

``--checkpoints WORK_DIR...`` in place of features: how much it adds to take the checkpoint that is best on the test
set rather than the last one, and how much of that holds for people who had no part in the choice. The work dirs are
those of trainings that kept all checkpoints and differ in their seed. What a checkpoint scores is kept in
``WORK_DIR/selection``: the same command goes on where it stopped.
"""

import argparse
import json
from pathlib import Path

from tsgan.command_line import add_trust, out_file, run
from tsgan.evaluation import load_features
from tsgan.evaluation.command_line import PROTOCOLS, add_protocol_arguments, build_protocol, describe, name_settings
from tsgan.evaluation.conventions import Row, audit, ledger_table
from tsgan.experiments import add_cfg_options, audit_checkpoints, checkpoints_table
from tsgan.visualization.files import FIGURES, check_suffix, save_figure
from tsgan.visualization.ledger import plot_ledger
from tsgan.whole_files import write_whole

OF_A_FEATURES_FILE = ('mirror', 'branches', 'protocol', 'modes', 'shots', 'gallery_sampling', 'perm', 'swap', 'trials')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Measure features under every convention in print')
    parser.add_argument('features', nargs='?', metavar='FEATURES.npz')
    parser.add_argument('--mirror', metavar='MIRRORED.npz', help='features of the mirrored images')
    parser.add_argument(
        '--branches', nargs='+', default=[], metavar='BRANCH.npz', help='features whose cosines are summed'
    )
    parser.add_argument(
        '--checkpoints', nargs='+', metavar='WORK_DIR', help='in place of features: trainings, one a seed'
    )
    add_protocol_arguments(parser, required=False, rerank=False)
    add_cfg_options(parser, '; of the config in each WORK_DIR')
    add_trust(parser)
    parser.add_argument('--json', type=out_file, metavar='OUT.json', help='where to write the rows too')
    parser.add_argument('--plot', type=out_file, metavar='OUT.png', help='a dot a convention; also svg, pdf, jpg')
    return parser.parse_args()


def audit_features(args: argparse.Namespace) -> tuple[str, list[dict]]:
    """What to print, and the rows."""
    if args.cfg_options:
        raise ValueError('--cfg-options is for --checkpoints: a features file has no config.')
    if not args.protocol:
        raise ValueError(f'--protocol: expected one of {", ".join(PROTOCOLS)} beside a features file.')
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
    text = f'{describe(protocol, args)}\n\n{ledger_table(ledger)}'
    return text, [row._asdict() for row in ledger.rows]


def audit_trainings(args: argparse.Namespace) -> tuple[str, list[dict]]:
    """The same of trainings."""
    for name in OF_A_FEATURES_FILE:
        if getattr(args, name):
            raise ValueError(f'--{name.replace("_", "-")} is for a features file: a config has its own protocol.')
    rows = audit_checkpoints(args.checkpoints, args.cfg_options)
    return checkpoints_table(rows), rows


def main() -> None:
    args = parse_args()
    if args.plot:
        check_suffix(args.plot, FIGURES)
    if bool(args.features) == bool(args.checkpoints):
        raise ValueError('expected FEATURES.npz, or in its place --checkpoints WORK_DIR...: one of the two.')
    text, rows = audit_trainings(args) if args.checkpoints else audit_features(args)
    print(text)
    if args.json:
        write_whole(args.json, json.dumps(rows, indent=2) + '\n')
    if args.plot:
        title = Path(args.features).name if args.features else f'{len(args.checkpoints)} trainings'
        save_figure(args.plot, plot_ledger([Row(*(row[name] for name in Row._fields)) for row in rows], title))


if __name__ == '__main__':
    run(main)
