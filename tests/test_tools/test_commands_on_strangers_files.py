"""Every command that opens a file is handed one that would run code: each refuses it in a sentence, and runs none."""

import json
import os
import pickle
import sys

import cv2
import numpy as np
import pytest
import torch
from command_lines import run
from small_options import EPOCH, STUDENT

from tsgan import __main__ as command
from tsgan.places import ROOT

CONFIGS = ROOT / 'configs/synthetic'
BASELINE, TEACHED = CONFIGS / 'backbone.py', CONFIGS / 'tsgan_jd.py'
SHIPPED = 'tsgan-jd_small_synthetic'
OPTIONS = ['--cfg-options', 'model.reid.encoder.checkpoint=None', *EPOCH, 'train_dataloader.num_workers=0', *STUDENT]


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def with_objects(file):
    code = np.array([RunsCode()], object)
    sides = [f'{side}_{name}' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids')]
    np.savez(file, **dict.fromkeys([*sides, 'feats'], code))


def evil_gallery(folder):
    """A gallery whose list and arrays are pickles."""
    folder.mkdir()
    (folder / 'gallery.json').write_bytes(pickle.dumps(RunsCode()))


MAKE = {
    'weights.pth': lambda file: torch.save({'state_dict': {}, 'x': RunsCode()}, file),
    'model.onnx': lambda file: torch.save({'x': RunsCode()}, file),
    'feats.npz': with_objects,
    'perm.mat': lambda file: file.write_bytes(pickle.dumps(RunsCode())),
    'said.json': lambda file: file.write_bytes(pickle.dumps(RunsCode())),
    'g.gallery': evil_gallery,
}
WEIGHTS, ARRAYS = 'weights.pth', 'feats.npz'

# The file, and what is typed behind `tsgan`, with FILE in its place
DOORS = {
    'resume': (WEIGHTS, ['train', BASELINE, '--resume', 'FILE', *OPTIONS]),
    'load_from': (WEIGHTS, ['train', BASELINE, *OPTIONS, 'load_from=FILE']),
    'encoder': (WEIGHTS, ['train', BASELINE, *OPTIONS, 'model.reid.encoder.checkpoint=FILE']),
    'permutations': ('perm.mat', ['train', BASELINE, *OPTIONS, 'val_evaluator.protocol.perm_file=FILE']),
    'test': (WEIGHTS, ['test', BASELINE, 'FILE', *OPTIONS]),
    'extract': (WEIGHTS, ['extract', 'photos', '--weights', 'FILE', '--out', 'out.npz']),
    'extract, ONNX': ('model.onnx', ['extract', 'photos', '--model', 'FILE', '--out', 'out.npz']),
    'search': (WEIGHTS, ['search', 'photos', '--gallery', 'photos', '--weights', 'FILE']),
    'search, gallery': ('g.gallery', ['search', 'photos', '--gallery', 'FILE']),
    'search, calibration': ('said.json', ['search', 'photos', '--gallery', 'photos', '--calibration', 'FILE']),
    'page': (WEIGHTS, ['page', '--port', '0', '--weights', 'FILE']),
    'page, gallery': ('g.gallery', ['page', '--port', '0', '--gallery', 'FILE']),
    'page, calibration': ('said.json', ['page', '--port', '0', '--calibration', 'FILE']),
    'export': (WEIGHTS, ['export', SHIPPED, 'FILE', '--out', 'out.onnx']),
    'publish': (WEIGHTS, ['publish', 'FILE', 'out.safetensors', '--config', BASELINE]),
    'vis-translation': (WEIGHTS, ['vis-translation', TEACHED, 'FILE']),
    'vis-ranking': (WEIGHTS, ['vis-ranking', BASELINE, 'FILE']),
    'vis-ranking, features': (ARRAYS, ['vis-ranking', 'FILE', '--protocol', 'regdb', '--root', 'data/synthetic']),
    'trivial-rankers': (WEIGHTS, ['trivial-rankers', 'data/synthetic', '--imagenet', 'FILE', '--seeds', '1']),
    'eval': (ARRAYS, ['eval', 'FILE', '--protocol', 'regdb']),
    'compare': (ARRAYS, ['compare', 'FILE', 'FILE', '--protocol', 'regdb']),
    'audit': (ARRAYS, ['audit', 'FILE', '--protocol', 'regdb']),
    'open-set': (ARRAYS, ['open-set', 'FILE', '--protocol', 'regdb']),
    'calibrate': (ARRAYS, ['calibrate', 'FILE', '--out', 'out.json']),
    'vis-tsne': (ARRAYS, ['vis-tsne', 'FILE']),
    'same-view': (ARRAYS, ['same-view', 'data/synthetic', 'FILE']),
    'report': ('said.json', ['report', 'work']),
    'report, features': (ARRAYS, ['report', 'tested', '--features', 'FILE', '--data-root', 'data/synthetic']),
    'seeds-table': ('said.json', ['seeds-table', '.']),
    'plot-log': ('said.json', ['plot-log', 'work']),
}  # fmt: skip
RUNS_OTHERS = {
    'demo', 'reproduce', 'regdb-splits',  # train and test, in folders of their own
    'render', 'browse-dataset', 'flops', 'test-cost', 'config',  # open no file but a config, and images
}  # fmt: skip


@pytest.fixture(scope='module')
def folder(workshop, tmp_path_factory):
    """Where the commands run: rendered people, photos, and every kind of file, each of which would run code."""
    folder = tmp_path_factory.mktemp('strangers')
    (folder / 'data').symlink_to(workshop / 'data')
    for name, make in MAKE.items():
        make(folder / name)
    (folder / 'photos').mkdir()
    for number in range(2):
        cv2.imwrite(str(folder / f'photos/{number}.png'), np.full((20, 10, 3), 40 * number + 9, np.uint8))
    for file in ('work/results.json', 'work/20260101_000000/vis_data/scalars.json'):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(2 * (pickle.dumps(RunsCode()) + b'\n'))
    row = dict.fromkeys(('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP', 'num_trials'), 1) | {'reranked': False}
    (folder / 'tested').mkdir()
    (folder / 'tested/results.json').write_text(json.dumps({'all_single': row, 'about': {}}))
    return folder


def test_every_command_that_opens_a_file_is_among_these():
    assert {line[0] for _, line in DOORS.values()} == command.COMMANDS.keys() - RUNS_OTHERS


@pytest.mark.slow
@pytest.mark.parametrize('door', DOORS)
def test_a_file_that_would_run_code_is_refused_by_name(folder, door, monkeypatch):
    monkeypatch.setitem(sys.modules, 'gradio', sys)  # takes seconds to import
    name, line = DOORS[door]
    line = [str(part).replace('FILE', name) for part in line]
    done = run([sys.executable, command.__file__, *line], folder, fails=True)
    assert done.code == 2 and done.error.startswith('error: '), done.text[-3000:]
    assert name in done.error or 'results.json' in done.error or 'scalars.json' in done.error
    assert not (folder / 'ran').exists()
