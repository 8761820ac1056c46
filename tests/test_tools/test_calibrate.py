"""tools/analysis_tools/calibrate.py, on images, on features of images, and on features of a test."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import run

from tsgan.apis import ReIDInferencer
from tsgan.datasets.loose_images import ImageRow
from tsgan.datasets.synthetic import render_dataset
from tsgan.evaluation import save_image_features
from tsgan.evaluation.calibration import Calibration

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/calibrate.py'
NUM_IDS = 24


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """people.npz of features with their labels, tested.npz of a test, and pictures of six people."""
    folder, draws = tmp_path_factory.mktemp('calibrate'), np.random.default_rng(0)
    centres = draws.normal(size=(NUM_IDS, 256))
    rows = [
        ImageRow(f'cam{cam}/{pid:04d}/1.jpg', f'{pid:04d}', f'cam{cam}', 'ir' if cam == 3 else 'rgb')
        for pid in range(NUM_IDS)
        for cam in (1, 2, 3)
    ]
    feats = np.array([centres[int(row.identity)] + draws.normal(size=256) for row in rows], np.float32)
    rows[0] = rows[0]._replace(identity=None)
    save_image_features(str(folder / 'people.npz'), feats, rows, 'mine', 'abc123')
    is_ir = np.array([row.modality == 'ir' for row in rows])
    arrays = {}
    for side, chosen in (('query', is_ir), ('gallery', ~is_ir)):
        arrays[f'{side}_feats'] = feats[chosen]
        arrays[f'{side}_pids'] = np.repeat(np.arange(NUM_IDS), 3)[chosen]
        arrays[f'{side}_camids'] = np.tile([1, 2, 3], NUM_IDS)[chosen]
    np.savez(folder / 'tested.npz', **arrays)
    render_dataset(folder / 'pictures', num_train=5, num_val=0, num_test=1, num_pretrain=0, frames=1, workers=1)
    return folder


def calibrate(*arguments, cwd, fails=False, anew=False):
    return run([sys.executable, TOOL, *arguments], cwd, fails, anew)


def test_features_of_images_say_what_made_them(folder):
    said = calibrate('people.npz', '--out', 'new/c.json', '--plot', 'new/c.png', cwd=folder, anew=True)
    assert '1 of 72 images are left out' in said.text and '## IR -> RGB' in said.text
    found = Calibration.load(folder / 'new/c.json')
    assert (found.model, found.fingerprint, found.data, found.num_ids) == ('mine', 'abc123', 'people.npz', NUM_IDS)
    assert f'| 90 % | {found.group("ir", "rgb").candidates(0.9):.3f} |' in said.text
    assert (folder / 'new/c.png').read_bytes().startswith(b'\x89PNG')
    labels = np.load(folder / 'people.npz')
    known = labels['pids'] >= 0
    same = Calibration.fit(*(labels[name][known] for name in ('feats', 'pids', 'camids', 'modalities')))
    assert same.group('ir', 'rgb').thresholds == found.group('ir', 'rgb').thresholds


def test_arguments_reach_the_fit(folder):
    options = ['--method', 'platt', '--levels', 0.5, '--false-alarm-rates', 0.2, '--gallery-sizes', 3, '--seed', 5]
    (folder / 'ids.txt').write_text('1, 2,3\n4 5 6 7 8 9 10\n0011')
    calibrate('people.npz', '--ids', 'ids.txt', *options, '--out', 'o.json', cwd=folder)
    found = json.loads((folder / 'o.json').read_text())
    assert (found['num_ids'], found['method'], found['seed']) == (11, 'platt', 5)
    group = found['groups'][0]
    assert [each['level'] for each in group['candidate_scores']] == [0.5]
    assert [(each['false_alarm_rate'], each['gallery_size']) for each in group['thresholds']] == [(0.2, 3)]


def test_of_too_few_people_to_hold_half_back_the_rest_is_drawn(folder):
    (folder / 'eight.txt').write_text('1 2 3 4 5 6 7 8')
    said = calibrate('people.npz', '--ids', 'eight.txt', '--out', 'e.json', '--plot', 'e.png', cwd=folder)
    assert 'saved in e.json' in said.text and (folder / 'e.png').read_bytes().startswith(b'\x89PNG')


def test_images_are_extracted_and_a_test_asks_for_the_model(folder):
    calibrate('pictures/cam1', 'pictures/cam2', 'pictures/cam3', '--device', 'cpu', '--out', 'p.json', cwd=folder)
    found, reid = Calibration.load(folder / 'p.json'), ReIDInferencer(device='cpu')
    assert (found.model, found.fingerprint) == (reid.name, reid.fingerprint)
    assert (found.num_ids, found.num_images, found.num_cameras) == (6, 18, 3)
    calibrate('tested.npz', '--model', reid.name, '--device', 'cpu', '--out', 't.json', cwd=folder)
    found = Calibration.load(folder / 't.json')
    assert (found.fingerprint, found.num_ids) == (reid.fingerprint, NUM_IDS)


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['tested.npz'], 'tested.npz does not say what made it: expected --model'),
        (['people.npz', '--model', 'x'], 'people.npz says that mine made it: expected neither --model'),
        (['people.npz', 'tested.npz'], '2 files were given: expected one FEATURES.npz'),
        (['nothing.npz'], "[Errno 2] No such file or directory: 'nothing.npz'"),
        (['people.npz', '--ids', 'none.txt'], 'none.txt names no identity'),
        (['people.npz', '--ids', 'other.txt'], 'other.txt names 99, of whom there is no image'),
        (['people.npz', '--ids', 'few.txt'], '3 identities are too few to calibrate on'),
        (['people.npz', '--ids', 'people.npz'], 'people.npz names '),
        (['people.npz', '--levels', '95'], 'levels must be probabilities'),
    ],
)
def test_what_cannot_be_calibrated_is_one_sentence(folder, arguments, said):
    for name, text in (('none', ' '), ('other', '1,99'), ('few', '1,2,3')):
        (folder / f'{name}.txt').write_text(text)
    done = calibrate(*arguments, '--out', 'no.json', cwd=folder, fails=True)
    assert done.code == 2 and done.error.startswith(f'error: {said}') and 'Traceback' not in done.text
    assert not (folder / 'no.json').exists()


def test_the_name_of_a_plot_is_checked_before_the_work(folder):
    done = calibrate('people.npz', '--out', 'no.json', '--plot', 'x.txt', cwd=folder, fails=True)
    assert 'expected a name that ends with one of' in done.error
