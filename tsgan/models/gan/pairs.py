"""RGB-IR pairs of images, and which images and maps a joint discriminator is shown together."""

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.structures import PairStep


def check_pairs(model: str, data_samples: list[DataSample]) -> None:
    """Whether a batch is one of the pair sampler's: B RGB images first, then B IR images of the same identities.

    Args:
        model (str): Who asks.
        data_samples (list[DataSample]): One for each image, in main memory.

    Raises:
        ValueError: When it is not.
    """
    middle = len(data_samples) // 2
    labels = [int(sample.gt_label) for sample in data_samples]
    modalities = [sample.get('modality') for sample in data_samples]
    if modalities != ['rgb'] * middle + ['ir'] * middle or labels[:middle] != labels[middle:]:
        raise ValueError(
            f'{model} trains on batches whose first half is RGB images, and whose second half IR images of the same '
            "identities in the same order: use batch_sampler=dict(type='IdentityPairBatchSampler', ...) in "
            'train_dataloader, and both modalities.'
        )


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
    """Split a batch of the pair sampler, (2B, 3, H, W), into B RGB and B IR images of the same identities.

    By place alone: what :func:`check_pairs` accepts has this order, and to index by a mask on a GPU is to wait for it.

    Args:
        inputs (Tensor): (2B, 3, H, W) in [-1, 1].
        data_samples (list[DataSample]): One for each image.
    """
    rgb, ir = inputs.chunk(2)
    return PairStep(rgb=rgb, ir=ir, labels=torch.cat([sample.gt_label for sample in data_samples[: len(rgb)]]))


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
