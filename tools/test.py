"""Test a checkpoint: ``python tools/test.py CONFIG CKPT [--rerank]``; prints the protocol's table, writes its JSON.

``--out FEATURES.npz`` writes the features that were compared. Beside them, row by row of the same images, come
``FEATURES_mirrored.npz``, of each image with left and right exchanged, and ``FEATURES_<branch>.npz`` of whatever
branches the network has: with a BN neck, ``before_neck`` and ``after_neck``. Such branches are compared in place of
the model's own feature with ``--cfg-options test_evaluator.features=[before_neck,after_neck]``, whose cosines are
summed, and means over image and mirror image with ``test_evaluator.mirror=True``, which leave nothing to write of the
mirror images alone; the JSON says so.
"""

import argparse
from pathlib import Path

from tsgan.checkpoints import find_checkpoint
from tsgan.command_line import out_file, run
from tsgan.experiments import add_run_arguments, build_runner, describe_tested, load_config, parts_named


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint, or the work dir of a training, for its last one')
    parser.add_argument('--rerank', action='store_true', help='also rank with k-reciprocal re-ranking')
    parser.add_argument(
        '--json', type=out_file, metavar='FILE', help='where results go; default: results.json in the work dir'
    )
    parser.add_argument(
        '--out',
        type=out_file,
        metavar='FEATURES.npz',
        help='also write the features of all test images; those of mirror images and of branches go beside it',
    )
    add_run_arguments(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.work_dir, args.cfg_options)
    if any(option.startswith('load_from=') for option in args.cfg_options):
        raise ValueError('load_from: what is tested is the checkpoint behind the config; expected it there alone.')
    cfg.load_from = find_checkpoint(args.checkpoint)
    with parts_named(cfg):
        describe_tested(cfg, cfg.load_from)
    evaluator = cfg.test_evaluator
    evaluator.rerank = evaluator.get('rerank', False) or args.rerank
    evaluator.json_file = args.json or evaluator.get('json_file') or str(Path(cfg.work_dir, 'results.json'))
    evaluator.features_file = args.out or evaluator.get('features_file')
    with parts_named(cfg):
        build_runner(cfg, args.launcher, args.local_rank).test()


if __name__ == '__main__':
    run(main)
