"""publish_model.py, and a test of what it has written, run as a user runs them."""

import json
import sys
from pathlib import Path

import pytest
import torch
from command_lines import run
from small_options import STUDENT, TSGAN

from tsgan.experiments import load_config
from tsgan.registry import MODELS

REPO = Path(__file__).parents[2]
TOOL = REPO / 'tools/model_converters/publish_model.py'


@pytest.fixture
def checkpoint(tmp_path):
    """Weights that nobody has trained, of a small TS-GAN that knows some people of the test."""
    cfg = load_config(str(REPO / 'configs/synthetic/tsgan_jd.py'), cfg_options=[*STUDENT, *TSGAN])
    meta = dict(epoch=1, trained_identities=['SYSUMM01/synthetic/1', 'SYSUMM01/synthetic/10'])
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict(), meta=meta), tmp_path / 'epoch_1.pth')
    return tmp_path / 'epoch_1.pth'


def test_a_published_model_is_tested_as_its_checkpoint_and_not_on_people_whom_it_knows(checkpoint, test, tmp_path):
    out = tmp_path / 'model.safetensors'
    command = [sys.executable, TOOL, checkpoint, out, '--config', REPO / 'configs/synthetic/tsgan_jd.py']
    done = run(command, tmp_path, anew=True)
    assert 'M values of generators and reid, float32' in done.text and (tmp_path / 'model.json').is_file()
    assert out.stat().st_size < 0.8 * checkpoint.stat().st_size
    where = ['--work-dir', tmp_path / 'tested']  # not that of a training
    said = test('tsgan_jd', out, *where, fails=True).error
    assert 'model.safetensors was trained on 1 of the 4 people of this test' in said
    content = torch.load(checkpoint)
    del content['meta']['trained_identities']
    torch.save(content, checkpoint)
    run(command, tmp_path)
    found = []
    for file in (checkpoint, out):
        test('tsgan_jd', file, *where, '--json', tmp_path / 'results.json')
        found.append(json.loads((tmp_path / 'results.json').read_text()))
        del found[-1]['about']
    assert found[0] == found[1]


def test_what_is_no_checkpoint_is_refused_in_a_sentence(tmp_path):
    said = run([sys.executable, TOOL, 'nothing.pth', 'model.safetensors'], tmp_path, fails=True).error
    assert said.startswith('error: no checkpoint at nothing.pth')
