from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor

from tsgan.registry import MODELS


@MODELS.register_module()
class Encoder(BaseModule):
    """A staged backbone that reads images in [-1, 1], the range in which generators write them.

    The former and the latter encoder of the paper (FE, LE) are one backbone with two outputs: for a ResNet,
    ``out_indices=(2, 3)`` gives f_map,S after layer3 and f_map,R after layer4. Any mmpretrain backbone with
    ``out_indices`` fits.

    Args:
        backbone (dict): Config of the backbone.
        mean (Sequence[float]): Channel means in RGB order, 0 to 255, that the backbone was trained with.
            Defaults to ImageNet's.
        std (Sequence[float]): The standard deviations. Defaults to ImageNet's.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.backbone = MODELS.build(backbone)
        to_unit = 127.5  # [0, 255] -> [-1, 1]
        self.register_buffer('mean', torch.tensor(mean).view(1, 3, 1, 1) / to_unit - 1, persistent=False)
        self.register_buffer('std', torch.tensor(std).view(1, 3, 1, 1) / to_unit, persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature maps, one for each of the backbone's ``out_indices``.

        Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1].

        Returns:
            tuple[Tensor, ...]: Maps (N, C_i, H_i, W_i).
        """
        return self.backbone((images - self.mean) / self.std)
