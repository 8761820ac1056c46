import pytest
from scripts import load


@pytest.fixture(scope='session')
def maker():
    return load('docs/make_leaderboard.py')
