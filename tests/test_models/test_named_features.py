"""What a test writes beside the features that it compares: those of mirror images, and of a network's branches."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from tsgan.engine import AllFeaturesHook
from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs/synthetic'
ROWS = ['backbone', 'tsgan_jd', *(f'rivals/{name.stem}' for name in sorted((CONFIGS / 'rivals').glob('*.py')))]


@pytest.fixture
def make_model():
    """The model of a row of configs/synthetic, smaller, in eval mode."""

    def make(row, **head):
        cfg = Config.fromfile(CONFIGS / f'{row}.py').model
        for child in ('reid', 'teacher'):
            if 'encoder' in cfg.get(child, {}):
                cfg[child].encoder.checkpoint = None
                cfg[child].encoder.backbone.update(stem_channels=16, base_channels=16)
        if 'head' in cfg.reid:
            cfg.reid.head.update(in_channels=128, num_classes=6, **head)
        if 'generators' in cfg:
            cfg.generators.generator.update(base_channels=16, num_blocks=1)
            cfg.discriminators.ir.update(map_channels=128)
        if 'discriminator' in cfg:
            cfg.discriminator.update(in_channels=128)
        if 'metric' in cfg.reid:
            cfg.reid.metric = None
        model = MODELS.build(cfg).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):  # one that does something
                module.running_mean.normal_()
        return model

    return make


def run_test(model, batch, all_features):
    """Features of a test step, (N, C), and the others by name, (N, C_i) each."""
    runner = SimpleNamespace(model=model)
    if all_features:
        AllFeaturesHook().before_test_epoch(runner)
    samples = model.test_step(copy.deepcopy(batch))
    if all_features:
        AllFeaturesHook().after_test_epoch(runner)
    features = torch.stack([sample.feature for sample in samples])
    others = [sample.other_features for sample in samples if 'other_features' in sample]
    return features, {name: torch.stack([other[name] for other in others]) for name in (others or [{}])[0]}


@pytest.mark.parametrize('row', ROWS)
def test_every_model_gives_the_features_of_mirrored_images_and_the_same_others(row, make_model, make_batch):
    model, batch = make_model(row), make_batch()
    plain, nothing = run_test(model, batch, all_features=False)
    features, others = run_test(model, batch, all_features=True)
    assert nothing == {} and torch.equal(features, plain)
    images = torch.stack([image[:, :, torch.arange(image.shape[2] - 1, -1, -1)] for image in batch['inputs']])
    expected, _ = run_test(model, dict(batch, inputs=images), all_features=False)
    assert torch.equal(others['mirrored'], expected)
    if row != 'rivals/align_gan':  # which adds the two up
        assert not torch.allclose(others['mirrored'], features, rtol=1e-3)


@pytest.mark.parametrize('neck_feat', ['before', 'after'])
def test_branches_are_what_the_modules_around_the_neck_give_in_the_pass_of_the_feature(
    neck_feat, make_model, make_batch
):
    model, batch = make_model('backbone', bn_neck=True, neck_feat=neck_feat), make_batch()
    passes = []
    model.reid.encoder.register_forward_hook(lambda _, args, maps: passes.append(maps[-1]))
    features, branches = run_test(model, batch, all_features=True)
    assert len(passes) == 2  # the images and their mirror images
    vector = passes[0].flatten(2).mean(dim=2)
    torch.testing.assert_close(branches['before_neck'], vector)
    torch.testing.assert_close(branches['after_neck'], model.reid.head.neck(vector))
    assert torch.equal(features, branches[f'{neck_feat}_neck'])
    assert not torch.allclose(branches['before_neck'], branches['after_neck'])
    run_test(model, batch, all_features=False)
    assert len(passes) == 3


def test_a_network_without_a_neck_has_no_branches(make_model, make_batch):
    _, others = run_test(make_model('backbone', bn_neck=False), make_batch(), all_features=True)
    assert set(others) == {'mirrored'}
