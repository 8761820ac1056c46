"""What the parts of the toolbox hand to each other."""

from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from mmengine.model import is_model_wrapper
from torch import Tensor, nn


class PartOutput(NamedTuple):
    """What the head of one part, such as a stripe, makes of N images; names as in :class:`ReIDOutput`."""

    vector: Tensor  # (N, C_i)
    feature: Tensor  # (N, D_i)
    logits: Tensor  # (N, num_classes)


class ReIDOutput(NamedTuple):
    """What a ReID network makes of N images. Without a head of the whole, V is all parts' vectors joined."""

    mid_map: Tensor  # (N, C_mid, H/16, W/16)  f_map,S: output of the former encoder
    final_map: Tensor  # (N, C, H/16, W/16)  f_map,R: output of the latter encoder, "the ReID feature map"
    vector: Tensor  # (N, C)  V: pooled final map; the triplet loss sees this
    feature: Tensor  # (N, D)  what is compared at test: V, or V after the BN neck where there is one; then the parts'
    logits: Tensor | None  # (N, num_classes)  F; None without a classifier of the whole
    branches: dict[str, Tensor]  # (N, C_i) each  features at other places of the network, by name; may be empty
    parts: tuple[PartOutput, ...] = ()  # what each of several heads says
    extras: Mapping[str, Tensor] = MappingProxyType({})  # what else the losses of one network need, by name


class Translation(NamedTuple):
    """What the two generators make of B RGB and B IR images; each (B, 3, H, W) in [-1, 1]."""

    fake_ir: Tensor  # X'_I = G_I(X_R)
    fake_rgb: Tensor  # X'_R = G_R(X_I)
    rec_rgb: Tensor | None = None  # G_R(G_I(X_R))
    rec_ir: Tensor | None = None  # G_I(G_R(X_I))


@dataclass
class PairStep:
    """One iteration on B RGB-IR pairs: its data, and what its phases made so far, so that none is computed twice."""

    rgb: Tensor  # (B, 3, H, W) in [-1, 1]
    ir: Tensor  # (B, 3, H, W) in [-1, 1]
    labels: Tensor  # (B,) identity of the i-th RGB and of the i-th IR image
    view: Tensor | None = None  # (B, 3, H, W) a second view of the RGB images, where the batch has one
    translation: Translation | None = None
    map_ir: Tensor | None = None  # map of X_I that the joint discriminator sees
    map_fake_ir: Tensor | None = None  # and of X'_I


@contextmanager
def evaluating(module: nn.Module):
    """Evaluation mode inside, and each submodule's own mode, which may be another than its parent's, after it."""
    modes = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for child, training in modes:
            child.training = training


def unwrapped(module: nn.Module) -> nn.Module:
    """A model, or a child of one, without a distributed wrapper around it."""
    return module.module if is_model_wrapper(module) else module
