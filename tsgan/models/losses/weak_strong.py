import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

from .precision import at_least_float32


@MODELS.register_module()
class WeakStrongLoss(nn.Module):
    """CAJ+'s consistency of two views of an RGB image: V, weakly augmented, learns from V', strongly augmented.

    Cross-entropy of softmax(logits of V'), which gets no gradient, against log-softmax(logits of V), mean over images.

    Source: Ye et al., "Channel Augmentation for Visible-Infrared Re-Identification", TPAMI 2023.

    Args:
        loss_weight (float): Defaults to 1.0, the published code's.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> Tensor:
        """Args:
            output (ReIDOutput): Of a batch whose RGB images, wherever they stand among the others, are V and then V'
                of the same files in the same order.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor): Which images are RGB, (N,) bool.

        Returns:
            Tensor: The weighted loss, a scalar.

        Raises:
            ValueError: When the network makes several rows of an image, as DEEN's, among which V and V' are no halves;
                and when the batch has no second view of its RGB images: their number is odd, or the identities of the
                two halves differ. (A batch of one identity says nothing about it and passes.)
        """
        if output.mid_map is not None and len(output.mid_map) != len(labels):
            raise ValueError(
                f'WeakStrongLoss reads one row of each image, and this network made {len(labels)} of '
                f'{len(output.mid_map)} images: expected another network, or model.losses without it.'
            )
        views = None if is_rgb is None or output.logits is None else is_rgb.nonzero()[:, 0]  # (2 B,)
        if views is None or len(views) == 0 or len(views) % 2 or not torch.equal(*labels[views].chunk(2)):
            raise ValueError(
                'WeakStrongLoss reads the logits of two views of each RGB image, all first views and then all second '
                'ones in the same order, which this batch does not have: expected a pipeline that ends with '
                'ModalityViews(rgb=[[...], [...]]), a dataloader with collate_fn=dict(type="tsgan.collate_views"), and '
                'a network with a classifier.'
            )
        logits = at_least_float32(output.logits)
        weak, strong = logits[views].chunk(2)  # (B, num_classes) each
        return self.loss_weight * F.cross_entropy(weak, strong.detach().softmax(dim=1))
