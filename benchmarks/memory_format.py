"""Which memory format is fast for which child of TS-GAN at the paper's size: ``python benchmarks/memory_format.py``.

Forward and backward of each child on a few RGB-IR pairs, contiguous and channels last.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from common import machine, seconds
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tsgan.command_line import run
from tsgan.models.gan import same_index_pairs
from tsgan.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs/tsgan_jd.py'
FORMATS = (torch.contiguous_format, torch.channels_last)


def main() -> None:
    parser = argparse.ArgumentParser(description='Time each child of TS-GAN in both memory formats')
    parser.add_argument('--pairs', type=int, default=2, help='RGB-IR pairs; default: 2')
    parser.add_argument('--repeats', type=int, default=3, help='of which the median counts; default: 3')
    args = parser.parse_args()
    init_default_scope('tsgan')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    torch.backends.cudnn.benchmark = True  # as trainings have it
    model = MODELS.build(Config.fromfile(CONFIG).model).to(device)
    rgb, ir = torch.rand(2, args.pairs, 3, 256, 128, device=device) * 2 - 1
    maps = torch.rand(args.pairs, 2048, 16, 8, device=device)
    losses = {
        'generators': lambda: sum(images.mean() for images in model.generators(rgb, ir)),
        'reid': lambda: model.reid(torch.cat([rgb, ir, ir])).logits.mean(),
        'discriminators': lambda: sum(x.mean() for x in model.discriminators(ir, rgb, maps, same_index_pairs(ir))),
    }
    print('| forward and backward of | contiguous, s | channels last, s | ratio |\n|---|---|---|---|')
    for child, loss in losses.items():
        taken = []
        for memory_format in FORMATS:
            getattr(model, child).to(memory_format=memory_format)

            def step(loss: Callable[[], torch.Tensor] = loss) -> None:
                loss().backward()
                if device == 'cuda':
                    torch.cuda.synchronize()

            step()  # to warm up
            taken.append(median(seconds(step, args.repeats)[0]))
        print(f'| {child} | {taken[0]:.4f} | {taken[1]:.4f} | {taken[1] / taken[0]:.2f} |', flush=True)
    print(f'\n{args.pairs} pairs of 256x128, median of {args.repeats}; {device}; {machine()}')


if __name__ == '__main__':
    run(main)
