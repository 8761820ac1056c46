import torch
from torch import nn

VECTOR = 8  # floats of AVX2's vectors


def to_fastest_format(network: nn.Module) -> nn.Module:
    """Channels last, in place, for convolutions and batch norms: faster on CPUs, and on GPUs in mixed precision.

    Not for a network with instance norms (generators, discriminators): each of them brings its input back to
    contiguous memory, so that channels last costs a copy a layer.

    And not for one with a strided 1x1 convolution of fewer than 8 input channels: channels last, its backward pass in
    oneDNN writes past its memory on CPUs with AVX2 and without AVX-512, which ``ONEDNN_MAX_CPU_ISA=AVX2`` imitates
    (seen with torch 2.15; contiguous, or with 8 channels or more, it does not).
    """
    return network if any(map(writes_past_memory, network.modules())) else network.to(memory_format=torch.channels_last)


def writes_past_memory(module: nn.Module) -> bool:
    """Whether this is a convolution that must stay out of channels last on a CPU, see :func:`to_fastest_format`."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and max(module.stride) > 1
        and module.in_channels < VECTOR
    )
