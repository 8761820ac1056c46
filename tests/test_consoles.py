"""Progress, in a terminal and in a notebook."""

import io
import sys

import pytest
from rich import get_console
from rich.progress import Progress

from tsgan.consoles import progress_console


@pytest.mark.parametrize('notebook', [False, True])
def test_a_bar_moves_in_a_terminal_and_is_one_line_in_a_notebook(notebook, monkeypatch):
    monkeypatch.delenv('FORCE_COLOR', raising=False)
    monkeypatch.setattr(type(get_console()), 'is_dumb_terminal', False)
    if notebook:
        monkeypatch.setitem(sys.modules, 'ipykernel', sys)
    else:
        monkeypatch.delitem(sys.modules, 'ipykernel', raising=False)
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # as a notebook's output says, too
    monkeypatch.setattr(sys, 'stdout', terminal)
    console = progress_console()
    with Progress(console=console) as bar:
        bar.advance(bar.add_task('', total=3), 3)
    assert not console.is_jupyter
    assert ('\x1b' in terminal.getvalue()) != notebook
    assert not notebook or len(terminal.getvalue().splitlines()) == 1
