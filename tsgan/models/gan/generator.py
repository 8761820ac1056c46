import torch
import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from tsgan.registry import MODELS
from tsgan.structures import Translation

NORMAL_INIT = dict(type='Normal', layer=['Conv2d', 'ConvTranspose2d'], std=0.02)  # CycleGAN's


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to what came in.

    Args:
        channels (int): Width.
        padding_mode (str): As ``nn.Conv2d`` has it.
        norm (dict): Arguments of the instance norm.
    """

    def __init__(self, channels: int, padding_mode: str, norm: dict) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode, bias=False),
            nn.InstanceNorm2d(channels, **norm),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding_mode, bias=False),
            nn.InstanceNorm2d(channels, **norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


@MODELS.register_module()
class ResnetGenerator(BaseModule):
    """CycleGAN's generator: c7s1-k, d2k, d4k, residual blocks, u2k, uk, c7s1-3, tanh, instance norm.

    Source: Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017, Sec. 7.

    Args:
        base_channels (int): k. Defaults to 64.
        num_blocks (int): Residual blocks; CycleGAN takes 9 for images of 256 pixels, 6 for 128. Defaults to 9.
        residual (bool): Add the input before the tanh, so that the generator starts near the identity and learns a
            difference (as DeblurGAN's, Kupyn et al. 2018): a short training then keeps pose and edges. Defaults to
            False, as CycleGAN.
        kernel_size (int): Of the layers that halve and double the size, 3, or 4 as AlignGAN's. Defaults to 3.
        padding_mode (str): 'reflect', or 'zeros' as AlignGAN's. Defaults to 'reflect'.
        running_stats (bool): Instance norm with weights of its own, and in eval mode with the statistics of the
            training, as AlignGAN's, instead of each image's own. Defaults to False.
        init_cfg (dict, optional): Initialisation config. Defaults to CycleGAN's normal weights.
    """

    def __init__(
        self,
        base_channels: int = 64,
        num_blocks: int = 9,
        residual: bool = False,
        kernel_size: int = 3,
        padding_mode: str = 'reflect',
        running_stats: bool = False,
        init_cfg: dict | None = NORMAL_INIT,
    ) -> None:
        super().__init__(init_cfg)
        if kernel_size not in (3, 4):
            raise ValueError(f'kernel_size of ResnetGenerator is 3 or 4, not {kernel_size}.')
        self.residual = residual
        norm = dict(affine=running_stats, track_running_stats=running_stats)
        c, k = base_channels, kernel_size
        layers = [
            nn.Conv2d(3, c, 7, padding=3, padding_mode=padding_mode, bias=False),
            nn.InstanceNorm2d(c, **norm),
            nn.ReLU(inplace=True),
        ]
        for width in (c, 2 * c):  # H x W -> H/4 x W/4
            layers += [
                nn.Conv2d(width, 2 * width, k, stride=2, padding=1, bias=False),
                nn.InstanceNorm2d(2 * width, **norm),
                nn.ReLU(inplace=True),
            ]
        layers += [ResidualBlock(4 * c, padding_mode, norm) for _ in range(num_blocks)]
        for width in (4 * c, 2 * c):  # and back
            layers += [
                nn.ConvTranspose2d(width, width // 2, k, stride=2, padding=1, output_padding=4 - k, bias=False),
                nn.InstanceNorm2d(width // 2, **norm),
                nn.ReLU(inplace=True),
            ]
        layers.append(nn.Conv2d(c, 3, 7, padding=3, padding_mode=padding_mode))
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Args:
            images (Tensor): (N, 3, H, W) in [-1, 1]; H and W are multiples of 4.

        Returns:
            Tensor: (N, 3, H, W) in [-1, 1].
        """
        change = self.layers(images)
        if self.residual:
            change = change + torch.atanh(0.98 * images)  # 0.98: atanh(1) is infinite
        return torch.tanh(change)


@MODELS.register_module()
class CycleGenerators(BaseModule):
    """G_I (RGB -> IR) and G_R (IR -> RGB), two generators of one kind (paper, Sec. III-A).

    Args:
        generator (dict): Config of either.
        gray_ir (bool): Average G_I's channels, since IR images have three equal ones; otherwise D_I tells a fake by
            its colours before anything else is learned. Defaults to False, as the paper does not mention it.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self, generator: dict, gray_ir: bool = False, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.gray_ir = gray_ir
        self.rgb_to_ir = MODELS.build(generator)
        self.ir_to_rgb = MODELS.build(generator)

    def forward(self, rgb: Tensor, ir: Tensor, reconstruct: bool = True) -> Translation:
        """Args:
            rgb (Tensor): X_R, (B, 3, H, W) in [-1, 1].
            ir (Tensor): X_I, (B, 3, H, W) in [-1, 1].
            reconstruct (bool): Translate the fakes back, too. Defaults to True.

        Returns:
            Translation: Fakes and, where asked for, reconstructions.
        """
        fake_ir, fake_rgb = self.to_ir(rgb), self.ir_to_rgb(ir)
        if not reconstruct:
            return Translation(fake_ir, fake_rgb)
        return Translation(fake_ir, fake_rgb, rec_rgb=self.ir_to_rgb(fake_ir), rec_ir=self.to_ir(fake_rgb))

    def to_ir(self, rgb: Tensor) -> Tensor:
        ir = self.rgb_to_ir(rgb)  # (B, 3, H, W)
        return ir.mean(dim=1, keepdim=True).expand_as(ir) if self.gray_ir else ir


def varieties(rgb: Tensor, ir: Tensor, fakes: Translation) -> dict[str, Tensor]:
    """How much fakes differ from image to image, beside how much their originals do, to be logged.

    Args:
        rgb (Tensor): X_R, (B, 3, H, W) in [-1, 1].
        ir (Tensor): X_I, (B, 3, H, W) in [-1, 1].
        fakes (Translation): What was made of them.

    Returns:
        dict[str, Tensor]: ``variety_ir``, of X'_I beside X_R, and ``variety_rgb``, of X'_R beside X_I; scalars, see
        :func:`relative_variance`.
    """
    return {
        'variety_ir': relative_variance(fakes.fake_ir, rgb),
        'variety_rgb': relative_variance(fakes.fake_rgb, ir),
    }


@torch.no_grad()
def relative_variance(made: Tensor, of: Tensor) -> Tensor:
    """Variance from image to image, mean over channels and pixels, of what was made, divided by that of the originals.

    (B, C, H, W) each -> scalar; near 0 where one picture is made of all, 1 where there is no variance in either.
    """
    # 1e-6: far less than a grey level, squared; without it, 0 / 0
    made, of = (images.float().var(dim=0, correction=0).mean() + 1e-6 for images in (made, of))
    return made / of
