import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS


@MODELS.register_module()
class CycleConsistencyLoss(nn.Module):
    """One addend of Eq. 6: mean absolute difference of an image and its reconstruction.

    Args:
        loss_weight (float): omega in Eq. 7. Defaults to 10.0.
    """

    def __init__(self, loss_weight: float = 10.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        """Args:
            reconstruction (Tensor): (B, 3, H, W) in [-1, 1].
            image (Tensor): (B, 3, H, W) in [-1, 1].

        Returns:
            Tensor: The weighted loss, a scalar.
        """
        return self.loss_weight * F.l1_loss(reconstruction, image)
