import argparse
import io
import json
import os
import pickle
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint

from tsgan import checkpoints
from tsgan.checkpoints import (
    config_of,
    find_checkpoint,
    fingerprint,
    fitting,
    meta_of,
    open_checkpoint,
    prefix_that_fits,
    save_weights,
    weights_of,
)

CONFIGS = Path(__file__).parents[1] / 'configs'


class RunsCode:
    def __reduce__(self):
        return os.system, ('echo this ran >ran',)


class ReachesOut:
    """Of what only the log's buffers may reach."""

    def __reduce__(self):
        return getattr, (np.ndarray, 'tofile')


def network():
    torch.manual_seed(0)
    return torch.nn.Linear(30, 30)


def saved(content, **options):
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def before_zip(content):
    return saved(content, _use_new_zipfile_serialization=False)


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('sys_info'))
    return file.getvalue()


def zipped(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr(name, 'text')
    return file.getvalue()


def numpy_archive():
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


def safetensors():
    head = json.dumps({'a': {'dtype': 'F32', 'shape': [1], 'data_offsets': [0, 4]}}).encode()
    return struct.pack('<Q', len(head)) + head + bytes(4)


def safetensors_a_bit_off():
    with tempfile.TemporaryDirectory() as folder:
        save_weights(f'{folder}/a', network().state_dict(), {})
        data = bytearray(Path(folder, 'a').read_bytes())
    data[-7] ^= 1
    return bytes(data)


def damaged():
    data = saved(network().state_dict())
    at = data.index(b'data.pkl') + 100
    return data[:at] + b'x' * 40 + data[at + 40 :]


def a_bit_off():
    data = bytearray(saved(network().state_dict()))
    data[data.index(network().weight.detach().numpy().tobytes()) + 100] ^= 1
    return bytes(data)


def program():
    file = io.BytesIO()
    torch.jit.save(torch.jit.trace(network(), torch.zeros(1, 30)), file)
    return file.getvalue()


def optimizer():
    optimizer = torch.optim.SGD(network().parameters(), lr=0.1)
    return optimizer.state_dict()


NO_WEIGHTS = {
    'empty': (lambda: b'', 'it seems to be empty'),
    'page': (lambda: b'\n<!DOCTYPE html>\n<html>', 'it seems to be a web page'),
    'pointer': (lambda: b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n', 'a pointer of git-lfs'),
    'text': (lambda: 'größe\n'.encode() * 200, 'it seems to be text'),
    'picture': (lambda: b'\x89PNG\r\n\x1a\n\0\0', 'it seems to be a picture'),
    'hdf5': (lambda: b'\x89HDF\r\n\x1a\n', 'an HDF5 file, as Keras'),
    'zeros': (lambda: bytes(900), 'it seems to be damaged, or no file of weights'),
    'tar': (tar, 'it seems to be a tar archive'),
    'zip': (lambda: zipped('readme.txt'), 'a zip archive of readme.txt'),
    'npz': (numpy_archive, 'a NumPy archive'),
    'safetensors cut off': (lambda: safetensors()[:-1], 'safetensors that are damaged'),
    'safetensors a bit off': (safetensors_a_bit_off, 'safetensors that are damaged'),
    'half': (lambda: saved(network().state_dict())[:2000], 'half a file, whose end is missing'),
    'half of the old format': (lambda: before_zip(network().state_dict())[:900], 'half a file'),
    'damaged': (damaged, 'it seems to be damaged'),
    'a bit off': (a_bit_off, 'it seems to be damaged'),
    'TorchScript': (program, 'a TorchScript program'),
    'whole network': (lambda: saved(network()), r'run code .* \(torch.nn.modules.linear.Linear'),
    'whole network, old format': (lambda: before_zip(network()), r'run code .*\(torch.nn.modules.linear.Linear\)'),
    'arguments': (lambda: saved({'model': {}, 'args': argparse.Namespace()}), r'run code .*\(argparse.Namespace\)'),
    'code': (lambda: saved({'state_dict': {}, 'x': RunsCode()}), r'run code .*\(posix.system\)'),
    'a way out': (lambda: saved({'state_dict': {}, 'x': ReachesOut()}), r'run code .*\(builtins.getattr\)'),
    'detectron2': (lambda: pickle.dumps({'model': {'a': np.zeros(3)}}, protocol=4), 'a pickle of another program'),
    'under model': (lambda: saved({'model': network().state_dict(), 'epoch': 3}), "its weights are in 'model'"),
    'optimizer': (lambda: saved(optimizer()), r'no weights in it \(its entries: state, param_groups\)'),
    'tensor': (lambda: saved(torch.zeros(3)), 'no weights by name, but a Tensor'),
    'list': (lambda: saved([1]), 'no weights by name, but a list'),
}


@pytest.mark.filterwarnings('ignore::FutureWarning', 'ignore::DeprecationWarning')
@pytest.mark.parametrize('kind', NO_WEIGHTS)
def test_what_is_no_file_of_weights_is_named_with_what_it_seems_to_be(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, words = NO_WEIGHTS[kind]
    Path('mine.pth').write_bytes(make())
    with pytest.raises(RuntimeError, match=words) as error:
        CheckpointLoader.load_checkpoint('mine.pth')  # as MMEngine opens what it resumes and begins with
    assert str(error.value).startswith('mine.pth ') and '\n' not in str(error.value)
    assert not Path('ran').exists()


def test_a_folder_and_nothing_are_named(tmp_path):
    with pytest.raises(OSError, match='is a folder'):
        open_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match='no file of weights at .*/a.pth'):
        open_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('save', [saved, before_zip])
@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize('bare', [True, False])
def test_weights_are_read_without_the_name_of_a_parallel_wrapper(tmp_path, save, prefix, bare):
    weights = {prefix + name: tensor for name, tensor in network().state_dict().items()}
    (tmp_path / 'a.pth').write_bytes(save(weights if bare else {'state_dict': weights}))
    found = weights_of(open_checkpoint(tmp_path / 'a.pth'))
    assert found.keys() == network().state_dict().keys()
    load_checkpoint(loaded := torch.nn.Linear(30, 30), str(tmp_path / 'a.pth'), strict=True)
    assert torch.equal(loaded.weight, network().weight)


@pytest.mark.parametrize('wrapped', [True, False])
def test_what_lies_among_the_weights_and_is_no_tensor_is_none_of_them(tmp_path, wrapped):
    weights = {**network().state_dict(), 'epoch': 3, 'arch': 'linear'}
    (tmp_path / 'w.pth').write_bytes(saved({'state_dict': weights} if wrapped else weights))
    assert set(weights_of(open_checkpoint(tmp_path / 'w.pth'))) == {'weight', 'bias'}


@pytest.mark.parametrize('save', [saved, before_zip])
def test_the_log_of_a_training_is_read_with_its_statistics(tmp_path, save):
    hub = MessageHub('log')
    for loss in (1, torch.tensor(2.0), np.float32(3), np.float64(6)):
        hub.update_scalar('loss', loss)
    hub.update_info('epoch', np.int64(3))
    (tmp_path / 'a.pth').write_bytes(save({'state_dict': {}, 'message_hub': hub.state_dict()}))
    log = open_checkpoint(tmp_path / 'a.pth')['message_hub']
    assert log['log_scalars']['loss'].mean() == 3 and log['runtime_info']['epoch'] == 3


def test_safetensors_are_read_as_they_were_written_with_what_they_say_and_nothing_else_is_left(tmp_path):
    weights = {**network().half().state_dict(), 'steps': torch.tensor(3), 'none': torch.zeros(0, 2)}
    save_weights(tmp_path / 'a.safetensors', weights, {'epoch': 3, 'who': ['Zoë']})
    found = open_checkpoint(tmp_path / 'a.safetensors')
    assert {n: (t.dtype, t.tolist()) for n, t in weights_of(found).items()} == {
        n: (t.dtype, t.tolist()) for n, t in weights.items()
    }
    assert meta_of(found) == {'epoch': 3, 'who': ['Zoë'], 'sha256': fingerprint(weights)}
    assert [file.name for file in tmp_path.iterdir()] == ['a.safetensors']
    shapes = weights_of(open_checkpoint(tmp_path / 'a.safetensors', 'meta'))
    assert shapes['weight'].is_meta and {n: t.shape for n, t in shapes.items()} == {
        n: t.shape for n, t in weights.items()
    }


def test_a_fingerprint_tells_a_value_a_name_a_type_and_a_shape_apart():
    weights = {'a': torch.zeros(2, 3), 'b': torch.ones(1)}
    others = [
        {'a': torch.zeros(2, 3), 'b': torch.ones(1) + 1e-7},
        {'a': torch.zeros(2, 3), 'c': torch.ones(1)},
        {'a': torch.zeros(2, 3), 'b': torch.ones(1).double()},
        {'a': torch.zeros(3, 2), 'b': torch.ones(1)},
    ]
    assert fingerprint(dict(reversed(weights.items()))) == fingerprint(weights)
    assert len({fingerprint(other) for other in [weights, *others]}) == 5


def test_safetensors_of_other_programs_are_weights_too(tmp_path):
    (tmp_path / 'a.st').write_bytes(safetensors())  # by content, whatever the name
    assert weights_of(open_checkpoint(tmp_path / 'a.st'))['a'].tolist() == [0]
    load_checkpoint(loaded := torch.nn.ParameterDict({'a': torch.ones(1)}), str(tmp_path / 'a.st'), strict=True)
    assert loaded['a'] == 0


@pytest.mark.filterwarnings('ignore::FutureWarning')
def test_a_file_that_runs_code_is_read_by_whom_trusts_it_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('old.pth').write_bytes(saved({'state_dict': network().state_dict(), 'args': RunsCode()}))
    with pytest.raises(RuntimeError, match='--trust-checkpoint'):
        open_checkpoint('old.pth')
    assert not Path('ran').exists()
    monkeypatch.setattr(checkpoints, 'TRUSTED', {'all': False})
    checkpoints.trust_files()
    assert weights_of(open_checkpoint('old.pth')).keys() == {'weight', 'bias'}
    assert Path('ran').exists()


def test_weights_that_come_with_the_package_are_found_by_their_name(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, 'WEIGHTS', tmp_path / 'weights')
    monkeypatch.chdir(tmp_path)
    Path('weights').mkdir()
    Path('weights/small_net.safetensors').touch()
    assert find_checkpoint('Small_net') == str(tmp_path / 'weights/small_net.safetensors')
    Path('small_net').touch()  # a person's own file goes first
    assert find_checkpoint('small_net') == 'small_net'
    with pytest.raises(FileNotFoundError, match='no checkpoint at other'):
        find_checkpoint('other')


def test_names_and_shapes_are_read_without_the_numbers(tmp_path):
    torch.save(network().state_dict(), tmp_path / 'a.pth')
    found = open_checkpoint(tmp_path / 'a.pth', 'meta')
    assert found['weight'].shape == (30, 30) and found['weight'].is_meta


@pytest.mark.parametrize('name', ['tsgan_jd', 'synthetic/rivals/align_gan', 'regdb/tsgan_jd'])
def test_the_config_of_a_checkpoint_is_read_as_mmengine_does(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.width = (1, -2.5e-3, None, {'a-b': 'quoted "text"'})
    found = config_of({'meta': {'cfg': cfg.pretty_text}})
    assert json.dumps(found, sort_keys=True) == json.dumps(cfg.to_dict(), sort_keys=True)


@pytest.mark.parametrize(
    'text', ['a = [', 'a = b\nsplit = 3', 'a = open("ran", "w")\nsplit = 3', 'import os\nsplit = 3']
)
def test_the_config_of_a_checkpoint_is_never_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_of({'meta': {'cfg': text}}) in ({}, {'split': 3})
    assert not Path('ran').exists()


def test_of_a_config_that_mmengine_would_run_on_resuming_nothing_is_left(tmp_path):
    torch.save({'state_dict': {}, 'meta': {'config': 'import os', 'epoch': 1}}, tmp_path / 'a.pth')
    assert open_checkpoint(tmp_path / 'a.pth')['meta'] == {'epoch': 1}


def test_the_last_checkpoint_is_that_beside_its_note_and_else_where_the_note_has_it(tmp_path):
    here, there = tmp_path / 'here', tmp_path / 'there'
    for folder in (here, there):
        folder.mkdir()
        (folder / 'epoch_1.pth').touch()
    (here / 'last_checkpoint').write_text(f'{there}/epoch_1.pth\n')
    assert find_checkpoint(here) == str(here / 'epoch_1.pth')  # moved, or copied
    (here / 'epoch_1.pth').unlink()
    assert find_checkpoint(here) == str(there / 'epoch_1.pth')
    (there / 'epoch_1.pth').unlink()
    with pytest.raises(FileNotFoundError, match='here/last_checkpoint names .*there/epoch_1.pth, and neither'):
        find_checkpoint(here)
    (here / 'last_checkpoint').write_text('')
    with pytest.raises(FileNotFoundError, match=r'here/last_checkpoint names \(nothing\)'):
        find_checkpoint(here)
    with pytest.raises(FileNotFoundError, match='no checkpoint in .*there'):
        find_checkpoint(there)
    with pytest.raises(FileNotFoundError, match='no checkpoint at .*a.pth'):
        find_checkpoint(tmp_path / 'a.pth')


def test_the_prefix_is_where_most_of_a_network_lies():
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2))
    wanted = net.state_dict()
    found = {f'model.net.{name}': tensor for name, tensor in wanted.items()}
    found |= {'0.weight': torch.zeros(3, 2), '1.weight': torch.zeros(9, 9)}
    assert fitting(found, wanted) == ['0.weight']
    assert prefix_that_fits(found, wanted) == ('model.net', 4)
    assert prefix_that_fits(wanted, wanted) == ('', 4)
    assert prefix_that_fits({}, wanted) == ('', 0)


def test_a_download_is_opened_like_any_file_and_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(
        torch.hub, 'download_url_to_file', lambda url, file: Path(file).write_bytes(saved({'w': RunsCode()}))
    )
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r'/checkpoints/w.pth cannot be read .*\(posix.system\)'):
            CheckpointLoader.load_checkpoint('https://weights.example/a/w.pth?download=1')
        monkeypatch.setattr(torch.hub, 'download_url_to_file', None)


def test_a_download_that_fails_names_the_address(tmp_path, monkeypatch):
    def refused(address, file):
        raise OSError('no network')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(checkpoints.torch.hub, 'download_url_to_file', refused)
    with pytest.raises(ConnectionError, match='https://weights.example/w.pth cannot be downloaded: no network'):
        CheckpointLoader.load_checkpoint('https://weights.example/w.pth')


@pytest.mark.parametrize(
    'address', ['mmcls://resnet50', 's3://bucket/w.pth', 'open-mmlab://resnet50', 'torchvision://no']
)
def test_other_addresses_are_refused(address):
    with pytest.raises(FileNotFoundError, match='expected a '):
        CheckpointLoader.load_checkpoint(address)
