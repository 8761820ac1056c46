"""The switches of TSGAN where the paper leaves something open, against the same thing written out."""

import copy

import pytest
import torch
from module_states import moved, state

from tsgan.models.gan import same_index_pairs
from tsgan.models.reid import map_channels
from tsgan.registry import MODELS

B = 4


@pytest.fixture
def phase(make_batch):
    """The step of a model's batch."""
    return lambda model: model.make_step(**model.data_preprocessor(make_batch(), True))


def adversarial_gradient(model, step):
    """dL/dX'_I of Eq. 1's term alone."""
    with model.only('generators'):
        loss = model.generators_loss(step)['loss_adv_ir']
        return torch.autograd.grad(loss, step.translation.fake_ir)[0]


@pytest.mark.parametrize('through', [True, False])
def test_the_gradient_of_eq_1_reaches_the_fake_image_through_its_map_where_asked(through, make_tsgan, phase):
    model = make_tsgan(adv_through_reid=through)
    step = phase(model)
    found = adversarial_gradient(model, step)
    x = step.translation.fake_ir.detach().requires_grad_()
    with model.only('generators'):
        feature = model.reid(x).final_map
        logits = model.discriminators.ir(x, feature if through else feature.detach(), same_index_pairs(x))
        expected = torch.autograd.grad(torch.nn.functional.softplus(-logits).mean(), x)[0]  # -log sigmoid
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-9)


def test_the_two_readings_of_eq_1_differ_in_gradient_and_not_in_value(make_tsgan, phase):
    whole, image_alone = make_tsgan(adv_through_reid=True), make_tsgan(adv_through_reid=False)
    image_alone.load_state_dict(whole.state_dict())
    a, b = (adversarial_gradient(model, phase(model)) for model in (whole, image_alone))
    assert (a - b).norm() > 1e-3 * a.norm()
    terms = []
    for model in (whole, image_alone):
        with model.only('generators'):
            terms.append(model.generators_loss(phase(model))['loss_adv_ir'])
    assert torch.equal(*terms)


@pytest.mark.parametrize('stats', ['running', 'batch'])
def test_no_reading_of_eq_1_moves_the_student(stats, make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan(adv_map_stats=stats).train()
    model.reid.encoder.backbone.layer1.eval()  # a user's own
    modes = {name: m.training for name, m in model.named_modules()}
    model.phases = ('generators',)
    before = state(model.reid)
    model.train_step(make_batch(), make_optim_wrapper(model))
    assert not moved(before, model.reid)
    assert all(p.grad is None for p in model.reid.parameters())
    assert {name: m.training for name, m in model.named_modules()} == modes
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    assert norms and all(norm.track_running_stats for norm in norms)


def test_batch_statistics_make_the_map_that_the_reid_phase_makes(make_tsgan, phase):
    model = make_tsgan(adv_map_stats='batch').train()
    for m in model.reid.modules():  # far from what any batch has
        if isinstance(m, torch.nn.BatchNorm2d):
            m.running_mean.add_(1)
    step = phase(model)
    seen = []
    model.discriminators.ir.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    with model.only('generators'):
        model.generators_loss(step)
    with torch.no_grad():
        images = torch.cat([step.rgb, step.ir, step.translation.fake_ir])
        student = copy.deepcopy(model.reid)
        expected = student.train()(images).final_map[2 * B :]
        other = student.eval()(step.translation.fake_ir).final_map
    assert torch.allclose(seen[0], expected, atol=1e-5)
    assert not torch.allclose(seen[0], other, atol=1e-2)


def test_unknown_readings_are_refused(make_tsgan):
    with pytest.raises(ValueError, match="'running' or 'batch', not 'eval'"):
        make_tsgan(adv_map_stats='eval')


@pytest.mark.parametrize('pairs', [True, False])
def test_a_batch_is_split_and_paired_without_a_look_at_what_is_on_the_device(pairs, make_tsgan, make_batch):
    model = make_tsgan(wrong_identity_pairs=pairs)
    batch = make_batch()
    # tensors without values: what depends on one raises, as it waits for a GPU
    inputs = batch['inputs'].float().to('meta')
    samples = [sample.to('meta') for sample in batch['data_samples']]
    step = model.make_step(inputs, samples)
    assert step.rgb.shape == step.ir.shape == (B, *inputs.shape[1:]) and step.labels.shape == (B,)
    assert model.fake_pairs(step.labels).shape == ((4 if pairs else 3) * B, 2)


def interleaved(samples):
    return [sample for pair in zip(samples[:B], samples[B:], strict=True) for sample in pair]


def of_one_modality(samples):
    return samples[:B] * 2


def of_unequal_halves(samples):
    return samples[:-1]


def of_unknown_modality(samples):
    for sample in samples:
        sample.set_field('visible', 'modality', field_type='metainfo')
    return samples


@pytest.mark.parametrize('change', [interleaved, of_one_modality, of_unequal_halves, of_unknown_modality])
def test_batches_of_another_order_are_refused_before_they_go_to_the_device(
    change, make_tsgan, make_batch, make_optim_wrapper, monkeypatch
):
    model, batch = make_tsgan(), make_batch()
    batch['data_samples'] = change(batch['data_samples'])
    wrapper = make_optim_wrapper(model)
    monkeypatch.setattr(model.data_preprocessor, 'forward', lambda *_: pytest.fail('it went there'))
    with pytest.raises(ValueError, match='TSGAN trains on batches whose first half is RGB.*IdentityPairBatchSampler'):
        model.train_step(batch, wrapper)


def test_a_head_for_vectors_of_another_length_is_refused_with_the_right_number(make_tsgan):
    head = dict(type='ReIDHead', num_classes=6, in_channels=77)
    encoder = dict(type='Encoder', backbone=dict(type='mmpretrain.MobileNetV2', widen_factor=0.5, out_indices=(4, 7)))
    with pytest.raises(ValueError, match='last map of MobileNetV2 has 1280 channels.*model.reid.head.in_channels=1280'):
        make_tsgan(reid=dict(type='ReIDNet', encoder=encoder, head=head))


def test_a_discriminator_for_maps_of_another_width_is_refused_with_the_right_number(make_tsgan):
    right = make_tsgan()
    mid, final = map_channels(right.reid.encoder)
    ir = dict(type='JointDiscriminator', map_channels=final + 1, base_channels=16, wide_end=False)
    discriminators = dict(type='Discriminators', ir=ir, rgb=dict(type='PatchDiscriminator', base_channels=16))
    for map_from, channels in (('final', final), ('mid', mid)):
        with pytest.raises(ValueError, match=f'model.discriminators.ir.map_channels={channels}`'):
            make_tsgan(discriminators=discriminators, map_from=map_from)


def test_a_teacher_whose_map_is_not_the_students_is_refused(make_tsgan):
    backbone = dict(type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=24, out_indices=(2,))
    with pytest.raises(ValueError, match="teacher's map has 96 channels"):
        make_tsgan(teacher=dict(type='FrozenTeacher', encoder=dict(type='Encoder', backbone=backbone)))


def test_to_look_at_an_encoders_maps_leaves_it_as_it_was(make_tsgan):
    encoder = make_tsgan().train().reid.encoder
    encoder.backbone.layer1.eval()
    before, modes = state(encoder), [m.training for m in encoder.modules()]
    map_channels(encoder)
    assert not moved(before, encoder) and [m.training for m in encoder.modules()] == modes


SWIN = dict(  # its windows of 7 x 7 do not fit into the maps of a small image
    type='mmpretrain.SwinTransformer',
    arch=dict(embed_dims=16, depths=[1] * 4, num_heads=[1] * 4),
    drop_path_rate=0.0,
    out_indices=(2, 3),
)
TOKENS = dict(
    type='mmpretrain.VisionTransformer',
    arch=dict(embed_dims=16, num_layers=2, num_heads=1, feedforward_channels=32),
    out_indices=(0, 1),
    out_type='raw',
)


@pytest.mark.parametrize('backbone', [SWIN, TOKENS], ids=lambda cfg: cfg['type'])
def test_an_encoder_whose_maps_cannot_be_looked_at_is_taken_at_its_word(backbone, make_tsgan):
    encoder = dict(type='Encoder', backbone=backbone)
    head = dict(type='ReIDHead', num_classes=6, in_channels=128)
    model = make_tsgan(reid=dict(type='ReIDNet', encoder=encoder, head=head)).eval()
    assert map_channels(model.reid.encoder) is None
    if backbone is SWIN:
        assert model.reid(torch.rand(1, 3, 224, 224)).vector.shape == (1, 128)


def test_test_features_come_from_before_or_after_the_neck(make_tsgan):
    for neck_feat in ('after', 'before'):
        reid = make_tsgan().eval().reid
        reid.head = MODELS.build(
            dict(type='ReIDHead', num_classes=6, in_channels=128, bn_neck=True, neck_feat=neck_feat)
        ).eval()
        reid.head.neck.running_mean.add_(1)
        output = reid(torch.rand(2, 3, 64, 32))
        normed = reid.head.neck(output.vector)
        assert torch.equal(output.feature, output.vector if neck_feat == 'before' else normed)
        assert torch.equal(output.logits, reid.head.classifier(normed))  # the classifier sees the neck's in any case
        assert not torch.equal(normed, output.vector)
    cfg = dict(type='ReIDHead', num_classes=6, in_channels=16, neck_feat='behind')
    with pytest.raises(ValueError, match="neck_feat of ReIDHead is 'after' or 'before', not 'behind'"):
        MODELS.build(cfg)
