import inspect
from collections.abc import Sequence

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from tsgan.models.alternating import AlternatingModel
from tsgan.models.losses import named
from tsgan.models.memory_format import to_fastest_format
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

# first argument of a loss of tensors -> what hands it that of a network's output; mmpretrain's losses read cls_score
WRAPPERS = {'vectors': 'OnVectors', 'cls_score': 'OnLogits'}


@MODELS.register_module()
class ReIDBaseline(AlternatingModel):
    """A ReID network and its losses: Table II row 1, Table III, the IR teacher, and every method that is no more.

    Args:
        reid (dict): Config of the ReID network.
        losses (dict[str, dict | None]): Name -> config of a loss, which is logged under that name. It is a module
            without trained parameters, called with what the network made of the batch (:class:`ReIDOutput`), labels
            (N,) and which images are RGB, (N,) bool or None where that is not known. It gives a scalar, or scalars by
            name, of which ``loss`` counts and the others are logged as ``<name without loss_>_<key>``. None in place of
            a config leaves out a loss that a base config has.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When a loss has another kind of name, parameters to train, or reads tensors without a wrapper; in
            training, when there is no loss at all.
    """

    PHASES: Sequence[str] = ('reid',)

    def __init__(
        self, reid: dict, losses: dict[str, dict | None], data_preprocessor: dict, init_cfg: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.reid = MODELS.build(reid)
        self.losses = built_losses(losses)
        to_fastest_format(self.reid)

    def forward(self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'tensor'):
        """Features of images. Training does not come here but through :meth:`train_step`.

        Args:
            inputs (Tensor): (N, 3, H, W) in [-1, 1].
            data_samples (list[DataSample], optional): One for each image. Defaults to None.
            mode (str): 'tensor' for the features (N, C), 'predict' for the data samples with ``feature`` (C,) set and
                ``other_features`` by name, (C_i,) each; with :attr:`mirror_features`, also with ``mirrored_features``,
                ``feature`` and the others of the mirror image, by name.

        Raises:
            ValueError: When ``mode`` is another.
        """
        is_rgb = rgb_mask(data_samples, inputs.device)
        if mode == 'tensor':
            return self.features(inputs, is_rgb)
        if mode == 'predict':
            found = self.named_features(inputs, is_rgb)
            flipped = self.named_features(mirrored(inputs), is_rgb) if self.mirror_features else {}
            for row, sample in enumerate(data_samples):
                others = {name: features[row] for name, features in found.items()}
                sample.set_field(others.pop('feature'), 'feature', dtype=Tensor)
                sample.set_field(others, 'other_features', dtype=dict)
                if flipped:
                    vectors = {name: features[row] for name, features in flipped.items()}
                    sample.set_field(vectors, 'mirrored_features', dtype=dict)
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
        """The losses of the batch."""
        images, labels, is_rgb = step
        return self.losses_of(self.reid(images, is_rgb), labels, is_rgb)

    def losses_of(self, output: ReIDOutput, labels: Tensor, is_rgb: Tensor | None) -> dict[str, Tensor]:
        """Every loss of :attr:`losses`, and what they want logged, by name.

        Args:
            output (ReIDOutput): Of N images; of k N rows, k times all images, where the network makes more of each.
            labels (Tensor): Identities, (N,).
            is_rgb (Tensor, optional): Which of the images are RGB, (N,) bool.

        Raises:
            ValueError: When what is only to be logged has a name that MMEngine adds up.
        """
        rows = len(output.vector) // len(labels)
        labels, is_rgb = labels.repeat(rows), None if is_rgb is None else is_rgb.repeat(rows)
        terms = {}
        for name, loss in self.losses.items():
            values = named(loss(output, labels, is_rgb))
            terms[name] = values['loss']
            short = name.removeprefix('loss').lstrip('_')
            for key, value in values.items():
                if key == 'loss':
                    continue
                if 'loss' in f'{short}_{key}':
                    raise ValueError(f"model.losses.{name} logs {key!r}: MMEngine would add up what has 'loss' in it.")
                terms[f'{short}_{key}'] = value.detach()
        return terms


def built_losses(losses: dict[str, dict | None]) -> nn.ModuleDict:
    """The losses of a config by their names; raises ValueError as :class:`ReIDBaseline` says."""
    if not isinstance(losses, dict):
        raise ValueError(f'model.losses is a {type(losses).__name__}: expected a dict, name -> config of a loss.')
    built = nn.ModuleDict()
    for name, cfg in losses.items():
        if cfg is None:
            continue
        if not name.startswith('loss') or '.' in name:
            raise ValueError(
                f"model.losses.{name}: expected a name that begins with 'loss', which MMEngine adds up, without dots."
            )
        if not isinstance(cfg, dict):
            raise ValueError(f'model.losses.{name} is {cfg!r}: expected the config of a loss, dict(type=...), or None.')
        built[name] = loss = MODELS.build(cfg)
        first = next(iter(inspect.signature(loss.forward).parameters), None)
        if first in WRAPPERS:
            raise ValueError(
                f'model.losses.{name} ({type(loss).__name__}) reads {first}, not the whole output of a network: '
                f"expected dict(type='{WRAPPERS[first]}', loss=dict(type='{cfg['type']}', ...))."
            )
        if any(parameter.requires_grad for parameter in loss.parameters()):
            raise ValueError(
                f'model.losses.{name} ({type(loss).__name__}) has parameters to train: expected them in the network, '
                'model.reid, whose optimizer moves them.'
            )
    return built


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
