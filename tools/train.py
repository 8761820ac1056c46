"""Train a model: ``python tools/train.py CONFIG``; its log and checkpoints go to ``work_dirs/CONFIG's path``."""

import argparse
from pathlib import Path

from tsgan.checkpoints import noted_checkpoint, place_of
from tsgan.command_line import run
from tsgan.experiments import (
    add_run_arguments,
    build_runner,
    check_data,
    continue_from,
    load_config,
    parts_named,
    use_amp,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CKPT',
        help='go on from this checkpoint or work dir; without CKPT, from the last one in the work dir if there is one',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision, in every phase (needs a GPU)')
    parser.add_argument('--no-validate', action='store_true', help='no validation during training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help="scale learning rates by this run's batch size over the config's"
    )
    parser.add_argument('--check-data', action='store_true', help='decode every image first, and name those that fail')
    add_run_arguments(parser)
    return parser.parse_args()


def how_to_go_on() -> str:
    args = parse_args()
    work_dir = load_config(args.config, args.work_dir, args.cfg_options).work_dir
    place = place_of(noted_checkpoint(Path(work_dir)) or Path())
    if not place:
        return 'stopped before the end of the first epoch'
    within = f' and {place[1]} iterations' if place[1] else ''
    return f'stopped after epoch {place[0]}{within}; go on with --resume'


def main() -> None:
    args = parse_args()
    if args.resume == '':
        raise ValueError('--resume: expected a checkpoint, a work dir, or no word at all, not an empty one.')
    cfg = load_config(args.config, args.work_dir, args.cfg_options)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        use_amp(cfg)
    if args.auto_scale_lr:
        cfg.auto_scale_lr.enable = True
    resume = args.resume or (cfg.get('resume') and (cfg.get('load_from') or 'auto'))
    if resume and (finished := continue_from(cfg, None if resume == 'auto' else resume)):
        print(finished)
        return
    with parts_named(cfg):
        if args.check_data:
            check_data(cfg)
        build_runner(cfg, args.launcher, args.local_rank).train()


if __name__ == '__main__':
    run(main, how_to_go_on)
