"""What a test writes beside the features that it compares: those of mirror images, and of a network's branches."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from tsgan.engine import MirrorFeaturesHook
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


def run_test(model, batch, **metric):
    """Features of a test step with such a metric, others and those of mirror images by name, (N, C_i) each."""
    runner = SimpleNamespace(model=model, test_evaluator=SimpleNamespace(metrics=[SimpleNamespace(**metric)]))
    MirrorFeaturesHook().before_test_epoch(runner)
    samples = model.test_step(copy.deepcopy(batch))
    MirrorFeaturesHook().after_test_epoch(runner)
    assert not model.mirror_features

    def named(field):
        found = [getattr(sample, field) for sample in samples if field in sample]
        return {name: torch.stack([other[name] for other in found]) for name in (found or [{}])[0]}

    features = torch.stack([sample.feature for sample in samples])
    return features, named('other_features'), named('mirrored_features')


@pytest.mark.parametrize('row', ROWS)
def test_every_model_gives_the_features_of_mirrored_images_and_the_same_others(row, make_model, make_batch):
    model, batch = make_model(row), make_batch()
    plain, others, nothing = run_test(model, batch)
    features, same, mirrored = run_test(model, batch, features_file='f.npz')
    assert nothing == {} and torch.equal(features, plain)
    images = torch.stack([image[:, :, torch.arange(image.shape[2] - 1, -1, -1)] for image in batch['inputs']])
    expected, others_expected, _ = run_test(model, dict(batch, inputs=images))
    assert torch.equal(mirrored.pop('feature'), expected)
    assert set(others) == set(same) == set(mirrored)
    assert all(torch.equal(mirrored[name], others_expected[name]) for name in others)
    if row != 'rivals/align_gan':  # which adds the two up
        assert not torch.allclose(expected, features, rtol=1e-3)
        assert torch.equal(run_test(model, batch, mirror=True)[2]['feature'], expected)


def test_a_model_that_adds_up_both_refuses_to_have_it_done_twice(make_model, make_batch):
    model = make_model('rivals/align_gan')
    with pytest.raises(ValueError, match='AlignGAN adds up the features of an image and of its mirror image itself'):
        run_test(model, make_batch(), mirror=True)


def test_a_validation_is_asked_for_what_its_own_metric_wants(make_model):
    model = make_model('backbone')
    evaluators = [SimpleNamespace(metrics=[SimpleNamespace(mirror=mirror)]) for mirror in (True, False)]
    runner = SimpleNamespace(model=model, val_evaluator=evaluators[0], test_evaluator=evaluators[1])
    hook = MirrorFeaturesHook()
    hook.before_test_epoch(runner)
    assert not model.mirror_features
    hook.before_val_epoch(runner)
    assert model.mirror_features
    hook.after_val_epoch(runner)
    assert not model.mirror_features


@pytest.mark.parametrize('neck_feat', ['before', 'after'])
def test_branches_are_what_the_modules_around_the_neck_give_in_the_pass_of_the_feature(
    neck_feat, make_model, make_batch
):
    model, batch = make_model('backbone', bn_neck=True, neck_feat=neck_feat), make_batch()
    passes = []
    model.reid.encoder.register_forward_hook(lambda _, args, maps: passes.append(maps[-1]))
    features, branches, _ = run_test(model, batch, mirror=True)
    assert len(passes) == 2  # the images and their mirror images
    vector = passes[0].flatten(2).mean(dim=2)
    torch.testing.assert_close(branches['before_neck'], vector)
    torch.testing.assert_close(branches['after_neck'], model.reid.head.neck(vector))
    assert torch.equal(features, branches[f'{neck_feat}_neck'])
    assert not torch.allclose(branches['before_neck'], branches['after_neck'])
    run_test(model, batch)
    assert len(passes) == 3


def test_a_network_without_a_neck_has_no_branches(make_model, make_batch):
    _, others, mirrored = run_test(make_model('backbone', bn_neck=False), make_batch(), mirror=True)
    assert others == {} and set(mirrored) == {'feature'}
