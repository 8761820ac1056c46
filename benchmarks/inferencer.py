"""What an inferencer adds to its network: images a second of a folder of JPEG files, beside the bare forward pass.

``python benchmarks/inferencer.py`` renders people, and measures the shipped model's size on 96 x 48 and ResNet-50 on
256 x 128, with random weights: what a network knows has no say in its time. Both are timed by turns in one process, and
the best of each counts. Prints Markdown.
"""

import argparse
import tempfile
import time
from pathlib import Path

ROWS = {
    'shipped size': ('tsgan-jd_small_synthetic', (96, 48)),
    'ResNet-50': ('tsgan-jd_resnet50_sysu-mm01', (256, 128)),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=512, help='JPEG files; default: %(default)s')
    parser.add_argument('--batch-size', type=int, default=64, help='default: %(default)s')
    parser.add_argument('--repeat', type=int, default=3, help='times that each is measured; default: %(default)s')
    parser.add_argument('--scale', type=float, default=2.0, help='files are so much larger than the network sees')
    parser.add_argument('--device', help='default: a GPU where there is one')
    return parser.parse_args()


def write_people(folder: Path, number: int, size: tuple[int, int]) -> None:
    """JPEG files of rendered people, each of another."""
    import cv2

    from tsgan.datasets.synthetic import identity, image_rng, render_image

    for pid in range(1, number + 1):
        image = render_image(identity(10_001, pid), 1, image_rng(10_001, 1, pid, 1), size, 10_001)
        cv2.imwrite(str(folder / f'{pid:05d}.jpg'), image)


def measure(model: str, folder: Path, args: argparse.Namespace) -> tuple[float, float]:
    """Images a second of the bare forward pass, and of ``extract``."""
    import numpy as np
    import torch
    from mmengine.registry import DefaultScope

    from tsgan.apis import ReIDInferencer
    from tsgan.apis.hub import find_config
    from tsgan.registry import MODELS

    cfg = find_config(model)
    with tempfile.TemporaryDirectory() as weights, DefaultScope.overwrite_default_scope('tsgan'):
        torch.save(MODELS.build(cfg.model).state_dict(), Path(weights, 'random.pth'))
        reid = ReIDInferencer(cfg, Path(weights, 'random.pth'), args.device)
    images = np.concatenate([np.stack([one.image for one in batch]) for batch in reid.preprocess(reid_images(folder))])
    is_rgb = np.ones(len(images), bool)
    bare, whole = [], []
    for _ in range(args.repeat + 1):  # the first one warms up
        start = time.perf_counter()
        for at in range(0, len(images), args.batch_size):
            reid.network(images[at : at + args.batch_size], is_rgb[at : at + args.batch_size])
        bare.append(time.perf_counter() - start)
        start = time.perf_counter()
        reid.extract(folder, args.batch_size)
        whole.append(time.perf_counter() - start)
    return len(images) / min(bare[1:]), len(images) / min(whole[1:])


def reid_images(folder: Path) -> list:
    from tsgan.datasets.loose_images import find_images

    return find_images(folder)


def main() -> None:
    args = parse_args()
    import torch

    where = torch.cuda.get_device_name() if torch.cuda.is_available() else f'{torch.get_num_threads()} threads'
    print(f'{args.images} JPEG files, batches of {args.batch_size}, {where}:\n')
    print('| network | input | files | forward alone, images/s | extract, images/s | ratio |')
    print('|---|---|---|---|---|---|')
    for name, (model, (height, width)) in ROWS.items():
        size = int(height * args.scale), int(width * args.scale)
        with tempfile.TemporaryDirectory() as folder:
            write_people(Path(folder), args.images, size)
            bare, whole = measure(model, Path(folder), args)
        files = 'x'.join(map(str, size))
        print(f'| {name} | {height}x{width} | {files} | {bare:.0f} | {whole:.0f} | {whole / bare:.2f} |', flush=True)


if __name__ == '__main__':
    main()
