"""One-Stream, Two-Stream and Zero-Padding."""

import pytest
import torch
from mmengine.config import Config
from mmpretrain.models.backbones.resnet import BasicBlock
from mmpretrain.structures import DataSample
from torch import nn

from tsgan.models.reid.baseline import rgb_mask
from tsgan.registry import MODELS

TYPES = ['OneStreamResNet', 'ZeroPaddingResNet', 'TwoStreamResNet']
NEED_MODALITY = TYPES[1:]
SMALL = dict(stem_channels=16, base_channels=16)
MIXED = torch.tensor([False, True, False, False, True, True])  # and no order that is its own inverse


def network(kind, **changes):
    net = MODELS.build(dict(type=kind, **{**SMALL, **changes}))
    net.init_weights()
    return net


def encoder(kind, **changes):
    backbone = dict(type=kind, depth=18, **SMALL, strides=(1, 2, 2, 1), out_indices=(2, 3))
    return MODELS.build(dict(type='Encoder', backbone=backbone, **changes))


def baseline(kind, **changes):
    backbone = dict(type=kind, **SMALL)
    reid = dict(type='ReIDNet', encoder=dict(type='Encoder', backbone=backbone))
    reid['head'] = dict(type='ReIDHead', num_classes=6, in_channels=128)
    preprocessor = dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)
    losses = dict(loss_id=dict(type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss')), loss_tri=None)
    return MODELS.build(dict(type='ReIDBaseline', data_preprocessor=preprocessor, reid=reid, losses=losses, **changes))


def images_of(is_rgb, size=(64, 32)):
    """Normalised images, those of IR with three equal channels."""
    images = torch.randn(len(is_rgb), 3, *size)
    images[~is_rgb] = images[~is_rgb, :1]
    return images


def run(net, images, is_rgb):
    return net(images, is_rgb) if net.__class__.__name__ in NEED_MODALITY else net(images)


def inputs_of(module):
    seen = []
    module.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    return seen


def with_statistics(module):
    """Weights and BN statistics as those of a trained network: none is 0 or 1."""
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.1, 0.3) if tensor.dim() < 2 else tensor.data.normal_(std=0.2)
    module.eval()
    return module


@pytest.mark.parametrize('kind', TYPES)
def test_resnet_6_is_a_stem_a_block_a_stage_and_the_classifier_behind_512_channels(kind):
    net = MODELS.build(dict(type=kind))
    assert net.depth == 6
    stem = net.rgb.conv1 if kind == 'TwoStreamResNet' else net.conv1
    assert (stem.kernel_size, stem.stride, stem.out_channels) == ((7, 7), (2, 2), 64)
    assert stem.in_channels == (2 if kind == 'ZeroPaddingResNet' else 1)
    blocks = [m for name, m in net.named_modules() if isinstance(m, BasicBlock) and not name.startswith('ir.')]
    assert len(blocks) == 4
    mid, final = run(net, torch.zeros(2, 3, 224, 224), torch.tensor([True, False]))
    assert mid.shape == (2, 256, 14, 14) and final.shape == (2, 512, 7, 7)


def test_the_two_streams_share_all_but_stem_and_first_stage():
    net = network('TwoStreamResNet')
    one = {name for name, _ in network('OneStreamResNet').named_parameters()}
    own = {name for name in one if name.split('.')[0] in ('conv1', 'bn1', 'layer1')}
    expected = {f'{stream}.{name}' for stream in ('rgb', 'ir') for name in own} | (one - own)
    assert {name for name, _ in net.named_parameters()} == expected
    assert not torch.equal(net.rgb.conv1.weight, net.ir.conv1.weight)


@pytest.mark.parametrize(('channel', 'weight'), [(0, 0.299), (1, 0.587), (2, 0.114)])
def test_gray_is_the_luma_of_red_green_and_blue(channel, weight):
    net = network('OneStreamResNet')
    seen = inputs_of(net.conv1)
    images = torch.zeros(2, 3, 32, 32)
    images[:, channel] = 0.5
    net(images)
    assert seen[0].shape == (2, 1, 32, 32)
    assert torch.allclose(seen[0], torch.tensor(0.5 * weight))


def test_an_ir_image_is_gray_already():
    net = network('OneStreamResNet')
    seen = inputs_of(net.conv1)
    ir = torch.randn(2, 1, 32, 32)
    net(ir.expand(2, 3, 32, 32))
    assert torch.allclose(seen[0], ir, atol=1e-6)


@pytest.mark.parametrize('kind', TYPES)
def test_colour_is_ignored(kind):
    net, is_rgb = with_statistics(network(kind)), torch.ones(2, dtype=torch.bool)
    images, other = torch.randn(2, 3, 64, 32), torch.randn(2, 1, 64, 32)
    recoloured = images + other * torch.tensor([0.587, -0.299, 0.0]).view(1, 3, 1, 1)  # of the same luma
    brighter = images + 0.1
    found, same, different = (run(net, x, is_rgb)[1] for x in (images, recoloured, brighter))
    assert torch.allclose(found, same, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, different, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('statistics', [dict(mean=[0] * 3, std=[255] * 3), {}], ids=['unit', 'imagenet'])
def test_the_other_modalitys_channel_is_zero_after_normalisation_and_the_own_one_the_normalised_image(statistics):
    enc = encoder('ZeroPaddingResNet', **statistics)
    seen = inputs_of(enc.backbone.conv1)
    pixels = torch.randint(0, 256, (6, 3, 32, 32)).float()
    pixels[~MIXED] = pixels[~MIXED, :1]
    enc(pixels / 127.5 - 1, MIXED)
    mean, std = (
        torch.tensor(statistics.get(key, default)).view(1, 3, 1, 1)
        for key, default in (('mean', (123.675, 116.28, 103.53)), ('std', (58.395, 57.12, 57.375)))
    )
    normalised = (pixels - mean) / std
    gray = (normalised * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    assert seen[0].shape == (6, 2, 32, 32)
    assert torch.allclose(seen[0][MIXED, 0], gray[MIXED], atol=1e-5)
    assert torch.allclose(seen[0][~MIXED, 1], gray[~MIXED], atol=1e-5)
    assert seen[0][MIXED, 1].abs().max() == 0
    assert seen[0][~MIXED, 0].abs().max() == 0


def test_values_are_in_0_to_1_with_the_statistics_of_the_papers_rows():
    enc = encoder('OneStreamResNet', mean=[0] * 3, std=[255] * 3)
    seen = inputs_of(enc.backbone.conv1)
    pixels = torch.tensor([0.0, 51.0, 255.0]).view(3, 1, 1, 1).expand(3, 3, 32, 32)
    enc(pixels / 127.5 - 1)
    assert torch.allclose(seen[0][:, 0, 0, 0], torch.tensor([0.0, 0.2, 1.0]), atol=1e-6)


@pytest.mark.parametrize('kind', NEED_MODALITY)
@pytest.mark.parametrize('training', [True, False])
def test_an_image_has_the_same_feature_wherever_it_stands_in_the_batch(kind, training):
    net = with_statistics(network(kind))
    net.train(training)
    images = images_of(MIXED)
    expected = run(net, images, MIXED)[1]
    for order in ([5, 4, 3, 2, 1, 0], [2, 0, 5, 3, 1, 4], [0, 3, 4, 1, 2, 5]):
        found = run(net, images[order], MIXED[order])[1]
        assert torch.allclose(found, expected[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('kind', NEED_MODALITY)
def test_the_same_image_has_another_feature_in_the_other_modality(kind):
    net = with_statistics(network(kind))
    images = images_of(~torch.ones(2, dtype=torch.bool))
    as_rgb, as_ir = (run(net, images, torch.full((2,), is_rgb))[1] for is_rgb in (True, False))
    assert not torch.allclose(as_rgb, as_ir, rtol=1e-2)


def test_each_stream_sees_the_images_of_its_modality():
    net = network('TwoStreamResNet')
    seen = {name: inputs_of(getattr(net, name).conv1) for name in ('rgb', 'ir')}
    images = images_of(MIXED)
    net(images, MIXED)
    gray = (images * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(seen['rgb'][0], gray[MIXED], atol=1e-6)
    assert torch.allclose(seen['ir'][0], gray[~MIXED], atol=1e-6)


@pytest.mark.parametrize(('moved', 'still'), [('rgb', 'ir'), ('ir', 'rgb')])
def test_a_streams_gradient_comes_from_the_images_of_its_modality_alone(moved, still):
    net = with_statistics(network('TwoStreamResNet'))  # BN statistics fixed: else images see each other
    final = net(images_of(MIXED), MIXED)[1]
    final[MIXED if moved == 'rgb' else ~MIXED].square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in getattr(net, moved).parameters())
    assert all(p.grad.abs().max() == 0 for p in getattr(net, still).parameters())


@pytest.mark.parametrize('kind', TYPES)
@pytest.mark.parametrize('modality', ['rgb', 'ir'])
def test_a_training_batch_of_one_modality_runs_and_leaves_no_gradient_missing(kind, modality):
    net = network(kind)
    net.train()
    before = {name: t.clone() for name, t in net.named_buffers() if 'running' in name}
    is_rgb = torch.full((4,), modality == 'rgb')
    final = run(net, images_of(is_rgb), is_rgb)[1]
    final.square().sum().backward()
    assert final.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())  # a distributed wrapper waits
    absent = 'ir.' if modality == 'rgb' else 'rgb.'
    for name, t in net.named_buffers():
        if name in before:
            assert torch.equal(t, before[name]) == name.startswith(absent), name


@pytest.mark.parametrize('kind', TYPES)
@pytest.mark.parametrize('by', ['checkpoint', 'Pretrained'])
def test_begun_with_a_colour_networks_weights_both_compute_the_same_of_gray_images(kind, by, tmp_path):
    unit = dict(mean=[127.5] * 3, std=[127.5] * 3)
    source = encoder('mmpretrain.ResNet', **unit).eval()
    with_statistics(source.backbone)
    file = str(tmp_path / 'trained.pth')
    if by == 'checkpoint':
        torch.save({f'reid.encoder.{name}': t for name, t in source.state_dict().items()}, file)
        enc = encoder(kind, **unit, checkpoint=file)
    else:
        torch.save(dict(state_dict={f'backbone.{n}': t for n, t in source.backbone.state_dict().items()}), file)
        enc = encoder(kind, **unit)
        enc.backbone.init_cfg = dict(type='Pretrained', checkpoint=file, prefix='backbone')
    enc.init_weights()
    enc.eval()
    gray = torch.rand(6, 1, 64, 32).expand(6, 3, 64, 32)
    for found, expected in zip(enc(gray, MIXED), source(gray), strict=True):
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('kind', TYPES)
def test_its_own_weights_come_back_as_they_were(kind):
    source, net = with_statistics(network(kind)), network(kind)
    net.load_state_dict(source.state_dict())
    assert all(torch.equal(t, net.state_dict()[name]) for name, t in source.state_dict().items())


def test_a_checkpoint_of_another_network_is_still_refused(tmp_path):
    file = tmp_path / 'epoch_3.pth'
    wide = MODELS.build(dict(type='Encoder', backbone=dict(type='OneStreamResNet', depth=18, out_indices=(2, 3))))
    cfg = Config(dict(train_cfg=dict(max_epochs=3))).pretty_text
    state = {f'reid.encoder.{name}': t for name, t in wide.state_dict().items()}
    torch.save(dict(state_dict=state, meta=dict(epoch=3, cfg=cfg)), file)
    with pytest.raises(RuntimeError, match='tensors are missing or of another shape'):
        encoder('TwoStreamResNet', checkpoint=str(file), trained_by='configs/teacher_ir.py').init_weights()


@pytest.mark.parametrize('kind', NEED_MODALITY)
def test_without_modalities_the_error_says_where_they_come_from(kind):
    with pytest.raises(ValueError, match=rf"{kind} has to know which images are RGB.*`modality` is 'rgb' or 'ir'"):
        encoder(kind)(torch.zeros(2, 3, 64, 32))


def test_other_backbones_are_not_told_the_modality():
    enc, images = encoder('mmpretrain.ResNet').eval(), torch.rand(6, 3, 64, 32)
    assert all(torch.equal(a, b) for a, b in zip(enc(images), enc(images, MIXED), strict=True))


@pytest.mark.parametrize('modalities', [[], ['rgb', None], ['rgb', 'thermal']])
def test_modalities_that_samples_do_not_say_are_not_guessed(modalities):
    samples = [DataSample(metainfo={} if m is None else dict(modality=m)) for m in modalities]
    assert rgb_mask(samples, 'cpu') is None and rgb_mask(None, 'cpu') is None


@pytest.mark.parametrize('kind', NEED_MODALITY)
def test_training_and_test_tell_the_network_each_images_modality(kind, make_batch, make_optim_wrapper):
    model = baseline(kind)
    told = []
    model.reid.encoder.backbone.register_forward_pre_hook(lambda m, args: told.append(args[1]))
    batch = make_batch(num_ids=2, num_pairs=2)
    order = [4, 0, 5, 6, 1, 2, 7, 3]
    batch = dict(inputs=batch['inputs'][order], data_samples=[batch['data_samples'][i] for i in order])
    expected = torch.tensor([i < 4 for i in order])
    log = model.train_step(batch, make_optim_wrapper(model))
    predicted = model.test_step(batch)
    assert len(told) == 2 and all(torch.equal(mask, expected) for mask in told)
    assert set(log) == {'reid/loss_id', 'reid/loss'}
    assert predicted[0].feature.shape == (128,)


def test_the_triplet_loss_joins_where_there_is_one(baseline, make_batch, make_optim_wrapper):
    with_it = baseline.train_step(make_batch(), make_optim_wrapper(baseline))
    shares = {'reid/tri_active', 'reid/tri_at_margin'}
    assert set(with_it) == {'reid/loss_id', 'reid/loss_tri', 'reid/loss', *shares}
    del baseline.losses['loss_tri']
    without = baseline.train_step(make_batch(), make_optim_wrapper(baseline))
    assert torch.equal(without['reid/loss'], without['reid/loss_id'])


def test_both_streams_are_trained(make_batch, make_optim_wrapper):
    model = baseline('TwoStreamResNet')
    model.init_weights()
    streams = nn.ModuleList([model.reid.encoder.backbone.rgb, model.reid.encoder.backbone.ir])
    before = [p.detach().clone() for p in streams.parameters()]
    wrapper = make_optim_wrapper(model)
    for seed in range(2):  # what a block adds begins at 0, and passes no gradient until it has left it
        model.train_step(make_batch(seed=seed), wrapper)
    assert all(not torch.equal(a, b) for a, b in zip(streams.parameters(), before, strict=True))


# ---- where the streams meet

MEETING = [1, 2, 3, 4, 5]
ALL = (0, 1, 2, 3)


def colour(share_from, **changes):
    """A two-stream network on colours, with weights and statistics of its own everywhere."""
    kwargs = dict(depth=18, out_indices=ALL, share_from=share_from, gray=False, **changes)
    return with_statistics(network('TwoStreamResNet', **kwargs))


def by_hand(net, stream):
    """A plain ResNet with the weights that images of one modality meet."""
    plain = MODELS.build(dict(type='mmpretrain.ResNet', depth=18, out_indices=ALL, **SMALL))
    other = 'ir' if stream == 'rgb' else 'rgb'
    state = {name.removeprefix(f'{stream}.'): t for name, t in net.state_dict().items() if not name.startswith(other)}
    plain.load_state_dict(state)
    plain.eval()
    return plain


@pytest.mark.parametrize('share_from', MEETING)
def test_two_streams_are_two_plain_resnets_with_stages_in_common_to_each_map_and_gradient(share_from):
    net = colour(share_from)
    images = images_of(MIXED)
    found = net(images, MIXED)
    sum(m.square().sum() for m in found).backward()
    plain = {stream: by_hand(net, stream) for stream in ('rgb', 'ir')}
    rgb, ir = plain['rgb'](images[MIXED]), plain['ir'](images[~MIXED])
    sum(m.square().sum() for m in (*rgb, *ir)).backward()
    for all_maps, of_rgb, of_ir in zip(found, rgb, ir, strict=True):
        assert torch.allclose(all_maps[MIXED], of_rgb, rtol=1e-4, atol=1e-5)
        assert torch.allclose(all_maps[~MIXED], of_ir, rtol=1e-4, atol=1e-5)
    gradients = {stream: {name: p.grad for name, p in one.named_parameters()} for stream, one in plain.items()}
    for name, p in net.named_parameters():
        stream, _, inside = name.partition('.')
        both = [gradients[stream][inside]] if stream in gradients else [one[name] for one in gradients.values()]
        expected = sum(both)
        assert torch.allclose(p.grad, expected, rtol=1e-3, atol=1e-4 * expected.abs().max()), name


@pytest.mark.parametrize('share_from', MEETING)
def test_what_lies_before_the_meeting_point_is_a_modalitys_own_and_the_rest_is_of_both(share_from):
    net = colour(share_from)
    net(images_of(MIXED), MIXED)[-1][MIXED].square().sum().backward()
    stages = ['conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4']
    own = set(stages[: share_from + 1])
    for stream in ('rgb', 'ir'):
        assert {name.split('.')[0] for name, _ in getattr(net, stream).named_parameters()} == own
    shared = {name.split('.')[0] for name, _ in net.named_parameters()} - {'rgb', 'ir'}
    assert shared == set(stages) - own
    moved = {name for name, p in net.named_parameters() if p.grad.abs().max() > 0}
    assert moved == {name for name, _ in net.named_parameters() if not name.startswith('ir.')}


def test_stages_may_be_fewer_and_the_maps_asked_for_before_the_meeting_point_alone():
    changes = dict(strides=(1, 2, 1), out_indices=(0,), share_from=3, gray=False)
    net = network('TwoStreamResNet', depth=18, **changes)
    assert [name for name, _ in net.named_children()] == ['layer3', 'rgb', 'ir']
    (found,) = net(images_of(MIXED), MIXED)
    assert found.shape == (6, 16, 16, 8)


@pytest.mark.parametrize('share_from', [0, 6, -1])
def test_streams_that_meet_nowhere_are_refused(share_from):
    with pytest.raises(ValueError, match=f'share_from of TwoStreamResNet is {share_from}: expected 1, stems .* to 5'):
        MODELS.build(dict(type='TwoStreamResNet', share_from=share_from, **SMALL))


def agw(**changes):
    backbone = dict(type='TwoStreamResNet', depth=18, **SMALL, strides=(1, 2, 2, 1), out_indices=(2, 3))
    backbone |= dict(share_from=1, gray=False, non_local=dict(layer2=1, layer3=2))
    return MODELS.build(dict(type='Encoder', backbone=backbone, **changes))


def save_plain(path):
    """The checkpoint of a trained encoder without streams."""
    plain = encoder('mmpretrain.ResNet')
    with_statistics(plain.backbone)
    torch.save({f'reid.encoder.{name}': t for name, t in plain.state_dict().items()}, path)
    return plain


@pytest.mark.parametrize('by', ['checkpoint', 'Pretrained'])
def test_a_colour_resnet_begins_both_streams_and_computes_what_it_did(by, tmp_path):
    file = str(tmp_path / 'trained.pth')
    plain = save_plain(file)
    enc = agw(checkpoint=file if by == 'checkpoint' else None)
    if by == 'Pretrained':
        enc.backbone.init_cfg = dict(type='Pretrained', checkpoint=file, prefix='reid.encoder.backbone')
    enc.init_weights()
    for stream in (enc.backbone.rgb, enc.backbone.ir):
        assert torch.equal(stream.conv1.weight, plain.backbone.conv1.weight)
        assert torch.equal(stream.bn1.running_mean, plain.backbone.bn1.running_mean)
    assert enc.backbone.rgb.conv1.weight is not enc.backbone.ir.conv1.weight
    assert torch.equal(enc.backbone.layer2[1].conv1.weight, plain.backbone.layer2[1].conv1.weight)
    images = torch.rand(6, 3, 64, 32)
    for found, expected in zip(enc.eval()(images, MIXED), plain(images), strict=True):
        assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_checkpoint_without_non_local_blocks_begins_a_network_that_has_them_and_the_log_says_so(
    tmp_path, monkeypatch
):
    said = []
    monkeypatch.setattr('tsgan.models.reid.encoder.print_log', lambda message, **kwargs: said.append(message))
    file = str(tmp_path / 'trained.pth')
    save_plain(file)
    agw(checkpoint=file).init_weights()
    first = 'backbone.layer2.non_local1.g.conv.weight'
    assert said == [f'encoder of {file}, which lacks the 36 tensors from {first} on: they begin untrained']


def test_a_checkpoint_with_non_local_blocks_gives_all_of_them_or_is_refused(tmp_path):
    file = str(tmp_path / 'trained.pth')
    source = agw()
    with_statistics(source.backbone)
    state = {f'reid.encoder.{name}': t for name, t in source.state_dict().items()}
    torch.save(state, file)
    enc = agw(checkpoint=file)
    enc.init_weights()
    assert all(torch.equal(t, source.state_dict()[name]) for name, t in enc.state_dict().items())
    del state['reid.encoder.backbone.layer3.non_local0.phi.conv.weight']
    torch.save(state, file)
    with pytest.raises(RuntimeError, match=r'1 of \d+ tensors are missing.*layer3.non_local0.phi.conv.weight first'):
        agw(checkpoint=file, trained_by='configs/synthetic/pretrain.py').init_weights()
