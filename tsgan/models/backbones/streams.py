from collections import OrderedDict
from collections.abc import Sequence
from copy import deepcopy

import mmengine.model
import torch
from mmpretrain.models.backbones.resnet import BasicBlock, ResNet
from torch import Tensor

from tsgan.registry import MODELS

from .non_local import NonLocalBlock, with_non_local

FROM_SCRATCH = [dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')]


def to_gray(images: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, (N, 3, H, W) RGB -> (N, 1, H, W): an IR image, three equal channels, stays as it is."""
    red, green, blue = images.split(1, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


class StreamResNet(ResNet):
    """What the ResNets of this file have in common.

    The weights of a ResNet on colour images fit, those of ImageNet and of this toolbox's own trainings: on a gray image
    both then compute the same, but for what the channels' own means and standard deviations make of gray. Non-local
    blocks, which those do not have, begin as the identity.

    Args:
        in_channels (int): Channels of what the stem sees.
        depth (int): 6 for the "ResNet-6" of Wu et al., which is one BasicBlock a stage between stem and classifier, or
            any depth of ``mmpretrain.ResNet``. Defaults to 6.
        stem_channels (int): Channels of the stem. Defaults to 64.
        base_channels (int): Channels of the first stage. Defaults to 64.
        strides (Sequence[int]): Strides of the stages, of which there are as many. Defaults to (1, 2, 2, 2).
        out_indices (Sequence[int]): Stages whose maps come out. Defaults to (2, 3).
        non_local (dict[str, int], optional): Stage -> behind how many of its last residual blocks a
            :class:`~tsgan.models.backbones.NonLocalBlock` stands, as ``dict(layer2=2, layer3=3)``. Defaults to None.
        non_local_reduction (int, optional): C / C' of these. Defaults to None: C' = 1.
        init_cfg (dict | list[dict], optional): Initialisation config. Defaults to training from scratch.

    Raises:
        ValueError: When ``non_local`` names a stage, or more blocks of one, than there are.
    """

    arch_settings = {6: (BasicBlock, (1, 1, 1, 1)), **ResNet.arch_settings}

    def __init__(
        self,
        in_channels: int,
        depth: int = 6,
        stem_channels: int = 64,
        base_channels: int = 64,
        strides: Sequence[int] = (1, 2, 2, 2),
        out_indices: Sequence[int] = (2, 3),
        non_local: dict[str, int] | None = None,
        non_local_reduction: int | None = None,
        init_cfg: dict | list[dict] | None = FROM_SCRATCH,
    ) -> None:
        super().__init__(
            depth,
            in_channels=in_channels,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=len(strides),
            strides=strides,
            dilations=(1,) * len(strides),
            out_indices=out_indices,
            init_cfg=init_cfg,
        )
        self.in_channels = in_channels
        blocks = dict(zip(self.res_layers, self.stage_blocks, strict=True))
        if not isinstance(non_local, dict | None):
            raise ValueError(f'non_local of {type(self).__name__} is {non_local!r}: expected dict(layer2=2, layer3=3).')
        for stage, last in (non_local or {}).items():
            if not 0 <= last <= blocks.get(stage, -1):
                raise ValueError(
                    f'non_local of {type(self).__name__} asks for {last} blocks of {stage}: there are {blocks}.'
                )
            setattr(self, stage, with_non_local(getattr(self, stage), last, non_local_reduction))

    @property
    def added_tensors(self) -> list[str]:
        """Names of the tensors that a ResNet has not, and without which it computes the same."""
        modules = [(name, module) for name, module in self.named_modules() if isinstance(module, NonLocalBlock)]
        return [f'{name}.{tensor}' for name, module in modules for tensor in module.state_dict()]

    def adapt_state(self, state: dict[str, Tensor], prefix: str) -> None:
        """Make the weights of a ResNet on colour images fit this network, in place; leave those that do as they are.

        Args:
            state (dict[str, Tensor]): Weights by their names.
            prefix (str): What the names of the ResNet's begin with.
        """
        name = f'{prefix}conv1.weight'
        if (
            name in state and state[name].shape[1] == 3 != self.in_channels
        ):  # of a gray image, all channels see the same
            state[name] = state[name].sum(dim=1, keepdim=True).repeat(1, self.in_channels, 1, 1)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
        self.adapt_state(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)


@MODELS.register_module()
class OneStreamResNet(StreamResNet):
    """A ResNet on gray images, with all weights shared by RGB and IR images.

    Source: Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017.

    Args:
        **resnet: Arguments of :class:`StreamResNet`.
    """

    def __init__(self, **resnet) -> None:
        super().__init__(in_channels=1, **resnet)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        return super().forward(to_gray(images))


@MODELS.register_module()
class ZeroPaddingResNet(StreamResNet):
    """Deep zero-padding: a ResNet whose input has a channel for each modality, with zeros in that of the other.

    Source: Wu et al., as above.

    Args:
        **resnet: Arguments of :class:`StreamResNet`.
    """

    needs_modality = True

    def __init__(self, **resnet) -> None:
        super().__init__(in_channels=2, **resnet)  # gray RGB, IR

    def forward(self, images: Tensor, is_rgb: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised: the zeros are put beside it afterwards.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool; the others are IR images.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        channel = torch.stack([is_rgb, ~is_rgb], dim=1)  # (N, 2)
        return super().forward(to_gray(images) * channel[:, :, None, None])  # of (N, 2, H, W)


@MODELS.register_module()
class TwoStreamResNet(StreamResNet):
    """A ResNet whose first stages each modality has of its own; the other stages are shared.

    With a trained ResNet's weights, both streams begin as copies of one.

    Sources: on gray images, Wu et al., as above; where the streams meet is not taken from there. On colour images, with
    the stem alone apart, Ye et al. 2021 (AGW) and what builds on it.

    Args:
        share_from (int): The first stage that is shared: 1 has the stems alone apart, 2 (the default) the stems and
            ``layer1``, and so on; behind the last stage's number, 5 of a ResNet with four, all is apart.
        gray (bool): Whether the streams see gray images, one channel, rather than colours, three. Defaults to True.
        **resnet: Arguments of :class:`StreamResNet`.

    Raises:
        ValueError: When there is no such stage.
    """

    needs_modality = True

    def __init__(self, share_from: int = 2, gray: bool = True, **resnet) -> None:
        super().__init__(in_channels=1 if gray else 3, **resnet)
        if not 1 <= share_from <= self.num_stages + 1:
            raise ValueError(
                f'share_from of {type(self).__name__} is {share_from}: expected 1, stems apart, to '
                f'{self.num_stages + 1}, all of {self.num_stages} stages apart.'
            )
        self.gray = gray
        self.own = ('conv1', 'bn1', 'relu', 'maxpool', *self.res_layers[: share_from - 1])
        self.shared = self.res_layers[share_from - 1 :]
        self.asked = {self.res_layers[index] for index in self.out_indices}
        self.rgb = mmengine.model.Sequential(OrderedDict((name, getattr(self, name)) for name in self.own))
        self.ir = deepcopy(self.rgb)
        for name in self.own:
            delattr(self, name)

    def forward(self, images: Tensor, is_rgb: Tensor) -> tuple[Tensor, ...]:
        """Args:
            images (Tensor): (N, 3, H, W), RGB, normalised.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool; the others are IR images.

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i), one for each of ``out_indices``.
        """
        if self.gray:
            images = to_gray(images)
        order = torch.cat([is_rgb.nonzero(), (~is_rgb).nonzero()]).flatten()  # (N,): row i of both is image order[i]
        place = order.argsort()
        rgb, ir = images[is_rgb], images[~is_rgb]
        maps = []
        # A stream without an image runs too, on none: its BN statistics stay, and its gradients are 0 rather than
        # missing, for which a distributed wrapper would wait.
        for name, of_rgb, of_ir in zip(self.own, self.rgb, self.ir, strict=True):
            rgb, ir = of_rgb(rgb), of_ir(ir)
            if name in self.asked:
                maps.append(torch.cat([rgb, ir])[place])
        x = torch.cat([rgb, ir])[place]  # (N, C, H/4, W/4) behind the stems
        for name in self.shared:
            x = getattr(self, name)(x)
            if name in self.asked:
                maps.append(x)
        return tuple(maps)

    def adapt_state(self, state: dict[str, Tensor], prefix: str) -> None:
        """As before; and both streams begin with the weights of the one."""
        super().adapt_state(state, prefix)
        for part in self.own:
            for name in [name for name in state if name.startswith(f'{prefix}{part}.')]:
                tensor, inside = state.pop(name), name.removeprefix(prefix)
                state[f'{prefix}rgb.{inside}'] = state[f'{prefix}ir.{inside}'] = tensor
