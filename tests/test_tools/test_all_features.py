"""tools/test.py --out: the features of mirror images and of branches beside those that are compared."""

import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_lines import run
from small_options import STUDENT

REPO = Path(__file__).parents[2]
CONFIG = REPO / 'configs/synthetic/pretrain.py'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('all_features')


@pytest.fixture(scope='module')
def test_model(pretrained, workshop, folder):
    """Runs tools/test.py into a folder of its own, and gives that: ``test_model('a', '--out', FILE)``."""

    def start(name, *args, options=(), ranks=None):
        command = [sys.executable, REPO / 'tools/test.py', CONFIG, pretrained]
        if ranks:
            command = ['bash', REPO / 'tools/dist_test.sh', CONFIG, pretrained, ranks]
        small = [*STUDENT, 'model.reid.head.num_classes=4', 'test_dataloader.num_workers=0', *options]
        run([*command, '--work-dir', folder / name, *args, '--cfg-options', *small], workshop)
        return folder / name

    return start


@pytest.fixture(scope='module')
def written(test_model, folder):
    """Work dir of a test with --out, which has written into the folder ``out`` in it."""
    return test_model('written', '--out', folder / 'written/out/f.npz')


def arrays(file):
    with np.load(file) as content:
        return dict(content)


def images_of(content):
    return {key: value.tolist() for key, value in content.items() if not key.endswith('feats')}


def feats(content):
    return np.concatenate([content['query_feats'], content['gallery_feats']])


def test_without_out_nothing_is_written_and_the_results_are_bit_identical(test_model, written):
    plain = test_model('plain')
    assert not list(plain.rglob('*.npz'))
    results = [json.loads((work_dir / 'results.json').read_text()) for work_dir in (plain, written)]
    assert results[0] == results[1]


def test_there_is_a_file_for_mirror_images_and_for_each_branch_with_the_same_rows(written):
    contents = {file.name: arrays(file) for file in (written / 'out').iterdir()}
    assert set(contents) == {'f.npz', 'f_mirrored.npz', 'f_before_neck.npz', 'f_after_neck.npz'}
    assert np.array_equal(feats(contents['f.npz']), feats(contents['f_after_neck.npz']))
    assert len({json.dumps(images_of(content)) for content in contents.values()}) == 1


def test_mirrored_features_are_those_of_mirrored_files(test_model, written, workshop, folder):
    shutil.copytree(workshop / 'data/synthetic', folder / 'mirrored')
    for file in folder.glob('mirrored/cam*/*/*.jpg'):
        image = cv2.imread(str(file))[:, ::-1]
        cv2.imencode('.png', image)[1].tofile(str(file))  # without loss, whatever its name
    test_model('again', '--out', folder / 'again.npz', options=[f'data_root={folder}/mirrored'])
    for name, of_mirrored_file in (('f', 'again_mirrored'), ('f_mirrored', 'again')):
        found, expected = arrays(written / f'out/{name}.npz'), arrays(folder / f'{of_mirrored_file}.npz')
        assert images_of(found) == images_of(expected)
        np.testing.assert_allclose(feats(found), feats(expected), rtol=1e-5, atol=1e-5)
    assert np.abs(feats(arrays(written / 'out/f.npz')) - feats(found)).max() > 0.01


def test_two_ranks_and_a_features_file_in_the_config_write_the_same(test_model, written, free_port, folder):
    test_model('two', options=[f'test_evaluator.features_file={folder}/two.npz'], ranks=2)
    for name in ('', '_mirrored', '_before_neck', '_after_neck'):
        one, two = arrays(written / f'out/f{name}.npz'), arrays(folder / f'two{name}.npz')
        assert images_of(one) == images_of(two)
        np.testing.assert_allclose(feats(one), feats(two), rtol=1e-4, atol=1e-5)


def test_switches_of_the_metric_reach_every_rank_and_what_is_written_is_what_is_compared(
    test_model, written, free_port, folder
):
    switches = ['test_evaluator.mirror=True', 'test_evaluator.features=[before_neck,after_neck]']
    one = test_model('switched', '--rerank', '--out', folder / 'switched.npz', options=switches)
    test_model('switched_two', options=[*switches, f'test_evaluator.features_file={folder}/ranks.npz'], ranks=2)
    about = json.loads((one / 'results.json').read_text())['about']
    assert about['mirror'] is True and about['features'] == ['before_neck', 'after_neck']
    assert {file.stem for file in folder.glob('switched*.npz')} == {
        f'switched{name}' for name in ('', '_before_neck', '_after_neck')
    }
    found, ranks = (feats(arrays(folder / f'{name}.npz')) for name in ('switched', 'ranks'))
    np.testing.assert_allclose(ranks, found, rtol=1e-4, atol=1e-5)
    own, flipped = (feats(arrays(written / f'out/f{name}.npz')) for name in ('', '_mirrored'))
    mean = unit(own) + unit(flipped)  # after the neck
    np.testing.assert_allclose(unit(found[:, own.shape[1] :]), unit(mean), atol=1e-5)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
