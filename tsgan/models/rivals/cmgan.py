from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from tsgan.models.losses import at_least_float32
from tsgan.models.reid import ReIDBaseline
from tsgan.registry import MODELS


@dataclass
class FeatureStep:
    """One iteration: its batch, and the features that its ReID phase made."""

    images: Tensor  # (N, 3, H, W) in [-1, 1]
    labels: Tensor  # (N,)
    is_rgb: Tensor  # (N,) bool
    features: Tensor | None = None  # (N, C) V, detached


@MODELS.register_module()
class CMGAN(ReIDBaseline):
    """cmGAN: a ReID network that a discriminator of modalities learns to see through, and that learns to deceive it.

    There is no image generator: the game is about V. The discriminator minimises L_D, the cross-entropy of the
    modalities; the ReID network minimises L_ID + L_Tri - gamma L_D, with triplets across the modalities. K steps of the
    network for each one of the discriminator are a schedule:
    ``AlternatingPhasesHook(phases=['reid', dict(name='discriminator', every=K)])``.

    Source: Dai et al., "Cross-Modality Person Re-Identification with Generative Adversarial Training", IJCAI 2018.

    Args:
        reid (dict): Config of the ReID network.
        discriminator (dict): Config of the discriminator of modalities.
        losses (dict[str, dict | None]): Identity loss, with its weight beta, and triplet loss, with its weight alpha,
            whose triplets go from one modality into the other; as of :class:`ReIDBaseline`.
        loss_modality (dict): Cross-entropy of the modalities, L_D.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        gan_weight (float): gamma. Defaults to 0.05.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When the discriminator reads features of another length than the network's.
    """

    PHASES: Sequence[str] = ('reid', 'discriminator')

    def __init__(
        self,
        reid: dict,
        discriminator: dict,
        losses: dict[str, dict | None],
        loss_modality: dict,
        data_preprocessor: dict,
        gan_weight: float = 0.05,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(reid, losses, data_preprocessor, init_cfg)
        if discriminator['in_channels'] != reid['head']['in_channels']:
            raise ValueError(
                f'V has {reid["head"]["in_channels"]} elements, but model.discriminator.in_channels is '
                f'{discriminator["in_channels"]}: set it, in the config or with `--cfg-options '
                f'model.discriminator.in_channels={reid["head"]["in_channels"]}`.'
            )
        self.discriminator = MODELS.build(discriminator)
        self.loss_modality = MODELS.build(loss_modality)
        self.gan_weight = gan_weight

    def check_batch(self, data_samples: list[DataSample]) -> None:
        """A batch of both modalities."""
        if {sample.get('modality') for sample in data_samples} != {'rgb', 'ir'}:
            raise ValueError('CMGAN trains on batches of both RGB and IR images, whose data samples say `modality`.')

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]) -> FeatureStep:
        """The batch."""
        return FeatureStep(*super().make_step(inputs, data_samples))

    def reid_loss(self, step: FeatureStep) -> dict[str, Tensor]:
        """alpha L_Tri + beta L_ID - gamma L_D; the discriminator is frozen here."""
        output = self.reid(step.images, step.is_rgb)
        step.features = output.vector.detach()
        losses = self.losses_of(output, step.labels, step.is_rgb)
        return losses | {'loss_gan': -self.gan_weight * self.modality_loss(output.vector, step)}

    def discriminator_loss(self, step: FeatureStep) -> dict[str, Tensor]:
        """L_D, on the features that the ReID phase has made; made here where it did not run."""
        if step.features is None:
            with torch.no_grad():
                step.features = self.reid(step.images, step.is_rgb).vector
        logits = self.discriminator(step.features)
        right = (logits.argmax(dim=1) == step.is_rgb).float()  # (N,)
        return {
            'loss_modality': self.loss_modality(logits, step.is_rgb.long()),
            'accuracy_modality': right.mean(),
        }

    def modality_loss(self, features: Tensor, step: FeatureStep) -> Tensor:
        """L_D of features (N, C): both phases have this one, with opposite signs."""
        return self.loss_modality(self.discriminator(features), step.is_rgb.long())


@MODELS.register_module()
class ModalityDiscriminator(BaseModule):
    """Says of a feature which modality its image has: fully connected layers with ReLUs between them.

    Source: as above, 2048-1000-500-2; what is between the layers is not taken from there.

    Args:
        in_channels (int): Length of the feature.
        hidden (Sequence[int]): Widths of the layers between. Defaults to (1000, 500).
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(self, in_channels: int, hidden: Sequence[int] = (1000, 500), init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        layers = []
        for width in hidden:
            layers += [nn.Linear(in_channels, width), nn.ReLU(inplace=True)]
            in_channels = width
        self.layers = nn.Sequential(*layers, nn.Linear(in_channels, 2))

    def forward(self, features: Tensor) -> Tensor:
        """Args:
            features (Tensor): (N, in_channels).

        Returns:
            Tensor: Logits of IR and RGB, (N, 2).
        """
        return at_least_float32(self.layers(features))
