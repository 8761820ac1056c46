"""Whatever opens a file is handed one that would run code, and one that would fill the memory, by a program's calls."""

import argparse
import copy
import io
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_models import BASELINE, STUDENT, build

from tsgan import checkpoints, unpacking
from tsgan.apis import Gallery, ReIDInferencer, export_onnx, get_model
from tsgan.apis.export import OnnxNetwork
from tsgan.checkpoints import open_checkpoint
from tsgan.command_line import add_trust
from tsgan.config_files import read_config
from tsgan.datasets.image_folder import ImageFolderReID
from tsgan.evaluation import SYSUMM01Protocol
from tsgan.evaluation.calibration import Calibration
from tsgan.evaluation.features import load_features, load_image_features, load_labelled_features
from tsgan.experiments.publish import publish, read_numbers
from tsgan.experiments.runs import continue_from, describe_tested
from tsgan.search.metadata import read_metadata
from tsgan.visualization.report import read_results

ROOT = Path(__file__).parents[1]
SHIPPED = 'tsgan-jd_small_synthetic'


class RunsCode:
    def __reduce__(self):
        return os.mkdir, ('ran',)


def weights():
    torch.save({'state_dict': {}, 'x': RunsCode()}, 'evil')


def a_pickle():
    Path('evil').write_bytes(pickle.dumps(RunsCode()))


def arrays():
    sides = [f'{side}_{name}' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids')]
    columns = ['feats', 'pids', 'camids', 'paths', 'identities', 'modalities', 'model', 'fingerprint']
    with open('evil', 'wb') as file:
        np.savez(file, **dict.fromkeys([*sides, *columns], np.array([RunsCode()], object)))


def config():
    return Config(copy.deepcopy(dict(model=BASELINE, default_scope='tsgan', train_cfg={}, test_evaluator={})))


def encoder(**backbone):
    """The encoder of a network, with weights to begin with."""
    return build(dict(type='Encoder', backbone={**STUDENT, **backbone}))


DOORS = {
    'resume': lambda: continue_from(config(), 'evil'),
    'describe_tested': lambda: describe_tested(config(), 'evil'),
    'encoder': lambda: build(
        dict(type='Encoder', backbone=STUDENT, checkpoint='evil', trained_by='somebody')
    ).init_weights(),
    'init_cfg': lambda: encoder(init_cfg=dict(type='Pretrained', checkpoint='evil')).init_weights(),
    'get_model': lambda: get_model(SHIPPED, 'evil', 'cpu'),
    'inferencer': lambda: ReIDInferencer(SHIPPED, 'evil', 'cpu'),
    'export_onnx': lambda: export_onnx(SHIPPED, 'out.onnx', 'evil'),
    'publish': lambda: publish('evil', 'out.safetensors'),
}
ARRAYS = {'features': load_features, 'images': load_image_features, 'labelled': load_labelled_features}
OTHERS = {
    **ARRAYS,
    'permutations': lambda file: SYSUMM01Protocol(perm_file=file),
    'calibration': Calibration.load,
    'onnx': OnnxNetwork,
    'gallery': Gallery.load,
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('make', [weights, a_pickle])
@pytest.mark.parametrize('door', DOORS)
def test_weights_that_would_run_code_are_refused_by_name_wherever_they_are_opened(door, make):
    make()
    with pytest.raises(RuntimeError, match='^evil cannot be read as weights: it seems to be '):
        DOORS[door]()
    assert not Path('ran').exists()


@pytest.mark.parametrize(
    ('door', 'make'), [(d, m) for d in OTHERS for m in ([arrays] if d in ARRAYS else []) + [a_pickle]]
)
def test_other_files_that_would_run_code_are_refused_by_name(door, make):
    make()
    with pytest.raises(ValueError, match='^evil'):
        OTHERS[door]('evil')
    assert not Path('ran').exists()


# What would fill the memory


def packed(parts, says=None):
    """A zip archive of packed parts in 'evil'; its directory says that each has so many bytes."""
    with zipfile.ZipFile('evil', 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    if says is not None:
        content, at = bytearray(Path('evil').read_bytes()), 0
        for _ in parts:
            at = content.index(b'PK\x01\x02', at) + 24  # of an entry of the directory, at its size unpacked
            content[at : at + 4] = says.to_bytes(4, 'little')
        Path('evil').write_bytes(content)


def torch_parts(tensor):
    torch.save({'w': tensor}, 'plain')
    with zipfile.ZipFile('plain') as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def numpy_parts(array):
    np.savez('plain.npz', **dict.fromkeys(load_columns(), array))
    with zipfile.ZipFile('plain.npz') as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def load_columns():
    return [f'{side}_{name}' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids')]


ZIPPED = {
    'weights': (open_checkpoint, lambda: torch_parts(torch.zeros(300_000))),
    'features': (load_features, lambda: numpy_parts(np.zeros((1000, 50)))),
}


@pytest.mark.parametrize('kind', ZIPPED)
def test_an_archive_that_unpacks_to_many_times_its_size_is_refused_before_it_is(kind, monkeypatch):
    read, parts = ZIPPED[kind]
    packed(parts())
    monkeypatch.setattr(unpacking, 'FREE', 2**20)
    with pytest.raises(ValueError, match=r'^evil would become [12],\d+,\d+ bytes'):
        read('evil')
    monkeypatch.setattr(unpacking, 'FREE', 2**30)
    packed(parts(), says=2**31)
    monkeypatch.setattr(zipfile.ZipFile, 'open', None)  # nothing is unpacked
    with pytest.raises(
        ValueError, match=r'^evil would become \d+,\d+,\d+,\d+ bytes .* expected at most 20 times its size'
    ):
        read('evil')


@pytest.mark.parametrize('kind', ZIPPED)
def test_an_archive_whose_directory_says_less_than_it_unpacks_to_is_damaged(kind):
    read, parts = ZIPPED[kind]
    packed(parts(), says=400)
    with pytest.raises((ValueError, RuntimeError), match=r'^evil .*damaged'):
        read('evil')


def test_what_trainings_and_tests_write_is_not_taken_for_an_attack():
    rng = np.random.default_rng(0)
    np.savez_compressed('sparse.npz', feats=np.maximum(rng.standard_normal((999, 512)), 0), pids=np.zeros(999, int))
    torch.save({'w': torch.zeros(999, 99)}, 'zeros.pth')
    for file in ('sparse.npz', 'zeros.pth'):
        with zipfile.ZipFile(file) as archive:
            assert sum(part.file_size for part in archive.infolist()) < 4 * os.path.getsize(file)


@pytest.mark.parametrize('file', ['repeats.pth', 'repeats_old.pth'])
def test_a_tensor_that_repeats_one_number_without_end_is_refused(file):
    torch.save({'w': torch.zeros(1).expand(10**6, 10**6)}, file, _use_new_zipfile_serialization='old' not in file)
    with pytest.raises(ValueError, match=f'{file} would become 4,000,000,000,000 bytes'):
        open_checkpoint(file)


class Reconstructs:
    """Asks NumPy for something that a checkpoint's arrays never do."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


STRUCTURED = np.dtype([('a', 'f8', (10**6,))])


@pytest.mark.parametrize(
    'call',
    [
        (np.zeros(0).__reduce__()[0], (np.ndarray, (10**13,), b'b')),
        (np.zeros(0).__reduce__()[0], (np.memmap, (0,), b'b')),
        (np.float64(0).__reduce__()[0], (STRUCTURED, b'short')),
    ],
    ids=['large', 'another class', 'structured'],
)
def test_of_numpy_a_checkpoint_has_small_things_alone(call):
    torch.save({'state_dict': {}, 'log': Reconstructs(*call)}, 'evil')
    with pytest.raises(RuntimeError, match='^evil cannot be read as weights'):
        open_checkpoint('evil')


def test_an_array_that_says_it_is_larger_than_its_part_is_refused():
    parts = numpy_parts(np.zeros((10, 5)))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, dict(descr='<f8', fortran_order=False, shape=(10**12, 5)))
    packed({**parts, 'query_feats.npy': head.getvalue() + bytes(400)})
    with pytest.raises(
        ValueError, match=r'^evil .*damaged one \(query_feats.npy has 400 bytes, where \(1000000000000, 5\)'
    ):
        load_features('evil')


DEEP = '[' * 200_000


@pytest.mark.parametrize(
    ('read', 'error'),
    [
        (Calibration.load, ValueError),
        (lambda file: read_numbers(file, 'x.pth'), ValueError),
        (lambda file: read_results(Path(file)), ValueError),
        (lambda file: ImageFolderReID._read_splits(Path(file)), ValueError),
        (lambda file: read_metadata(file), ValueError),
    ],
    ids=['calibration', 'published numbers', 'report', 'splits', 'metadata'],
)
@pytest.mark.parametrize(
    'text', [DEEP, '{"a":' * 100_000, '[NaN', '1' * 5000], ids=['lists', 'dicts', 'half', 'digits']
)
def test_odd_json_is_refused_in_a_sentence(read, error, text):
    Path('odd.json').write_text(text)
    with pytest.raises(error, match='odd.json'):
        read('odd.json')


@pytest.mark.parametrize('text', ['model: !!python/object/apply:os.mkdir [ran]', '{"model": {"type": "TSGAN"}}'])
@pytest.mark.parametrize('name', ['evil.yaml', 'evil.yml', 'evil.json', 'evil'])
def test_a_config_is_python_and_a_file_of_another_kind_is_none(name, text):
    Path(name).write_text(text)
    with pytest.raises(ValueError, match=f'^{name} is no config: expected Python'):
        read_config(name)
    assert not Path('ran').exists()


@pytest.mark.parametrize('place', ['../mine', '{}/mine', 'link', 'beside'])
@pytest.mark.parametrize('inside', ['initializer', 'constant', 'branch', 'function', 'sparse'])
def test_an_onnx_file_with_numbers_in_another_is_refused(place, inside, tmp_path):
    onnx = pytest.importorskip('onnx')
    (tmp_path / 'mine').write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (tmp_path / 'm').mkdir()
    (tmp_path / 'm/link').symlink_to(tmp_path / 'mine')
    (tmp_path / 'm/beside').write_bytes(bytes(16))
    tensor = onnx.TensorProto(name='w', data_type=1, dims=[4], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key='location', value=place.format(tmp_path))
    make, graph, opsets = onnx.helper.make_node, onnx.helper.make_graph, [onnx.helper.make_opsetid('', 17)]
    constant, add = make('Constant', [], ['w'], value=tensor), make('Add', ['x', 'w'], ['y'])
    x, y, here = (
        onnx.helper.make_tensor_value_info(name, kind, shape)
        for name, kind, shape in (('x', 1, [4]), ('y', 1, [4]), ('c', 9, []))
    )
    options = {}
    if inside == 'branch':
        branch = graph([constant, add], 'b', [], [y])
        model = graph([make('If', ['c'], ['y'], then_branch=branch, else_branch=branch)], 'g', [x, here], [y])
    elif inside == 'function':
        options['functions'] = [onnx.helper.make_function('mine', 'f', ['x'], ['y'], [constant, add], opsets)]
        opsets = [*opsets, onnx.helper.make_opsetid('mine', 1)]
        model = graph([make('f', ['x'], ['y'], domain='mine')], 'g', [x], [y])
    elif inside == 'sparse':
        model = graph([add], 'g', [x], [y])
        model.sparse_initializer.add().values.CopyFrom(tensor)
    else:
        model = graph(
            [add] if inside == 'initializer' else [constant, add], 'g', [x], [y], [tensor] * (inside == 'initializer')
        )
    Path('m/a.onnx').write_bytes(onnx.helper.make_model(model, opset_imports=opsets, **options).SerializeToString())
    with pytest.raises(ValueError, match='^m/a.onnx has numbers in other files: expected all of them in it'):
        OnnxNetwork('m/a.onnx')


# Who may have a file's code run


def test_nothing_but_its_argument_has_the_code_of_a_file_run(monkeypatch):
    sources = {
        file: file.read_text() for folder in ('tsgan', 'tools', 'demo') for file in (ROOT / folder).rglob('*.py')
    }
    naming = {
        file.relative_to(ROOT).as_posix() for file, text in sources.items() if re.search('trust_files|TRUSTED', text)
    }
    assert naming == {'tsgan/checkpoints.py', 'tsgan/command_line.py'}
    assert sources[ROOT / 'tsgan/command_line.py'].count('trust_files()') == 1  # TrustFiles.__call__
    unsafe = r'weights_only=False\)$|allow_pickle=True|pickle\.loads?\(|yaml\.(load|unsafe_load|full_load)\(|joblib'
    found = {file.name for file, text in sources.items() if re.search(unsafe, text, re.MULTILINE)}
    assert found == {'checkpoints.py'}

    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_trust(parser)
    parser.parse_args([])
    assert checkpoints.TRUSTED == {'all': False}
    weights()
    with pytest.raises(RuntimeError, match='--trust-checkpoint'):
        open_checkpoint('evil')
    assert not Path('ran').exists()
