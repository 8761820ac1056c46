import torch
import torch.nn as nn
from torch import Tensor

from tsgan.registry import MODELS

from .distances import centres, euclidean_distances, known, masked_mean, same
from .gathering import gathered
from .precision import at_least_float32


@MODELS.register_module()
class ModalitySharedEnhancementLoss(nn.Module):
    """PMT's MSEL: an image is as far from its person's images of the other modality as from those of its own.

    For each anchor, the mean Euclidean distance to the other images of its identity in its own modality (without
    itself), minus the mean distance to those in the other modality; squared; mean over the anchors of a modality;
    mean of the two modalities. In distributed training the batch is that of all ranks together.

    Source: Lu et al., "Learning Progressive Modality-shared Transformers for Effective Visible-Infrared Person
    Re-identification", AAAI 2023.

    Args:
        loss_weight (float): Defaults to 1.0; the paper's is 0.5.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            vectors (Tensor): (N, C), in any order; every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor): Which vectors are of RGB images, (N,) bool.

        Returns:
            Tensor: The weighted loss, a scalar. Anchors that are their identity's only image in their modality, or
            have none in the other, are left out; a modality without anchors adds 0.

        Raises:
            ValueError: When the batch does not say which images are RGB.
        """
        vectors, labels, is_rgb = gathered(vectors, labels, known(is_rgb, self))
        vectors = at_least_float32(vectors)
        distance = euclidean_distances(vectors, vectors)  # (N, N)
        positive, own = same(labels), same(is_rgb)
        within = positive & own & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        across = positive & ~own
        difference = masked_mean(distance, within) - masked_mean(distance, across)  # (N,)
        anchors = torch.stack([is_rgb, ~is_rgb]) & within.any(dim=1) & across.any(dim=1)  # (2, N)
        return self.loss_weight * masked_mean(difference.square().expand(2, -1), anchors).mean()


@MODELS.register_module()
class DiscriminativeCentreLoss(nn.Module):
    """PMT's DCL: images close to their identity's centre, and far from the centres that they are too near to.

    With a centre for each identity, the mean of its vectors of both modalities: the mean Euclidean distance of a vector
    to its own centre, divided by the mean distance of a centre to those vectors of others that are nearer to it than
    the mean of others is (at least the nearest); the latter averaged over centres. In distributed training the batch is
    that of all ranks together.

    Source: Lu et al., "Learning Progressive Modality-shared Transformers for Effective Visible-Infrared Person
    Re-identification", AAAI 2023.

    Args:
        loss_weight (float): Defaults to 1.0; the paper's is 0.5.
    """

    EPS = 1e-6  # distances to others below it count as it: all vectors at one point give 0, not 0 / 0

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> Tensor:
        """Args:
            vectors (Tensor): (N, C), in any order; every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which are of RGB images, (N,) bool; makes no difference. Defaults to None.

        Returns:
            Tensor: The weighted loss, a scalar. A batch of one identity gives 0.
        """
        vectors, labels, _ = gathered(vectors, labels, is_rgb)
        vectors = at_least_float32(vectors)
        centre, identity, _ = centres(vectors, labels)  # (K, C), (K,)
        distance = euclidean_distances(centre, vectors)  # (K, N)
        positive = same(identity, labels)
        negative = ~positive
        nearest = distance.masked_fill(positive, torch.inf).amin(dim=1)  # (K,)
        mean = masked_mean(distance, negative)
        near = negative & ((distance < mean[:, None]) | (distance == nearest[:, None]))  # (K, N)
        to_own = (distance * positive).sum() / len(labels)
        to_others = masked_mean(distance, near).mean().clamp(min=self.EPS)
        return self.loss_weight * to_own / to_others * (len(identity) > 1)
