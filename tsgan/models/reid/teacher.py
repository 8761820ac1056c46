import torch
from mmengine.model import BaseModule
from torch import Tensor

from tsgan.registry import MODELS


@MODELS.register_module()
class FrozenTeacher(BaseModule):
    """FE_T: the former encoder of a ReID baseline that was trained on real IR images; frozen, BN in eval mode.

    Source: paper, Sec. III-C.

    Args:
        encoder (dict): Config of an encoder whose first output is f_map,T, with the ``checkpoint`` of its training.
    """

    def __init__(self, encoder: dict) -> None:
        super().__init__()
        self.encoder = MODELS.build(encoder)
        self.encoder.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> 'FrozenTeacher':
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Args:
            images (Tensor): IR images, real or fake, (N, 3, H, W) in [-1, 1].

        Returns:
            Tensor: f_map,T, (N, C_mid, H/16, W/16).
        """
        return self.encoder(images)[0]
