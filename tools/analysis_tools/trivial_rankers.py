"""What rankers that learned nothing of people reach on the test identities: chance, histograms, HOG, ImageNet.

A trained model is worth its distance to these numbers. Any data set in SYSU-MM01's layout will do, and one's own images
as ``rgb/<identity>/*``, ``ir/<identity>/*``: python tools/analysis_tools/trivial_rankers.py data/synthetic
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from mmpretrain.models import MobileNetV2

from tsgan.checkpoints import open_checkpoint, prefix_that_fits, weights_of
from tsgan.command_line import add_trust, run
from tsgan.datasets import SYSUMM01, ImageFolderReID
from tsgan.evaluation import CrossModalityProtocol, FeatureTable, SingleModalityProtocol, SYSUMM01Protocol, evaluate
from tsgan.images import read_image
from tsgan.models.rivals import HOG

STRIPES = 6
GRAY_BINS = 16
HSV_BINS = (12, 4, 4)


def random_features(count, seed):
    """Features that say nothing, (count, 16)."""
    return np.random.default_rng(seed).standard_normal((count, 16))


def histograms(image, colour):
    """Histograms of six horizontal stripes.

    Square roots are taken, so that the cosine of two features is the Bhattacharyya coefficient of their histograms.

    Args:
        image (np.ndarray): BGR picture, uint8 (H, W, 3).
        colour (bool): Joint histogram of hue, saturation and value (12 x 4 x 4 bins), else of gray (16 bins).

    Returns:
        np.ndarray: (6 * 192,) or (6 * 16,).
    """
    if colour:
        pixels, channels, bins, ranges = (
            cv2.cvtColor(image, cv2.COLOR_BGR2HSV),
            [0, 1, 2],
            HSV_BINS,
            [0, 180, 0, 256, 0, 256],
        )
    else:
        pixels, channels, bins, ranges = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), [0], [GRAY_BINS], [0, 256]
    stripes = np.array_split(pixels, STRIPES)
    counts = [cv2.calcHist([stripe], channels, None, bins, ranges).ravel() / stripe[..., 0].size for stripe in stripes]
    return np.sqrt(np.concatenate(counts))


def hog(image):
    """HOG of the image at the size of its authors, 128 x 64."""
    return HOG()(cv2.cvtColor(cv2.resize(image, (64, 128)), cv2.COLOR_BGR2RGB))


def imagenet_features(images, weights):
    """Pooled features of a MobileNetV2 that has learned to tell 1,000 kinds of things apart, (N, 1280).

    Raises:
        RuntimeError: When the file does not hold its weights.
    """
    network, found = MobileNetV2(out_indices=(7,)), weights_of(open_checkpoint(weights))
    wanted = network.state_dict()
    prefix, fit = prefix_that_fits(found, wanted)
    if fit < len(wanted):
        raise RuntimeError(f'{weights} does not hold a MobileNetV2: {fit} of its {len(wanted)} tensors are there.')
    network.load_state_dict({name: found[f'{prefix}.{name}' if prefix else name] for name in wanted})
    network.eval()
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    feats = []
    with torch.no_grad():
        for start in range(0, len(images), 64):
            pixels = np.stack([cv2.resize(image, (128, 256))[..., ::-1] for image in images[start : start + 64]])
            batch = (torch.from_numpy(pixels).float() - mean) / std  # (n, 256, 128, 3)
            feats.append(network(batch.permute(0, 3, 1, 2))[0].mean(dim=(2, 3)).numpy())
    return np.concatenate(feats)


def read_table(root):
    """Test images and their labels; of one's own images, those of the test half.

    Returns:
        tuple[list[np.ndarray], dict]: BGR pictures and the label columns of a ``FeatureTable``.
    """
    kind = ImageFolderReID if (Path(root) / 'rgb').is_dir() else SYSUMM01
    dataset = kind(data_root=root, split='test', test_mode=True)
    records = [dataset.get_data_info(i) for i in range(len(dataset))]
    images = [read_image(record['img_path'], record.get('value_range')) for record in records]
    names = {'pids': 'pid', 'camids': 'camid', 'frames': 'frame', 'modalities': 'modality'}
    return images, {name: np.array([record[key] for record in records]) for name, key in names.items()}


def parse_args():
    parser = argparse.ArgumentParser(
        description='Rank the test identities by what has learned nothing of people.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help="data set in SYSU-MM01's layout, or rgb/<identity>/*, ir/<identity>/*")
    parser.add_argument('--seeds', type=int, default=5, help='how many chance rankers')
    parser.add_argument('--imagenet', metavar='FILE', help='weights of a MobileNetV2, to rank by its features too')
    add_trust(parser)
    return parser.parse_args()


def main():
    args = parse_args()
    images, labels = read_table(args.root)
    rankers = {
        f'chance, {args.seeds} seeds': [random_features(len(images), seed) for seed in range(args.seeds)],
        'gray histogram': [np.stack([histograms(image, colour=False) for image in images])],
        'colour histogram': [np.stack([histograms(image, colour=True) for image in images])],
        'HOG': [np.stack([hog(image) for image in images])],
    }
    if args.imagenet:
        rankers['MobileNetV2, ImageNet'] = [imagenet_features(images, args.imagenet)]
    if (Path(args.root) / 'rgb').is_dir():
        searches = {
            'IR -> RGB': CrossModalityProtocol(directions=['ir_to_rgb']),
            'RGB -> IR': CrossModalityProtocol(directions=['rgb_to_ir']),
        }
    else:
        searches = {
            'IR -> RGB': SYSUMM01Protocol(
                modes=['all'], shots=[1], perm_file=str(Path(args.root, 'exp', 'rand_perm_cam.mat'))
            ),
            'RGB -> RGB': SingleModalityProtocol('rgb'),
            'IR -> IR': SingleModalityProtocol('ir'),
        }
    print(f'{"search":<12}{"ranker":<23}{"R1":>16}{"mAP":>16}')
    for search, protocol in searches.items():
        for ranker, runs in rankers.items():
            measured = [next(iter(evaluate(FeatureTable(feats, **labels), protocol).values())) for feats in runs]
            row = f'{search:<12}{ranker:<23}'
            for name in ('R1', 'mAP'):
                values = [result[name] for result in measured]
                # Over the seeds of chance, over the trials of one histogram.
                spread = np.std(values) if len(values) > 1 else measured[0][f'{name}_std']
                row += f'{np.mean(values):9.2f} ±{spread:5.2f}'
            print(row)


if __name__ == '__main__':
    run(main)
