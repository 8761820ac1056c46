"""What version 1.0.0 has written, in written_by_1_0/, is read by this one, and says what it said: docs/stability.md.

These files are never written anew. A later format gets files, and lines here, of its own.
"""

import shutil
from pathlib import Path

import numpy as np

from tsgan.apis import Gallery
from tsgan.evaluation import load_features
from tsgan.evaluation.calibration import Calibration
from tsgan.experiments import load_config
from tsgan.registry import MODELS

FILES = Path(__file__).parent / 'written_by_1_0'
TURNS = np.arange(4) * np.pi / 6  # of the features, which are of unit length


def test_a_gallery_is_opened_searched_and_changed(tmp_path):
    folder = shutil.copytree(FILES / 'people.gallery', tmp_path / 'people.gallery')
    gallery = Gallery.load(folder)
    assert (gallery.model, gallery.fingerprint) == ('pixels', 'c3' * 32)
    hits = gallery.search([1, 0], 4)
    np.testing.assert_allclose([hit.pop('score') for hit in hits], np.cos(TURNS), atol=1e-6)
    assert hits == [
        dict(path=None, identity='ann', camera='cam1', modality='rgb', key='a', age=30),
        dict(path=None, identity='ann', camera='cam3', modality='ir', key='b', time='2026-11-26T12:00:00Z'),
        dict(path=None, identity='böb', camera='cam2', modality='rgb', key='c', ok=True),
        dict(path=None, identity=None, camera=None, modality='ir', key='d'),
    ]
    assert [hit['key'] for hit in gallery.search([1, 0], 4, time=('2026-11-26', None))] == ['b']
    gallery.remove(identity='ann')
    gallery.add(np.array([[0, 1]], np.float32), keys=['e'])
    gallery.save(folder)
    assert [hit['key'] for hit in Gallery.load(folder).search([0, 1], 9)] == ['d', 'e', 'c']


def test_features_are_read():
    table = load_features(FILES / 'features.npz')
    order = np.argsort(table.camids)
    np.testing.assert_allclose(table.feats[order][:, 0], np.cos(TURNS)[[0, 2, 1, 3]], atol=1e-6)
    assert table.camids[order].tolist() == [1, 2, 3, 6]
    assert table.pids[order].tolist() == [7, 8, 7, 8]
    assert table.frames[order].tolist() == [1, 2, 1, 2]
    assert table.modalities[order].tolist() == ['rgb', 'rgb', 'ir', 'ir']


def test_probabilities_of_a_calibration_are_what_they_were():
    calibration = Calibration.load(FILES / 'calibration.json')
    calibration.check_model('c3' * 32)
    assert (calibration.model, calibration.num_ids) == ('pixels', 16)
    then = {
        ('rgb', 'rgb'): [0.060756828, 0.060756828, 0.981193303],
        ('rgb', 'ir'): [0.059271301, 0.059271301, 0.987053596],
        ('ir', 'rgb'): [0.058893551, 0.058893551, 0.982313845],
        ('ir', 'ir'): [0.073668631, 0.20313226, 0.977116024],
    }
    for modalities, probabilities in then.items():
        now = calibration.group(*modalities).probability(np.array([0.2, 0.5, 0.9]))
        np.testing.assert_allclose(now, probabilities, atol=1e-8)
    group = calibration.group('rgb', 'ir')
    threshold = group.threshold(0.1)
    assert (threshold.num_ids, round(threshold.score, 6)) == (16, 0.518465)
    assert round(group.candidates(0.9), 6) == 0.648464


def test_a_checkpoint_of_it_fits():
    cfg = load_config(str(FILES.parents[1] / 'configs/synthetic/tsgan_jd.py'))
    cfg.model.reid.encoder.checkpoint = None
    now = MODELS.build(cfg.model).state_dict()
    then = (FILES / 'tensors.txt').read_text().splitlines()
    assert {f'{name} {tuple(tensor.shape)}' for name, tensor in now.items()} == set(then)
