"""export_onnx.py, run as a user runs it."""

import re
import sys
from pathlib import Path

import pytest
import torch
from command_lines import run
from small_options import STUDENT

from tsgan.experiments import load_config
from tsgan.registry import MODELS

REPO = Path(__file__).parents[2]
TOOL = REPO / 'tools/deployment/export_onnx.py'


@pytest.fixture
def model(tmp_path):
    """A small model: ``small.py`` and its weights, ``epoch_1.pth``."""
    cfg = load_config(str(REPO / 'configs/synthetic/backbone.py'), cfg_options=STUDENT)
    cfg.dump(tmp_path / 'small.py')
    torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'epoch_1.pth')


def test_a_model_is_exported_quantised_and_measured_by_one_command(model, workshop, tmp_path):
    command = [
        sys.executable,
        TOOL,
        'small.py',
        'epoch_1.pth',
        '--out',
        'new/model.onnx',
        '--with-preprocess',
        '--int8',
    ]
    command += ['--calibration', workshop / 'data/synthetic/cam1', '--measure', workshop / 'data/synthetic']
    text = run(command, tmp_path, anew=True).text
    names = sorted(path.name for path in (tmp_path / 'new').iterdir())
    assert names == ['model.onnx', 'model_int8.onnx']
    differences = re.findall(r'largest difference to (.+): (\S+)', text)
    assert [name for name, _ in differences] == ['PyTorch, over 64 images', 'the features of ReIDInferencer']
    assert all(0 <= float(value) < 1e-4 for _, value in differences)
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith('| ')][1:]
    assert [row[1] for row in rows[:3]] == ['PyTorch', 'ONNX Runtime', 'ONNX Runtime, int8'] and len(rows) == 12
    for torch_row, row in zip(rows[::3], rows[1::3], strict=True):
        assert float(torch_row[3].split()[0]) == pytest.approx(float(row[3].split()[0]), abs=0.1)
    assert 'Warning' not in text


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['small.py', '--out', 'a.onnx'], 'error: small.py comes without weights'),
        (['small.py', 'no.pth', '--out', 'a.onnx'], 'error: no checkpoint at no.pth'),
        (['nobody', '--out', 'a.onnx'], 'error: no model is called nobody'),
        (['small.py', 'epoch_1.pth', '--out', 'a.pth'], 'expected a name that ends with .onnx'),
        (['small.py', 'epoch_1.pth', '--out', 'a.onnx', '--calibration', '.'], '--calibration is for --int8'),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(model, arguments, said, tmp_path):
    error = run([sys.executable, TOOL, *arguments], tmp_path, fails=True).error
    assert said in error and not (tmp_path / 'a.onnx').exists()
