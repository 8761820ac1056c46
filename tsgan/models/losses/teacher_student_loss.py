import torch.nn as nn
from torch import Tensor

from tsgan.registry import MODELS

from .precision import at_least_float32


@MODELS.register_module()
class TeacherStudentLoss(nn.Module):
    """Squared difference of a student's and the teacher's middle map: Eq. 13, 14 or 15, by the maps it is given.

    The paper says "MSE" and prints a squared L2 norm: a factor C * h * w between the two readings, 131,072 at its
    size. So the reduction is a choice; the batch is averaged in each.

    Args:
        loss_weight (float): alpha_s or alpha_c in Eq. 16.
        reduction (str): 'sum' over one image's map, the norm as printed; 'channel': squared norm over channels, mean
            over positions, which weighs the same at every image size; 'mean' over everything, the words' MSE.
            Defaults to 'channel'.

    Raises:
        ValueError: When ``reduction`` is another.
    """

    REDUCTIONS = ('sum', 'channel', 'mean')

    def __init__(self, loss_weight: float, reduction: str = 'channel') -> None:
        super().__init__()
        if reduction not in self.REDUCTIONS:
            raise ValueError(f'reduction of TeacherStudentLoss is one of {self.REDUCTIONS}, not {reduction!r}.')
        self.loss_weight = loss_weight
        self.reduction = reduction

    def forward(self, student_map: Tensor, teacher_map: Tensor) -> Tensor:
        """Args:
            student_map (Tensor): (B, C, h, w).
            teacher_map (Tensor): (B, C, h, w); no gradient goes there.

        Returns:
            Tensor: The weighted loss, a scalar.
        """
        difference = at_least_float32(student_map) - at_least_float32(teacher_map.detach())
        square = difference.square()  # (B, C, h, w)
        if self.reduction == 'sum':
            loss = square.sum(dim=(1, 2, 3)).mean()
        elif self.reduction == 'channel':
            loss = square.sum(dim=1).mean()
        else:
            loss = square.mean()
        return self.loss_weight * loss
