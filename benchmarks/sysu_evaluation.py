"""The full SYSU-MM01 evaluation against one query after the other: ``python benchmarks/sysu_evaluation.py``.

Four settings, ten trials, 2048-d features, random but clustered by person, of a table as large as SYSU-MM01's test set.
The reference does what the field's evaluation scripts do: for each trial its own distances, a full argsort, and a
Python loop over the queries, in which precision is a list comprehension over the ranked list. A second reference has
NumPy there too.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import clustered_features, machine, seconds
from scipy.io import savemat

from tsgan.command_line import run
from tsgan.evaluation import METRIC_NAMES, FeatureTable, SYSUMM01Protocol, evaluate

NUM_IDS = 96
SEEN_BY = {1: 56, 2: 56, 3: 93, 4: 94, 5: 95, 6: 96}  # camera: identities it saw; 301 visible folders, 189 infrared
NUM_IMAGES = {'rgb': 6775, 'ir': 3803}


def make_table(dim: int) -> FeatureTable:
    """A table of SYSU-MM01's test size."""
    rows = []
    for modality, cameras in (('rgb', (1, 2, 4, 5)), ('ir', (3, 6))):
        folders = [(pid, cam) for cam in cameras for pid in range(1, SEEN_BY[cam] + 1)]
        sizes = [len(part) for part in np.array_split(np.arange(NUM_IMAGES[modality]), len(folders))]
        for (pid, cam), size in zip(folders, sizes, strict=True):
            rows += [(pid, cam, frame, modality) for frame in range(1, size + 1)]
    pids, camids, frames, modalities = map(np.array, zip(*rows, strict=True))
    return FeatureTable(clustered_features(pids, dim), pids, camids, frames, modalities)


def write_permutations(path: Path, table: FeatureTable) -> None:
    """Random permutations in the official format."""
    draws = np.random.default_rng(0)
    cameras = np.empty((6, 1), object)
    for cam in range(1, 7):
        cameras[cam - 1, 0] = identities = np.empty((1, NUM_IDS), object)
        for pid in range(1, NUM_IDS + 1):
            size = int(((table.pids == pid) & (table.camids == cam)).sum())
            identities[0, pid - 1] = np.array([draws.permutation(size) + 1 for _ in range(10)], np.uint8)
    savemat(path, {'rand_perm_cam': cameras})


def precision_list(match: np.ndarray) -> np.ndarray:
    """Precision at each place of a ranked list, as the field's scripts compute it."""
    return np.asarray([count / (place + 1.0) for place, count in enumerate(match.cumsum())])


def precision_numpy(match: np.ndarray) -> np.ndarray:
    return match.cumsum() / np.arange(1, len(match) + 1)


def score_one_by_one(
    precision: Callable[[np.ndarray], np.ndarray],
    dist: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    query_cams: np.ndarray,
    gallery_cams: np.ndarray,
) -> list[float]:
    """R1 R5 R10 R20 mAP mINP in percent."""
    order = np.argsort(dist, axis=1)
    cmc, ap, inp = [], [], []
    for query in range(len(query_pids)):
        ranked = order[query]
        ranked = ranked[~((query_cams[query] == 3) & (gallery_cams[ranked] == 2))]
        pids = gallery_pids[ranked]
        match = pids == query_pids[query]
        if not match.any():
            continue
        _, first = np.unique(pids, return_index=True)
        cmc.append((pids[np.sort(first)] == query_pids[query]).cumsum()[:20])
        ap.append((precision(match) * match).sum() / match.sum())
        inp.append(match.sum() / (np.flatnonzero(match)[-1] + 1))
    cmc = np.mean(cmc, axis=0)
    return [100 * value for value in (*cmc[[0, 4, 9, 19]], np.mean(ap), np.mean(inp))]


def evaluate_one_by_one(
    precision: Callable[[np.ndarray], np.ndarray], table: FeatureTable, protocol: SYSUMM01Protocol
) -> dict[str, np.ndarray]:
    feats = table.feats / np.linalg.norm(table.feats, axis=1, keepdims=True)
    means = {}
    for name, setting in protocol.settings(table).items():
        trials = []
        for query, gallery in setting.trials:
            dist = -feats[query] @ feats[gallery].T
            labels = (column[side] for column in (table.pids, table.camids) for side in (query, gallery))
            trials.append(score_one_by_one(precision, dist, *labels))
        means[name] = np.mean(trials, axis=0)
    return means


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    table = make_table(dim=2048)
    with tempfile.TemporaryDirectory() as folder:
        write_permutations(Path(folder, 'rand_perm_cam.mat'), table)
        protocol = SYSUMM01Protocol(perm_file=str(Path(folder, 'rand_perm_cam.mat')))
    evaluate(table, protocol)  # libraries warm up
    ours, results = seconds(lambda: evaluate(table, protocol), repeats=5)
    is_ir = table.modalities == 'ir'
    product, _ = seconds(lambda: table.feats[is_ir] @ table.feats[~is_ir].T, repeats=5)
    print(machine())
    print('| full evaluation, 4 settings x 10 trials | seconds | ratio |\n|---|---|---|')
    for name, precision in (('as the scripts', precision_list), ('NumPy in the loop', precision_numpy)):
        reference, expected = seconds(lambda p=precision: evaluate_one_by_one(p, table, protocol), repeats=1)
        print(f'| one query after the other, {name} | {reference[0]:.1f} | {reference[0] / ours[2]:.0f} |', flush=True)
    print(f'| `evaluate` (median of 5; least, most) | {ours[2]:.2f} ({ours[0]:.2f}, {ours[-1]:.2f}) | 1 |')
    print(f'| of it, the product of all queries and gallery images | {product[2]:.2f} | |')
    apart = max(abs(results[name][key] - expected[name][k]) for name in expected for k, key in enumerate(METRIC_NAMES))
    print(f'\nlargest difference of a number: {apart:.4f} percent points')


if __name__ == '__main__':
    run(main)
