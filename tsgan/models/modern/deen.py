"""DEEN: Zhang and Wang, "Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark for
Visible-Infrared Person Re-identification", CVPR 2023."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import Sequential
from torch import Tensor, nn

from tsgan.models.backbones import TwoStreamResNet
from tsgan.models.reid import ReIDNet
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

BLOCKS = 3  # of rows that DEE makes of a batch


class CrossStageNonLocal(nn.Module):
    """Adds to the map x that a stage made something that it takes from the map x0 which the stage was given.

    x + BN(W y), y of theta(x), phi(x0) and g(x0), with 1x1 convolutions theta, phi, g and W. The weight of BN is 0 at
    the start, and so this begins as x.

    Args:
        channels (int): C, of x.
        low_channels (int): C0, of x0.
        inner_channels (int): C', of theta, phi and g.
        stride (int): By which x is smaller than x0 when W brings y to its size. Defaults to 1.
        phi_stride (int): The same of phi. Defaults to 1.
    """

    def __init__(
        self, channels: int, low_channels: int, inner_channels: int, stride: int = 1, phi_stride: int = 1
    ) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, inner_channels, 1)
        self.phi = nn.Conv2d(low_channels, inner_channels, 1, phi_stride)
        self.g = nn.Conv2d(low_channels, inner_channels, 1)
        self.out = nn.Conv2d(inner_channels, channels, 1, stride)
        self.norm = nn.BatchNorm2d(channels)
        self.init_weights()

    def init_weights(self) -> None:
        """Begin as the identity, whatever else a config initialises."""
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, x: Tensor, x0: Tensor) -> Tensor:
        """Maps (N, C, H, W) and (N, C0, H0, W0) -> (N, C, H, W)."""
        return x + self.norm(self.out(self.taken(x, x0)))

    def taken(self, x: Tensor, x0: Tensor) -> Tensor:
        """y, a map of C' channels."""
        raise NotImplementedError


class ChannelNonLocal(CrossStageNonLocal):
    """CNL: which channels of x0 go with which of x, over all positions; y has the size of x0.

    y = A g(x0) with A = theta(x) phi(x0)^T / C0, (C0, C0). No softmax.

    Args:
        channels (int): C, of x.
        low_channels (int): C0, of x0, and of theta, phi and g.
        stride (int): How many times larger x0 is than x, in either direction.
    """

    def __init__(self, channels: int, low_channels: int, stride: int) -> None:
        super().__init__(channels, low_channels, low_channels, stride=stride, phi_stride=stride)

    def taken(self, x: Tensor, x0: Tensor) -> Tensor:
        theta, phi, g = self.theta(x).flatten(2), self.phi(x0).flatten(2), self.g(x0).flatten(2)  # (N, C0, P, P, P0)
        attention = theta @ (phi / phi.shape[1]).transpose(1, 2)  # (N, C0, C0)
        return (attention @ g).unflatten(2, x0.shape[2:])  # (N, C0, H0, W0)


class PositionNonLocal(CrossStageNonLocal):
    """PNL: which positions of x0 go with which of x; y has the size of x.

    y_i = 1/P0 sum_j (theta(x)_i^T phi(x0)_j) g(x0)_j over the P0 positions j of x0. No softmax, so that the sum over j
    of g_j phi_j^T, (C', C'), is made once for all i. (The published code has half as many positions of twice as many
    channels: it takes a position of the upper half and that of the lower half for one.)

    Args:
        channels (int): C, of x.
        low_channels (int): C0, of x0; C' is half of it.
    """

    def __init__(self, channels: int, low_channels: int) -> None:
        super().__init__(channels, low_channels, low_channels // 2)

    def taken(self, x: Tensor, x0: Tensor) -> Tensor:
        theta, phi, g = self.theta(x).flatten(2), self.phi(x0).flatten(2), self.g(x0).flatten(2)  # (N, C', P, P0, P0)
        mixing = (g / g.shape[2]) @ phi.transpose(1, 2)  # (N, C', C')
        return (mixing @ theta).unflatten(2, x.shape[2:])  # (N, C', H, W)


class MultistageAggregation(nn.Module):
    """MFA, multistage feature aggregation: CNL, then PNL. Begins as the identity.

    Args:
        channels (int): C, of the map x that a stage made.
        low_channels (int): C0, of the map x0 that it was given.
        stride (int): How many times larger x0 is than x, in either direction.
    """

    def __init__(self, channels: int, low_channels: int, stride: int) -> None:
        super().__init__()
        self.channel = ChannelNonLocal(channels, low_channels, stride)
        self.position = PositionNonLocal(channels, low_channels)

    def init_weights(self) -> None:
        self.channel.init_weights()
        self.position.init_weights()

    def forward(self, x: Tensor, x0: Tensor) -> Tensor:
        """Maps (N, C, H, W) and (N, C0, H0, W0) -> (N, C, H, W)."""
        return self.position(self.channel(x, x0), x0)


class AggregatedStage(Sequential):
    """A stage of a ResNet, whose blocks keep their names, and ``mfa`` of what it makes and of what it was given.

    Args:
        stage (nn.Sequential): Its blocks.
        stride (int): Of its first block.
    """

    def __init__(self, stage: nn.Sequential, stride: int) -> None:
        mfa = MultistageAggregation(stage[-1].out_channels, stage[0].in_channels, stride)
        super().__init__(OrderedDict(stage.named_children(), mfa=mfa))

    def forward(self, x0: Tensor) -> Tensor:
        """(N, C0, H0, W0) -> (N, C, H, W)."""
        *blocks, mfa = self
        x = x0
        for block in blocks:
            x = block(x)
        return mfa(x, x0)


class ExpansionBranch(nn.Module):
    """1x1 convolution of ReLU of the mean of three dilated 3x3 convolutions, C -> C/4 -> C.

    Args:
        channels (int): C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(
            nn.Conv2d(channels, channels // 4, 3, padding=dilation, dilation=dilation, bias=False)
            for dilation in (1, 2, 3)
        )
        self.out = nn.Conv2d(channels // 4, channels, 1)
        for conv in (*self.dilated, self.out):
            nn.init.kaiming_normal_(conv.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return self.out(F.relu(sum(conv(x) for conv in self.dilated) / len(self.dilated)))


class EmbeddingExpansion(nn.Module):
    """DEE, diverse embedding expansion: each map as it is, and what two branches make of it, as rows of the batch.

    Args:
        channels (int): C.
        dropout (float): Share of all values, of the plain map's too, that a training step leaves out. Defaults to 0.01.
    """

    def __init__(self, channels: int, dropout: float = 0.01) -> None:
        super().__init__()
        self.branches = nn.ModuleList(ExpansionBranch(channels) for _ in range(BLOCKS - 1))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (3N, C, H, W), in blocks: [x; b1(x); b2(x)]."""
        return self.dropout(torch.cat([x, *(branch(x) for branch in self.branches)]))


@MODELS.register_module()
class DEENResNet(TwoStreamResNet):
    """DEEN's backbone: two streams in colour with stems apart, MFA behind each shared stage but the last, DEE before
    that one.

    The weights of a ResNet fit, those of ImageNet and of this toolbox's own trainings; MFA then begins as the identity,
    DEE's branches at random.

    Args:
        strides (Sequence[int]): Strides of the stages, of which there are as many: three on RegDB, where DEEN has no
            ``layer4``. Defaults to (1, 2, 2, 1).
        out_indices (Sequence[int]): Stages whose maps come out. Defaults to (2, 3): the map that DEE is given, with a
            row for each image, and the final one, with three.
        **resnet: Other arguments of :class:`~tsgan.models.backbones.TwoStreamResNet`; not ``share_from`` and ``gray``.
    """

    def __init__(self, strides: Sequence[int] = (1, 2, 2, 1), out_indices: Sequence[int] = (2, 3), **resnet) -> None:
        super().__init__(share_from=1, gray=False, strides=strides, out_indices=out_indices, **resnet)
        *lower, last = self.res_layers
        for name, stride in zip(lower, strides[:-1], strict=True):
            setattr(self, name, AggregatedStage(getattr(self, name), stride))
        blocks = OrderedDict(getattr(self, last).named_children())
        dee = EmbeddingExpansion(blocks['0'].in_channels)
        setattr(self, last, Sequential(OrderedDict(dee=dee, **blocks)))

    @property
    def added_tensors(self) -> list[str]:
        """Names of the tensors that a ResNet has not, and without which the plain block is the same."""
        return [name for name in self.state_dict() if {'mfa', 'dee'} & set(name.split('.'))]


@MODELS.register_module()
class DEENNet(ReIDNet):
    """DEEN: in training, three rows of each image, those of the plain block first; in evaluation, the plain one's.

    Then ``branches`` has those of the expanded blocks, too: ``before_neck`` and ``after_neck`` are the plain block's,
    ``before_neck_1`` ... ``after_neck_2`` those of the two expanded ones. The paper tests by the sum of the six cosine
    similarities: ``features`` of :class:`~tsgan.evaluation.metric.ReIDMetric` names them.

    Args:
        encoder (dict): Config of an encoder with a :class:`DEENResNet`.
        head (dict): Config of the head, with a BN neck.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self, encoder: dict, head: dict, init_cfg: dict | None = None) -> None:
        super().__init__(encoder, head, init_cfg=init_cfg)

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> ReIDOutput:
        """Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1]; of either modality.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool.

        Returns:
            ReIDOutput: Of 3N rows, in blocks, in training, but for the middle map, which has N; of N in evaluation.
        """
        output = super().forward(images, is_rgb)
        if self.training:
            return output
        plain = {name: in_blocks(getattr(output, name))[0] for name in ('final_map', 'vector', 'feature', 'logits')}
        branches = {}
        for name, rows in output.branches.items():
            branches[name], *expanded = in_blocks(rows).unbind()
            branches |= {f'{name}_{k}': block for k, block in enumerate(expanded, start=1)}
        return output._replace(branches=branches, **plain)


def in_blocks(rows: Tensor) -> Tensor:
    """(3N, ...) -> (3, N, ...)."""
    return rows.unflatten(0, (BLOCKS, -1))
