"""The table of features, and its file: what it holds, and what is refused in a sentence."""

import io
import pickle
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tsgan.checkpoints import open_checkpoint
from tsgan.evaluation import (
    FeatureTable,
    SYSUMM01Protocol,
    evaluate,
    holds_image_features,
    load_features,
    load_image_features,
    save_features,
    save_image_features,
)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(bad):
    feats = np.ones((5, 3))
    feats[3, 1] = bad
    with pytest.raises(ValueError, match='1 of 5 rows hold NaN or infinity, the first is row 3'):
        FeatureTable(feats, np.ones(5), np.ones(5))


def test_tables_that_do_not_fit_together_are_refused():
    feats, ones = np.ones((5, 3)), np.ones(5)
    with pytest.raises(ValueError, match='pids has shape'):
        FeatureTable(feats, ones[:4], ones)
    with pytest.raises(ValueError, match='frames has shape'):
        FeatureTable(feats, ones, ones, ones[:4])
    with pytest.raises(ValueError, match='shape \\(N, D\\)'):
        FeatureTable(feats[0], ones, ones)
    with pytest.raises(ValueError, match='camids must be integers'):
        FeatureTable(feats, ones, ones / 2)
    with pytest.raises(ValueError, match='pids must be integers'):
        FeatureTable(feats, ['a', 'b', 'c', 'd', 'e'], ones)
    with pytest.raises(ValueError, match='pids must be integers'):
        FeatureTable(feats, ones * np.nan, ones)
    with pytest.raises(ValueError, match='real numbers, not complex128'):
        FeatureTable(feats * 1j, ones, ones)
    with pytest.raises(ValueError, match=r'query_feats must be .* not \(0, 3\)'):
        FeatureTable.from_query_gallery(feats[:0], ones[:0], ones[:0], feats, ones, ones)
    with pytest.raises(ValueError, match="'rgb' or 'ir'"):
        FeatureTable(feats, ones, ones, modalities=['rgb'] * 4 + ['thermal'])
    with pytest.raises(ValueError, match='gallery_pids has shape'):
        FeatureTable.from_query_gallery(feats, ones, ones, feats, ones[:4], ones)
    with pytest.raises(ValueError, match='gallery_feats'):
        FeatureTable.from_query_gallery(feats, ones, ones, feats[:, :2], ones, ones)


def test_a_features_file_gives_the_same_numbers(table, perm_file, tmp_path):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    path = str(tmp_path / 'new' / 'features.npz')
    save_features(path, table)
    loaded = load_features(path)
    assert evaluate(loaded, protocol) == evaluate(table, protocol)
    with np.load(path) as arrays:
        assert (arrays['query_feats'].shape, arrays['gallery_feats'].shape) == ((16, 6), (60, 6))
        np.savez(path, **{key: value for key, value in arrays.items() if key != 'query_frames'})
    assert evaluate(load_features(path), protocol) == evaluate(table, protocol)


def test_a_features_file_names_its_images_by_their_place_in_the_data_set(table, tmp_path):
    root, path = tmp_path / 'data', tmp_path / 'features.npz'
    files = [str(root / f'rgb/Jürgen/{row}.jpg') for row in range(len(table))]
    files[0] = str(tmp_path / 'database/0.jpg')  # beside the data set, though its name begins alike
    named = replace(table, paths=files)
    save_features(path, named, str(root))
    infrared = table.modalities == 'ir'
    with np.load(path) as arrays:
        assert arrays['query_paths'].dtype.kind == 'U'
        below = [f'rgb/Jürgen/{row}.jpg' for row in range(1, len(table))]
        expected = np.array([files[0], *below])
        assert arrays['query_paths'].tolist() == expected[infrared].tolist()
        assert arrays['gallery_paths'].tolist() == expected[~infrared].tolist()
        np.savez(path, **{key: value for key, value in arrays.items() if key != 'gallery_paths'})
    loaded = load_features(path)
    assert loaded.paths.tolist() == [*expected[infrared], *[''] * (~infrared).sum()]
    assert loaded.name_row(1) == f'row 1 of the IR images ({expected[infrared][1]})'
    assert loaded.name_row(75) == 'row 59 of the RGB images'
    save_features(path, table)
    assert load_features(path).paths is None


def test_a_file_is_written_whole_and_by_the_name_that_is_asked_for(table, tmp_path):
    save_features(tmp_path / 'features', table)
    assert [file.name for file in tmp_path.iterdir()] == ['features']


def file_of(arrays, save=np.savez):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def zip_of(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for name in names:
            archive.writestr(name, b'content')
    return file.getvalue()


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (b'', 'is no NPZ file but empty'),
        (b'pid,camid,f1,f2\n1,3,0.5,0.25\n' * 50, 'is no NPZ file but a text file'),
        ('identité;caméra\n'.encode('latin-1'), 'is no NPZ file but a text file'),
        (pickle.dumps({'query_feats': [1, 2]}), 'is no NPZ file but a Python pickle'),
        (b'\x89HDF\r\n\x1a\n' + bytes(100), 'is no NPZ file but an HDF5 file'),
        (b'MATLAB 5.0 MAT-file, Platform: GLNXA64' + bytes(100), 'is no NPZ file but a MATLAB file'),
        (b'\x1f\x8b\x08\x00' + bytes(9), 'is no NPZ file but a gzip archive'),
        (bytes(range(256)), 'is no NPZ file but of another kind'),
        (zip_of('archive/data.pkl', 'archive/data/0'), 'is no NPZ file but a PyTorch file'),
        (zip_of('[Content_Types].xml'), 'is no NPZ file but a ZIP archive without arrays'),
        (zip_of(), 'is no NPZ file but a ZIP archive without arrays'),
        (zip_of(*(f'{side}_{name}.npy' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids'))),
         'or a damaged one'),
    ],
)  # fmt: skip
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path, content, said):
    path = tmp_path / 'features.npz'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'features.npz {said}' if said.startswith('is') else said) as error:
        load_features(path)
    assert 'pickle=' not in str(error.value)


@pytest.fixture
def arrays():
    """Of a good file: two queries, three gallery images."""
    draws, made = np.random.default_rng(0), {}
    for side, count in (('query', 2), ('gallery', 3)):
        made[f'{side}_feats'] = draws.normal(size=(count, 4))
        made |= {f'{side}_{name}': np.arange(1, count + 1) for name in ('pids', 'camids', 'frames')}
    return made


class Trap:
    def __reduce__(self):
        return pytest.fail, ('unpickled',)


@pytest.mark.parametrize('key', ['query_pids', 'gallery_feats', 'query_frames', 'gallery_paths'])
def test_an_array_of_objects_is_named_and_never_unpickled(arrays, tmp_path, key):
    path, objects = tmp_path / 'features.npz', np.empty(2, object)
    objects[:] = [Trap(), Trap()]
    np.savez(path, **arrays | {key: objects})
    with pytest.raises(ValueError, match=f'features.npz: {key} of Python objects') as error:
        load_features(path)
    assert 'allow_pickle' not in str(error.value)
    np.savez(path, **arrays, epoch=objects)  # nobody asks for it
    assert len(load_features(path)) == 5


@pytest.mark.parametrize('shape', ['(1, (2', '"' * 3, '(' * 2000, f'({2**70},)', '-' * 3000 + '1'])
def test_a_header_that_numpy_cannot_take_apart_is_refused(arrays, tmp_path, shape):
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    path = tmp_path / 'features.npz'
    with zipfile.ZipFile(path, 'w') as archive:
        for key in arrays:
            archive.writestr(f'{key}.npy', b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little') + text)
    with pytest.raises(ValueError, match='features.npz is no NPZ file of arrays, or a damaged one'):
        load_features(path)


READ = 'features.npz (is no NPZ file|cannot be read as weights)'


@pytest.mark.parametrize('method', [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packed_numbers_that_do_not_unpack_are_refused(arrays, tmp_path, method):
    path = tmp_path / 'features.npz'
    with zipfile.ZipFile(path, 'w', method) as archive, zipfile.ZipFile(io.BytesIO(file_of(arrays))) as plain:
        for part in plain.namelist():
            archive.writestr(part, plain.read(part))
    assert len(load_features(path)) == 5
    content = bytearray(path.read_bytes())
    content[60:120] = b'\xff' * 60
    path.write_bytes(content)
    for read in (load_features, open_checkpoint):
        with pytest.raises((ValueError, RuntimeError), match=READ):
            read(str(path))


@pytest.mark.parametrize(('at', 'byte'), [(6, 99), (46, 255)], ids=['a version to come', 'no letter in a name'])
def test_a_directory_that_zipfile_does_not_read_is_refused(arrays, tmp_path, at, byte):
    content = bytearray(file_of(arrays))
    first = content.index(b'PK\x01\x02')
    content[first + 9] |= 8  # names are UTF-8
    content[first + at] = byte
    path = tmp_path / 'features.npz'
    path.write_bytes(content)
    for read in (load_features, open_checkpoint):
        with pytest.raises((ValueError, RuntimeError), match=READ):
            read(str(path))
    assert not holds_image_features(str(path))


@pytest.mark.parametrize('save', [np.savez, np.savez_compressed])
@pytest.mark.parametrize('spoil', ['cut', 'flip'])
def test_a_damaged_file_is_refused(arrays, tmp_path, save, spoil):
    content = bytearray(file_of(arrays, save))
    path = tmp_path / 'features.npz'
    path.write_bytes(content)
    assert len(load_features(path)) == 5
    if spoil == 'cut':
        content = content[: len(content) // 2]
    else:
        content[180] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match='features.npz is no NPZ file of arrays, or a damaged one'):
        load_features(path)


@pytest.mark.parametrize(
    ('key', 'column', 'said'),
    [
        ('query_pids', np.array(['0001', '0002']), 'query_pids must be integers, not text'),
        ('gallery_pids', np.array([1.0, 2.5, 3.0]), 'gallery_pids must be integers: row 1 holds 2.5'),
        ('gallery_camids', np.array([1, 2, np.nan]), 'gallery_camids must be integers: row 2 holds nan'),
        ('query_camids', np.array([1, 1e300]), r'query_camids must be integers: row 1 holds 1e\+300'),
        ('gallery_frames', np.array([1, 2**63 + 1, 3], np.uint64), 'gallery_frames must be integers: row 1 holds'),
        ('query_pids', np.array([[1], [2]]), r'query_pids has shape \(2, 1\) beside 2 query_feats: expected.*\(2,\)'),
        ('query_paths', np.array(['a.jpg']), r'query_paths has shape \(1,\) beside 2 query_feats'),
        ('query_feats', np.zeros((2, 4), complex), 'query_feats must be real numbers, not complex128'),
        ('query_feats', np.zeros(4), r'query_feats must be a table of shape \(N, D\)'),
        ('gallery_feats', np.array([[0, 1, 2, 3], [4, np.inf, 5, 6], [7, 8, 9, 1]]),
         'gallery_feats must be finite: 1 of 3 rows hold NaN or infinity, the first is row 1'),
    ],
)  # fmt: skip
def test_a_spoilt_column_is_named_with_its_first_bad_row(arrays, tmp_path, key, column, said):
    np.savez(tmp_path / 'features.npz', **arrays | {key: column})
    with pytest.raises(ValueError, match=f'features.npz: {said}'):
        load_features(tmp_path / 'features.npz')


def test_labels_may_be_whole_numbers_of_any_type(arrays, tmp_path):
    kinds = {'query_pids': np.float32, 'gallery_pids': np.uint8, 'query_camids': np.float64, 'gallery_camids': np.int16}
    np.savez(tmp_path / 'features.npz', **arrays | {key: arrays[key].astype(kind) for key, kind in kinds.items()})
    loaded = load_features(tmp_path / 'features.npz')
    assert loaded.pids.tolist() == loaded.camids.tolist() == [1, 2, 1, 2, 3]


def test_one_modality_saved_for_both_is_refused(arrays, tmp_path):
    twice = arrays | {f'query_{key}': arrays[f'gallery_{key}'] for key in ('feats', 'pids', 'camids', 'frames')}
    np.savez(tmp_path / 'features.npz', **twice)
    with pytest.raises(ValueError, match='query_feats and gallery_feats are the same 3 features'):
        load_features(tmp_path / 'features.npz')


def test_a_file_that_lacks_an_array_says_what_it_holds(arrays, tmp_path):
    arrays['query_ids'] = arrays.pop('query_pids')
    np.savez(tmp_path / 'features.npz', **arrays)
    with pytest.raises(ValueError, match='features.npz lacks query_pids; it holds gallery_camids, .*, query_ids'):
        load_features(tmp_path / 'features.npz')


def test_a_file_that_holds_no_features_is_refused_by_name(table, tmp_path):
    path = tmp_path / 'features.npz'
    with pytest.raises(FileNotFoundError, match='features.npz'):
        load_features(path)
    path.write_bytes(b'')
    with pytest.raises(ValueError, match='features.npz is no NPZ file'):
        load_features(path)
    path.write_text('not an archive')
    with pytest.raises(ValueError, match='features.npz is no NPZ file'):
        load_features(path)
    np.save(tmp_path / 'features.npy', table.feats)
    with pytest.raises(ValueError, match='single array'):
        load_features(tmp_path / 'features.npy')
    save_features(path, table)
    damaged = bytearray(path.read_bytes())
    damaged[300] ^= 1  # in the features
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match='features.npz is no NPZ file of arrays, or a damaged one'):
        load_features(path)
    np.savez(path, query_feats=table.feats)
    with pytest.raises(ValueError, match='lacks query_pids'):
        load_features(path)
    save_features(path, table)
    with np.load(path) as arrays:
        np.savez(path, **dict(arrays, query_pids=arrays['query_pids'][:3]))
    with pytest.raises(ValueError, match=r'features.npz: query_pids has shape \(3,\) beside 16 query_feats'):
        load_features(path)


def test_features_of_loose_images_are_read_where_somebody_is_known(table, tmp_path):
    path = str(tmp_path / 'loose.npz')
    rows = [
        SimpleNamespace(path=f'photos/{name}/{row}.jpg', identity=name, camera=camera, modality=modality)
        for row, (name, camera, modality) in enumerate(
            [('ann', 'cam3', 'ir'), (None, 'cam3', 'ir'), ('bob', None, 'rgb'), ('bob', None, None)]
        )
    ]
    feats = np.arange(8, dtype=np.float32).reshape(4, 2)
    save_image_features(path, feats, rows, 'a model', 'a hash')
    found = load_image_features(path)
    assert found.feats.tolist() == [[0, 1], [4, 5]] and found.pids.tolist() == [0, 1]
    assert found.camids.tolist() == [3, -1] and found.modalities.tolist() == ['ir', 'rgb']
    assert found.paths.tolist() == ['photos/ann/0.jpg', 'photos/bob/2.jpg']
    save_image_features(path, feats[1:2], rows[1:2], 'a model', 'a hash')
    with pytest.raises(ValueError, match='loose.npz: of no image both identity and modality are known'):
        load_image_features(path)
    assert holds_image_features(path)
    save_features(path, table)
    assert not holds_image_features(path) and not holds_image_features(tmp_path / 'nothing.npz')
    with pytest.raises(ValueError, match='loose.npz lacks feats'):
        load_image_features(path)
