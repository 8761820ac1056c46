import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from tsgan.registry import MODELS

SMALL_INIT = dict(type='Normal', layer='Linear', std=0.001)


@MODELS.register_module()
class ReIDHead(BaseModule):
    """The fully connected layer on V (paper, Sec. III-B), with an optional BN neck before it.

    Args:
        num_classes (int, optional): Identities of the training set, N in Eq. 9. None: no classifier, for a training
            without identities.
        in_channels (int): Length of V.
        bn_neck (bool): Put a batch norm between V and the classifier ("bag of tricks" baseline, Luo et al. 2019). The
            paper has none. Defaults to False.
        neck_feat (str): Where the features that are compared at test come from: 'after' the neck, as that baseline
            has it; 'before' it, V itself, as "features from the GAP layer" (paper, Sec. IV-B) reads with a neck.
            Without a neck both are V. Defaults to 'after'.
        init_cfg (dict, optional): Initialisation config. Defaults to small normal weights for the classifier.

    Raises:
        ValueError: When ``neck_feat`` is another.
    """

    def __init__(
        self,
        num_classes: int | None,
        in_channels: int,
        bn_neck: bool = False,
        neck_feat: str = 'after',
        init_cfg: dict | None = SMALL_INIT,
    ) -> None:
        super().__init__(init_cfg)
        if neck_feat not in ('after', 'before'):
            raise ValueError(f"neck_feat of {type(self).__name__} is 'after' or 'before', not {neck_feat!r}.")
        self.num_classes = num_classes
        self.neck_feat = neck_feat
        self.neck = nn.BatchNorm1d(in_channels) if bn_neck else nn.Identity()
        if bn_neck:
            self.neck.bias.requires_grad_(False)  # the classes' planes pass through the origin
        self.classifier = None if num_classes is None else nn.Linear(in_channels, num_classes, bias=not bn_neck)

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        """Args:
            vector (Tensor): V, (N, in_channels).

        Returns:
            tuple[Tensor, Tensor | None, dict[str, Tensor]]: The feature compared at test, (N, in_channels), logits F,
            (N, num_classes), None without a classifier, and with a neck V ``before_neck`` and ``after_neck``,
            (N, in_channels) each.
        """
        normed = self.neck(vector)
        has_neck = not isinstance(self.neck, nn.Identity)
        branches = {'before_neck': vector, 'after_neck': normed} if has_neck else {}
        logits = None if self.classifier is None else self.classifier(normed)
        return vector if self.neck_feat == 'before' else normed, logits, branches
