import torch
from torch import Tensor, nn

from tsgan.models.losses import at_least_float32
from tsgan.models.reid import ReIDHead
from tsgan.registry import MODELS


class Centres(nn.Module):
    """Logits s_k = -tau ||f - c_k||^2; the centres c_k are learned."""

    def __init__(self, num_classes: int, in_channels: int, tau: float) -> None:
        super().__init__()
        self.tau = tau
        # near the origin, as ReIDHead's planes: an untrained network's feature is about as far from one as from another
        self.centres = nn.Parameter(torch.empty(num_classes, in_channels).normal_(std=0.001))

    def forward(self, feature: Tensor) -> Tensor:
        """(N, in_channels) -> (N, num_classes)"""
        # the exact difference: |a|^2 - 2ab + |b|^2 loses small distances between long vectors
        exact = 'donot_use_mm_for_euclid_dist'
        distance = torch.cdist(at_least_float32(feature), at_least_float32(self.centres), compute_mode=exact)
        return -self.tau * distance.square()


@MODELS.register_module()
class DistanceHead(ReIDHead):
    """Classifies by the squared Euclidean distance to a centre of each identity, which both modalities share.

    So identities are told apart in training by what images are compared with at test.

    Source: Tekeli and Can, "Distance Based Training for Cross-Modality Person Re-Identification", ICCV Workshops 2019;
    rebuilt from its idea, not from its text.

    Args:
        num_classes (int): Identities of the training set.
        in_channels (int): Length of V.
        bn_neck (bool): As of :class:`ReIDHead`. Defaults to False.
        neck_feat (str): As of :class:`ReIDHead`. Defaults to 'after'.
        tau (float): Scale of the distances. Defaults to 1.0.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        bn_neck: bool = False,
        neck_feat: str = 'after',
        tau: float = 1.0,
    ) -> None:
        super().__init__(num_classes, in_channels, bn_neck, neck_feat, init_cfg=None)
        self.classifier = Centres(num_classes, in_channels, tau)
