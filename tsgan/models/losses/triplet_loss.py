import torch
import torch.distributed.nn.functional as dist_functional
import torch.nn as nn
from mmengine.dist import all_gather, get_world_size
from torch import Tensor

from tsgan.registry import MODELS


@MODELS.register_module()
class BatchHardTripletLoss(nn.Module):
    """Eq. 11: each anchor against its hardest positive and its hardest negative in the batch.

    Mean over anchors of [margin + D(anchor, hardest positive) - D(anchor, hardest negative)]+, D Euclidean; anchors of
    all modalities pooled. In distributed training the batch is that of all ranks together: gradients, averaged over
    ranks, are those of one process on the whole batch.

    Source: Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017.

    Args:
        margin (float): In units of the features' distance. Defaults to 0.3.
        loss_weight (float): lambda_2 in Eq. 8. Defaults to 1.0.
    """

    def __init__(self, margin: float = 0.3, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        """Args:
            vectors (Tensor): V, (N, C); every rank holds the same number.
            labels (Tensor): Identities, (N,).

        Returns:
            Tensor: The weighted loss, a scalar. An anchor without a negative adds 0.
        """
        if get_world_size() > 1:
            vectors = torch.cat(dist_functional.all_gather(vectors))  # (ranks * N, C), differentiable
            labels = torch.cat(all_gather(labels))
        # the exact difference, since |a|^2 - 2ab + |b|^2 loses the small distances; its gradient at 0 is 0, not NaN
        distance = torch.cdist(vectors.float(), vectors.float(), compute_mode='donot_use_mm_for_euclid_dist')  # (N, N)
        same = labels[:, None] == labels[None]
        hardest_positive = distance.masked_fill(~same, 0).amax(dim=1)  # (N,)
        hardest_negative = distance.masked_fill(same, torch.inf).amin(dim=1)
        return self.loss_weight * (self.margin + hardest_positive - hardest_negative).relu().mean()
