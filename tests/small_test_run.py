"""A small test run on disk: images in SYSU-MM01's layout, features of them, and the results of these."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from tsgan.evaluation import FeatureTable, SYSUMM01Protocol, evaluate, save_features, write_results

RGB, IR = (1, 2, 4, 5), (3, 6)
# what nobody should write unescaped into a page
NAMES = ["<img src=x onerror=document.title='owned'>", 'Ann "&" Bob', 'Матвей', '0004', '0005', '0006']


def write_test_run(root: Path, frames: int = 2, trials: int = 2, seed: int = 0) -> SimpleNamespace:
    """Write ``data/``, and ``run/`` with config, features.npz and results.json, below a folder.

    The value of each pixel of an image is its row in ``table``, whose paths are relative to ``data``.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(NAMES), 8))
    rows = []
    for modality, cameras in (('ir', IR), ('rgb', RGB)):
        for cam in cameras:
            for pid, name in enumerate(NAMES, start=1):
                rows += [
                    (pid, cam, frame, modality, f'cam{cam}/{name}/{frame:04d}.png') for frame in range(1, frames + 1)
                ]
    data, run = root / 'data', root / 'run'
    for row, (*_, path) in enumerate(rows):
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode('.png', np.full((20, 10, 3), row, np.uint8))[1].tofile(data / path)
    pids, camids, numbers, modalities, paths = map(np.array, zip(*rows, strict=True))
    feats = (centres[pids - 1] + 1.5 * rng.normal(size=(len(rows), 8))).astype(np.float32)
    table = FeatureTable(feats, pids, camids, numbers, modalities, paths)
    protocol = SYSUMM01Protocol(modes=('all', 'indoor'), shots=(1,), gallery_sampling='agw', num_trials=trials)
    results = evaluate(table, protocol)
    run.mkdir()
    save_features(str(run / 'features.npz'), table)
    about = dict(protocol.describe(), normalize=True, config='configs/mine.py', checkpoint='</title>.pth', epoch=7)
    write_results(str(run / 'results.json'), results, **about)
    (run / 'mine.py').write_text(f'data_root = {str(data)!r}\n')
    return SimpleNamespace(root=root, data=data, run=run, table=table, protocol=protocol, results=results)
