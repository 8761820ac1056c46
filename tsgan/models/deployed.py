"""The test-time network as one function of tensors, which is what is exported."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from mmpretrain.models.necks import GeneralizedMeanPooling
from torch import Tensor, nn

from .alternating import AlternatingModel


class Deployed(nn.Module):
    """The network that makes a model's features, without what only its training needs.

    Args:
        model (AlternatingModel): The model; is not changed.
        size (tuple[int, int], optional): Height and width to which 8-bit images are resized; they are then normalised,
            and features brought to unit length. Defaults to None: images come normalised, and features leave as the
            network makes them.
    """

    def __init__(self, model: AlternatingModel, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.model = exportable(deepcopy(model).cpu().float()).eval()
        self.size = size

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> Tensor:
        """Features, (N, C).

        Args:
            images (Tensor): (N, 3, H, W) as the data preprocessor gives them; with a ``size``, (N, H, W, 3) uint8, RGB.
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool, for a model that has to know. Defaults
                to None.
        """
        if self.size is None:
            return self.model.features(images, is_rgb)
        preprocessor = self.model.data_preprocessor
        images = resize(images, self.size).permute(0, 3, 1, 2)  # (N, 3, h, w)
        return F.normalize(self.model.features((images - preprocessor.mean) / preprocessor.std, is_rgb))


class GeM(nn.Module):
    """mmpretrain's GeneralizedMeanPooling of one map, (N, C, h, w) -> (N, C), as a mean: its own reads the window of an
    average pooling off the map, for which the exporter has no constant."""

    def __init__(self, pooling: GeneralizedMeanPooling) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, x: Tensor) -> Tensor:
        p = self.pooling.p
        return (x.clamp(min=self.pooling.eps) if self.pooling.clamp else x).pow(p).mean(dim=(2, 3)).pow(1 / p)


def exportable(network: nn.Module) -> nn.Module:
    """In place of instance norms with the training's statistics, which the exporter has for fixed batches alone, what
    they are at test; and of generalised means such as it has at all."""
    for name, child in network.named_children():
        if isinstance(child, nn.InstanceNorm2d) and child.track_running_stats:
            norm = nn.BatchNorm2d(child.num_features, child.eps, affine=child.affine)
            norm.load_state_dict(child.state_dict())
            setattr(network, name, norm)
        elif isinstance(child, GeneralizedMeanPooling):
            setattr(network, name, GeM(child))
        else:
            exportable(child)
    return network


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """What ``cv2.resize`` makes of 8-bit images, bit by bit, by bilinear interpolation: in fixed point.

    Weights have 11 bits; between the two directions 4 of them are dropped, and at the end each row's part loses 16 more
    by itself, before the sum is rounded.

    Args:
        images (Tensor): (N, H, W, C) uint8.
        size (tuple[int, int]): Height h and width w.

    Returns:
        Tensor: (N, h, w, C) float32, whole numbers from 0 to 255.
    """
    columns, across = neighbours(images.shape[2], size[1])  # (2, w) each
    # beyond an edge there is its own pixel; of rows, OpenCV rounds even that one's two parts
    inside = (columns[0] >= 0) & (columns[1] < images.shape[2])
    across = torch.where(inside, across, torch.tensor([[2048], [0]], dtype=torch.int32))
    columns = torch.where(inside, columns, columns[0].clamp(min=0))
    rows, down = neighbours(images.shape[1], size[0])  # (2, h) each
    rows = torch.minimum(rows.clamp(min=0), torch.zeros_like(rows) + images.shape[1] - 1)
    images = images.int()
    images = images[:, :, columns[0]] * across[0, :, None] + images[:, :, columns[1]] * across[1, :, None]
    images = divided(images, 2**4)  # (N, H, w, C)
    upper = divided(images[:, rows[0]] * down[0, :, None, None], 2**16)  # (N, h, w, C)
    lower = divided(images[:, rows[1]] * down[1, :, None, None], 2**16)
    return divided(upper + lower + 2, 2**2).float()


def neighbours(old: int, new: int) -> tuple[Tensor, Tensor]:
    """Between which two of ``old`` pixels each of ``new`` ones lies, (2, new), and by how many 2048ths at either."""
    place = ((torch.arange(new, dtype=torch.float64) + 0.5) * (old / new) - 0.5).float()  # of the pixels' centres
    first = place.floor()
    part = place - first
    return torch.stack([first, first + 1]).long(), (torch.stack([1 - part, part]) * 2048).round().int()


def divided(values: Tensor, by: int) -> Tensor:
    """The whole part: an exported graph shifts no signed numbers."""
    return torch.div(values, by, rounding_mode='trunc')
