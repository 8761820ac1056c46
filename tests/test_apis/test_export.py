import json
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest
import torch

from tsgan.apis import export
from tsgan.apis.export import OnnxNetwork, batches, export_onnx, measure_networks, quantize_onnx, read_images
from tsgan.apis.inferencer import ReIDInferencer, TorchNetwork
from tsgan.datasets.synthetic import render_dataset
from tsgan.models.deployed import resize

MODELS = {  # name -> whether it must know the modality
    'tsgan_jd': False,
    'rivals/zero_padding': True,
    'rivals/two_stream': True,
    'rivals/align_gan': True,
    'modern/agw': True,
    'modern/hct': True,
}


@pytest.fixture(scope='module', autouse=True)
def few_images():
    """Twelve images show what sixty-four do, of small networks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, 'NUM_IMAGES', 12)
        yield


@pytest.fixture(scope='module')
def exported(save_model, tmp_path_factory):
    """Gives the file of a model, and what was found out of it: ``exported('tsgan_jd', with_preprocess=True)``."""
    made = {}

    def write(name, with_preprocess=False):
        key = name, with_preprocess
        if key not in made:
            cfg, weights = save_model(name)
            file = tmp_path_factory.mktemp('onnx') / 'model.onnx'
            made[key] = file, export_onnx(cfg, file, weights, with_preprocess)
        return made[key]

    return write


def pixels(number, height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (number, height, width, 3), np.uint8)


def unit(feats):
    return feats / np.linalg.norm(feats, axis=1, keepdims=True)


# ---- resizing


@pytest.mark.parametrize('size', [(96, 48), (61, 33), (256, 128)])
def test_images_are_resized_as_opencv_does_bit_by_bit(size):
    draws = np.random.default_rng(0)
    shapes = [(1, 1), (1, 9), (7, 1), (48, 24), (192, 96), (2, 2), *draws.integers(1, 300, (20, 2))]
    for height, width in shapes:
        image = pixels(1, height, width, seed=height)[0]
        wanted = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)
        found = resize(torch.from_numpy(image)[None], size)[0]
        assert (found.numpy() == wanted).all(), (height, width)


# ---- the file


@pytest.mark.parametrize('name', MODELS)
@pytest.mark.parametrize('with_preprocess', [False, True])
def test_a_file_gives_the_features_of_pytorch_to_any_batch(name, with_preprocess, save_model, exported):
    file, parity = exported(name, with_preprocess)
    assert parity.num_images == 12 and parity.difference < 1e-5
    network, torch_network = OnnxNetwork(file), TorchNetwork(*save_model(name), device='cpu')
    assert network.needs_modality == MODELS[name] == torch_network.needs_modality
    for is_rgb in ([True], [False], [True, False, False], [True] * 5):
        images = pixels(len(is_rgb), *network.size)
        found = network(images, np.array(is_rgb))
        assert found.shape == (len(is_rgb), network.dim) and found.dtype == np.float32
        np.testing.assert_allclose(found, unit(torch_network(images, np.array(is_rgb))), atol=1e-5)
    assert network(images[:0], np.array([], bool)).shape == (0, network.dim)


@pytest.mark.parametrize('name', ['tsgan_jd', 'rivals/two_stream'])
def test_a_file_with_the_preprocessing_gives_the_features_of_the_inferencer_to_images_of_any_size(
    name, save_model, exported
):
    file, parity = exported(name, with_preprocess=True)
    assert parity.to_inferencer < 1e-5
    network, reid = OnnxNetwork(file), ReIDInferencer(*save_model(name), device='cpu')
    assert network.resizes
    for height, width in ((200, 70), (33, 81), (8, 8)):
        image = pixels(1, height, width)
        wanted = reid.extract(image[0, ..., ::-1].copy())
        np.testing.assert_allclose(network(image, np.array([True])), wanted, atol=1e-5)
    outside = network.session.run(None, network.inputs(image, np.array([True])))[0]
    assert np.linalg.norm(outside) == pytest.approx(1, abs=1e-5)  # in the file, too


def test_an_inferencer_takes_the_file_in_place_of_the_model(save_model, exported):
    file, _ = exported('tsgan_jd')
    pictures = read_images(None, 4)
    by_file, reid = ReIDInferencer(str(file)), ReIDInferencer(*save_model('tsgan_jd'), device='cpu')
    np.testing.assert_allclose(by_file.extract(pictures), reid.extract(pictures), atol=1e-5)
    assert (by_file.fingerprint, by_file.dim) == (reid.fingerprint, reid.dim)  # so that galleries are of both


def test_the_file_holds_the_test_time_network_alone(save_model, exported):
    cfg, _ = save_model('tsgan_jd')
    file, _ = exported('tsgan_jd')
    held = sum(int(np.prod(tensor.dims)) for tensor in onnx.load(file).graph.initializer)
    network = TorchNetwork(*save_model('tsgan_jd'), device='cpu')
    encoder = sum(p.numel() for p in network.model.reid.encoder.parameters())
    assert encoder * 0.99 < held < encoder * 1.01  # no generator, teacher, discriminator, nor classifier
    assert sum(p.numel() for p in network.model.parameters()) > 1.5 * encoder


def test_the_metadata_says_what_the_file_is(save_model, exported):
    file, _ = exported('rivals/zero_padding', with_preprocess=True)
    (entry,) = [entry for entry in onnx.load(file).metadata_props if entry.key == 'tsgan']
    about = json.loads(entry.value)
    assert about['size'] == list(TorchNetwork(*save_model('rivals/zero_padding'), device='cpu').size)
    assert about['mean'] == about['std'] == [127.5] * 3
    assert about['needs_modality'] and about['with_preprocess'] and len(about['fingerprint']) == 64


def test_features_that_differ_are_refused_and_nothing_is_written(save_model, tmp_path, monkeypatch):
    (cfg, weights), run = save_model('tsgan_jd'), export.OnnxNetwork.__call__
    monkeypatch.setattr(export.OnnxNetwork, '__call__', lambda self, *args: run(self, *args) + 2e-4)
    with pytest.raises(RuntimeError, match='differ by 2.0e-04, expected at most 1e-04; .*model.onnx was not written'):
        export_onnx(cfg, tmp_path / 'model.onnx', weights)
    monkeypatch.setattr(export.OnnxNetwork, '__call__', lambda self, *args: run(self, *args) * np.nan)
    with pytest.raises(RuntimeError, match='differ by nan'):
        export_onnx(cfg, tmp_path / 'model.onnx', weights)
    assert not list(tmp_path.iterdir())


def test_images_of_a_folder_are_compared_on(save_model, people, tmp_path):
    cfg, weights = save_model('tsgan_jd')
    parity = export_onnx(cfg, tmp_path / 'model.onnx', weights, with_preprocess=True, images=people)
    assert parity.num_images == 12 and parity.difference < 1e-5 and parity.to_inferencer < 1e-5


def test_a_hand_crafted_descriptor_is_no_network(save_model, tmp_path):
    with pytest.raises(ValueError, match='it is no network to be exported'):
        cfg, weights = save_model('rivals/hog')
        export_onnx(cfg, tmp_path / 'model.onnx', weights)
    assert not list(tmp_path.iterdir())


# ---- running it


ALONE = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'onnx'):
    sys.modules[name] = None
import numpy as np
from tsgan.apis.export import OnnxNetwork
images = np.load(sys.argv[2])
np.save(sys.argv[3], OnnxNetwork(sys.argv[1], num_threads=1)(images))
"""


def test_a_file_runs_without_torch_and_mmengine(exported, tmp_path):
    file, _ = exported('tsgan_jd')
    network = OnnxNetwork(file)
    images = pixels(3, *network.size)
    np.save(tmp_path / 'images.npy', images)
    command = [sys.executable, '-c', ALONE, file, tmp_path / 'images.npy', tmp_path / 'feats.npy']
    subprocess.run([str(part) for part in command], check=True)
    np.testing.assert_allclose(np.load(tmp_path / 'feats.npy'), network(images), atol=1e-6)


def test_what_a_network_cannot_take_is_refused(exported):
    network = OnnxNetwork(exported('rivals/zero_padding')[0])
    height, width = network.size
    with pytest.raises(ValueError, match=f'takes images of {height}x{width}, not 3x4'):
        network(pixels(2, 3, 4), np.array([True, True]))
    for images in (pixels(2, height, width).astype(np.float32), pixels(2, height, width)[0]):
        with pytest.raises(ValueError, match='expected uint8, RGB'):
            network(images, np.array([True, True]))
    with pytest.raises(ValueError, match='must know which images are RGB'):
        network(pixels(2, height, width))


def test_a_file_of_another_kind_is_refused_in_a_sentence(exported, tmp_path):
    with pytest.raises(FileNotFoundError, match='no ONNX file'):
        OnnxNetwork(tmp_path / 'nothing.onnx')
    (tmp_path / 'text.onnx').write_text('text')
    with pytest.raises(ValueError, match='text.onnx cannot be read as an ONNX file'):
        OnnxNetwork(tmp_path / 'text.onnx')
    graph = onnx.load(exported('tsgan_jd')[0])
    del graph.metadata_props[:]
    onnx.save(graph, tmp_path / 'other.onnx')
    with pytest.raises(ValueError, match='other.onnx does not say how it takes images'):
        OnnxNetwork(tmp_path / 'other.onnx')
    for about in ('{', '[]', '{"name": "a"}'):
        graph.metadata_props.add(key='tsgan', value=about)
        onnx.save(graph, tmp_path / 'other.onnx')
        with pytest.raises(ValueError, match='other.onnx says in a way unknown here how it takes images'):
            OnnxNetwork(tmp_path / 'other.onnx')
        del graph.metadata_props[:]
    with pytest.raises(ValueError, match='is an ONNX file already'):
        export_onnx(exported('tsgan_jd')[0], tmp_path / 'again.onnx')


# ---- eight bits


@pytest.mark.parametrize('with_preprocess', [False, True])
def test_a_quantised_file_is_smaller_nearly_the_same_and_another_model(with_preprocess, exported, tmp_path):
    file, _ = exported('tsgan_jd', with_preprocess)
    cosine = quantize_onnx(file, tmp_path / 'int8.onnx', num_images=24)
    assert 0.95 < cosine < 1 + 1e-6
    network, plain = OnnxNetwork(tmp_path / 'int8.onnx'), OnnxNetwork(file)
    assert (tmp_path / 'int8.onnx').stat().st_size < 0.45 * file.stat().st_size
    assert network.fingerprint != plain.fingerprint
    assert (network.size, network.dim, network.resizes) == (plain.size, plain.dim, with_preprocess)
    (images, is_rgb), *_ = batches(read_images(None, 3), network.size)
    found, wanted = network(images, is_rgb), plain(images, is_rgb)
    assert (found * wanted).sum(axis=1).min() > 0.9 and np.abs(found - wanted).max() > 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ['int8.onnx']


# ---- measuring it


def test_networks_are_measured_as_the_test_of_their_config_does(save_model, exported, tmp_path):
    cfg, weights = save_model('tsgan_jd')
    data = render_dataset(
        tmp_path / 'data', num_train=1, num_val=0, num_test=4, num_pretrain=0, frames=10, size=(48, 24), workers=1
    )
    networks = {'torch': TorchNetwork(cfg, weights, 'cpu'), 'onnx': OnnxNetwork(exported('tsgan_jd')[0])}
    networks['blind'] = lambda images, is_rgb: np.random.default_rng(0).normal(size=(len(images), 8))
    results = measure_networks(networks, cfg, data)
    assert list(results) == list(networks) and set(results['torch']) == {
        'all_single', 'all_multi', 'indoor_single', 'indoor_multi',
    }  # fmt: skip
    for setting, row in results['torch'].items():
        assert results['onnx'][setting]['mAP'] == pytest.approx(row['mAP'], abs=0.5)
        assert row['sampling'] == 'official'
    assert cfg.test_dataloader.dataset.data_root == 'data/synthetic'  # the config is as it was
