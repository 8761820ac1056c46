import subprocess
import sys
from pathlib import Path

import pytest
from scripts import load

REPO = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def maker():
    return load('docs/make_leaderboard.py')


@pytest.fixture(scope='session')
def built(tmp_path_factory):
    """The documentation as HTML, and what Sphinx warned of."""
    for module in ('sphinx', 'myst_parser', 'furo'):
        pytest.importorskip(module)
    html = tmp_path_factory.mktemp('html')
    done = subprocess.run(
        [sys.executable, '-m', 'sphinx', '-q', REPO / 'docs', html], capture_output=True, text=True, check=True
    )
    return html, done.stderr
