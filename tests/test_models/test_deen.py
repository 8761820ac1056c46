"""DEEN's network: MFA, DEE, and the three rows of each image."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmpretrain.models.backbones.resnet import ResNet
from small_models import BASELINE, NUM_IDS, build
from torch import nn
from torch.nn import functional

from tsgan.models.modern.deen import (
    ChannelNonLocal,
    EmbeddingExpansion,
    ExpansionBranch,
    MultistageAggregation,
    PositionNonLocal,
)
from tsgan.registry import MODELS

SMALL = dict(depth=18, stem_channels=16, base_channels=16)
IS_RGB = torch.tensor([True, False, False, True])
SIX = ['before_neck', 'after_neck', 'before_neck_1', 'after_neck_1', 'before_neck_2', 'after_neck_2']


def backbone(**changes):
    return MODELS.build(dict(type='DEENResNet', **{**SMALL, **changes}))


def network(**changes):
    encoder = dict(type='Encoder', backbone=dict(type='DEENResNet', **{**SMALL, **changes}))
    head = dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=128, bn_neck=True)
    return MODELS.build(dict(type='DEENNet', encoder=encoder, head=head))


def maps(channels=4, low_channels=6, stride=2, size=(6, 4)):
    torch.manual_seed(0)
    x0 = torch.randn(2, low_channels, *size, dtype=torch.float64)
    x = torch.randn(2, channels, *(-(-side // stride) for side in size), dtype=torch.float64)
    return x, x0


def at_work(block):
    """With a BN that lets through what it is given, as that of a trained network does."""
    nn.init.uniform_(block.norm.weight, 0.5, 1.0)
    nn.init.uniform_(block.norm.bias)
    return block.double().eval()


def gradients(found, inputs):
    torch.manual_seed(1)
    return torch.autograd.grad((found * torch.randn(found.shape, dtype=found.dtype)).sum(), inputs)


def close(found, expected, inputs):
    torch.testing.assert_close(found, expected)
    for a, b in zip(gradients(found, inputs), gradients(expected, inputs), strict=True):
        torch.testing.assert_close(a, b)


def dot(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize('stride', [1, 2])
def test_cnl_and_its_gradients_are_those_of_loops_over_channels(stride):
    block = at_work(ChannelNonLocal(4, 6, stride))
    x, x0 = (tensor.requires_grad_() for tensor in maps(stride=stride, size=(5, 4)))
    theta, phi, g = block.theta(x).flatten(2), block.phi(x0).flatten(2), block.g(x0)  # phi has the positions of x
    assert phi.shape == theta.shape and g.shape[2:] == x0.shape[2:]
    y = torch.stack(
        [
            torch.stack([sum((theta[n, a] * phi[n, b]).sum() / 6 * g[n, b] for b in range(6)) for a in range(6)])
            for n in range(2)
        ]
    )
    close(block(x, x0), x + block.norm(block.out(y)), [x, x0, *block.parameters()])


def test_pnl_and_its_gradients_are_those_of_loops_over_pairs_of_positions():
    block = at_work(PositionNonLocal(4, 6))
    x, x0 = (tensor.requires_grad_() for tensor in maps())
    theta, phi, g = block.theta(x).flatten(2), block.phi(x0).flatten(2), block.g(x0).flatten(2)
    assert theta.shape[1] == phi.shape[1] == g.shape[1] == 3
    positions, low_positions = x.shape[2] * x.shape[3], x0.shape[2] * x0.shape[3]
    y = torch.stack(
        [
            torch.stack(
                [
                    sum((theta[n, :, i] @ phi[n, :, j]) * g[n, :, j] for j in range(low_positions)) / low_positions
                    for i in range(positions)
                ],
                dim=1,
            )
            for n in range(2)
        ]
    )
    close(block(x, x0), x + block.norm(block.out(y.view(2, 3, *x.shape[2:]))), [x, x0, *block.parameters()])


@pytest.mark.parametrize('training', [True, False])
def test_mfa_begins_as_the_identity_and_learns(training):
    mfa = MultistageAggregation(4, 6, 2).double().train(training)
    x, x0 = maps()
    assert torch.equal(mfa(x, x0), x)
    mfa(x, x0).square().sum().backward()
    assert mfa.channel.norm.weight.grad.any() and mfa.position.norm.weight.grad.any()


def test_mfa_is_cnl_then_pnl_of_what_that_made():
    mfa = MultistageAggregation(4, 6, 2)
    at_work(mfa.channel), at_work(mfa.position)
    x, x0 = maps()
    assert torch.equal(mfa.eval()(x, x0), mfa.position(mfa.channel(x, x0), x0))
    assert not torch.allclose(mfa(x, x0), x)


def test_an_expansion_branch_is_the_mean_of_three_dilations_between_relu_and_1x1():
    branch = ExpansionBranch(8).double()
    x = torch.randn(2, 8, 7, 5, dtype=torch.float64, requires_grad=True)
    assert [conv.bias for conv in branch.dilated] == [None] * 3
    mean = 0
    for dilation, conv in zip((1, 2, 3), branch.dilated, strict=True):
        padded = F.pad(x, (dilation,) * 4)
        for i in range(3):
            for j in range(3):
                window = padded[:, :, i * dilation : i * dilation + 7, j * dilation : j * dilation + 5]
                mean = mean + torch.einsum('oc,nchw->nohw', conv.weight[:, :, i, j], window) / 3
    expected = torch.einsum('oc,nchw->nohw', branch.out.weight[:, :, 0, 0], mean.clamp(min=0))
    close(branch(x), expected + branch.out.bias.view(1, -1, 1, 1), [x, *branch.parameters()])


def test_dee_gives_three_blocks_of_the_batch_the_first_of_which_is_what_it_was_given():
    dee, x = EmbeddingExpansion(8).eval(), torch.randn(3, 8, 5, 4)
    found = dee(x)
    assert found.shape == (9, 8, 5, 4)
    assert torch.equal(found[:3], x)
    for k, branch in enumerate(dee.branches, start=1):
        assert torch.equal(found[3 * k : 3 * k + 3], branch(x))
    assert not torch.allclose(found[3:6], found[6:])


def test_a_training_step_leaves_out_a_hundredth_of_all_three_blocks():
    dee, x = EmbeddingExpansion(16).train(), torch.rand(4, 16, 40, 20) + 1
    left_out = [(block == 0).float().mean().item() for block in dee(x).chunk(3)]
    assert all(0.008 < share < 0.012 for share in left_out)


def test_a_fresh_backbones_plain_block_is_a_resnet_with_two_equal_stems():
    resnet = ResNet(**SMALL, strides=(1, 2, 2, 1), out_indices=(2, 3), zero_init_residual=False)
    deen = backbone()
    for net in (resnet, deen):
        net.eval()  # which of mmpretrain's ResNet returns nothing
    missing, unexpected = deen.load_state_dict(resnet.state_dict(), strict=False)
    added = {name for name in deen.added_tensors if not name.endswith('num_batches_tracked')}
    assert unexpected == [] and set(missing) == added
    images = torch.randn(4, 3, 64, 32)
    (mid, final), (expected_mid, expected_final) = deen(images, IS_RGB), resnet(images)
    assert mid.shape == (4, 64, 4, 2) and final.shape == (12, 128, 4, 2)
    torch.testing.assert_close(mid, expected_mid)
    torch.testing.assert_close(final[:4], expected_final)
    assert not torch.allclose(final[4:8], expected_final, rtol=0.1) and not torch.allclose(final[4:8], final[8:])


@pytest.mark.parametrize('strides', [(1, 2, 2, 1), (1, 2, 2)])
def test_mfa_stands_behind_all_shared_stages_but_the_last_and_dee_before_that_one(strides):
    net = backbone(strides=strides, out_indices=(len(strides) - 2, len(strides) - 1))
    stages = [dict(getattr(net, f'layer{i}').named_children()) for i in range(1, len(strides) + 1)]
    assert [list(stage) for stage in stages[:-1]] == [['0', '1', 'mfa']] * (len(strides) - 1)
    assert list(stages[-1]) == ['dee', '0', '1']
    width = [16, 16, 32, 64]
    for i, stage in enumerate(stages[:-1]):
        mfa = stage['mfa']
        assert mfa.channel.phi.in_channels == mfa.position.g.in_channels == width[i]
        assert mfa.channel.phi.stride == mfa.channel.out.stride == (strides[i], strides[i])
        assert (mfa.position.phi.out_channels, mfa.channel.phi.out_channels) == (width[i] // 2, width[i])
    mid, final = net(torch.randn(4, 3, 64, 32), IS_RGB)
    assert len(mid) == 4 and len(final) == 12
    assert stages[-1]['dee'].branches[0].out.out_channels == mid.shape[1]


def test_a_stages_mfa_sees_the_map_that_the_stage_was_given():
    net = backbone()
    seen = []
    net.layer2.mfa.register_forward_pre_hook(lambda m, args: seen.extend(args))
    given = torch.randn(2, 16, 8, 4)
    net.eval()
    net.layer2(given)
    assert torch.equal(seen[1], given) and torch.equal(seen[0], net.layer2[1](net.layer2[0](given)))


def test_initialisation_from_scratch_keeps_mfa_the_identity():
    net = backbone()  # whose init_cfg has all batch norms begin with weight 1
    for p in net.parameters():
        p.data.fill_(0.5)
    net.init_weights()
    for name in ('layer1', 'layer2', 'layer3'):
        mfa = getattr(net, name).mfa
        assert not mfa.channel.norm.weight.any() and not mfa.position.norm.weight.any()
    assert net.layer1[0].norm1.weight.eq(1).all()


def test_a_training_batch_becomes_three_rows_of_each_image_in_blocks():
    net = network().train()
    output = net(torch.randn(4, 3, 64, 32), IS_RGB)
    assert {len(t) for t in (output.final_map, output.vector, output.feature, output.logits)} == {12}
    assert len(output.mid_map) == 4 and {len(rows) for rows in output.branches.values()} == {12}


def test_in_evaluation_an_image_is_one_row_and_the_expanded_ones_are_branches():
    net, images = network().eval(), torch.randn(4, 3, 64, 32)
    net.head.neck.running_mean.normal_()
    output = net(images, IS_RGB)
    assert {len(t) for t in (output.mid_map, output.final_map, output.vector, output.feature, output.logits)} == {4}
    assert list(output.branches) == ['before_neck', 'before_neck_1', 'before_neck_2'] + [
        'after_neck',
        'after_neck_1',
        'after_neck_2',
    ]
    assert torch.equal(output.feature, output.branches['after_neck'])
    assert torch.equal(output.vector, output.branches['before_neck'])
    _, final_map = net.encoder(images, IS_RGB)
    for k, name in enumerate(('before_neck', 'before_neck_1', 'before_neck_2')):
        block = final_map[4 * k : 4 * k + 4].mean(dim=(2, 3))
        torch.testing.assert_close(output.branches[name], block)
        torch.testing.assert_close(output.branches[name.replace('before', 'after')], net.head.neck(block))


def test_a_row_says_of_an_image_what_it_says_of_it_alone():
    net, images = network().eval(), torch.randn(4, 3, 64, 32)
    together = net(images, IS_RGB).branches
    for i in range(4):
        alone = net(images[i : i + 1], IS_RGB[i : i + 1]).branches
        for name in SIX:
            torch.testing.assert_close(together[name][i : i + 1], alone[name], rtol=1e-4, atol=1e-5)


def test_the_six_cosines_summed_rank_as_the_cosine_of_the_six_unit_vectors_joined():
    branches = network().eval()(torch.randn(4, 3, 64, 32), IS_RGB).branches
    joined = F.normalize(torch.cat([F.normalize(branches[name]) for name in SIX], dim=1))
    summed = sum(functional.cosine_similarity(branches[name][:, None], branches[name][None], dim=2) for name in SIX)
    torch.testing.assert_close(joined @ joined.T, summed / 6)


def model(**losses):
    cfg = copy.deepcopy(BASELINE)
    cfg['reid'].update(type='DEENNet', encoder=dict(type='Encoder', backbone=dict(type='DEENResNet', **SMALL)))
    cfg['losses'].update(
        loss_cpm=dict(type='OnVectors', loss=dict(type='CentreGuidedPairMiningLoss')),
        loss_ort=dict(type='OnVectors', loss=dict(type='OrthogonalityLoss')),
        **losses,
    )
    return build(cfg)


def test_a_training_step_moves_every_parameter_that_is_not_behind_a_zero(make_batch, make_optim_wrapper):
    net = model()
    before = {name: p.detach().clone() for name, p in net.reid.named_parameters()}
    log = net.train_step(make_batch(num_ids=3, num_pairs=2), make_optim_wrapper(net))
    assert {'reid/loss_id', 'reid/loss_tri', 'reid/loss_cpm', 'reid/loss_ort'} <= set(log)
    still = {name for name, p in net.reid.named_parameters() if torch.equal(p, before[name])}
    # until BN's weight is no longer 0, nothing reaches what stands before it
    waiting = {name for name in before if '.mfa.' in name and '.norm.' not in name}
    assert still == waiting | {'head.neck.bias'}


def test_its_test_step_has_all_six_features(make_batch):
    net = model().eval()
    features = net.named_features(torch.randn(4, 3, 64, 32), IS_RGB)
    assert set(features) == {'feature', *SIX} and {tuple(f.shape) for f in features.values()} == {(4, 128)}


@pytest.mark.parametrize('stats', ['running', 'batch'])
def test_a_tsgan_on_its_network_trains_its_three_phases(stats, make_tsgan, make_batch, make_optim_wrapper):
    encoder = dict(type='Encoder', backbone=dict(type='DEENResNet', **SMALL))
    head = dict(type='ReIDHead', num_classes=NUM_IDS, in_channels=128, bn_neck=True)
    model = make_tsgan(reid=dict(type='DEENNet', encoder=encoder, head=head), adv_map_stats=stats)
    seen = []
    model.discriminators.register_forward_pre_hook(lambda _, args: seen.append(args[2].shape[0]))
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    assert all(value.isfinite() for value in log.values())
    assert seen == [4, 8, 8]  # maps of X'_I, and twice of X_I and X'_I, one each
