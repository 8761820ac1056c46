"""Every block of code of the README and the documentation runs, on rendered people and in small: tests/reader.py.

A page is read from top to bottom in a checkout of its own, made by tests/small_checkout.py.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from reader import blocks
from small_checkout import make_small_checkout

REPO = Path(__file__).parents[2]
FILES = [REPO / 'README.md', REPO / 'CONTRIBUTING.md', *sorted((REPO / 'docs').rglob('*.md'))]
PAGES = [str(file.relative_to(REPO)) for file in FILES if file.is_file() and list(blocks(file))]

PICTURES = ('data', 'known', 'gallery', 'photos', 'queries', 'infrared', 'colour', 'DIR')  # nobody writes into them


@pytest.fixture(scope='session')
def checkout(shared, once):
    root = shared / 'checkout'
    root.mkdir(exist_ok=True)
    once('checkout', lambda: make_small_checkout(root))
    return root


def copy_or_share(source, target):
    """Checkpoints, which are replaced and never changed, take no room."""
    (os.link if source.endswith('.pth') else shutil.copy2)(source, target)


@pytest.mark.slow
@pytest.mark.parametrize('where', PAGES)
def test_a_reader_who_does_what_a_page_says_gets_through(where, checkout, tmp_path):
    own = tmp_path / 'tsgan'
    shutil.copytree(checkout, own, symlinks=True, ignore=shutil.ignore_patterns(*PICTURES), copy_function=copy_or_share)
    (own / 'data').mkdir()
    for folder in [*checkout.glob('data/*'), *(checkout / name for name in PICTURES if name != 'data')]:
        (own / folder.relative_to(checkout)).symlink_to(folder)
    path = os.pathsep.join([str(own), str(own / 'tests'), os.environ.get('PYTHONPATH', '')])
    done = subprocess.run(
        [sys.executable, 'tests/reader.py', where],
        cwd=own,
        env=dict(os.environ, PYTHONPATH=path, CUDA_VISIBLE_DEVICES=''),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout.splitlines()[-1]
