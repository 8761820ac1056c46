"""Whatever opens a file is handed one that would run code, and one that would fill the memory, by a program's calls."""

import copy
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_models import BASELINE, STUDENT, build

from tsgan import checkpoints
from tsgan.apis import Gallery, ReIDInferencer, export_onnx, get_model
from tsgan.apis.export import OnnxNetwork
from tsgan.checkpoints import open_checkpoint
from tsgan.command_line import add_trust
from tsgan.config_files import read_config
from tsgan.evaluation import SYSUMM01Protocol
from tsgan.evaluation.calibration import Calibration
from tsgan.evaluation.features import load_features, load_image_features, load_labelled_features
from tsgan.experiments.publish import publish
from tsgan.experiments.runs import continue_from, describe_tested

ROOT = Path(__file__).parents[1]
SHIPPED = 'tsgan-jd_small_synthetic'


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def weights():
    torch.save({'state_dict': {}, 'x': RunsCode()}, 'evil')


def a_pickle():
    Path('evil').write_bytes(pickle.dumps(RunsCode()))


def arrays():
    sides = [f'{side}_{name}' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids')]
    columns = ['feats', 'pids', 'camids', 'paths', 'identities', 'modalities', 'model', 'fingerprint']
    with open('evil', 'wb') as file:
        np.savez(file, **dict.fromkeys([*sides, *columns], np.array([RunsCode()], object)))


def config():
    return Config(copy.deepcopy(dict(model=BASELINE, default_scope='tsgan', train_cfg={}, test_evaluator={})))


def encoder(**backbone):
    """The encoder of a network, with weights to begin with."""
    return build(dict(type='Encoder', backbone={**STUDENT, **backbone}))


DOORS = {
    'resume': lambda: continue_from(config(), 'evil'),
    'describe_tested': lambda: describe_tested(config(), 'evil'),
    'encoder': lambda: build(
        dict(type='Encoder', backbone=STUDENT, checkpoint='evil', trained_by='somebody')
    ).init_weights(),
    'init_cfg': lambda: encoder(init_cfg=dict(type='Pretrained', checkpoint='evil')).init_weights(),
    'get_model': lambda: get_model(SHIPPED, 'evil', 'cpu'),
    'inferencer': lambda: ReIDInferencer(SHIPPED, 'evil', 'cpu'),
    'export_onnx': lambda: export_onnx(SHIPPED, 'out.onnx', 'evil'),
    'publish': lambda: publish('evil', 'out.safetensors'),
}
ARRAYS = {'features': load_features, 'images': load_image_features, 'labelled': load_labelled_features}
OTHERS = {
    **ARRAYS,
    'permutations': lambda file: SYSUMM01Protocol(perm_file=file),
    'calibration': Calibration.load,
    'onnx': OnnxNetwork,
    'gallery': Gallery.load,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('make', [weights, a_pickle])
@pytest.mark.parametrize('door', DOORS)
def test_weights_that_would_run_code_are_refused_by_name_wherever_they_are_opened(door, make):
    make()
    with pytest.raises(RuntimeError, match='^evil cannot be read as weights: it seems to be '):
        DOORS[door]()
    assert not Path('ran').exists()


@pytest.mark.parametrize(('door', 'make'), [(d, m) for d in OTHERS for m in ([arrays] if d in ARRAYS else []) + [a_pickle]])
def test_other_files_that_would_run_code_are_refused_by_name(door, make):
    make()
    with pytest.raises(ValueError, match='^evil'):
        OTHERS[door]('evil')
    assert not Path('ran').exists()
