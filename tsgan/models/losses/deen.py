"""Losses of DEEN (Zhang and Wang, CVPR 2023) on what its network makes of N images: 3N rows, in three blocks."""

import torch
import torch.nn as nn
from torch import Tensor

from tsgan.registry import MODELS

from .distances import centres, euclidean_distances, known, same
from .gathering import gathered
from .precision import at_least_float32


@MODELS.register_module()
class CentreGuidedPairMiningLoss(nn.Module):
    """DEEN's CPM: the expanded branches bring the modalities closer than the plain one has them.

    In each block, an identity has a centre in either modality, the mean of its vectors: 1 (RGB) and 2 (IR) of the plain
    block, 3 (RGB) and 4 (IR) of an expanded one. With Euclidean distances d between an identity's own centres, n_k the
    distance from its centre k to the nearest of another identity in the same block and modality, h(t) = [margin + t]+
    and [[ ]] for "no gradient":

    .. code-block:: text

        A = h(d_23 - [[d_13]]) + (h(d_23 - n_3) + h(d_23 - n_1)) / 2
        B = h(d_14 - [[d_24]]) + (h(d_14 - n_4) + h(d_14 - n_2)) / 2
        CPM = mean over identities of (A + B) / 2

    The loss is the sum of this over the expanded blocks. In distributed training the batch is that of all ranks
    together.

    Source: Zhang and Wang, "Diverse Embedding Expansion Network and Low-Light Cross-Modality Benchmark for
    Visible-Infrared Person Re-identification", CVPR 2023; which distance gets no gradient is the published code's.

    Args:
        margin (float): In units of the vectors' distance. Defaults to 0.2.
        loss_weight (float): Defaults to 0.8, the paper's.
    """

    def __init__(self, margin: float = 0.2, loss_weight: float = 0.8) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            vectors (Tensor): V of three blocks of N images, (3N, C); every rank holds the same number.
            labels (Tensor): Identities, (3N,).
            is_rgb (Tensor): Which rows are of RGB images, (3N,) bool.

        Returns:
            Tensor: The weighted loss, a scalar. Identities without images of both modalities are left out; without
            another identity, the terms with n_k are 0.

        Raises:
            ValueError: When the batch does not say which images are RGB, or has no three blocks.
        """
        check_blocks(self, vectors, labels)
        blocks = zip(vectors.chunk(3), labels.chunk(3), known(is_rgb, self).chunk(3), strict=True)
        plain, *expanded = [modality_centres(*gathered(*block)) for block in blocks]
        return self.loss_weight * sum(self.pair(*plain, *block) for block in expanded)

    def pair(self, c1: Tensor, c2: Tensor, c3: Tensor, c4: Tensor) -> Tensor:
        """CPM of the plain block's and an expanded block's centres of K identities, (K, C) each."""
        if len(c1) == 0:
            return c1.sum()  # 0, and so is its gradient
        return (self.pulled(c2, c3, c1) + self.pulled(c1, c4, c2)).mean() / 2

    def pulled(self, centre: Tensor, to: Tensor, past: Tensor) -> Tensor:
        """A or B of each identity, (K,): ``centre`` of one modality is to be nearer ``to`` that of the other than
        ``past``, which is of its modality, is."""
        close = between(centre, to)  # (K,)
        ranked = self.hinge(close - between(past, to).detach())
        return ranked + (self.hinge(close - nearest(to)) + self.hinge(close - nearest(past))) / 2

    def hinge(self, difference: Tensor) -> Tensor:
        return (self.margin + difference).relu()


@MODELS.register_module()
class OrthogonalityLoss(nn.Module):
    """DEEN's L_ort: what the two expanded branches make of an image should have nothing in common.

    Sum over images of the inner product of both vectors, divided by the number of all rows, 3N.

    Source: Zhang and Wang, CVPR 2023, as above; the divisor is the published code's.

    Args:
        loss_weight (float): Defaults to 0.01, the paper's.
    """

    def __init__(self, loss_weight: float = 0.01) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> Tensor:
        """Args:
            vectors (Tensor): V of three blocks of N images, (3N, C).
            labels (Tensor): Identities, (3N,).
            is_rgb (Tensor, optional): Not used.

        Returns:
            Tensor: The weighted loss, a scalar.

        Raises:
            ValueError: When the batch has no three blocks.
        """
        check_blocks(self, vectors, labels)
        _, first, second = at_least_float32(vectors).chunk(3)
        return self.loss_weight * (first * second).sum() / len(vectors)


def check_blocks(loss: nn.Module, vectors: Tensor, labels: Tensor) -> None:
    """Raises ValueError when rows are not those of the same images, three times."""
    first, *others = labels.chunk(3)
    if len(vectors) % 3 or not all(torch.equal(first, other) for other in others):
        raise ValueError(
            f'{type(loss).__name__} reads three rows of each image, in blocks, and this network made '
            f'{len(vectors)} of the batch: expected model.reid=dict(type="DEENNet", ...).'
        )


def modality_centres(vectors: Tensor, labels: Tensor, is_rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the RGB and of the IR vectors of the K identities that have both, (K, C) each, in the same order."""
    centre, identity, of_rgb = centres(at_least_float32(vectors), labels, is_rgb)
    both = same(identity).sum(dim=1) == 2
    return centre[both & of_rgb], centre[both & ~of_rgb]


def between(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of each row to the same row, (K, C), (K, C) -> (K,); the gradient of a distance 0 is 0."""
    return torch.linalg.vector_norm(a - b, dim=1)


def nearest(centre: Tensor) -> Tensor:
    """Distance of each row to the nearest other one, (K, C) -> (K,)."""
    own = torch.eye(len(centre), dtype=torch.bool, device=centre.device)
    return euclidean_distances(centre, centre).masked_fill(own, torch.inf).amin(dim=1)
