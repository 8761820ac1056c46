"""Whether a ranker finds people or views: ``python tools/analysis_tools/same_view.py DATA [FEATURES.npz ...]``

Of a rendered data set the direction from which each picture was taken is known. So all-search of SYSU-MM01 is measured
thrice: as it is, without the gallery images (of anybody) that show the query's own view, and with these alone. HOG is
measured in any case, and files that ``tools/test.py --out`` wrote for the same data set, if given. Of the default style
HOG is measured further on the blurred pictures, and on nothing but the people's outlines.
"""

import argparse
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from trivial_rankers import hog, read_table

from tsgan.command_line import run
from tsgan.datasets.synthetic import heading, identity, image_rng, outline
from tsgan.evaluation import FeatureTable, SYSUMM01Protocol, evaluate, load_features
from tsgan.evaluation.protocols.sysu_mm01 import same_room

BLUR = 2  # sigma, pixels
view_of = cache(heading)  # all rankers are asked of the same pictures


class OfViews(SYSUMM01Protocol):
    """All-search in which a query sees gallery images of some views only.

    Args:
        root (Path): A rendered data set.
        near (bool, optional): Only views of the query's own direction, or only others; None for all.
        within (float): How far, in degrees, directions are still the same view.
        seed (int): The data set's.
    """

    def __init__(self, root, near, within, seed):
        super().__init__(modes=['all'], perm_file=str(root / 'exp' / 'rand_perm_cam.mat'))
        self.near, self.within, self.seed = near, within, seed

    def settings(self, table):
        taken = np.array([view_of(self.seed, *of) for of in zip(table.pids, table.camids, table.frames, strict=True)])

        def hidden(table, query, gallery):
            apart = np.abs((taken[query][:, None] - taken[gallery] + 180) % 360 - 180)  # (Q, G)
            return same_room(table, query, gallery) | ((apart < self.within) != self.near)

        found = super().settings(table)
        return found if self.near is None else {n: replace(setting, exclude=hidden) for n, setting in found.items()}


def parse_args():
    parser = argparse.ArgumentParser(
        description='Rank rendered people with, without and only by pictures of the view that the query shows.'
    )
    parser.add_argument('root', type=Path, help='a rendered data set')
    parser.add_argument('features', nargs='*', type=Path, metavar='FEATURES.npz', help='as tools/test.py --out writes')
    parser.add_argument('--within', type=float, default=30, help='degrees that are the same view; default: 30')
    return parser.parse_args()


def main():
    args = parse_args()
    if not (args.root / 'synthetic.json').is_file():
        raise FileNotFoundError(f'{args.root} has no synthetic.json: of rendered data sets alone the views are known.')
    try:
        made = json.loads((args.root / 'synthetic.json').read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{args.root / "synthetic.json"} is damaged ({error}): render the data set anew.') from error
    images, labels = read_table(args.root)
    rankers = {'HOG': FeatureTable(np.stack([hog(image) for image in images]), **labels)}
    if 'style' not in made:
        seed, rows = made['seed'], list(zip(labels['pids'], labels['camids'], labels['frames'], strict=True))
        outlines = [
            outline(identity(seed, pid), cam, image_rng(seed, cam, pid, frame), made['size'])
            for pid, cam, frame in rows
        ]
        changed = {'blurred': [cv2.GaussianBlur(image, (0, 0), BLUR) for image in images], 'outlines': outlines}
        for name, pictures in changed.items():
            rankers[f'HOG, {name}'] = FeatureTable(np.stack([hog(picture) for picture in pictures]), **labels)
    rankers |= {file.stem: load_features(file) for file in args.features}

    print('| ranker | views | single-shot R1 | mAP | multi-shot R1 | mAP |\n|---|---|---|---|---|---|')
    for name, table in rankers.items():
        for views, near in (('all', None), ('others', False), ("the query's own", True)):
            found = evaluate(table, OfViews(args.root, near, args.within, made['seed']))
            cells = (f'{found[shots][key]:.1f}' for shots in ('all_single', 'all_multi') for key in ('R1', 'mAP'))
            print(f'| {name} | {views} | {" | ".join(cells)} |')


if __name__ == '__main__':
    run(main)
