"""The reader of permutations, against SciPy's, and on files that would have that one go on without end."""

import random
import struct
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tsgan.evaluation.protocols import matlab
from tsgan.evaluation.protocols.matlab import read_cells


def cells_of(tables):
    cells = np.empty((len(tables), 1), object)
    for at, row in enumerate(tables):
        cells[at, 0] = np.empty((1, len(row)), object)
        cells[at, 0][0, :] = row
    return cells


def tables(dtype):
    rng = np.random.default_rng(0)
    return [[(rng.random((10, n)) * 99).astype(dtype) for n in (3, 0, 1, 7)] for _ in range(3)]


def part(kind, content, pad=True):
    return struct.pack('<II', kind, len(content)) + content + bytes(-len(content) % 8 if pad else 0)


def array(kind, shape, name, *inside):
    about = part(6, struct.pack('<II', kind, 0)) + part(5, struct.pack(f'<{len(shape)}i', *shape)) + part(1, name)
    return part(14, about + b''.join(inside))


def written(file, *parts):
    file.write_bytes(b'MATLAB 5.0 MAT-file'.ljust(124) + b'\0\1IM' + b''.join(parts))
    return file


@pytest.mark.parametrize('packed', [False, True])
@pytest.mark.parametrize('dtype', ['u1', 'i2', 'u2', 'i4', 'u4', 'i8', 'f4', 'f8'])
def test_it_reads_what_scipy_reads(tmp_path, dtype, packed):
    file = tmp_path / 'a.mat'
    others = {'before': np.arange(5), 'text': 'x', 'after': {'a': 1}}
    savemat(file, {**others, 'mine': cells_of(tables(dtype))}, do_compression=packed)
    found, wanted = read_cells(file, 'mine'), loadmat(file)['mine'].ravel()
    assert len(found) == len(wanted)
    for row, cell in zip(found, wanted, strict=True):
        for table, true in zip(row, cell.ravel(), strict=True):
            assert table.size == true.size and (not true.size or np.array_equal(table, true))


def test_a_packed_part_is_unpacked_to_a_bound_and_no_further(tmp_path):
    packed = part(15, zlib.compress(bytes(matlab.MAX_BYTES + 1)), pad=False)
    with pytest.raises(ValueError, match='a.mat is no MATLAB 5 file .*it unpacks to more than 67,108,864 bytes'):
        read_cells(written(tmp_path / 'a.mat', packed), 'mine')
    with (tmp_path / 'b.mat').open('wb') as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match='b.mat is larger than 67,108,864 bytes'):
        read_cells(tmp_path / 'b.mat', 'mine')


def test_cells_in_cells_without_end_are_refused(tmp_path):
    inside = array(6, (1, 1), b'', part(9, struct.pack('<d', 1)))
    sizes, heads = len(inside), []
    for _ in range(50_000):
        head = array(1, (1, 1), b'mine')[8:]
        sizes += len(head)
        heads.append(struct.pack('<II', 14, sizes) + head)
        sizes += 8
    file = written(tmp_path / 'a.mat', *reversed(heads), inside)
    with pytest.raises(ValueError, match='a.mat is no MATLAB 5 file .*numbers were expected'):
        read_cells(file, 'mine')


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (array(1, (10**5, 10**4), b'mine'), '0 cells, where 1000000000 were expected'),
        (array(1, (-1, 2), b'mine'), '0 cells, where -2 were expected'),
        (array(1, (1, 1), b'mine', array(1, (1, 1), b'', array(9, (10**9, 9), b'', part(2, b'12')))), '2 numbers in a'),
        (array(1, (1, 1), b'mine', array(1, (1, 1), b'', array(3, (1, 1), b''))), 'an array of class 3'),
        (array(17, (1, 1), b'mine'), 'an array of class 17, where cells were expected'),
        (part(14, b''), 'it has others'),
        (struct.pack('<II', 14, 2**31), 'it ends within a part'),
        (part(15, b'no zlib', pad=False), 'incorrect header check'),
    ],
    ids=['many', 'fewer than none', 'long', 'object', 'opaque', 'nothing', 'cut off', 'not packed'],
)
def test_a_file_that_does_not_hold_what_it_says_is_refused(tmp_path, content, said):
    with pytest.raises(ValueError, match='a.mat is no MATLAB 5 file with a cell array `mine`') as error:
        read_cells(written(tmp_path / 'a.mat', content), 'mine')
    assert said in str(error.value)


@pytest.mark.parametrize('packed', [False, True])
def test_a_file_with_any_byte_changed_is_read_or_refused_in_a_sentence(tmp_path, packed):
    file, draw = tmp_path / 'a.mat', random.Random(0)
    savemat(file, {'mine': cells_of(tables('u1'))}, do_compression=packed)
    content = file.read_bytes()
    for _ in range(250):
        spoilt = bytearray(content)
        spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
        file.write_bytes(spoilt[: draw.choice([len(spoilt), draw.randrange(len(spoilt))])])
        try:
            read_cells(file, 'mine')
        except ValueError as error:
            assert str(error).startswith(f'{file} is no MATLAB 5 file')
