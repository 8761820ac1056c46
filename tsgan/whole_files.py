"""Writes files at one stroke: what has the name of a file is a whole one, whatever interrupts its writing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(file: str | Path) -> Iterator[Path]:
    """A path to write to; what lies there at the end takes the place of ``file``, unless something goes wrong.

    Folders that are not there yet come with it.

    Raises:
        OSError: Naming the file, where it cannot be written; what had its name before stays.
    """
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f'{path.name}.unfinished')
    if unfinished.is_symlink():  # would lead the writing elsewhere
        unfinished.unlink()
    try:
        yield unfinished
        with unfinished.open('rb+') as written:
            os.fsync(written.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        if error.errno and error.filename in (None, str(unfinished)):  # `no space left` comes without one
            error.filename = str(path)
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(file: str | Path, content: str | bytes) -> None:
    """Write a file, text as UTF-8."""
    with whole_file(file) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
