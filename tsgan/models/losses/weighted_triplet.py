import logging
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from tsgan.registry import MODELS

from .distances import euclidean_distances, same
from .gathering import gathered
from .precision import at_least_float32


@MODELS.register_module()
class WeightedTripletLoss(nn.Module):
    """AGW's weighted regularised triplet loss: all positives and negatives of an anchor, by how hard they are.

    .. code-block:: text

        P_i = sum over positives j of d_ij exp(d_ij) / sum over positives of exp(d_ij)
        Q_i = sum over negatives j of d_ij exp(-d_ij) / sum over negatives of exp(-d_ij)
        loss = mean over anchors i of log(1 + exp(P_i - Q_i))

    with Euclidean distances d of the vectors as they are. There is no margin to choose; an anchor is among its own
    positives; the gradient flows through the weights, too. Anchors of all modalities are pooled, and in distributed
    training the batch is that of all ranks together.

    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and Outlook", TPAMI 2021. Weights sum to 1
    here at any distance. In the published code (Cross-Modal-Re-ID-baseline) those of negatives are divided by
    1e-6 + sum of exp(-d), so that they, and Q with them, vanish where all negatives are far: with 56 of them, Q is half
    of what it should be at a distance of 18, and nothing at 25.

    Args:
        loss_weight (float): Defaults to 1.0.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> Tensor:
        """Args:
            vectors (Tensor): V, (N, C); every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which are of RGB images, (N,) bool; makes no difference. Defaults to None.

        Returns:
            Tensor: The weighted loss, a scalar. A batch of one identity, which has no negatives, gives 0.
        """
        vectors, labels, _ = gathered(vectors, labels, is_rgb)
        positive, negative = weighted_distances(at_least_float32(vectors), labels)
        return self.loss_weight * F.softplus(positive - negative).mean() * has_negatives(labels)


@MODELS.register_module()
class SquaredWeightedTripletLoss(nn.Module):
    """CAJ's squared difference of the weighted triplet: with P and Q of :class:`WeightedTripletLoss`,

    .. code-block:: text

        s_i = min(gamma (P_i - Q_i)^2, cap)
        loss = mean over anchors i of log(1 + exp(+s_i)) where P_i > Q_i, log(1 + exp(-s_i)) elsewhere

    where the weights are those of alpha d. **The cap has no gradient**: an anchor with P - Q > sqrt(cap / gamma), 9.4
    by default, is not moved by this loss. So the share of such anchors is returned beside the loss, and a warning is
    logged while it stays high. Anchors in order (P < Q) beyond the cap are not counted: the loss is flat there without
    it, too.

    Users of the published code report runs that stand at 88 for good (Cross-Modal-Re-ID-baseline, issue 27). With its
    weights, which :class:`WeightedTripletLoss` tells of, that is what happens to vectors 19 apart or more: Q vanishes
    and P - Q is P, for all anchors, whatever their order; random vectors of length 2,048 show it. With weights that
    sum to 1, none of the same vectors is at the cap.

    Source: Ye et al., "Channel Augmented Joint Learning for Visible-Infrared Recognition", ICCV 2021.

    Args:
        alpha (float): Factor of the distances in the weights' exponents. Defaults to 1.0.
        gamma (float): Factor of the squared difference. Defaults to 1.0.
        cap (float, optional): Upper bound of s. Defaults to 88, that of the published code, beyond which its exp
            overflows; None for none: the exp here does not.
        scale (str, optional): 'channels' divides distances by sqrt(C), 'unit' takes those of vectors of length 1;
            weights are flatter with either. Defaults to None, distances as they are.
        loss_weight (float): Defaults to 1.0.

    Raises:
        ValueError: When ``scale`` is another, or ``cap`` leaves no square below it.
    """

    SCALES = (None, 'channels', 'unit')
    WINDOW = 50  # iterations whose mean share of capped anchors is looked at
    HIGH = 0.5  # of which a warning is given
    SILENCE = 1000  # iterations between two warnings

    def __init__(
        self,
        alpha: float = 1.0,
        gamma: float = 1.0,
        cap: float | None = 88.0,
        scale: str | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if scale not in self.SCALES:
            raise ValueError(f'scale of SquaredWeightedTripletLoss is one of {self.SCALES}, not {scale!r}.')
        if cap is not None and cap <= 0:
            raise ValueError(f'cap of SquaredWeightedTripletLoss is {cap}: expected more than 0, or None for none.')
        self.alpha = alpha
        self.gamma = gamma
        self.cap = math.inf if cap is None else cap
        self.scale = scale
        self.loss_weight = loss_weight
        self.iterations = 0
        self.shares: list[Tensor] = []  # of this window
        self.silent_until = 0

    def forward(self, vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> dict[str, Tensor]:
        """Args:
            vectors (Tensor): V, (N, C); every rank holds the same number.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which are of RGB images, (N,) bool; makes no difference. Defaults to None.

        Returns:
            dict[str, Tensor]: ``loss``, the weighted loss, and ``capped``, the share of anchors with P > Q that the
            cap keeps from moving: scalars. A batch of one identity, which has no negatives, gives 0 and 0.
        """
        vectors, labels, _ = gathered(vectors, labels, is_rgb)
        vectors = at_least_float32(vectors)
        if self.scale == 'unit':
            vectors = F.normalize(vectors, dim=1)
        elif self.scale == 'channels':
            vectors = vectors / vectors.shape[1] ** 0.5
        positive, negative = weighted_distances(vectors, labels, self.alpha)
        square = self.gamma * (positive - negative).square()  # (N,)
        wrong = positive > negative
        capped = ((square > self.cap) & wrong).to(square.dtype).mean() * has_negatives(labels)
        self.watch(capped)
        square = square.clamp(max=self.cap)
        loss = F.softplus(torch.where(wrong, square, -square)).mean() * has_negatives(labels)
        return {'loss': self.loss_weight * loss, 'capped': capped}

    def watch(self, capped: Tensor) -> None:
        """Warn while the share of capped anchors is high; read once a window, since that waits for a GPU."""
        self.iterations += 1
        self.shares.append(capped)
        if len(self.shares) < self.WINDOW:
            return
        share = torch.stack(self.shares).mean().item()
        self.shares = []
        if share > self.HIGH and self.iterations > self.silent_until:
            self.silent_until = self.iterations + self.SILENCE
            print_log(
                f'SquaredWeightedTripletLoss: {share:.0%} of the anchors of the last {self.WINDOW} iterations were at '
                f'the cap of {self.cap:g}, which has no gradient, so this loss does not move them: set cap=None, or '
                "scale='channels' or 'unit', or a smaller gamma.",
                logger='current',
                level=logging.WARNING,
            )


def weighted_distances(vectors: Tensor, labels: Tensor, alpha: float = 1.0) -> tuple[Tensor, Tensor]:
    """P and Q of each anchor, (N, C) -> (N,) each; Q says nothing in a batch of one identity."""
    distance = euclidean_distances(vectors, vectors)  # (N, N)
    positive = same(labels)
    return softmax_mean(distance, alpha, positive), softmax_mean(distance, -alpha, ~positive)


def softmax_mean(distance: Tensor, factor: float, mask: Tensor) -> Tensor:
    """Mean of each row where the mask is set, weighted by exp(factor * distance): (N, N) -> (N,)."""
    # the lowest number rather than -inf, so that a row with nothing set is finite; softmax subtracts the row's maximum
    weights = (factor * distance).masked_fill(~mask, torch.finfo(distance.dtype).min).softmax(dim=1)
    return (weights * distance).sum(dim=1)


def has_negatives(labels: Tensor) -> Tensor:
    """Whether there are two identities, a scalar: no waiting for a GPU, as an ``if`` would."""
    return (labels != labels[0]).any()
