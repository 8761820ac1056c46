"""Non-local blocks, and where they stand in a ResNet."""

import pytest
import torch
from mmcv.cnn import NonLocal2d

from tsgan.models.backbones import NonLocalBlock
from tsgan.registry import MODELS

RESNET = dict(type='OneStreamResNet', depth=18, stem_channels=16, base_channels=16, out_indices=(1, 2))
NON_LOCAL = dict(layer2=1, layer3=2)


def random_block(channels=16, reduction=None):
    block = NonLocalBlock(channels, reduction).double()
    for tensor in [*block.parameters(), *block.buffers()]:
        if tensor.is_floating_point():
            tensor.data.uniform_(0.2, 1) if tensor.dim() < 2 else tensor.data.normal_(std=0.5)
    return block.eval()


def slow(block, x):
    """The paper's formula, position by position: (N, C, H, W) -> the same."""
    weights = {name: getattr(block, name).conv for name in ('theta', 'phi', 'g')}
    norm, width = block.conv_out.norm, block.conv_out.conv.weight[:, :, 0, 0]
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    images = []
    for image in x:
        columns = image.flatten(1).T  # (P, C)
        theta, phi, g = (
            [conv.weight[:, :, 0, 0] @ column + conv.bias for column in columns] for conv in weights.values()
        )
        out = []
        for i, column in enumerate(columns):
            y = sum((theta[i] * phi[j]).sum() * g[j] for j in range(len(columns))) / len(columns)
            out.append(column + scale * (width @ y - norm.running_mean) + norm.bias)
        images.append(torch.stack(out, dim=1).view_as(image))
    return torch.stack(images)


@pytest.mark.parametrize(('reduction', 'inside'), [(None, 1), (2, 8), (16, 1), (1, 16)])
def test_a_block_is_the_papers_formula_with_its_gradients(reduction, inside):
    block = random_block(reduction=reduction)
    assert block.theta.conv.out_channels == block.phi.conv.out_channels == block.g.conv.out_channels == inside
    x = torch.randn(2, 16, 3, 4, dtype=torch.float64, requires_grad=True)
    tensors = [x, *block.parameters()]
    for found, expected in ((block(x), slow(block, x)), (block(x), NonLocal2d.forward(block, x))):
        assert torch.allclose(found, expected)
        weight = torch.randn_like(found)
        gradients = [torch.autograd.grad((out * weight).sum(), tensors) for out in (found, expected)]
        assert all(torch.allclose(a, b) for a, b in zip(*gradients, strict=True))


def test_no_image_has_no_feature_and_gradients_of_zero():
    block = NonLocalBlock(16).train()
    found = block(torch.empty(0, 16, 4, 2))
    found.sum().backward()
    assert found.shape == (0, 16, 4, 2)
    assert all(p.grad is not None and p.grad.abs().max() == 0 for p in block.parameters())


def test_non_local_blocks_stand_behind_the_last_blocks_of_a_stage_whose_names_they_leave():
    net, plain = MODELS.build(dict(RESNET, non_local=NON_LOCAL)), MODELS.build(RESNET)
    assert [name for name, _ in net.layer2.named_children()] == ['0', '1', 'non_local1']
    assert [name for name, _ in net.layer3.named_children()] == ['0', 'non_local0', '1', 'non_local1']
    ours, theirs = net.state_dict(), plain.state_dict()
    assert set(ours) - set(theirs) == set(net.added_tensors) and set(theirs) <= set(ours)
    assert plain.added_tensors == []
    assert net.layer3.non_local0.theta.conv.out_channels == 1


@pytest.mark.parametrize('begin', ['as built', 'from scratch', 'plain weights', 'scratch, then plain weights'])
def test_a_network_with_non_local_blocks_begins_as_the_one_without(begin, tmp_path):
    net, plain = MODELS.build(dict(RESNET, non_local=NON_LOCAL)), MODELS.build(RESNET)
    plain.init_weights()
    torch.save(plain.state_dict(), tmp_path / 'plain.pth')
    trained = dict(type='Pretrained', checkpoint=str(tmp_path / 'plain.pth'))
    if begin == 'plain weights':
        net.init_cfg = trained
    elif begin == 'scratch, then plain weights':
        net.init_cfg = [*net.init_cfg, trained]
        net.zero_init_residual = False
    if begin != 'as built':
        net.init_weights()
    for stage in (net.layer2.non_local1, net.layer3.non_local0, net.layer3.non_local1):
        assert stage.conv_out.norm.weight.abs().max() == stage.conv_out.norm.bias.abs().max() == 0
        assert 0 < stage.theta.conv.weight.abs().max() < 0.1  # small normal numbers, not He's
        assert stage.theta.conv.weight.std().item() == pytest.approx(0.01, rel=0.5)
    plain.load_state_dict({name: t for name, t in net.state_dict().items() if name in plain.state_dict()})
    images = torch.randn(2, 3, 64, 32)
    for found, expected in zip(net(images), plain(images), strict=True):
        assert torch.equal(found, expected)


def test_weights_of_its_own_are_kept_by_the_initialisation(tmp_path):
    source = MODELS.build(dict(RESNET, non_local=NON_LOCAL))
    for p in source.parameters():
        p.data.normal_()
    torch.save(source.state_dict(), tmp_path / 'own.pth')
    net = MODELS.build(
        dict(RESNET, non_local=NON_LOCAL, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'own.pth')))
    )
    net.init_weights()
    assert all(torch.equal(t, source.state_dict()[name]) for name, t in net.state_dict().items())


def test_it_learns_from_the_first_step_on_by_the_scale_of_its_output():
    net = MODELS.build(dict(RESNET, non_local=NON_LOCAL))
    net.train()
    net(torch.randn(4, 3, 64, 32))[1].square().sum().backward()
    moved = {name for name, p in net.layer3.non_local1.named_parameters() if p.grad.abs().max() > 0}
    assert moved == {'conv_out.bn.weight', 'conv_out.bn.bias'}


@pytest.mark.parametrize(('non_local', 'said'), [(dict(layer2=3), '3 blocks of layer2'), (dict(layer5=1), 'layer5')])
def test_blocks_that_are_not_there_are_named(non_local, said):
    with pytest.raises(ValueError, match=f"OneStreamResNet asks for .*{said}.*: there are {{'layer1': 2, 'layer2': 2"):
        MODELS.build(dict(RESNET, non_local=non_local))


def test_non_local_blocks_are_asked_for_by_stage():
    with pytest.raises(ValueError, match=r'non_local of OneStreamResNet is \[2, 3\]: expected dict\(layer2'):
        MODELS.build(dict(RESNET, non_local=[2, 3]))
