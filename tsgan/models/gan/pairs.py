"""RGB-IR pairs of images, and which images and maps a joint discriminator is shown together."""

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.structures import PairStep


def check_pairs(model: str, data_samples: list[DataSample], needs_view: bool = False) -> None:
    """Whether a batch is one of the pair sampler's: B RGB images first, then B IR images of the same identities.

    Between them may be B second views of the RGB images, as :class:`tsgan.datasets.transforms.ModalityViews` makes.

    Args:
        model (str): Who asks.
        data_samples (list[DataSample]): One for each image, in main memory.
        needs_view (bool): Whether the second views have to be there. Defaults to False.

    Raises:
        ValueError: When it is not.
    """
    blocks = 3 if has_view(data_samples) else 2
    pairs = len(data_samples) // blocks
    labels = [int(sample.gt_label) for sample in data_samples]
    modalities = [sample.get('modality') for sample in data_samples]
    if modalities != ['rgb'] * pairs * (blocks - 1) + ['ir'] * pairs or labels != labels[:pairs] * blocks:
        raise ValueError(
            f'{model} trains on batches whose first half is RGB images, and whose second half IR images of the same '
            "identities in the same order: use batch_sampler=dict(type='IdentityPairBatchSampler', ...) in "
            'train_dataloader, and both modalities.'
        )
    if needs_view and blocks == 2:
        raise ValueError(
            f'{model} needs a second view of each RGB image: let train_pipeline end in ModalityViews with two views of '
            "rgb, and train_dataloader have collate_fn=dict(type='tsgan.collate_views')."
        )


def has_view(data_samples: list[DataSample]) -> bool:
    """Whether a batch has a second view of its RGB images."""
    return any(sample.get('view', 0) for sample in data_samples)


def check_two_identities(model: str, rgb_samples: list[DataSample]) -> None:
    """Whether pairs of two identities can be made of RGB-IR pairs.

    Args:
        model (str): Who asks.
        rgb_samples (list[DataSample]): One for the RGB image of each pair, in main memory.

    Raises:
        ValueError: When there is no other identity.
    """
    if len({int(sample.gt_label) for sample in rgb_samples}) < 2:
        raise ValueError(
            f'{model} makes pairs of two identities, and needs two of them among {len(rgb_samples)} RGB-IR pairs: '
            'let the batch have more (of AlignGAN, more gan_pairs than num_pairs of the batch sampler).'
        )


def pair_step(inputs: Tensor, data_samples: list[DataSample]) -> PairStep:
    """Split a batch of the pair sampler into B RGB and B IR images of the same identities, and second views if any.

    By place alone: what :func:`check_pairs` accepts has this order, and to index by a mask on a GPU is to wait for it.

    Args:
        inputs (Tensor): (2B, 3, H, W) in [-1, 1], or (3B, 3, H, W) with second views.
        data_samples (list[DataSample]): One for each image.
    """
    rgb, *view, ir = inputs.chunk(3 if has_view(data_samples) else 2)
    labels = torch.cat([sample.gt_label for sample in data_samples[: len(rgb)]])
    return PairStep(rgb=rgb, ir=ir, labels=labels, view=view[0] if view else None)


def same_index_pairs(items: Tensor) -> Tensor:
    """(0, 0), (1, 1), ...: one pair for each of ``items``, (len(items), 2)."""
    index = torch.arange(len(items), device=items.device)
    return torch.stack([index, index], dim=1)


def fake_pairs(labels: Tensor, wrong_identity: bool) -> Tensor:
    """M of Eq. 5, every pair in which something is fake, as indices into [X_I; X'_I] and into their maps.

    Args:
        labels (Tensor): Identities of the B RGB-IR pairs, (B,); two at least with ``wrong_identity``, see
            :func:`check_two_identities`.
        wrong_identity (bool): Whether real images with real maps of another identity are fake pairs, too.

    Returns:
        Tensor: (3B, 2): (X'_I, f^{X'_I}), (X'_I, f^{X_I}), (X_I, f^{X'_I}); and B more with ``wrong_identity``:
        (X_I, f^{X_I} of another identity), each map once where identities have equally many pairs, side by side.
    """
    real = torch.arange(len(labels), device=labels.device)
    fake = real + len(labels)
    image, feature = [fake, fake, real], [fake, real, fake]
    if wrong_identity:
        following = (real[:, None] + real[None]) % len(labels)  # (B, B): i, i + 1, ... around
        differ = labels[:, None] != labels[following]
        whole = differ.all(dim=0)  # a step of so many has every image meet another identity, and takes every map once
        # else each the next that differs
        steps = torch.where(whole.any(), whole.int().argmax(), differ.int().argmax(dim=1))
        image.append(real)
        feature.append((real + steps) % len(labels))
    return torch.stack([torch.cat(image), torch.cat(feature)], dim=1)
