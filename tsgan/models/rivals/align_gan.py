from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from tsgan.models.gan import (
    check_pairs,
    check_two_identities,
    fake_pairs,
    has_view,
    pair_step,
    same_index_pairs,
    varieties,
)
from tsgan.models.losses import at_least_float32
from tsgan.models.reid import ReIDBaseline, ReIDNet
from tsgan.registry import MODELS
from tsgan.structures import PairStep, ReIDOutput, unwrapped


class AlignGANStep(NamedTuple):
    """One iteration's pairs, and what its phases made of them."""

    feature: PairStep  # all B pairs: the ReID network's
    pixel: PairStep  # the first of them: the generators' and discriminators'


@MODELS.register_module()
class AlignGAN(ReIDBaseline):
    """AlignGAN: a ReID network of IR images, and a generator that makes IR images of RGB ones, in training and at test.

    Generators make fake IR images, a joint discriminator tells real from fake pairs of an IR image and a feature map,
    and the ReID network learns from real and fake IR images. No RGB image reaches it, at test neither: the generator
    runs on the RGB gallery. Warm-ups are a schedule of :class:`tsgan.engine.AlternatingPhasesHook`: while
    ``warmup_discriminators`` run, it is they that judge the generators' images; while the terms in ``FAKE_TERMS`` wait,
    the ReID network learns from real IR images alone.

    Source: Wang et al., "RGB-Infrared Cross-Modality Person Re-Identification via Joint Pixel and Feature Alignment",
    ICCV 2019.

    Args:
        reid (dict): Config of the ReID network.
        generators (dict): Config of the two generators.
        discriminators (dict): Config of a joint discriminator of IR images and of one of RGB images.
        warmup_discriminators (dict): Config of two ordinary discriminators.
        losses (dict[str, dict | None]): Losses of the ReID network on real IR images, as of :class:`ReIDBaseline`.
        loss_id (dict): Identity loss of fake IR images, of the network's logits.
        loss_tri (dict): Triplet loss on the embedding, between fake and real IR images: triplets ``across``.
        loss_adv (dict): Adversarial loss.
        loss_cyc (dict): Cycle consistency; the mean of both directions counts.
        loss_idt (dict): The same for images of the modality that a generator writes, which it should leave as they are.
        reid_size (Sequence[int]): Height and width to which the ReID network's images are resized.
        data_preprocessor (dict): Config of the data preprocessor; images leave it in [-1, 1], RGB.
        gan_weight (float): Of the adversarial loss of the ReID network. Defaults to 0.1.
        task_weight (float): Of the identity and triplet losses of the generators. Defaults to 0.1.
        gan_pairs (int, optional): Pairs of a batch that generators and discriminators train on, the first ones.
            Defaults to None, all.
        init_cfg (dict, optional): Initialisation config. Defaults to None.

    Raises:
        ValueError: When the joint discriminator does not fit the ReID network's maps.
    """

    PHASES: Sequence[str] = ('reid', 'generators', 'warmup_discriminators', 'discriminators')
    TESTED: Sequence[str] = ('reid', 'generators')
    ADDS_MIRRORED = True
    FAKE_TERMS = ('loss_id_fake_ir', 'loss_tri', 'loss_gan')  # of the ReID phase, those that need fake IR images

    def __init__(
        self,
        reid: dict,
        generators: dict,
        discriminators: dict,
        warmup_discriminators: dict,
        losses: dict[str, dict | None],
        loss_id: dict,
        loss_tri: dict,
        loss_adv: dict,
        loss_cyc: dict,
        loss_idt: dict,
        reid_size: Sequence[int],
        data_preprocessor: dict,
        gan_weight: float = 0.1,
        task_weight: float = 0.1,
        gan_pairs: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(reid, losses, data_preprocessor, init_cfg)
        self.generators = MODELS.build(generators)
        self.discriminators = MODELS.build(discriminators)
        self.warmup_discriminators = MODELS.build(warmup_discriminators)
        if self.reid.map_channels:
            self.discriminators.check_maps(self.reid.map_channels[-1])
        self.loss_id = MODELS.build(loss_id)
        self.loss_tri = MODELS.build(loss_tri)
        self.loss_adv = MODELS.build(loss_adv)
        self.loss_cyc = MODELS.build(loss_cyc)
        self.loss_idt = MODELS.build(loss_idt)
        self.reid_size = tuple(reid_size)
        self.gan_weight = gan_weight
        self.task_weight = task_weight
        self.gan_pairs = gan_pairs

    def named_features(self, inputs: Tensor, is_rgb: Tensor | None) -> dict[str, Tensor]:
        """Features of images: RGB ones are translated first; an image and its mirror image are added up.

        Args:
            inputs (Tensor): (N, 3, H, W) in [-1, 1], of the generators' size.
            is_rgb (Tensor): Which of them are RGB images, (N,) bool.

        Returns:
            dict[str, Tensor]: ``feature`` alone, (N, C).

        Raises:
            ValueError: When a modality is not known.
        """
        if is_rgb is None:
            raise ValueError(
                "AlignGAN translates RGB images: give each image a data sample with `modality` 'rgb'/'ir'."
            )
        images = self.resized(self.translated(inputs, is_rgb))
        return {'feature': self.reid(images).feature + self.reid(images.flip(dims=[3])).feature}

    def translated(self, images: Tensor, is_rgb: Tensor) -> Tensor:
        """(N, 3, H, W), with fake IR images in place of the RGB ones."""
        to_ir = unwrapped(self.generators).to_ir
        if torch.onnx.is_in_onnx_export():  # a graph does not ask whether there are any
            return torch.where(is_rgb[:, None, None, None], to_ir(images), images)
        images = images.clone()
        if is_rgb.any():
            images[is_rgb] = to_ir(images[is_rgb])
        return images

    def encode(self, ir: Tensor) -> ReIDOutput:
        """What the ReID network makes of IR images, real or fake, (N, 3, H, W)."""
        return self.reid(self.resized(ir))

    def resized(self, images: Tensor) -> Tensor:
        """From the generators' to the ReID network's size."""
        return F.interpolate(images, self.reid_size, mode='bilinear', align_corners=False)

    def check_batch(self, data_samples: list[DataSample]) -> None:
        """A batch of the pair sampler, with two identities among the pairs that the discriminators train on."""
        if has_view(data_samples):
            raise ValueError(
                'AlignGAN trains on one view of each image: expected a train_pipeline without ModalityViews, and the '
                'collate_fn of the base config.'
            )
        check_pairs('AlignGAN', data_samples)
        if {'discriminators', 'warmup_discriminators'} & set(self.phases):
            check_two_identities('AlignGAN', data_samples[: len(data_samples) // 2][: self.gan_pairs])

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]) -> AlignGANStep:
        """Split a batch of the pair sampler, (2B, 3, H, W), into B RGB and B IR images of the same identities."""
        pairs, n = pair_step(inputs, data_samples), self.gan_pairs
        return AlignGANStep(pairs, PairStep(pairs.rgb[:n], pairs.ir[:n], pairs.labels[:n]))

    def reid_loss(self, step: AlignGANStep) -> dict[str, Tensor]:
        """Identities and triplets of real and fake IR images; and a real one with a fake's map should look real."""
        pairs = step.feature
        real = self.encode(pairs.ir)
        losses = self.losses_of(real, pairs.labels, torch.zeros_like(pairs.labels, dtype=torch.bool))
        if all(f'reid/{name}' in self.inactive_terms for name in self.FAKE_TERMS):
            # left out rather than times 0: BN statistics would be those of images that nobody has yet learned to make
            return losses | dict.fromkeys(self.FAKE_TERMS, 0 * real.logits.sum())
        with torch.no_grad():
            fake_ir = unwrapped(self.generators).to_ir(pairs.rgb)
        fake = self.encode(fake_ir)
        logits, _ = self.discriminators(pairs.ir, None, fake.final_map, same_index_pairs(pairs.labels))
        return losses | {
            'loss_id_fake_ir': self.loss_id(fake.logits, pairs.labels),
            **self.triplets_across(fake, real, pairs.labels),
            'loss_gan': self.gan_weight * self.loss_adv(logits, is_real=True),
        }

    def generators_loss(self, step: AlignGANStep) -> dict[str, Tensor]:
        """Look real, come back, leave alone what has the modality already, and keep the identity."""
        pairs = step.pixel
        pairs.translation = fakes = self.generators(pairs.rgb, pairs.ir)
        same = self.generators(pairs.ir, pairs.rgb, reconstruct=False)  # each writes the modality that it is given
        with torch.no_grad():
            real = self.encode(pairs.ir)
        fake = self.encode(fakes.fake_ir)
        pairs.map_ir, pairs.map_fake_ir = real.final_map, fake.final_map.detach()
        warming_up = 'warmup_discriminators' in self.phases
        judges = self.warmup_discriminators if warming_up else self.discriminators
        ir_logits, rgb_logits = judges(fakes.fake_ir, fakes.fake_rgb, pairs.map_ir, same_index_pairs(pairs.labels))
        triplets = self.triplets_across(fake, real, pairs.labels)
        return {
            'loss_adv_ir': self.loss_adv(ir_logits, is_real=True) / 2,
            'loss_adv_rgb': self.loss_adv(rgb_logits, is_real=True) / 2,
            'loss_cyc_rgb': self.loss_cyc(fakes.rec_rgb, pairs.rgb) / 2,
            'loss_cyc_ir': self.loss_cyc(fakes.rec_ir, pairs.ir) / 2,
            'loss_idt_rgb': self.loss_idt(same.fake_rgb, pairs.rgb) / 2,
            'loss_idt_ir': self.loss_idt(same.fake_ir, pairs.ir) / 2,
            **triplets,
            'loss_tri': self.task_weight * triplets['loss_tri'],
            'loss_id': self.task_weight * self.loss_id(fake.logits, pairs.labels),
            **varieties(pairs.rgb, pairs.ir, fakes),
        }

    def triplets_across(self, fake: ReIDOutput, real: ReIDOutput, labels: Tensor) -> dict[str, Tensor]:
        """Anchors among the fakes, all else among the real images, and the other way round: the two losses' sum
        as ``loss_tri``, and what else the loss says."""
        is_fake = torch.arange(2 * len(labels), device=labels.device) < len(labels)
        said = self.loss_tri(torch.cat([fake.vector, real.vector]), labels.repeat(2), is_fake)
        loss = said.pop('loss')
        if self.loss_tri.reduction == 'mean':
            loss = 2 * loss  # of twice as many anchors
        return {'loss_tri': loss, **{f'tri_{name}': share for name, share in said.items()}}

    def warmup_discriminators_loss(self, step: AlignGANStep) -> dict[str, Tensor]:
        """Real or fake, of images alone."""
        return self.real_or_fake(self.warmup_discriminators, step.pixel)

    def discriminators_loss(self, step: AlignGANStep) -> dict[str, Tensor]:
        """Real or fake, of images with feature maps; four kinds of pairs are fake, wrong identities among them."""
        return self.real_or_fake(self.discriminators, step.pixel)

    def real_or_fake(self, discriminators: nn.Module, pairs: PairStep) -> dict[str, Tensor]:
        """The losses of two discriminators; an ordinary one takes no notice of maps and pairs."""
        fakes, batch = self.fakes(pairs), len(pairs.labels)
        ir_logits, rgb_logits = discriminators(
            torch.cat([pairs.ir, fakes.fake_ir.detach()]),
            torch.cat([pairs.rgb, fakes.fake_rgb.detach()]),
            torch.cat([pairs.map_ir, pairs.map_fake_ir]),
            torch.cat([same_index_pairs(pairs.labels), fake_pairs(pairs.labels, wrong_identity=True)]),
        )
        return {
            'loss_ir_real': self.loss_adv(ir_logits[:batch], is_real=True) / 2,
            'loss_ir_fake': self.loss_adv(ir_logits[batch:], is_real=False) / 2,
            'loss_rgb_real': self.loss_adv(rgb_logits[:batch], is_real=True) / 2,
            'loss_rgb_fake': self.loss_adv(rgb_logits[batch:], is_real=False) / 2,
            'accuracy_ir': self.loss_adv.accuracy(ir_logits[:batch], ir_logits[batch:]),
            'accuracy_rgb': self.loss_adv.accuracy(rgb_logits[:batch], rgb_logits[batch:]),
        }

    def fakes(self, pairs: PairStep):
        """The iteration's fakes, and maps with them; made here where its generators' phase did not run."""
        if pairs.translation is None:
            with torch.no_grad():
                pairs.translation = self.generators(pairs.rgb, pairs.ir, reconstruct=False)
                pairs.map_ir = self.encode(pairs.ir).final_map
                pairs.map_fake_ir = self.encode(pairs.translation.fake_ir).final_map
        return pairs.translation


@MODELS.register_module()
class AlignGANNet(ReIDNet):
    """A ReID network whose test feature is V, and whose triplet loss sees an embedding of it: see ``AlignGANHead``."""

    def forward(self, images: Tensor, is_rgb: Tensor | None = None) -> ReIDOutput:
        """As :class:`tsgan.models.ReIDNet`, with the embedding as ``vector`` and V as ``feature``."""
        mid_map, final_map = self.encoder(images, is_rgb)
        pooled = final_map.mean(dim=(2, 3))  # (N, C, h, w) -> (N, C)
        embedding, logits = self.head(pooled)
        return ReIDOutput(mid_map, final_map, embedding, pooled, at_least_float32(logits), branches={})


@MODELS.register_module()
class AlignGANHead(BaseModule):
    """An embedding of V for the triplet loss, and beside it a classifier with a bottleneck.

    Args:
        num_classes (int): Identities of the training set.
        in_channels (int): Length of V.
        embedding_channels (int): Length of the embedding, and width of the bottleneck. Defaults to 256.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    def __init__(
        self, num_classes: int, in_channels: int, embedding_channels: int = 256, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.num_classes = num_classes
        self.embedding = nn.Linear(in_channels, embedding_channels)
        self.bottleneck = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(in_channels, embedding_channels),
            nn.BatchNorm1d(embedding_channels),
            nn.LeakyReLU(0.1, inplace=True),
        )
        self.classifier = nn.Linear(embedding_channels, num_classes)
        # the source's: a batch norm follows the bottleneck, and the larger its weights, the smaller a step for them
        nn.init.kaiming_normal_(self.bottleneck[1].weight, mode='fan_out')
        nn.init.zeros_(self.bottleneck[1].bias)
        nn.init.normal_(self.bottleneck[2].weight, mean=1.0, std=0.02)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Args:
            vector (Tensor): V, (N, in_channels).

        Returns:
            tuple[Tensor, Tensor]: The embedding, (N, embedding_channels), and logits, (N, num_classes).
        """
        return self.embedding(vector), self.classifier(self.bottleneck(vector))
