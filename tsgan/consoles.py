"""Where progress is shown."""

import sys

from rich.console import Console


def progress_console(stderr: bool = False) -> Console:
    """For a bar: in a notebook one line when it is done, since what moves there would ask for ipywidgets."""
    in_notebook = 'ipykernel' in sys.modules
    return Console(stderr=stderr, force_jupyter=False, force_terminal=False if in_notebook else None)
