"""Models by name, with the weights that come with the package or are given."""

import subprocess
import sys

import mmpretrain
import pytest
import torch
import yaml
from mmengine.registry import DefaultScope
from mmpretrain.apis.model import ModelHub

from tsgan import checkpoints
from tsgan.apis import get_model, list_models
from tsgan.apis.hub import configs, find_config
from tsgan.checkpoints import save_weights, shipped
from tsgan.places import ROOT
from tsgan.structures import unwrapped

SHIPPED = 'tsgan-jd_small_synthetic'


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """The package with weights of the shipped model's config: all that its card says, and random."""
    model = mmpretrain.get_model(SHIPPED)
    state = {n: t.half() for n, t in model.state_dict().items() if n.startswith(('reid.', 'generators.'))}
    state = {n: t for n, t in state.items() if 'classifier' not in n}
    monkeypatch.setattr(checkpoints, 'WEIGHTS', tmp_path)
    save_weights(tmp_path / f'{SHIPPED}.safetensors', state, {'epoch': 40})
    return state


def test_names_are_unique_lower_case_and_say_method_and_data():
    names = [
        model['Name']
        for file in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
        for model in yaml.safe_load((ROOT / file).read_text())['Models']
    ]
    assert len(names) == len(set(names)) == len(configs())
    assert all(name == name.lower() and ' ' not in name and name.count('_') in (1, 2) for name in names)
    assert all(file.is_file() for file in configs().values())


def test_models_are_listed_by_pattern():
    ours = list_models()
    assert SHIPPED in ours and all(name.startswith('tsgan') for name in ours)
    assert list_models('tsgan-jd_*') == [name for name in ours if name.startswith('tsgan-jd_')]
    everything = list_models(None)
    assert set(ours) < set(everything) and 'hog_sysu-mm01' in everything
    assert list_models('nothing*') == []


def test_mmpretrain_lists_the_same_names_and_builds_the_models_in_whatever_scope():
    assert [name for name in mmpretrain.list_models('tsgan*') if name in configs()] == list_models()
    for name, kind in ((SHIPPED, 'TSGAN'), ('hog_synthetic-300ids', 'HandcraftedReID')):
        for scope in ('mmpretrain', 'mmengine', 'tsgan'):
            with DefaultScope.overwrite_default_scope(scope):
                assert type(mmpretrain.get_model(name)).__name__ == kind
    assert ModelHub.get(SHIPPED).weights == (str(shipped(SHIPPED)) if shipped(SHIPPED) else None)


def test_mmpretrain_loads_the_weights_that_come_with_the_package(weights, monkeypatch):
    monkeypatch.setattr(ModelHub._models_dict[SHIPPED], 'weights', str(shipped(SHIPPED)))
    model = mmpretrain.get_model(SHIPPED, pretrained=True)
    assert not model.training
    state = model.state_dict()
    assert all(
        torch.equal(state[name], tensor.float()) for name, tensor in weights.items() if tensor.is_floating_point()
    )


def test_a_model_comes_with_the_weights_of_its_name_in_evaluation_mode_and_full_precision(weights):
    model = get_model(SHIPPED.upper())
    assert not any(module.training for module in model.modules())
    state = model.state_dict()
    for name, tensor in weights.items():
        assert torch.equal(state[name].double(), tensor.double()), name
        assert state[name].dtype in (torch.float32, torch.int64)
    assert model.complete == {'generators'}  # no classifier, teacher, discriminators
    assert model.weights_meta['epoch'] == 40 and model.cfg.model.type == 'TSGAN'
    assert str(next(unwrapped(model).parameters()).device) == ('cuda:0' if torch.cuda.is_available() else 'cpu')


def test_a_name_without_weights_says_which_have_some(weights):
    with pytest.raises(FileNotFoundError, match=rf'tsgan-jd_small_synthetic-300ids comes without .*\(.*{SHIPPED}\)'):
        get_model('tsgan-jd_small_synthetic-300ids')
    with pytest.raises(FileNotFoundError, match=r'tsgan_jd\.py comes without weights'):
        get_model(configs()[SHIPPED])


def test_a_descriptor_that_nobody_has_trained_needs_no_weights():
    assert sum(p.numel() for p in get_model('hog_sysu-mm01').parameters()) == 0


@pytest.mark.parametrize('name', ['tsgan_jd_small_synthetic', 'tsgan-jd_smal_synthetic'])
def test_a_wrong_name_is_answered_with_the_nearest(name):
    with pytest.raises(ValueError, match=f'no model is called {name}: there is .*{SHIPPED}'):
        get_model(name)
    with pytest.raises(ValueError, match=r'no model is called xyz: list_models\(None\) has the names'):
        get_model('xyz')


def test_weights_are_a_file_of_either_kind_or_a_work_dir_and_all_give_one_model(save_model, tmp_path):
    cfg, file = save_model('backbone')
    state = torch.load(file)['state_dict']
    save_weights(tmp_path / 'a.safetensors', state, {})
    torch.save(state, tmp_path / 'epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    for weights in (file, tmp_path / 'a.safetensors', tmp_path, str(tmp_path / 'epoch_2.pth')):
        found = get_model(cfg, weights).state_dict()
        assert found.keys() == state.keys() and all(torch.equal(found[name], state[name]) for name in state)


def test_the_classifier_may_be_missing_or_of_other_identities(save_model, tmp_path):
    cfg, file = save_model('backbone')
    state = torch.load(file)['state_dict']
    name = 'reid.head.classifier.weight'
    for change in ({name: torch.zeros(99, 128)}, None):
        torch.save({**state, **change} if change else {n: t for n, t in state.items() if n != name}, tmp_path / 'a.pth')
        found = get_model(cfg, tmp_path / 'a.pth').state_dict()
        assert found[name].shape == (6, 128)
        assert all(torch.equal(found[n], state[n]) for n in state if n != name)


@pytest.mark.parametrize('name', ['reid.encoder.backbone.layer3.0.conv1.weight', 'reid.head.neck.running_var'])
def test_weights_that_lack_a_part_of_the_network_are_refused(save_model, tmp_path, name):
    cfg, file = save_model('backbone')
    state = torch.load(file)['state_dict']
    for change in ({}, {name: torch.zeros(3, 3)}):
        torch.save({n: t for n, t in state.items() if n != name} | change, tmp_path / 'a.pth')
        with pytest.raises(
            RuntimeError, match=f'a.pth does not hold the network of .*backbone.py: 1 of .* {name} first'
        ):
            get_model(cfg, tmp_path / 'a.pth')


def test_align_gan_is_tested_with_its_generators_and_refused_without(save_model, tmp_path):
    cfg, file = save_model('rivals/align_gan')
    state = torch.load(file)['state_dict']
    torch.save({n: t for n, t in state.items() if n.startswith(('reid.', 'generators.'))}, tmp_path / 'a.pth')
    assert get_model(cfg, tmp_path / 'a.pth').complete >= {'reid', 'generators'}
    torch.save({n: t for n, t in state.items() if not n.startswith('generators.')}, tmp_path / 'a.pth')
    with pytest.raises(RuntimeError, match='generators'):
        get_model(cfg, tmp_path / 'a.pth')


def test_a_config_is_found_and_refused_as_a_training_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config('configs/synthetic/tsgan_jd.py').model.type == 'TSGAN'
    for text, said in {'model = (': 'cannot be read as a config', 'x = 1': 'is no config of a model'}.items():
        (tmp_path / 'mine.py').write_text(text)
        with pytest.raises(ValueError, match=f'^mine.py {said}'):
            get_model('mine.py')


def test_files_that_are_not_there_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no config file at .*x\.py'):
        get_model(tmp_path / 'x.py')
    with pytest.raises(FileNotFoundError, match=r'no checkpoint at .*x\.pth'):
        get_model(SHIPPED, tmp_path / 'x.pth')


def test_names_take_no_torch():
    code = """
import sys
from tsgan.apis import list_models
assert 'tsgan-jd_small_synthetic' in list_models()
assert not {'torch', 'mmengine', 'mmpretrain'} & set(sys.modules)
import mmpretrain  # later than ours: the hub knows all the same
assert 'tsgan-jd_small_synthetic' in mmpretrain.list_models('tsgan*')
"""
    subprocess.run([sys.executable, '-c', code], check=True)
