import torch
from torch import nn

VECTOR = 16  # floats of the widest vector that a CPU convolution works with


def to_fastest_format(network: nn.Module) -> nn.Module:
    """Channels last, in place, for convolutions and batch norms: faster on CPUs, and on GPUs in mixed precision.

    Not for a network with instance norms (generators, discriminators): each of them brings its input back to
    contiguous memory, so that channels last costs a copy a layer.

    And not for one with a strided 1x1 convolution of fewer input channels than a vector has floats: its backward pass
    in oneDNN, channels last, writes past its memory (torch 2.15 and others; with fewer than 8 channels on CPUs with
    AVX2, which ``ONEDNN_MAX_CPU_ISA=AVX2`` imitates).
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
