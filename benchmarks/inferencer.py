"""What an inferencer adds to its network: images a second of a folder of JPEG files, beside the bare forward pass.

Networks of the shipped size and of the paper's, with random weights: what a network knows has no say in its time. Both
are timed by turns in one process, and the best of each counts.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from common import machine, seconds

from tsgan.apis import ReIDInferencer
from tsgan.apis.hub import find_config
from tsgan.command_line import run
from tsgan.datasets.loose_images import find_images
from tsgan.datasets.synthetic import identity, image_rng, render_image
from tsgan.registry import MODELS

ROWS = {'half a ResNet-18': 'tsgan-jd_small_synthetic', 'ResNet-50': 'tsgan-jd_resnet50_sysu-mm01'}
SEED = 10_001  # of the people


def write_people(folder: Path, number: int, size: tuple[int, int]) -> None:
    """JPEG files of rendered people, each of another."""
    for pid in range(1, number + 1):
        image = render_image(identity(SEED, pid), 1, image_rng(SEED, 1, pid, 1), size, SEED)
        cv2.imwrite(str(folder / f'{pid:05d}.jpg'), image)


def random_model(name: str, device: str | None) -> ReIDInferencer:
    cfg = find_config(name)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(MODELS.build(cfg.model).state_dict(), Path(folder, 'random.pth'))
        return ReIDInferencer(cfg, Path(folder, 'random.pth'), device)


def forward(reid: ReIDInferencer, images: np.ndarray, batch_size: int) -> None:
    for at in range(0, len(images), batch_size):
        batch = images[at : at + batch_size]
        reid.network(batch, np.ones(len(batch), bool))


def main() -> None:
    parser = argparse.ArgumentParser(description='Time extract on a folder of JPEG files beside the bare forward pass')
    parser.add_argument('--images', type=int, default=512, help='JPEG files; default: 512')
    parser.add_argument('--scale', type=float, default=1, help='how much larger they are than the input; default: 1')
    parser.add_argument('--batch-size', type=int, default=64, help='default: 64')
    parser.add_argument('--repeats', type=int, default=3, help='of which the best counts; default: 3')
    parser.add_argument('--device', help='default: a GPU where there is one')
    args = parser.parse_args()
    print('| network | input | files | forward, images/s | extract, images/s | ratio |\n|---|---|---|---|---|---|')
    for label, name in ROWS.items():
        reid = random_model(name, args.device)
        size = tuple(int(side * args.scale) for side in reid.network.size)
        with tempfile.TemporaryDirectory() as folder:
            write_people(Path(folder), args.images, size)
            batches = reid.preprocess(find_images(folder), args.batch_size)
            images = np.concatenate([np.stack([one.image for one in batch]) for batch in batches])
            forward(reid, images[: args.batch_size], args.batch_size)  # to warm up
            bare, whole = [], []
            for _ in range(args.repeats):
                bare += seconds(lambda: forward(reid, images, args.batch_size), 1)[0]  # noqa: B023
                whole += seconds(lambda: reid.extract(folder, args.batch_size), 1)[0]  # noqa: B023
        sizes = ' | '.join('x'.join(map(str, one)) for one in (reid.network.size, size))
        bare, whole = len(images) / min(bare), len(images) / min(whole)
        print(f'| {label} | {sizes} | {bare:.0f} | {whole:.0f} | {whole / bare:.2f} |', flush=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f'{torch.get_num_threads()} threads'
    print(f'\n{args.images} JPEG files, batches of {args.batch_size}, {device}; {machine()}')


if __name__ == '__main__':
    run(main)
