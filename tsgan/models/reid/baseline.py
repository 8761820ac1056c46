from collections.abc import Sequence

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.models.alternating import AlternatingModel
from tsgan.models.memory_format import to_fastest_format
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput


@MODELS.register_module()
class ReIDBaseline(AlternatingModel):
    """A ReID network trained with identity and triplet loss: Table II row 1, Table III, and the IR teacher.

    Without the triplet loss, and with networks and heads of ``tsgan/models/rivals``, it is other rows of Table I too.

    Args:
        reid (dict): Config of the ReID network.
        loss_id (dict): Config of the identity loss on logits, Eq. 9 and 10, with its weight lambda_1.
        loss_tri (dict, optional): Config of the triplet loss on V, Eq. 11, with its weight lambda_2. None leaves the
            term out.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    PHASES: Sequence[str] = ('reid',)

    def __init__(
        self, reid: dict, loss_id: dict, loss_tri: dict | None, data_preprocessor: dict, init_cfg: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.reid = MODELS.build(reid)
        self.loss_id = MODELS.build(loss_id)
        self.loss_tri = loss_tri and MODELS.build(loss_tri)
        to_fastest_format(self.reid)

    def forward(self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'):
        """Features of images. Training does not come here but through :meth:`train_step`.

        Args:
            inputs (Tensor): (N, 3, H, W) in [-1, 1].
            data_samples (list[DataSample], optional): One for each image. Defaults to None.
            mode (str): 'tensor' for the features (N, C), 'predict' for the data samples with ``feature`` (C,) set; with
                :attr:`all_features`, with ``other_features`` by name too, (C_i,) each.

        Raises:
            ValueError: When ``mode`` is another.
        """
        is_rgb = rgb_mask(data_samples, inputs.device)
        if mode == 'tensor':
            return self.features(inputs, is_rgb)
        if mode == 'predict':
            others = self.named_features(inputs, is_rgb)
            feature = others.pop('feature')  # (N, C)
            if self.all_features:
                others['mirrored'] = self.features(mirrored(inputs), is_rgb)
            for sample, vector, *rest in zip(data_samples, feature, *others.values(), strict=True):
                sample.set_field(vector, 'feature', dtype=Tensor)
                if self.all_features:
                    sample.set_field(dict(zip(others, rest, strict=True)), 'other_features', dtype=dict)
            return data_samples
        raise ValueError(f"mode is 'tensor' or 'predict', not {mode!r}: losses are computed phase by phase.")

    def features(self, inputs: Tensor, is_rgb: Tensor | None) -> Tensor:
        """What is compared at test, (N, 3, H, W) in [-1, 1], and which of them are RGB images, (N,) -> (N, C)."""
        return self.named_features(inputs, is_rgb)['feature']

    def named_features(self, inputs: Tensor, is_rgb: Tensor | None) -> dict[str, Tensor]:
        """Whatever might be compared at test, from one pass; the seam for a model that makes its features otherwise.

        Args:
            inputs (Tensor): (N, 3, H, W) in [-1, 1].
            is_rgb (Tensor, optional): Which of them are RGB images, (N,) bool.

        Returns:
            dict[str, Tensor]: ``feature``, which is compared, (N, C), and the network's branches by their names.
        """
        output = self.reid(inputs, is_rgb)
        return {'feature': output.feature, **output.branches}

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]) -> tuple[Tensor, Tensor, Tensor | None]:
        """The batch: images (N, 3, H, W), labels (N,), and which images are RGB, (N,)."""
        labels = torch.cat([sample.gt_label for sample in data_samples])
        return inputs, labels, rgb_mask(data_samples, inputs.device)

    def reid_loss(self, step: tuple[Tensor, Tensor, Tensor | None]) -> dict[str, Tensor]:
        """Identity and triplet loss of the batch."""
        images, labels, is_rgb = step
        return self.identity_losses(self.reid(images, is_rgb), labels)

    def identity_losses(self, output: ReIDOutput, labels: Tensor) -> dict[str, Tensor]:
        """lambda_1 L_ID + lambda_2 L_Tri of Eq. 8, term by term."""
        losses = {'loss_id': self.loss_id(output.logits, labels)}
        if self.loss_tri is not None:
            losses['loss_tri'] = self.loss_tri(output.vector, labels)
        return losses


def mirrored(images: Tensor) -> Tensor:
    """Images (N, C, H, W) with left and right exchanged.

    The same as to mirror the files, bit by bit: what a test does before, to decode, resize (``cv2``, bilinear) and
    normalise, treats left and right alike. A pipeline that pads images on one side would not.
    """
    return images.flip(dims=[3])


def rgb_mask(samples: list[DataSample] | None, device: torch.device) -> Tensor | None:
    """Which images are RGB rather than IR, (N,) bool; None where their samples do not all say it."""
    modalities = [sample.get('modality') for sample in samples or ()]
    if not modalities or not set(modalities) <= {'rgb', 'ir'}:
        return None
    return torch.tensor([modality == 'rgb' for modality in modalities], device=device)
