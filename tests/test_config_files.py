"""Config files as they are read: tsgan/config_files.py."""

import copy
from pathlib import Path

import pytest
from yapf.yapflib import yapf_api

from tsgan.config_files import read_config

CONFIG = Path(__file__).parents[1] / 'configs/tsgan_jd.py'


@pytest.fixture
def formatted(monkeypatch):
    """The texts that are formatted."""
    texts, formatting = [], yapf_api.FormatCode
    monkeypatch.setattr(
        yapf_api, 'FormatCode', lambda text, **style: (texts.append(text), formatting(text, **style))[1]
    )
    return texts


def test_a_config_and_its_copies_are_formatted_once_for_as_long_as_they_say_the_same(formatted, tmp_path):
    cfg = read_config(CONFIG)
    cfg.model.gan_weight = 0.1234  # what no test before has asked for
    text = cfg.pretty_text
    same = copy.deepcopy(cfg)
    same.dump(tmp_path / 'dumped.py')
    assert same.pretty_text == text == (tmp_path / 'dumped.py').read_text() and len(formatted) == 1
    same.model.gan_weight = 0.5678
    assert 'gan_weight=0.5678' in same.pretty_text and 'gan_weight=0.1234' in cfg.pretty_text


def test_what_is_written_of_a_config_is_the_config(tmp_path):
    cfg = read_config(CONFIG)
    cfg.dump(tmp_path / 'dumped.py')
    assert read_config(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()
