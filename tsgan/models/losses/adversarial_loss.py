import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS

from .precision import at_least_float32


class AdversarialLoss(nn.Module):
    """How far a discriminator's patch logits are from "all real" or from "all fake"; to be minimised.

    The paper prints log-likelihoods to be maximised. A generator that minimises ``loss(D(fake), True)`` is the
    non-saturating -E[log D] of Eq. 1 and 12; a discriminator minimises ``loss(D(real), True) + loss(D(fake), False)``,
    Eq. 2 to 4.
    """

    BOUNDARY = 0.0  # the logit between "fake", below it, and "real"

    def distance(self, logits: Tensor, target: Tensor) -> Tensor:
        raise NotImplementedError

    @torch.no_grad()
    def accuracy(self, real: Tensor, fake: Tensor) -> Tensor:
        """How often a discriminator is right, to be logged: the mean of its shares of right logits among those of real
        and among those of fake images, of any shape each -> scalar; 0.5 is chance."""
        return ((real > self.BOUNDARY).float().mean() + (fake <= self.BOUNDARY).float().mean()) / 2

    def forward(self, logits: Tensor, is_real: bool) -> Tensor:
        """Args:
            logits (Tensor): Of any shape, usually (N, 1, h, w).
            is_real (bool): What they should say.

        Returns:
            Tensor: Mean over all logits, a scalar.
        """
        logits = at_least_float32(logits)
        return self.distance(logits, torch.full_like(logits, float(is_real)))


@MODELS.register_module()
class VanillaGANLoss(AdversarialLoss):
    """-log D and -log(1 - D), D = sigmoid(logit) (Goodfellow et al. 2014): the paper's."""

    def distance(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, target)


@MODELS.register_module()
class LSGANLoss(AdversarialLoss):
    """(logit - 1)^2 and logit^2 (Mao et al. 2017): common practice, CycleGAN's and AlignGAN's."""

    BOUNDARY = 0.5

    def distance(self, logits: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(logits, target)
