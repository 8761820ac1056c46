"""MPANet's network: MAM, masks, and the modalities' classifiers with their averages."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones.resnet import ResNet
from small_models import BASELINE, NUM_IDS, build

from tsgan.models.modern.mpanet import ModalityAlleviation
from tsgan.registry import MODELS

SMALL = dict(depth=18, stem_channels=16, base_channels=16, strides=(1, 2, 2, 1), out_indices=(2, 3))
MIXED = torch.tensor([True, False, False, True])
LENGTH = 7 * 128


def config(**changes):
    encoder = dict(type='Encoder', backbone=dict(type='MAMResNet', zero_init_residual=False, **SMALL))
    head = dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=LENGTH, bn_neck=True, init_cfg=None)
    return dict(type='MPANet', encoder=encoder, head={**head, **changes.pop('head', {})}, **changes)


def network(**changes):
    return MODELS.build(config(**changes))


def model():
    cfg = copy.deepcopy(BASELINE)
    cfg['reid'] = config()
    cfg['losses'] = dict(
        loss_id=dict(type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss')),
        loss_centre=dict(type='OnVectors', loss=dict(type='CentreClusterLoss')),
        loss_overlap=dict(type='MaskOverlapLoss'),
        loss_modality_id=dict(type='ModalityIdentityLoss'),
        loss_agreement=dict(type='ModalityAgreementLoss'),
    )
    return build(cfg)


def images(n=4):
    return torch.randn(n, 3, 64, 32)


def test_mam_and_its_gradients_are_those_of_the_formula_image_by_image_and_channel_by_channel():
    mam = ModalityAlleviation(32).double()
    x = torch.randn(2, 32, 3, 4, dtype=torch.float64, requires_grad=True)
    first, second = mam.attention[0].weight[:, :, 0, 0], mam.attention[2].weight[:, :, 0, 0]  # (2, 32), (32, 2)
    rows = []
    for image in x:
        mask = 1 / (1 + (-(second @ (first @ image.flatten(1).mean(dim=1)).clamp(min=0))).exp())
        channels = []
        for m, channel in zip(mask, image, strict=True):
            normal = (channel - channel.mean()) / ((channel - channel.mean()).square().mean() + 1e-5).sqrt()
            channels.append(m * channel + (1 - m) * normal)
        rows.append(torch.stack(channels))
    expected, found = torch.stack(rows), mam(x)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(found.shape, dtype=found.dtype)
    inputs = [x, *mam.parameters()]
    for a, b in zip(*(torch.autograd.grad((y * weights).sum(), inputs) for y in (found, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(('logit', 'expected'), [(50.0, 'same'), (-50.0, 'normalised')])
def test_mam_keeps_a_channel_or_normalises_it(logit, expected):
    mam, x = ModalityAlleviation(32), 3 * torch.rand(2, 32, 4, 4) + 1
    mam.attention[2].register_forward_hook(lambda m, args, out: torch.full_like(out, logit))
    found = mam(x)
    if expected == 'same':
        assert torch.equal(found, x)
    else:
        assert found.mean(dim=(2, 3)).abs().max() < 1e-5
        torch.testing.assert_close(found.var(dim=(2, 3), correction=0), torch.ones(2, 32), atol=1e-3, rtol=0)


def test_the_backbone_is_a_resnet_with_mam_behind_its_last_two_stages():
    resnet = ResNet(**SMALL, zero_init_residual=False)
    net = MODELS.build(dict(type='MAMResNet', **SMALL))
    for part in (resnet, net):
        part.eval()  # which of mmpretrain's ResNet returns nothing
    missing, unexpected = net.load_state_dict(resnet.state_dict(), strict=False)
    assert unexpected == [] and set(missing) == set(net.added_tensors)
    x = images()
    below = resnet.layer2(resnet.layer1(resnet.maxpool(resnet.relu(resnet.bn1(resnet.conv1(x))))))
    mid = net.layer3.mam(resnet.layer3(below))
    found = net(x)
    torch.testing.assert_close(found[0], mid)
    torch.testing.assert_close(found[1], net.layer4.mam(resnet.layer4(mid)))


def test_v_is_what_six_masks_see_and_the_average():
    net = network().eval()
    output = net(images())
    masks, final_map = output.extras['masks'], output.final_map
    assert masks.shape == (4, 6, 4, 2) and masks.min() > 0 and masks.max() < 1
    expected = torch.einsum('oc,nchw->nohw', net.masks.weight[:, :, 0, 0], final_map)
    torch.testing.assert_close(masks, (expected + net.masks.bias.view(1, -1, 1, 1)).sigmoid())
    for n in range(4):
        for part in range(7):
            mask = masks[n, part] if part < 6 else torch.ones(4, 2)
            mean = sum(mask[y, x] * final_map[n, :, y, x] for y in range(4) for x in range(2)) / 8
            torch.testing.assert_close(output.vector[n, 128 * part : 128 * part + 128], mean)


def test_the_masks_begin_without_a_shift_and_learn_one():
    net = network().train()
    assert not net.masks.bias.any()
    net(images(), MIXED).vector.sum().backward()
    assert net.masks.bias.grad.any()


def test_what_is_compared_is_v_behind_the_neck_without_the_modality():
    net = network().eval()
    x = images()
    output = net(x)
    torch.testing.assert_close(output.feature, net.head.neck(output.vector))
    assert output.feature.shape == (4, LENGTH) and set(output.extras) == {'masks'}
    assert torch.equal(net(x, MIXED).feature, output.feature)


def test_an_image_is_judged_by_its_own_modalitys_classifier_and_by_the_others_average():
    net = network(update_rate=0.25).train()
    net.average_rgb.normal_(), net.average_ir.normal_()
    before = {name: tensor.clone() for name, tensor in net.named_buffers()}
    output = net(images(), MIXED)
    vectors = output.branches['after_neck']
    average = {
        name: 0.75 * before[f'average_{name}'] + 0.25 * getattr(net, f'classifier_{name}').weight
        for name in ('rgb', 'ir')
    }
    for i, is_rgb in enumerate(MIXED):
        own, other = ('rgb', 'ir') if is_rgb else ('ir', 'rgb')
        weight = getattr(net, f'classifier_{own}').weight
        torch.testing.assert_close(output.extras['own_logits'][i], weight @ vectors[i], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(output.extras['other_logits'][i], average[other] @ vectors[i], atol=1e-4, rtol=1e-4)
    for name, expected in average.items():
        torch.testing.assert_close(getattr(net, f'average_{name}'), expected, atol=1e-4, rtol=1e-4)
    assert output.extras['own_logits'].requires_grad and not output.extras['other_logits'].requires_grad


def test_averages_begin_as_the_classifiers_and_are_neither_trained_nor_moved_in_evaluation():
    net = network()
    for name in ('rgb', 'ir'):
        assert torch.equal(getattr(net, f'average_{name}'), getattr(net, f'classifier_{name}').weight)
        assert f'average_{name}' in net.state_dict() and f'average_{name}' not in dict(net.named_parameters())
    net.average_rgb.zero_()
    net.eval()(images(), MIXED)
    assert not net.average_rgb.any()


def test_two_batches_before_a_backward_pass_do_not_disturb_each_other():
    # averages move in place between them
    net = network().train()
    first, second = (net(images(), MIXED).extras for _ in range(2))
    loss = sum(F.mse_loss(e['other_logits'], e['own_logits']) for e in (first, second))
    loss.backward()
    assert net.classifier_rgb.weight.grad.isfinite().all() and net.masks.weight.grad.any()


@pytest.mark.parametrize('modality', [True, False])
def test_a_batch_of_one_modality_reaches_every_parameter(modality):
    # a distributed wrapper waits for the gradient of each
    net = network().train()
    output = net(images(), torch.full((4,), modality))
    (output.logits.sum() + output.extras['own_logits'].sum()).backward()
    assert [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None] == []
    assert net.classifier_rgb.weight.grad.any() == modality


def test_training_without_modalities_is_refused():
    with pytest.raises(ValueError, match="MPANet's classifiers have to know which images are RGB"):
        network().train()(images())


def test_a_head_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='6 parts and the average of a map with 128 channels.*in_channels=896'):
        network(head=dict(in_channels=128))
    with pytest.raises(ValueError, match='behind a BN neck: set model.reid.head.bn_neck=True'):
        network(head=dict(bn_neck=False))


def test_a_training_step_moves_every_parameter(make_batch, make_optim_wrapper):
    net = model()
    before = {name: p.detach().clone() for name, p in net.reid.named_parameters()}
    log = net.train_step(make_batch(num_ids=3, num_pairs=2), make_optim_wrapper(net))
    names = ('id', 'centre', 'overlap', 'modality_id', 'agreement')
    assert {f'reid/loss_{name}' for name in names} <= set(log)
    still = {name for name, p in net.reid.named_parameters() if torch.equal(p, before[name])}
    assert still == {'head.neck.bias'}


def test_a_training_goes_on_exactly_from_its_weights(make_batch, make_optim_wrapper):
    net = model()
    wrapper = make_optim_wrapper(net)  # SGD without momentum has no state of its own
    for seed in range(2):
        net.train_step(make_batch(num_ids=3, seed=seed), wrapper)
    state = copy.deepcopy(net.state_dict())
    resumed = model()
    resumed.load_state_dict(state)
    again = make_optim_wrapper(resumed)
    for seed in (2, 3):
        net.train_step(make_batch(num_ids=3, seed=seed), wrapper)
        resumed.train_step(make_batch(num_ids=3, seed=seed), again)
    assert not torch.equal(net.reid.average_ir, state['reid.average_ir'])
    for name, tensor in resumed.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name]), name
