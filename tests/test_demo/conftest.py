import pytest
from scripts import load


@pytest.fixture(scope='session')
def app():
    return load('demo/app.py')
