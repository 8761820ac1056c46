"""Ranked lists (Fig. 4): ``python tools/visualization/vis_ranking.py FEATURES.npz --protocol sysu-mm01 --root DATA``.

Draws queries with their nearest gallery images, in the first trial of the protocol's first setting. FEATURES.npz is
what ``tools/test.py --out`` writes; in its place, CONFIG CKPT tests a model first, by the protocol of its config.
"""

import argparse
from typing import NamedTuple

from tsgan.checkpoints import find_checkpoint
from tsgan.command_line import add_trust, out_file, run
from tsgan.evaluation import FeatureTable, load_features
from tsgan.evaluation.command_line import PROTOCOLS, add_protocol_arguments, build_protocol
from tsgan.evaluation.evaluate import EvaluationProtocol
from tsgan.experiments import add_cfg_options, build_runner, describe_tested, load_config
from tsgan.visualization.files import check_suffix, save_picture
from tsgan.visualization.rankings import (
    Ranges,
    choose,
    display_ranges,
    draw_ranked_lists,
    named_queries,
    rank,
    with_files,
)

OF_A_FEATURES_FILE = ('protocol', 'root', 'modes', 'shots', 'gallery_sampling', 'perm', 'swap', 'trials')


class Source(NamedTuple):
    """Features of test images that are known by their files, and how they are searched."""

    features: FeatureTable
    protocol: EvaluationProtocol
    normalize: bool
    ranges: Ranges


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw ranked lists')
    parser.add_argument('source', metavar='FEATURES.npz|CONFIG', help='features of test images, or a config file')
    parser.add_argument(
        'checkpoint', nargs='?', metavar='CKPT', help='of a CONFIG: checkpoint or work dir of a training'
    )
    parser.add_argument('--root', metavar='DATA', help='folder in which the paths of FEATURES.npz begin')
    parser.add_argument(
        '--queries',
        nargs='+',
        default=['hardest'],
        metavar='WHICH',
        help='hardest (of the lowest average precision) or random ones; or some by row, from 0, or by file, as the '
        'features file has them; default: hardest',
    )
    parser.add_argument('--number', type=int, default=4, help='how many of the hardest or of random ones; default: 4')
    parser.add_argument('--topk', type=int, default=10, help='gallery images of each; default: 10')
    parser.add_argument('--seed', type=int, default=0, help='of the random choice; default: 0')
    parser.add_argument(
        '--out', type=out_file, default='ranked_list.jpg', metavar='FILE', help='default: ranked_list.jpg'
    )
    add_protocol_arguments(parser, required=False)
    parser.add_argument('--work-dir', help='of a CONFIG: where the log of its test goes; default: as of tools/test.py')
    add_cfg_options(parser)
    add_trust(parser)
    return parser.parse_args()


def read_features(args: argparse.Namespace) -> Source:
    if args.checkpoint or args.cfg_options or args.work_dir:
        raise ValueError(f'{args.source} is no config file (.py): checkpoint, work dir and options are for one.')
    if not args.protocol:
        raise ValueError(f'--protocol: expected one of {", ".join(PROTOCOLS)} beside a features file.')
    features = with_files(load_features(args.source), args.root)
    return Source(features, build_protocol(args), True, display_ranges(features))


def test(args: argparse.Namespace) -> Source:
    if not args.checkpoint:
        raise ValueError(f'{args.source}: expected a checkpoint behind the config, or a features file in its place.')
    for name in OF_A_FEATURES_FILE:
        if getattr(args, name):
            option = name.replace('_', '-')
            raise ValueError(f'--{option} is for a features file: a config has its own data and protocol.')
    cfg = load_config(args.source, args.work_dir, args.cfg_options)
    cfg.load_from = find_checkpoint(args.checkpoint)
    describe_tested(cfg, cfg.load_from)
    cfg.default_hooks.pop('ranked_list', None)  # which would draw others
    runner = build_runner(cfg)
    runner.test()
    metric = runner.test_evaluator.metrics[0]
    ranges = (metric.dataset_meta or {}).get('value_range', {})
    return Source(metric.last.features, metric.protocol, metric.normalize, ranges)


def main() -> None:
    args = parse_args()
    check_suffix(args.out)
    if args.number < 1 or args.topk < 1:
        raise ValueError(f'--number {args.number} --topk {args.topk}: expected at least 1 of each.')
    source = test(args) if args.source.endswith('.py') else read_features(args)
    name, setting = next(iter(source.protocol.settings(source.features).items()))
    some = None if args.queries in (['hardest'], ['random']) else named_queries(source.features, setting, args.queries)
    ranking = rank(source.features, setting, some, source.normalize, args.rerank, args.device, args.memory_mb)
    places = choose(ranking, args.queries[0], args.number, args.seed) if some is None else range(len(some))
    lists = ranking.lists(places, args.topk)
    save_picture(args.out, draw_ranked_lists(source.features, lists, source.ranges))
    how = ', re-ranked' if args.rerank else ''
    print(f'{args.out}: {len(lists)} queries of {name}{how}, trial 1')


if __name__ == '__main__':
    run(main)
