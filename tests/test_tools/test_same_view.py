"""same_view.py on a small rendered set, run as a user runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import run
from scipy.io import loadmat

from tsgan.datasets.synthetic import heading, render_dataset
from tsgan.evaluation import FeatureTable, save_features

REPO = Path(__file__).parents[2]
TOOL = REPO / 'tools/analysis_tools/same_view.py'
SMALL = {'num_train': 1, 'num_val': 0, 'num_test': 5, 'num_pretrain': 0, 'frames': 4, 'size': (32, 16), 'workers': 1}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return render_dataset(tmp_path_factory.mktemp('views') / 'data', **SMALL, seed=3)


def rows(text):
    """{(ranker, views): figures}"""
    cells = [[cell.strip() for cell in line.split('|')[1:-1]] for line in text.splitlines() if line.startswith('| ')]
    return {(ranker, views): [float(value) for value in values] for ranker, views, *values in cells[1:]}


def labels():
    """pid, camera, frame of each test image, (N, 3)."""
    return np.array([(pid, cam, f) for pid in range(2, 7) for cam in range(1, 7) for f in range(1, 5)])


def slow_single_shot_r1(feats, root, near):
    """R1 of all-search single-shot over gallery images of the query's own view (within 30 degrees) or of others."""
    permutations = loadmat(root / 'exp/rand_perm_cam.mat')['rand_perm_cam']
    at = {tuple(label): i for i, label in enumerate(labels().tolist())}
    taken = [heading(3, *label) for label in labels().tolist()]
    trials = []
    for trial in range(10):
        hits = []
        gallery = [
            at[pid, cam, permutations[cam - 1, 0][pid - 1, 0][trial, 0]] for cam in (1, 2, 4, 5) for pid in range(2, 7)
        ]
        for query, (pid, cam, _) in enumerate(labels().tolist()):
            if cam not in (3, 6):
                continue
            seen = []
            for row in gallery:
                apart = abs(taken[query] - taken[row])
                is_near = min(apart, 360 - apart) < 30
                if is_near == near and not (cam == 3 and labels()[row, 1] == 2):
                    seen.append((((feats[query] - feats[row]) ** 2).sum(), labels()[row, 0] == pid))
            if any(right for _, right in seen):
                hits.append(min(seen)[1])
        trials.append(100 * np.mean(hits))
    return np.mean(trials)


def test_rankers_are_measured_with_all_views_without_and_only_with_the_querys_own(root, tmp_path):
    pids, camids, frames = labels().T
    feats = np.random.default_rng(0).standard_normal((len(pids), 8)) + 1.5 * np.eye(8)[pids]
    feats /= np.linalg.norm(feats, axis=1, keepdims=True)
    table = FeatureTable(feats, pids, camids, frames, np.where(np.isin(camids, (3, 6)), 'ir', 'rgb'))
    save_features(tmp_path / 'mine.npz', table)
    found = rows(run([sys.executable, TOOL, root, tmp_path / 'mine.npz'], REPO, anew=True).text)
    rankers = ('HOG', 'HOG, blurred', 'HOG, outlines', 'mine')
    views = {'all': None, 'others': False, "the query's own": True}
    assert list(found) == [(ranker, seen) for ranker in rankers for seen in views]
    for seen, near in views.items():
        if near is not None:
            assert found['mine', seen][0] == pytest.approx(slow_single_shot_r1(feats, root, near), abs=0.051)
    assert found['mine', 'all'][0] > 40


def test_only_rendered_sets_have_views(tmp_path):
    wrong = run([sys.executable, TOOL, tmp_path], REPO, fails=True)
    assert wrong.error.endswith('has no synthetic.json: of rendered data sets alone the views are known.')


def test_of_a_harder_set_pictures_alone_are_ranked(tmp_path):
    root = render_dataset(tmp_path / 'hard', **SMALL, seed=3, style='blur')
    assert json.loads((root / 'synthetic.json').read_text())['style'] == 'blur'
    found = rows(run([sys.executable, TOOL, root], REPO).text)
    assert {ranker for ranker, _ in found} == {'HOG'}
