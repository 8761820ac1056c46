"""What writes documentation; docs/ and demo/ are no packages."""

import importlib.util
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


def load(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def maker():
    return load(REPO / 'docs/make_leaderboard.py')


@pytest.fixture(scope='session')
def screenshot():
    return load(REPO / 'demo/screenshot.py')
