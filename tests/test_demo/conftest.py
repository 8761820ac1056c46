"""The page's modules; demo/ is no package."""

import importlib.util
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / 'demo'


def load(name):
    spec = importlib.util.spec_from_file_location(f'demo_{name}', DEMO / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def app():
    return load('app')


@pytest.fixture(scope='session')
def screenshot():
    return load('screenshot')
