from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.models.alternating import AlternatingModel
from tsgan.models.reid import ReIDBaseline
from tsgan.registry import MODELS


class HandcraftedOutput(NamedTuple):
    """What a hand-crafted descriptor makes of N images; names as in :class:`tsgan.structures.ReIDOutput`."""

    vector: Tensor  # (N, D)  the descriptor
    feature: Tensor  # (N, d)  what is compared at test: the descriptor, or what a learned metric makes of it
    branches: dict[str, Tensor]  # none


@MODELS.register_module()
class HandcraftedNet(BaseModule):
    """A descriptor of images that nobody has trained, and a metric on it that somebody may.

    Args:
        extractor (dict): Config of the descriptor, which makes a vector of one (H, W, 3) uint8 image.
        metric (dict, optional): Config of the learned metric. Defaults to None: descriptors are compared as they are.
    """

    def __init__(self, extractor: dict, metric: dict | None = None) -> None:
        super().__init__()
        self.extractor = MODELS.build(extractor)
        self.metric = metric and MODELS.build(metric)

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> HandcraftedOutput:
        """Args:
            images (Tensor): (N, 3, H, W), RGB in [-1, 1]; of either modality.
            is_rgb (Tensor, optional): Not used: images of both modalities are described alike. Defaults to None.

        Returns:
            HandcraftedOutput: Descriptors and test features of the N images.
        """
        vector = self.describe(images)
        return HandcraftedOutput(vector, vector if self.metric is None else self.metric(vector), branches={})

    def describe(self, images: Tensor) -> Tensor:
        """The descriptors, (N, 3, H, W) in [-1, 1] -> (N, D), of the 8-bit images that the data set has."""
        pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).contiguous()  # (N, H, W, 3)
        vectors = np.stack([self.extractor(image) for image in pixels.cpu().numpy()])  # (N, D)
        return torch.from_numpy(vectors).to(images.device)


@MODELS.register_module()
class HandcraftedReID(AlternatingModel):
    """ReID by a hand-crafted descriptor: a model without phases, whose training learns a metric, or nothing.

    A step describes the batch's images and keeps the descriptors; :class:`tsgan.engine.FitMetricHook` has the metric
    fitted to them when the epoch ends. So an epoch is to show every image once, as it is: ``batch_sampler=None`` and no
    augmentation. Without a metric there is nothing to keep, and one batch makes a checkpoint.

    Args:
        reid (dict): Config of the descriptor and its metric.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        max_images (int, optional): Of each identity and modality, the metric is fitted to so many images, the first
            that come: with ``shuffle=True``, a random choice by ``randomness.seed``. It bounds memory: N descriptors
            of length D take about 12 N D + 40 N^2 bytes while XQDA is fitted to them. Defaults to None, all.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    PHASES: Sequence[str] = ()

    def __init__(
        self, reid: dict, data_preprocessor: dict, max_images: int | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.reid = MODELS.build(reid)
        self.max_images = max_images
        self.forget()

    forward, features = ReIDBaseline.forward, ReIDBaseline.features
    named_features = ReIDBaseline.named_features

    def forget(self) -> None:
        """Drop the descriptors that were kept."""
        self.vectors: list[np.ndarray] = []  # (D,) each
        self.labels: list[int] = []
        self.modalities: list[str] = []
        self.kept: Counter[tuple[int, str]] = Counter()  # (identity, modality) -> images

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]) -> None:
        """Keep the descriptors of those images (N, 3, H, W) that the metric is to be fitted to."""
        if self.reid.metric is None:
            return
        rows = []
        for row, sample in enumerate(data_samples):
            label, modality = int(sample.gt_label), sample.modality
            if self.max_images is None or self.kept[label, modality] < self.max_images:
                self.kept[label, modality] += 1
                self.labels.append(label)
                self.modalities.append(modality)
                rows.append(row)
        if rows:
            self.vectors += list(self.reid.describe(inputs[rows]).cpu().numpy())

    def fit(self) -> None:
        """Fit the metric to the descriptors that were kept, and drop them."""
        if self.reid.metric is not None:
            vectors, labels, is_rgb = np.stack(self.vectors), np.array(self.labels), np.array(self.modalities) == 'rgb'
            self.forget()
            self.reid.metric.fit(vectors, labels, is_rgb)
