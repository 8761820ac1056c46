import torch
import torch.nn as nn
from torch import Tensor

from tsgan.registry import MODELS

from .distances import centres, euclidean_distances, known, same
from .gathering import gathered
from .precision import at_least_float32
from .triplet_loss import hinge_shares


@MODELS.register_module()
class HeteroCentreTripletLoss(nn.Module):
    """HcT's triplet loss of centres: an identity's two modalities close, other identities of either far.

    With a centre for each identity and modality of the batch, the mean of its vectors: the mean over centres of
    [margin + D(centre, that of the same identity in the other modality) - D(centre, nearest centre of another identity
    in either modality)]+, D Euclidean. In distributed training the batch is that of all ranks together.

    Source: Liu et al., "Parameter Sharing Exploration and Hetero-Center Triplet Loss for Visible-Thermal Person
    Re-Identification", TMM 2021.

    Args:
        margin (float): In units of the vectors' distance. Defaults to 0.3.
        loss_weight (float): Defaults to 1.0.
    """

    def __init__(self, margin: float = 0.3, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None) -> dict[str, Tensor]:
        """Args:
            vectors (Tensor): (N, C), in any order; every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor): Which vectors are of RGB images, (N,) bool.

        Returns:
            dict[str, Tensor]: The weighted ``loss``, and what :func:`hinge_shares` says of centres; scalars. A centre
            without one of the other modality, or without another identity, adds 0.

        Raises:
            ValueError: When the batch does not say which images are RGB.
        """
        vectors, labels, is_rgb = gathered(vectors, labels, known(is_rgb, self))
        centre, identity, of_rgb = centres(at_least_float32(vectors), labels, is_rgb)  # (K, C), (K,), (K,)
        distance = euclidean_distances(centre, centre)  # (K, K)
        same_identity = same(identity)
        partner = same_identity & ~same(of_rgb)  # one at most in each row
        to_partner = distance.masked_fill(~partner, -torch.inf).amax(dim=1)  # (K,)
        to_nearest = distance.masked_fill(same_identity, torch.inf).amin(dim=1)
        loss = (self.margin + to_partner - to_nearest).relu()  # (K,)
        return {'loss': self.loss_weight * loss.mean(), **hinge_shares(loss, self.margin)}
