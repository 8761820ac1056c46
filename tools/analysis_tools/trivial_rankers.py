"""What rankers that learned nothing reach on the test identities: chance, and histograms of gray and of colour.

A trained model is worth its distance to these numbers. Any data set in SYSU-MM01's layout will do:
python tools/analysis_tools/trivial_rankers.py data/synthetic
"""

import argparse
import os

import cv2
import numpy as np

from tsgan.command_line import run
from tsgan.datasets import SYSUMM01
from tsgan.evaluation import FeatureTable, SingleModalityProtocol, SYSUMM01Protocol, evaluate
from tsgan.images import read_image

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


def read_table(root):
    """Test images and their labels.

    Returns:
        tuple[list[np.ndarray], dict]: BGR pictures and the label columns of a ``FeatureTable``.
    """
    dataset = SYSUMM01(data_root=root, split='test', test_mode=True)
    records = [dataset.get_data_info(i) for i in range(len(dataset))]
    images = [read_image(record['img_path'], record.get('value_range')) for record in records]
    names = {'pids': 'pid', 'camids': 'camid', 'frames': 'frame', 'modalities': 'modality'}
    return images, {name: np.array([record[key] for record in records]) for name, key in names.items()}


def parse_args():
    parser = argparse.ArgumentParser(
        description='Rank the test identities by chance and by histograms.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('root', help="data set in SYSU-MM01's layout")
    parser.add_argument('--seeds', type=int, default=5, help='how many chance rankers')
    return parser.parse_args()


def main():
    args = parse_args()
    images, labels = read_table(args.root)
    rankers = {
        f'chance, {args.seeds} seeds': [random_features(len(images), seed) for seed in range(args.seeds)],
        'gray histogram': [np.stack([histograms(image, colour=False) for image in images])],
        'colour histogram': [np.stack([histograms(image, colour=True) for image in images])],
    }
    perm_file = os.path.join(args.root, 'exp', 'rand_perm_cam.mat')
    searches = {
        'IR -> RGB': SYSUMM01Protocol(modes=['all'], shots=[1], perm_file=perm_file),
        'RGB -> RGB': SingleModalityProtocol('rgb'),
        'IR -> IR': SingleModalityProtocol('ir'),
    }
    print(f'{"search":<12}{"ranker":<20}{"R1":>16}{"mAP":>16}')
    for search, protocol in searches.items():
        for ranker, runs in rankers.items():
            measured = [next(iter(evaluate(FeatureTable(feats, **labels), protocol).values())) for feats in runs]
            row = f'{search:<12}{ranker:<20}'
            for name in ('R1', 'mAP'):
                values = [result[name] for result in measured]
                # Over the seeds of chance, over the trials of one histogram.
                spread = np.std(values) if len(values) > 1 else measured[0][f'{name}_std']
                row += f'{np.mean(values):9.2f} ±{spread:5.2f}'
            print(row)


if __name__ == '__main__':
    run(main)
