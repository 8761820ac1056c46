"""The notebooks of demo/: run top to bottom as they were, and what they show is what they give."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest
from command_lines import run

REPO = Path(__file__).parents[2]
NOTEBOOKS = sorted((REPO / 'demo').glob('*.ipynb'))
each = pytest.mark.parametrize('file', NOTEBOOKS, ids=lambda file: file.name)


def cells_of(file, kind='code'):
    return [cell for cell in json.loads(file.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == kind]


def source(cell):
    return ''.join(cell['source'])


def printed(cell):
    """The lines that a cell has printed, with # for every number: those are of a machine and its versions."""
    text = ''.join(''.join(out['text']) for out in cell['outputs'] if out.get('name') == 'stdout')
    lines = [line for line in text.splitlines() if '━' not in line and not line.startswith('images: ')]  # progress
    return [re.sub(r'\s+', ' ', re.sub(r'-?\d[\d.]*', '#', line)) for line in lines if line.strip()]


def pictures(cell):
    kinds = [kind for out in cell['outputs'] for kind in out.get('data', {})]
    return any(kind.startswith('image/') for kind in kinds)


def test_there_is_one_for_each_thing_that_a_user_does():
    assert [file.stem for file in NOTEBOOKS] == ['calibrate', 'search', 'train']


@each
def test_it_was_run_top_to_bottom_and_is_small(file):
    cells = cells_of(file)
    assert [cell['execution_count'] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(out['output_type'] != 'error' and out.get('name') != 'stderr' for c in cells for out in c['outputs'])
    assert any(pictures(cell) for cell in cells) and sum(map(bool, map(printed, cells))) > 2
    assert file.stat().st_size < 600_000
    assert str(REPO) not in file.read_text(encoding='utf-8')


@each
def test_it_begins_with_what_it_is_and_tells_before_it_does(file):
    kinds = [cell['cell_type'] for cell in json.loads(file.read_text(encoding='utf-8'))['cells']]
    assert kinds[0] == 'markdown' and source(cells_of(file, 'markdown')[0]).startswith('# ')
    for cell in cells_of(file):
        ast.parse(source(cell))  # Python alone, and no magic: runs without Jupyter, too


@pytest.mark.parametrize('name', ['search', 'calibrate'])
def test_its_cells_run_without_jupyter_too(name, tmp_path):
    cells = '\n'.join(map(source, cells_of(REPO / f'demo/{name}.ipynb')))
    (tmp_path / 'cells.py').write_text(cells, encoding='utf-8')
    run([sys.executable, tmp_path / 'cells.py'], tmp_path)


@pytest.mark.slow
@each
def test_it_runs_top_to_bottom_and_gives_what_it_shows(file, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    shown, book = cells_of(file), nbformat.read(file, as_version=4)
    NotebookClient(book, timeout=600, resources={'metadata': {'path': str(tmp_path)}}).execute()
    assert 'UserWarning' not in nbformat.writes(book)
    for before, after in zip(shown, (cell for cell in book.cells if cell.cell_type == 'code'), strict=True):
        assert printed(after) == printed(before)
        assert pictures(after) == pictures(before)
