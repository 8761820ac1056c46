from collections.abc import Sequence

import torch.nn as nn
from mmengine.model import BaseModule, ModuleList
from torch import Tensor

from tsgan.models.losses import at_least_float32
from tsgan.registry import MODELS
from tsgan.structures import PartOutput

from .head import ReIDHead


@MODELS.register_module()
class StripeHeads(BaseModule):
    """Horizontal stripes of the final map, each with a pooling, an embedding where one is wanted, and a head.

    Source: Sun et al., "Beyond Part Models", ECCV 2018 (PCB).

    Args:
        num_stripes (int): Stripes, of equal height as far as the map's rows allow.
        in_channels (int): Channels of the final map.
        num_classes (int): Identities of the training set.
        bn_neck (bool): As of :class:`ReIDHead`. Defaults to False.
        embedding_channels (int, optional): Length to which a stripe's vector is brought first, by a fully connected
            layer, batch norm and ReLU. Defaults to None: the vector stays as it is.
        pooling (dict, optional): Config of the pooling of a stripe, as of :class:`ReIDNet`. Defaults to None, the
            average.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When there is no stripe; in use, when what comes is no map, or one of fewer rows than stripes.
    """

    def __init__(
        self,
        num_stripes: int,
        in_channels: int,
        num_classes: int,
        bn_neck: bool = False,
        embedding_channels: int | None = None,
        pooling: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_stripes < 1:
            raise ValueError(f'num_stripes of {type(self).__name__} is {num_stripes}: expected 1 or more.')
        self.num_stripes = num_stripes
        self.num_classes = num_classes
        self.pooling = pooling and MODELS.build(pooling)
        self.embeddings = nn.ModuleList(
            nn.Sequential(
                nn.Linear(in_channels, embedding_channels), nn.BatchNorm1d(embedding_channels), nn.ReLU(inplace=True)
            )
            if embedding_channels
            else nn.Identity()
            for _ in range(num_stripes)
        )
        length = embedding_channels or in_channels
        # MMEngine's list: torch's would not initialise them
        self.heads = ModuleList(ReIDHead(num_classes, length, bn_neck) for _ in range(num_stripes))

    def forward(self, final_map: Tensor) -> tuple[PartOutput, ...]:
        """Args:
            final_map (Tensor): (N, in_channels, h, w).

        Returns:
            tuple[PartOutput, ...]: Of each stripe, from the top: vector, test feature and logits.
        """
        if final_map.dim() != 4:
            raise ValueError(
                f'{type(self).__name__} cuts maps (N, C, h, w), and the backbone gives {tuple(final_map.shape)}, as a '
                "transformer's class token is: expected a backbone with maps, or no model.reid.parts."
            )
        if final_map.shape[2] < self.num_stripes:
            raise ValueError(
                f'a map of {final_map.shape[2]} rows cannot be cut into {self.num_stripes} stripes: expected larger '
                'images, or fewer model.reid.parts.num_stripes.'
            )
        parts = []
        stripes = final_map.tensor_split(self.num_stripes, dim=2)  # (N, C, h_i, w) each
        for stripe, embedding, head in zip(stripes, self.embeddings, self.heads, strict=True):
            pooled = stripe.mean(dim=(2, 3)) if self.pooling is None else self.pooling(stripe)  # (N, C)
            vector = embedding(pooled)
            feature, logits, _ = head(vector)
            parts.append(PartOutput(vector, feature, at_least_float32(logits)))
        return tuple(parts)


def parts_by_name(parts: Sequence[PartOutput]) -> dict[str, Tensor]:
    """Test features of parts, (N, D_i) each, as ``part_1``, ``part_2`` ..."""
    return {f'part_{i}': part.feature for i, part in enumerate(parts, start=1)}
