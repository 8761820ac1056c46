"""MPANet: Wu et al., "Discover Cross-Modality Nuances for Visible-Infrared Person Re-Identification", CVPR 2021."""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from mmengine.model import Sequential
from mmpretrain.models.backbones.resnet import ResNet
from torch import Tensor, nn

from tsgan.models.reid import ReIDNet
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput


class ModalityAlleviation(nn.Module):
    """MAM: channels that tell a modality are normalised over the image, the others stay; which, each image says.

    m x + (1 - m) IN(x) with m = sigmoid(W2 ReLU(W1 mean(x))), (N, C), the mean over positions; IN has no weights.

    Args:
        channels (int): C.
        reduction (int): C / C', C' being the channels between W1 and W2. Defaults to 16.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv2d(channels, channels // reduction, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // reduction, channels, 1, bias=False),
            nn.Sigmoid(),
        )
        self.norm = nn.InstanceNorm2d(channels)
        for conv in (self.attention[0], self.attention[2]):
            nn.init.kaiming_normal_(conv.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        mask = self.attention(x.mean(dim=(2, 3), keepdim=True))  # (N, C, 1, 1)
        return mask * x + (1 - mask) * self.norm(x)


@MODELS.register_module()
class MAMResNet(ResNet):
    """MPANet's backbone: ``mmpretrain.ResNet``, of one stream in colour, with MAM behind ``layer3`` and ``layer4``.

    The weights of a ResNet fit, those of ImageNet and of this toolbox's own trainings; MAM begins at random.

    Args:
        **resnet: Arguments of ``mmpretrain.ResNet``.
    """

    STAGES = ('layer3', 'layer4')

    def __init__(self, **resnet) -> None:
        super().__init__(**resnet)
        for name in self.STAGES:
            blocks = OrderedDict(getattr(self, name).named_children())  # which keep their names
            mam = ModalityAlleviation(next(reversed(blocks.values())).out_channels)
            setattr(self, name, Sequential(OrderedDict(**blocks, mam=mam)))

    @property
    def added_tensors(self) -> list[str]:
        """Names of the tensors that a ResNet has not."""
        return [name for name in self.state_dict() if 'mam' in name.split('.')]


@MODELS.register_module()
class MPANet(ReIDNet):
    """MPANet: V joins what P masks see of the final map and its average; and a classifier of each modality's own.

    A mask, (N, h, w), is the sigmoid of a 1x1 convolution of the map; its part of V is the average over positions of
    mask times map. V, ((P + 1) C) long, goes through the BN neck to the classifier.

    In training, ``extras`` has ``masks`` (N, P, h, w), and of the vectors behind the neck ``own_logits``
    (N, num_classes), by the classifier of each image's own modality, and ``other_logits``, by a running average of that
    of the other modality: average := (1 - rate) average + rate weights, before each use. The average gets no gradient,
    and is saved with the weights. (The published code lowers the rate after epoch 99.)

    Args:
        encoder (dict): Config of an encoder, with a :class:`MAMResNet` in the paper.
        head (dict): Config of the head, with a BN neck.
        num_parts (int): P. Defaults to 6.
        update_rate (float): Rate of the average, per iteration. Defaults to 0.2.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When the head has no BN neck, or reads vectors of another length than V.
    """

    def __init__(
        self, encoder: dict, head: dict, num_parts: int = 6, update_rate: float = 0.2, init_cfg: dict | None = None
    ) -> None:
        self.num_parts = num_parts  # which check_length() needs
        super().__init__(encoder, head, init_cfg=init_cfg)
        if not head.get('bn_neck'):
            raise ValueError("MPANet's classifiers read V behind a BN neck: set model.reid.head.bn_neck=True.")
        length, num_classes = head['in_channels'], head['num_classes']
        self.update_rate = update_rate
        self.masks = nn.Conv2d(length // (num_parts + 1), num_parts, 1)
        nn.init.zeros_(self.masks.bias)
        for modality in ('rgb', 'ir'):
            classifier = nn.Linear(length, num_classes, bias=False)
            self.add_module(f'classifier_{modality}', classifier)
            self.register_buffer(f'average_{modality}', classifier.weight.detach().clone())

    def check_length(self, name: str, given: int, channels: int) -> None:
        """As before, of vectors that are P + 1 times as long."""
        length = (self.num_parts + 1) * channels
        if given != length:
            raise ValueError(
                f'V of MPANet is {self.num_parts} parts and the average of a map with {channels} channels, but '
                f'model.reid.{name}.in_channels is {given}: set it, in the config or with `--cfg-options '
                f'model.reid.{name}.in_channels={length}`.'
            )

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> ReIDOutput:
        """Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1]; of either modality.
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool; needed in training.

        Returns:
            ReIDOutput: Of the N images.

        Raises:
            ValueError: In training, when it is not known which images are RGB.
        """
        output = super().forward(images, is_rgb)
        if not self.training:
            return output
        if is_rgb is None:
            raise ValueError(
                "MPANet's classifiers have to know which images are RGB: give each a data sample whose `modality` is "
                "'rgb' or 'ir'."
            )
        return output._replace(extras={**output.extras, **self.modality_logits(output.branches['after_neck'], is_rgb)})

    def pool(self, final_map: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(N, C, h, w) -> V, (N, (P + 1) C), the parts first, and ``masks`` (N, P, h, w)."""
        masks = self.masks(final_map).sigmoid()
        weights = torch.cat([masks, torch.ones_like(masks[:, :1])], dim=1).flatten(2)  # (N, P + 1, h w)
        pooled = weights / weights.shape[2] @ final_map.flatten(2).transpose(1, 2)  # (N, P + 1, C)
        return pooled.flatten(1), {'masks': masks}

    def modality_logits(self, vectors: Tensor, is_rgb: Tensor) -> dict[str, Tensor]:
        """What the modalities' classifiers say of vectors, (N, D), (N,) -> (N, num_classes) each."""
        rows = is_rgb[:, None]
        own = torch.where(rows, self.classifier_rgb(vectors), self.classifier_ir(vectors))
        with torch.no_grad():
            self.average_rgb.lerp_(self.classifier_rgb.weight, self.update_rate)
            self.average_ir.lerp_(self.classifier_ir.weight, self.update_rate)
            other = torch.where(rows, F.linear(vectors, self.average_ir), F.linear(vectors, self.average_rgb))
        return {'own_logits': own, 'other_logits': other}
