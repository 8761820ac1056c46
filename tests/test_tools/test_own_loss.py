"""A loss of one's own joins TS-GAN from a config and a file of ten lines; docs/guides/extend.md shows these two."""

import os
import re
import sys
from pathlib import Path

import pytest
from command_lines import run
from small_options import EPOCH, STUDENT, TSGAN

from tsgan.registry import MODELS

REPO = Path(__file__).parents[2]


def blocks():
    """Name -> text of the files that the page has as examples."""
    page = (REPO / 'docs/guides/extend.md').read_text(encoding='utf-8')
    return dict(re.findall(r'```python\n# (\w+\.py)\n(.*?)```', page, re.DOTALL))


def test_the_example_of_the_docs_joins_tsgan_and_is_logged_under_its_name(teacher, workshop, tmp_path, monkeypatch):
    files = blocks()
    assert files.keys() >= {'spread_loss.py', 'spread.py'} and files['spread_loss.py'].count('\n') <= 14
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    config, base = tmp_path / 'spread.py', 'configs/synthetic/backbone.py'
    assert base in files['spread.py']
    config.write_text(files['spread.py'].replace(base, f'{REPO}/configs/synthetic/tsgan_jd.py'))
    monkeypatch.setenv('PYTHONPATH', os.pathsep.join([str(tmp_path), str(REPO)]))
    work_dir = tmp_path / 'out'
    command = [sys.executable, REPO / 'tools/train.py', config, '--work-dir', work_dir]
    done = run([*command, '--cfg-options', 'load_from=None', *EPOCH, *STUDENT, *TSGAN], workshop, anew=True)
    values = [float(value) for value in re.findall(r'reid/loss_spread: (\S+)', done.text)]
    assert values and all(value > 0 for value in values)
    assert 'reid/spread_longest' in done.text and 'reid/loss_tri' in done.text


def test_its_registration_is_its_own():
    with pytest.raises(KeyError, match='SpreadLoss'):
        MODELS.build(dict(type='SpreadLoss'))
