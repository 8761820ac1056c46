import pytest
import torch
from torch import nn

from tsgan.models.memory_format import to_fastest_format


def last(conv):
    """Whether a convolution's weight lies channels last; of one with 1x1 kernels or one input channel, strides tell."""
    return conv.weight.stride(1) == 1 and conv.weight.stride(3) == conv.weight.shape[1]


def convolutions(module):
    return [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]


def test_each_child_has_the_format_that_is_fast_for_it(make_tsgan):
    model = make_tsgan()
    for name, expected in (('reid', True), ('teacher', True), ('generators', False), ('discriminators', False)):
        found = convolutions(getattr(model, name))
        assert found and all(last(conv) == expected for conv in found), name


@pytest.mark.parametrize(('channels', 'stride', 'expected'), [(8, 2, True), (8, 1, True), (7, 2, False), (7, 1, True)])
def test_a_network_that_would_write_past_its_memory_stays_contiguous(channels, stride, expected):
    network = nn.Sequential(nn.Conv2d(3, channels, 3), nn.Conv2d(channels, 32, 1, stride=stride))
    before = network[0].weight.clone()
    assert to_fastest_format(network) is network
    assert last(network[0]) == expected
    assert torch.equal(network[0].weight, before)
