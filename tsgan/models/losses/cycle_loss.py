import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS

from .precision import at_least_float32


@MODELS.register_module()
class CycleConsistencyLoss(nn.Module):
    """One addend of Eq. 6: absolute difference of an image and its reconstruction.

    Args:
        loss_weight (float): omega in Eq. 7. Defaults to 10.0.
        reduction (str): 'mean' over everything, as CycleGAN, whose omega is the paper's; 'sum' over one image, mean
            over the batch: the L1 norm as Eq. 6 prints it, 3 x H x W times as much. Defaults to 'mean'.

    Raises:
        ValueError: When ``reduction`` is another.
    """

    REDUCTIONS = ('mean', 'sum')

    def __init__(self, loss_weight: float = 10.0, reduction: str = 'mean') -> None:
        super().__init__()
        if reduction not in self.REDUCTIONS:
            raise ValueError(f'reduction of CycleConsistencyLoss is one of {self.REDUCTIONS}, not {reduction!r}.')
        self.loss_weight = loss_weight
        self.reduction = reduction

    def forward(self, reconstruction: Tensor, image: Tensor) -> Tensor:
        """Args:
            reconstruction (Tensor): (B, 3, H, W) in [-1, 1].
            image (Tensor): (B, 3, H, W) in [-1, 1].

        Returns:
            Tensor: The weighted loss, a scalar.
        """
        loss = F.l1_loss(at_least_float32(reconstruction), at_least_float32(image), reduction=self.reduction)
        if self.reduction == 'sum':
            loss = loss / len(image)
        return self.loss_weight * loss
