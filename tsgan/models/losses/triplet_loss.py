import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS

from .distances import euclidean_distances, known, same
from .gathering import gathered
from .precision import at_least_float32


@MODELS.register_module()
class BatchHardTripletLoss(nn.Module):
    """Eq. 11: each anchor against its hardest positive and its hardest negative in the batch.

    Mean or sum over anchors of [margin + D(anchor, hardest positive) - D(anchor, hardest negative)]+; anchors of all
    modalities pooled. In distributed training the batch is that of all ranks together: gradients, averaged over ranks,
    are those of one process on the whole batch.

    Source: Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", 2017.

    Args:
        margin (float): In units of the features' distance. Defaults to 0.3.
        loss_weight (float): lambda_2 in Eq. 8. Defaults to 1.0.
        distance (str): D, 'euclidean', or 'cosine': one minus the cosine of the angle. Defaults to 'euclidean'.
        reduction (str): 'mean' over anchors, as the baseline that the paper builds on; 'sum' over them, as Eq. 11
            prints it. Defaults to 'mean'.
        across (bool): Take an anchor's positives and negatives from the other modality only, both ways. Defaults to
            False, from both.

    Raises:
        ValueError: When ``distance`` or ``reduction`` is another.
    """

    DISTANCES = ('euclidean', 'cosine')
    REDUCTIONS = ('mean', 'sum')

    def __init__(
        self,
        margin: float = 0.3,
        loss_weight: float = 1.0,
        distance: str = 'euclidean',
        reduction: str = 'mean',
        across: bool = False,
    ) -> None:
        super().__init__()
        if distance not in self.DISTANCES:
            raise ValueError(f'distance of BatchHardTripletLoss is one of {self.DISTANCES}, not {distance!r}.')
        if reduction not in self.REDUCTIONS:
            raise ValueError(f'reduction of BatchHardTripletLoss is one of {self.REDUCTIONS}, not {reduction!r}.')
        self.margin = margin
        self.loss_weight = loss_weight
        self.distance = distance
        self.reduction = reduction
        self.across = across

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> dict[str, Tensor]:
        """Args:
            vectors (Tensor): V, (N, C); every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which are of RGB images, (N,) bool; needed by triplets across. Defaults to None.

        Returns:
            dict[str, Tensor]: The weighted ``loss``, and what :func:`hinge_shares` says; scalars. An anchor without a
            positive or without a negative adds 0.

        Raises:
            ValueError: On triplets across modalities that are not known.
        """
        if self.across:
            known(is_rgb, self)
        vectors, labels, is_rgb = gathered(vectors, labels, is_rgb)
        distance = self.distances(at_least_float32(vectors))  # (N, N)
        positive = same(labels)
        negative = ~positive
        if self.across:
            other = ~same(is_rgb)
            positive, negative = positive & other, negative & other
        hardest_positive = distance.masked_fill(~positive, -torch.inf).amax(dim=1)  # (N,)
        hardest_negative = distance.masked_fill(~negative, torch.inf).amin(dim=1)
        loss = (self.margin + hardest_positive - hardest_negative).relu()  # (N,)
        reduced = loss.sum() if self.reduction == 'sum' else loss.mean()
        return {'loss': self.loss_weight * reduced, **hinge_shares(loss, self.margin)}

    def distances(self, vectors: Tensor) -> Tensor:
        """Of every vector to every other: (N, C) -> (N, N)."""
        if self.distance == 'cosine':
            vectors = F.normalize(vectors, dim=1)
        distance = euclidean_distances(vectors, vectors)
        # |a - b|^2 = 2 - 2 cos for unit vectors
        return distance.square() / 2 if self.distance == 'cosine' else distance


@torch.no_grad()
def hinge_shares(loss: Tensor, margin: float) -> dict[str, Tensor]:
    """Shares of anchors that tell whether a triplet loss works, to be logged.

    Args:
        loss (Tensor): [margin + D(anchor, positive) - D(anchor, negative)]+ of each, (N,).
        margin (float): The margin.

    Returns:
        dict[str, Tensor]: Scalars: ``active``, the share that the loss moves; ``at_margin``, the share whose positive
        and negative are equally far, within a tenth of the margin: all of them, once all features are one point.
    """
    return {
        'active': (loss > 0).float().mean(),
        'at_margin': ((loss - margin).abs() < 0.1 * margin).float().mean(),
    }
