from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy

import torch
from mmpretrain.models.backbones.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from tsgan.registry import MODELS

FROM_SCRATCH = [dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')]


def to_gray(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, (N, 3, H, W) RGB -> (N, 1, H, W): an IR image, three equal channels, stays as it is."""
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


@MODELS.register_module()
class OneStreamResNet(ResNet):
    """A ResNet on gray images, with all weights shared by RGB and IR images.

    Source: Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017.

    The weights of a ResNet on colour images fit, those of ImageNet and of this toolbox's own trainings: on a gray image
    both then compute the same, but for what the channels' own means and standard deviations make of gray.

    Args:
        depth (int): 6 for the source's "ResNet-6", which is one BasicBlock a stage between stem and classifier, or any
            depth of ``mmpretrain.ResNet``. Defaults to 6.
        stem_channels (int): Channels of the stem. Defaults to 64.
        base_channels (int): Channels of the first stage. Defaults to 64.
        strides (Sequence[int]): Strides of the stages. Defaults to (1, 2, 2, 2).
        out_indices (Sequence[int]): Stages whose maps come out. Defaults to (2, 3).
        init_cfg (dict | list[dict], optional): Initialisation config. Defaults to training from scratch.
    """

    arch_settings = {6: (BasicBlock, (1, 1, 1, 1)), **ResNet.arch_settings}
    IN_CHANNELS = 1

    def __init__(
        self,
        depth: int = 6,
        stem_channels: int = 64,
        base_channels: int = 64,
        strides: Sequence[int] = (1, 2, 2, 2),
        out_indices: Sequence[int] = (2, 3),
        init_cfg: dict | list[dict] | None = FROM_SCRATCH,
    ) -> None:
        super().__init__(
            depth,
            in_channels=self.IN_CHANNELS,
            stem_channels=stem_channels,
            base_channels=base_channels,
            strides=strides,
            out_indices=out_indices,
            init_cfg=init_cfg,
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        return super().forward(to_gray(images))

    def adapt_state(self, state: dict[str, Tensor], prefix: str) -> None:
        """Make the weights of a ResNet on colour images fit this network, in place; leave those that do as they are.

        Args:
            state (dict[str, Tensor]): Weights by their names.
            prefix (str): What the names of the ResNet's begin with.
        """
        name = f'{prefix}conv1.weight'
        if name in state and state[name].shape[1] == 3:  # of a gray image, all channels see the same
            state[name] = state[name].sum(dim=1, keepdim=True).repeat(1, self.IN_CHANNELS, 1, 1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
        self.adapt_state(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


@MODELS.register_module()
class ZeroPaddingResNet(OneStreamResNet):
    """Deep zero-padding: a ResNet whose input has a channel for each modality, with zeros in that of the other.

    Source: Wu et al., as above. Arguments are those of :class:`OneStreamResNet`.
    """

    needs_modality = True
    IN_CHANNELS = 2  # gray RGB, IR

    def forward(self, images: Tensor, is_rgb: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised: the zeros are put beside it afterwards.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool; the others are IR images.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        channel = torch.stack([is_rgb, ~is_rgb], dim=1)  # (N, 2)
        return ResNet.forward(self, to_gray(images) * channel[:, :, None, None])  # of (N, 2, H, W)


@MODELS.register_module()
class TwoStreamResNet(OneStreamResNet):
    """A ResNet on gray images, with a stem and a first stage for each modality; the other stages are shared.

    Source: Wu et al., as above; where the streams meet is not taken from there.

    Args:
        **resnet: Arguments of :class:`OneStreamResNet`.
    """

    needs_modality = True
    OWN = ('conv1', 'bn1', 'relu', 'maxpool', 'layer1')  # what each modality has of its own

    def __init__(self, **resnet) -> None:
        super().__init__(**resnet)
        self.rgb = nn.Sequential(OrderedDict((name, getattr(self, name)) for name in self.OWN))
        self.ir = deepcopy(self.rgb)
        for name in self.OWN:
            setattr(self, name, nn.Identity())  # ResNet.forward goes on behind the streams

    def forward(self, images: Tensor, is_rgb: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool; the others are IR images.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        gray = to_gray(images)
        # A stream without an image runs too, on none: its BN statistics stay, and its gradients are 0 rather than
        # missing, for which a distributed wrapper would wait.
        maps = torch.cat([self.rgb(gray[is_rgb]), self.ir(gray[~is_rgb])])  # (N, C, H/4, W/4), RGB first
        order = torch.cat([is_rgb.nonzero(), (~is_rgb).nonzero()]).flatten()  # (N,): row i is of image order[i]
        return ResNet.forward(self, maps[order.argsort()])

    def adapt_state(self, state: dict[str, Tensor], prefix: str) -> None:
        """As before; and both streams begin with the weights of the one."""
        super().adapt_state(state, prefix)
        for part in self.OWN:
            for name in [name for name in state if name.startswith(f'{prefix}{part}.')]:
                tensor, inside = state.pop(name), name.removeprefix(prefix)
                state[f'{prefix}rgb.{inside}'] = state[f'{prefix}ir.{inside}'] = tensor
