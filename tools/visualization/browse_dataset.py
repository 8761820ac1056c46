"""What the training pipeline makes of images: ``python tools/visualization/browse_dataset.py CONFIG --out FOLDER``.

A picture a batch, as the config's sampler gives it: each image as its file has it and as the pipeline gives it, in all
its views; the RGB and the IR images of a pair below each other.
"""

import argparse
from pathlib import Path

from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from tsgan.command_line import run
from tsgan.experiments import add_cfg_options, load_config
from tsgan.visualization.batches import draw_batches
from tsgan.visualization.files import check_suffix, save_picture


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Draw a config's training batches")
    parser.add_argument('config', help='config file')
    parser.add_argument('--batches', type=int, default=1, help='how many; default: 1')
    parser.add_argument('--pairs', type=int, help='how many of a batch; default: all')
    parser.add_argument('--seed', type=int, default=0, help='of sampler and augmentation; default: 0')
    parser.add_argument(
        '--out', default='batch.jpg', metavar='FILE|FOLDER', help='of several batches, a folder; default: batch.jpg'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for name in ('batches', 'pairs'):
        if (getattr(args, name) or 1) < 1 or getattr(args, name) == 0:
            raise ValueError(f'--{name} {getattr(args, name)}: expected at least 1.')
    is_file = bool(Path(args.out).suffix)
    if is_file:
        check_suffix(args.out)
        if args.batches > 1:
            raise ValueError(f'{args.out} is one file, for {args.batches} batches: expected a folder.')
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    if not cfg.get('train_dataloader'):
        raise ValueError(f'{args.config} trains on nothing: expected a config with a train_dataloader.')
    init_default_scope(cfg.default_scope)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=args.seed)
    for number, picture in enumerate(draw_batches(loader, args.batches, args.pairs, args.seed), start=1):
        file = Path(args.out) if is_file else Path(args.out, f'batch_{number}.jpg')
        save_picture(file, picture)
        print(file)


if __name__ == '__main__':
    run(main)
