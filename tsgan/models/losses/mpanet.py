"""Losses of MPANet (Wu et al., "Discover Cross-Modality Nuances for Visible-Infrared Person Re-Identification", CVPR
2021); reductions are those of the published code."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

from .distances import centres, euclidean_distances, known, masked_mean, same
from .gathering import gathered
from .precision import at_least_float32


@MODELS.register_module()
class CentreClusterLoss(nn.Module):
    """MPANet's centre cluster loss: images near their identity's centre, centres far from each other.

    With a centre for each identity, the mean of its vectors of both modalities: the mean over images of the Euclidean
    distance to their own centre, plus the mean over pairs of centres of [margin - distance]+. In distributed training
    the batch is that of all ranks together.

    Args:
        margin (float): In units of the vectors' distance. Defaults to 0.7.
        loss_weight (float): Defaults to 1.0.
    """

    def __init__(self, margin: float = 0.7, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> Tensor:
        """Args:
            vectors (Tensor): (N, C), in any order; every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Not used.

        Returns:
            Tensor: The weighted loss, a scalar; of a batch of one identity, the first of the two terms.
        """
        vectors, labels, _ = gathered(vectors, labels, is_rgb)
        vectors = at_least_float32(vectors)
        centre, identity, _ = centres(vectors, labels)  # (K, C), (K,)
        own = centre[same(labels, identity).int().argmax(dim=1)]  # (N, C)
        within = torch.linalg.vector_norm(vectors - own, dim=1).mean()  # its gradient at 0 is 0
        hinge = (self.margin - euclidean_distances(centre, centre)).relu()  # (K, K)
        return self.loss_weight * (within + masked_mean(hinge, ~same(identity)).mean())


@MODELS.register_module()
class MaskOverlapLoss(nn.Module):
    """MPANet's separation of patterns: two masks of an image should not be high at the same place.

    Sum over positions of the product of two masks, mean over pairs of masks and over images.

    Args:
        loss_weight (float): Defaults to 0.5, the published code's.
    """

    def __init__(self, loss_weight: float = 0.5) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            output (ReIDOutput): With ``masks`` (N, P, h, w) among its extras.
            labels (Tensor): Identities, (N,). Not used.
            is_rgb (Tensor, optional): Not used.

        Returns:
            Tensor: The weighted loss, a scalar; 0 of a single mask.

        Raises:
            ValueError: When the network has no masks.
        """
        masks = at_least_float32(extra(self, output, 'masks'))
        # twice the sum over pairs: (sum of all)^2 without the squares. No matrix product, which would be half precision
        products = masks.sum(dim=1).square() - masks.square().sum(dim=1)  # (N, h, w)
        ordered_pairs = masks.shape[1] * (masks.shape[1] - 1)
        return self.loss_weight * products.sum() / (len(masks) * max(ordered_pairs, 1))


@MODELS.register_module()
class ModalityIdentityLoss(nn.Module):
    """MPANet's identity loss of each modality's own classifier.

    Cross-entropy, mean over the RGB images plus mean over the IR images.

    Args:
        loss_weight (float): Defaults to 1.0: the published configs say 0.5, and the code adds it twice.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            output (ReIDOutput): With ``own_logits`` (N, num_classes) among its extras, of the classifier of each
                image's own modality.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor): Which images are RGB, (N,) bool.

        Returns:
            Tensor: The weighted loss, a scalar; a modality without images adds 0.

        Raises:
            ValueError: When the network has no such classifiers, or the batch does not say which images are RGB.
        """
        logits = at_least_float32(extra(self, output, 'own_logits'))
        each = F.cross_entropy(logits, labels, reduction='none')  # (N,)
        is_rgb = known(is_rgb, self)
        return self.loss_weight * masked_mean(each.expand(2, -1), torch.stack([is_rgb, ~is_rgb])).sum()


@MODELS.register_module()
class ModalityAgreementLoss(nn.Module):
    """MPANet's mutual learning: a modality's classifier says of an image what the other's would say.

    Kullback-Leibler divergence of softmax(logits of the own classifier) from softmax(logits of the other modality's
    averaged classifier), KL(own || other), mean over images. The latter get no gradient.

    Args:
        loss_weight (float): Defaults to 2.5, the published configs'.
    """

    def __init__(self, loss_weight: float = 2.5) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            output (ReIDOutput): With ``own_logits`` and ``other_logits``, (N, num_classes) each, among its extras.
            labels (Tensor): Identities, (N,). Not used.
            is_rgb (Tensor, optional): Not used.

        Returns:
            Tensor: The weighted loss, a scalar.

        Raises:
            ValueError: When the network has no such classifiers.
        """
        own = at_least_float32(extra(self, output, 'own_logits')).log_softmax(dim=1)
        other = at_least_float32(extra(self, output, 'other_logits')).detach().log_softmax(dim=1)
        return self.loss_weight * F.kl_div(other, own, reduction='batchmean', log_target=True)


def extra(loss: nn.Module, output: ReIDOutput, name: str) -> Tensor:
    """One of a network's extras; raises ValueError where there is none of that name."""
    if name not in output.extras:
        raise ValueError(
            f'{type(loss).__name__} reads {name!r}, and this network gives {sorted(output.extras) or "no extras"}: '
            'expected model.reid=dict(type="MPANet", ...).'
        )
    return output.extras[name]
