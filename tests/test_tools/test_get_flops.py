"""get_flops.py, run as a user runs it."""

import sys
from pathlib import Path

import pytest
import torch
from command_lines import run
from mmengine.config import Config

from tsgan.registry import MODELS

REPO = Path(__file__).parents[2]
TOOL = REPO / 'tools/analysis_tools/get_flops.py'


def costs(*arguments, anew=False):
    """Config and modality -> size, parameters in millions, GFLOPs."""
    text = run([sys.executable, TOOL, *arguments], REPO, anew=anew).text
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith('| `')]
    return {(Path(row[0].strip('`')).stem, row[1]): (row[2], float(row[3]), float(row[4])) for row in rows}


def counted(network, height, width):
    """Operations of convolutions and linear layers, one after the other."""
    total = []

    def count(module, args, out):
        area = out[0, 0].numel() if out.dim() == 4 else 1
        total.append(2 * module.weight.numel() * area)

    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            module.register_forward_hook(count)
    network(torch.zeros(1, 3, height, width))
    return sum(total)


def test_operations_are_those_of_its_layers_one_by_one():
    config = REPO / 'configs/synthetic/backbone.py'
    network = MODELS.build(Config.fromfile(config).model.reid).eval()
    (found,) = costs(config, anew=True).values()
    parameters = sum(p.numel() for p in network.parameters())
    assert found == (
        '96x48',
        pytest.approx(parameters / 1e6, abs=0.01),
        pytest.approx(counted(network, 96, 48) / 1e9, abs=5e-4),
    )
    (found,) = costs(config, '--shape', 64, 32).values()
    assert found[0] == '64x32' and found[2] == pytest.approx(counted(network, 64, 32) / 1e9, abs=5e-4)


def test_a_modality_that_costs_more_has_a_row_of_its_own_and_a_model_may_be_named():
    found = costs('tsgan-jd_small_synthetic', REPO / 'configs/synthetic/rivals/align_gan.py')
    assert list(found) == [
        ('tsgan-jd_small_synthetic', 'RGB, IR'), ('align_gan', 'RGB'), ('align_gan', 'IR'),
    ]  # fmt: skip
    assert found['align_gan', 'RGB'][2] > 1.5 * found['align_gan', 'IR'][2]


def test_a_model_that_is_not_there_is_refused_in_a_sentence():
    said = run([sys.executable, TOOL, 'nothing'], REPO, fails=True).error
    assert said.startswith('error: no model is called nothing')
    said = run([sys.executable, TOOL, 'nothing', '--shape', 0, 5], REPO, fails=True).error
    assert 'expected a height and a width from 1: not 0 and 5.' in said
