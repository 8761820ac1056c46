import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from tsgan.registry import MODELS

from .generator import NORMAL_INIT


def conv_block(in_channels: int, out_channels: int, stride: int = 2, norm: bool = True) -> list[nn.Module]:
    """4x4 convolution (H -> H/2, or H - 1 with stride 1), instance norm, leaky ReLU: a PatchGAN's layer."""
    layers = [nn.Conv2d(in_channels, out_channels, 4, stride=stride, padding=1, bias=not norm)]
    if norm:
        layers.append(nn.InstanceNorm2d(out_channels))
    return [*layers, nn.LeakyReLU(0.2, inplace=True)]


@MODELS.register_module()
class PatchDiscriminator(BaseModule):
    """An ordinary discriminator, of images only: PatchGAN, C64-C128-C256-C512.

    Source: Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017.

    Args:
        base_channels (int): Width of the first layer. Defaults to 64.
        num_downs (int): Layers of stride 2. Defaults to 3, which sees patches of 70 pixels.
        strided (bool): Nothing but layers of stride 2, each twice as wide as the one before it, and a 3x3 head, as
            AlignGAN's (Wang et al. 2019); otherwise one layer of stride 1 more, eight times the first one's width at
            most, and a 4x4 head. Defaults to False.
        init_cfg (dict, optional): Initialisation config. Defaults to CycleGAN's normal weights.
    """

    joint = False

    def __init__(
        self,
        base_channels: int = 64,
        num_downs: int = 3,
        strided: bool = False,
        init_cfg: dict | None = NORMAL_INIT,
    ) -> None:
        super().__init__(init_cfg)
        widths = [base_channels * (2**i if strided else min(2**i, 8)) for i in range(num_downs + 1)]
        layers = conv_block(3, widths[0], norm=False)
        for i in range(1, num_downs):
            layers += conv_block(widths[i - 1], widths[i])
        if strided:
            layers.append(nn.Conv2d(widths[-2], 1, 3, padding=1))
        else:
            layers += [*conv_block(widths[-2], widths[-1], stride=1), nn.Conv2d(widths[-1], 1, 4, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Args:
            images (Tensor): (N, 3, H, W) in [-1, 1].

        Returns:
            Tensor: Logits of patches, (N, 1, h, w).
        """
        return self.layers(images)


@MODELS.register_module()
class JointDiscriminator(BaseModule):
    """D_I: says whether an IR image and a ReID feature map are both real (Eq. 2 to 5).

    The paper does not say how image and map are joined; by default they are as in AlignGAN (Wang et al. 2019): three
    stride-2 convolutions bring the image to H/8, a 1x1 convolution thins the map out, which is resized to H/8; both are
    concatenated, and two more stride-2 layers, the last 16 times as wide as the first one, and a 3x3 one give the patch
    logits.

    Args:
        map_channels (int): Channels of the map, C.
        base_channels (int): Width of the first layer. Defaults to 64.
        reduced_channels (int): To which the 1x1 convolution brings the map. Defaults to 64.
        wide_end (bool): Let the last strided layer double the width once more and normalise it, as AlignGAN's does. It
            has H/32 x W/32 positions to normalise over: 8 x 4 of 256 x 128 images, but 3 x 1 of 96 x 48 ones, of which
            little would be left: False is for these. Defaults to True.
        init_cfg (dict, optional): Initialisation config. Defaults to CycleGAN's normal weights.
    """

    joint = True

    def __init__(
        self,
        map_channels: int,
        base_channels: int = 64,
        reduced_channels: int = 64,
        wide_end: bool = True,
        init_cfg: dict | None = NORMAL_INIT,
    ) -> None:
        super().__init__(init_cfg)
        self.map_channels = map_channels
        c, end = base_channels, base_channels * (16 if wide_end else 8)
        self.image_branch = nn.Sequential(
            *conv_block(3, c, norm=False), *conv_block(c, 2 * c), *conv_block(2 * c, 4 * c)
        )
        self.map_branch = nn.Sequential(nn.Conv2d(map_channels, reduced_channels, 1), nn.LeakyReLU(0.2, inplace=True))
        self.joint_branch = nn.Sequential(
            *conv_block(4 * c + reduced_channels, 8 * c),
            *conv_block(8 * c, end, norm=wide_end),
            nn.Conv2d(end, 1, 3, padding=1),
        )

    def forward(self, images: Tensor, maps: Tensor, pairs: Tensor) -> Tensor:
        """Judge pairs of an image and a map; each image and each map is encoded once, however many pairs it is in.

        Args:
            images (Tensor): (N, 3, H, W) in [-1, 1], at least 32 x 32; with ``wide_end``, 64 on one side.
            maps (Tensor): (M, C, h, w).
            pairs (Tensor): Indices into images and maps, (P, 2).

        Returns:
            Tensor: Logits of patches, (P, 1, h', w').
        """
        image_code = self.image_branch(images)  # (N, 4c, H/8, W/8)
        map_code = F.interpolate(self.map_branch(maps), image_code.shape[2:], mode='bilinear', align_corners=False)
        joined = torch.cat([image_code[pairs[:, 0]], map_code[pairs[:, 1]]], dim=1)  # (P, 4c + r, H/8, W/8)
        return self.joint_branch(joined)


@MODELS.register_module()
class Discriminators(BaseModule):
    """D_I and D_R (paper, Sec. III-A).

    Args:
        ir (dict): Config of D_I, ordinary or joint.
        rgb (dict): Config of D_R, ordinary.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self, ir: dict, rgb: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.ir = MODELS.build(ir)
        self.rgb = MODELS.build(rgb)

    def check_maps(self, channels: int) -> None:
        """Raises ValueError when a joint D_I reads maps of another number of channels than it is going to be given."""
        if self.ir.joint and self.ir.map_channels != channels:
            raise ValueError(
                f'the map that D_I sees has {channels} channels, but model.discriminators.ir.map_channels is '
                f'{self.ir.map_channels}: set it, in the config or with `--cfg-options '
                f'model.discriminators.ir.map_channels={channels}`.'
            )

    def forward(
        self, ir: Tensor, rgb: Tensor | None, maps: Tensor | None = None, pairs: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Args:
            ir (Tensor): IR images, (N, 3, H, W) in [-1, 1].
            rgb (Tensor, optional): RGB images; None leaves D_R out.
            maps (Tensor, optional): For a joint D_I: feature maps, (M, C, h, w).
            pairs (Tensor, optional): For a joint D_I: which image and map to judge together, (P, 2).

        Returns:
            tuple[Tensor, Tensor | None]: Logits of the IR images, or pairs, and of the RGB images.
        """
        ir_logits = self.ir(ir, maps, pairs) if self.ir.joint else self.ir(ir)
        return ir_logits, None if rgb is None else self.rgb(rgb)
