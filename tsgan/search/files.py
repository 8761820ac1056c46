"""The folder of a gallery: files that are written once, and a list of those that count, replaced when all are there."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError

import numpy as np
from filelock import FileLock, Timeout

from tsgan.file_kinds import kind_by_beginning
from tsgan.whole_files import write_whole

KIND, VERSION = 'tsgan gallery', 1
LIST, LOCK = 'gallery.json', '.lock'
KINDS = ('vectors', 'rows', 'index')  # what the names of all other files begin with


def new_name(kind: str) -> str:
    """Of a file that is not there yet."""
    return f'{kind}-{uuid.uuid4().hex[:12]}'


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Nobody else writes a gallery inside; its folder is made where there is none.

    Raises:
        FileExistsError: When the place is taken by something else.
        RuntimeError: When another process writes it.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f'{folder} is a file: a gallery is a folder of its own.')
    folder.mkdir(parents=True, exist_ok=True)
    refuse_link(folder / LOCK)  # it is emptied when it is opened
    if not (folder / LIST).exists() and any(not ours(path) for path in folder.iterdir()):
        raise FileExistsError(f'{folder} holds other things: a gallery needs a folder of its own.')
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        raise RuntimeError(f'{folder} is being written by another process: wait until that has ended.') from None


def is_in(folder: Path, file: Path | None) -> bool:
    """Whether a file lies in a folder, and is still there."""
    return file is not None and os.path.realpath(file.parent) == os.path.realpath(folder) and file.exists()


def file_in(folder: Path, name: str) -> Path:
    """The file of this name in a gallery's folder. Raises ValueError where it would lie elsewhere."""
    if Path(name).name != name:
        raise ValueError(f'{folder / LIST} names {name!r}, outside its folder: expected the name of a file in it.')
    refuse_link(folder / name)
    return folder / name


def refuse_link(file: Path) -> None:
    if file.is_symlink():
        raise ValueError(f'{file} is a link to {os.readlink(file)}: expected the file itself in the gallery.')


def ours(path: Path) -> bool:
    """Whether a file in a gallery's folder is one of its own, by its name."""
    return path.name in (LIST, LOCK, f'{LIST}.unfinished') or path.name.split('-')[0] in KINDS


def read_list(folder: Path) -> dict:
    """What a gallery consists of.

    Raises:
        FileNotFoundError: When there is nothing.
        ValueError: When it is no gallery, a damaged one, or one of a later version.
    """
    file = folder / LIST
    if not file.is_file():
        if not folder.exists():
            raise FileNotFoundError(f'no gallery at {folder}.')
        seems = 'a folder without gallery.json' if folder.is_dir() else seems_file(folder)
        raise ValueError(f'{folder} is no gallery but {seems}: expected what Gallery.save writes.')
    refuse_link(file)
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{file} is damaged: {error}.') from error
    if not isinstance(content, dict) or content.get('kind') != KIND:
        raise ValueError(f'{file} is of another program: expected what Gallery.save writes.')
    if content.get('version') != VERSION:
        raise ValueError(
            f'{folder} is a gallery of version {content.get("version")}, and this tsgan reads version {VERSION}: take '
            'the tsgan that made it, or build the gallery anew.'
        )
    expected = {
        'revision': str, 'complete': bool, 'model': str, 'fingerprint': str, 'dim': int, 'count': int,
        'engine': dict, 'state': dict, 'rows': str, 'files': list,
    }  # fmt: skip
    for name, kind in expected.items():
        if not isinstance(content.get(name), kind):
            raise ValueError(f'{file} is damaged: it has no {name!r}.')
    if content['dim'] < 1:
        raise ValueError(f'{file} is damaged: its dim is {content["dim"]}, expected at least 1.')
    return content


def seems_file(path: Path) -> str:
    with path.open('rb') as file:
        return kind_by_beginning(file.read(512)) or 'a file'


def write_list(folder: Path, content: dict) -> None:
    """From here on, the gallery is this; files that it no longer has are taken away."""
    text = json.dumps({'kind': KIND, 'version': VERSION, **content}, ensure_ascii=False, indent=1)
    write_whole(folder / LIST, text)
    keep = {LIST, LOCK, content['rows'], *content['files']}
    for path in folder.iterdir():
        if ours(path) and path.name not in keep:
            with suppress(OSError):  # the next time, then
                path.unlink()


def write_array(file: Path, array: np.ndarray) -> None:
    with file.open('wb') as opened:
        np.save(opened, array, allow_pickle=False)
        opened.flush()
        os.fsync(opened.fileno())


def open_array(file: Path, mapped: bool = False) -> np.ndarray:
    """Read an array, or map it.

    Raises:
        ValueError: When the file is damaged.
    """
    try:
        array = np.lib.format.open_memmap(file, mode='r')  # which looks whether the file is as long as it says
    except (ValueError, EOFError, TokenError, OverflowError, MemoryError) as error:
        raise ValueError(f'{file} is damaged: {error}.') from error
    return array if mapped else np.array(array)
