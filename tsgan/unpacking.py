"""What an archive unpacks to, as its directory says it: bounded before any of it is unpacked."""

import lzma
import os
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

# What zipfile says of a damaged archive, as it opens or unpacks it.
DAMAGED = (BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError)
FREE = 2**30  # bytes that any file may unpack to
MAX_RATIO = 20  # and more, so many times its own size: weights and features of real trainings stay below 2


def most(path: str | Path) -> int:
    """The most bytes that a file may become in memory: 1 GiB, or 20 times its size."""
    return max(FREE, MAX_RATIO * os.path.getsize(path))


def check_unpacked(path: str | Path) -> None:
    """Whether the parts of a zip archive, ``.npz`` and ``.pth`` among them, unpack to no more than :func:`most`.

    Raises:
        BadZipFile: When it is no such archive, or half of one.
        ValueError: When they do not.
    """
    try:
        with ZipFile(path) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
    except (NotImplementedError, UnicodeDecodeError) as error:  # of a version or a name that no archive has
        raise BadZipFile(str(error)) from error
    if unpacked > most(path):
        raise ValueError(too_large(path, unpacked))


def too_large(path: str | Path, unpacked: int) -> str:
    return (
        f'{path} would become {unpacked:,} bytes in memory, and has {os.path.getsize(path):,}: expected at most '
        f'{MAX_RATIO} times its size, or {FREE:,}; it is taken for an attack.'
    )
