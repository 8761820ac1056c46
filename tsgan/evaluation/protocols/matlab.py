"""Reads a cell array of tables of numbers from a MATLAB 5 file, and nothing else that such a file may hold.

SciPy's reader follows whatever a file says: cells in cells until the process ends, and packed parts of any size.
Source: MathWorks, "MAT-File Format", R2023a, chapter 1.
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np

MAX_BYTES = 2**26  # unpacked: SYSU-MM01's permutations are less than 2 MB
NUMBERS = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}  # by type
MATRIX, COMPRESSED = 14, 15
CELL, NUMERIC = 1, range(6, 16)  # classes of arrays


def read_cells(path: str | Path, name: str) -> list[list[np.ndarray]]:
    """The tables of a cell array of cell arrays of numbers, all of them in MATLAB's order.

    Args:
        path (str | Path): The file.
        name (str): The array's name.

    Returns:
        list[list[np.ndarray]]: Of each outer cell its inner ones, as they are stored.

    Raises:
        OSError: When there is no such file.
        ValueError: When it is no MATLAB 5 file, a damaged one, has no such array, or unpacks to more than 64 MiB.
    """
    with open(path, 'rb') as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f'{path} is larger than {MAX_BYTES:,} bytes: expected the array `{name}` alone.')
    order = {b'IM': '<', b'MI': '>'}.get(content[126:128])
    if order is None:
        raise ValueError(f'{path} is no MATLAB 5 file with a cell array `{name}`.')
    try:
        for kind, part in parts(content[128:], order):
            kind, part = unpacked(part, order) if kind == COMPRESSED else (kind, part)
            if kind == MATRIX and (found := array(part, order, depth=2, name=name)) is not None:
                return found
    except (ValueError, IndexError, struct.error, zlib.error, KeyError) as error:
        raise ValueError(f'{path} is no MATLAB 5 file with a cell array `{name}`, or a damaged one ({error}).') from (
            error
        )
    raise ValueError(f'{path} is no MATLAB 5 file with a cell array `{name}`: it has others.')


def parts(content: bytes | memoryview, order: str):
    """Type and bytes of the parts that stand one after the other."""
    at, content = 0, memoryview(content)
    while at + 8 <= len(content):
        kind, size = struct.unpack_from(f'{order}II', content, at)
        if kind >> 16:  # a small one: both in its first four bytes
            kind, size, begin, at = kind & 0xFFFF, kind >> 16, at + 4, at + 8
            if size > 4:
                raise ValueError('a small part of more than four bytes')
        else:
            begin = at + 8
            at = begin + size + (-size % 8 if kind != COMPRESSED else 0)
        if begin + size > len(content):
            raise ValueError('it ends within a part')
        yield kind, content[begin : begin + size]


def unpacked(content: memoryview, order: str) -> tuple[int, memoryview]:
    """The one part that is packed in another."""
    whole = zlib.decompressobj().decompress(content, MAX_BYTES + 1)
    if len(whole) > MAX_BYTES:
        raise ValueError(f'it unpacks to more than {MAX_BYTES:,} bytes')
    return next(parts(whole, order), (0, memoryview(b'')))


def array(content: memoryview, order: str, depth: int, name: str | None = None) -> np.ndarray | list | None:
    """A table of numbers at depth 0, else a list of the cells of an array; None of one by another name."""
    if not content:  # how an empty one may be stored
        return None if name is not None else [] if depth else np.empty((0, 0))
    inside = parts(content, order)
    (_, flags), (_, dims), (_, called) = (next(inside, (0, b'')) for _ in range(3))
    if name is not None and bytes(called) != name.encode():
        return None
    kind = struct.unpack(f'{order}I', flags[:4])[0] & 0xFF
    shape = struct.unpack(f'{order}{len(dims) // 4}i', dims)
    count = math.prod(shape)
    if kind != CELL if depth else kind not in NUMERIC:
        raise ValueError(f'an array of class {kind}, where {"cells" if depth else "numbers"} were expected')
    if depth:
        cells = [array(part, order, depth - 1) for _, part in inside]
        if len(cells) != count:
            raise ValueError(f'{len(cells)} cells, where {count} were expected')
        return cells
    kind, stored = next(inside, (2, b''))
    numbers = np.frombuffer(stored, order + NUMBERS[kind])
    if len(numbers) != count:
        raise ValueError(f'{len(numbers)} numbers in a table of {count}')
    return numbers.reshape(shape, order='F')
