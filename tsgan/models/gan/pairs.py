"""RGB-IR pairs of images, and which images and maps a joint discriminator is shown together."""

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.structures import PairStep


def pair_step(model: str, inputs: Tensor, data_samples: list[DataSample]) -> PairStep:
    """Split a batch of the pair sampler, (2B, 3, H, W), into B RGB and B IR images of the same identities.

    Args:
        model (str): Who asks.
        inputs (Tensor): (2B, 3, H, W) in [-1, 1].
        data_samples (list[DataSample]): One for each image.

    Raises:
        ValueError: When the i-th RGB and the i-th IR image show different identities.
    """
    is_rgb = torch.tensor([sample.modality == 'rgb' for sample in data_samples], device=inputs.device)
    labels = torch.cat([sample.gt_label for sample in data_samples])
    if not torch.equal(labels[is_rgb], labels[~is_rgb]):
        raise ValueError(
            f'{model} trains on batches whose i-th RGB and i-th IR image share the identity: use '
            "batch_sampler=dict(type='IdentityPairBatchSampler', ...) in train_dataloader."
        )
    return PairStep(rgb=inputs[is_rgb], ir=inputs[~is_rgb], labels=labels[is_rgb])


def same_index_pairs(items: Tensor) -> Tensor:
    """(0, 0), (1, 1), ...: one pair for each of ``items``, (len(items), 2)."""
    index = torch.arange(len(items), device=items.device)
    return torch.stack([index, index], dim=1)


def fake_pairs(labels: Tensor, wrong_identity: bool) -> Tensor:
    """M of Eq. 5, every pair in which something is fake, as indices into [X_I; X'_I] and into their maps.

    Args:
        labels (Tensor): Identities of the B RGB-IR pairs, (B,).
        wrong_identity (bool): Whether real images with real maps of another identity are fake pairs, too.

    Returns:
        Tensor: (3B, 2): (X'_I, f^{X'_I}), (X'_I, f^{X_I}), (X_I, f^{X'_I}); and B more with ``wrong_identity``:
        (X_I, f^{X_I} of another identity), each map once where identities have equally many pairs, side by side.

    Raises:
        ValueError: With ``wrong_identity``, when there is no other identity.
    """
    real = torch.arange(len(labels), device=labels.device)
    fake = real + len(labels)
    image, feature = [fake, fake, real], [fake, real, fake]
    if wrong_identity:
        if (labels == labels[0]).all():
            raise ValueError(
                f'pairs of two identities need two of them among {len(labels)} RGB-IR pairs: let the batch have more '
                '(of AlignGAN, more gan_pairs than num_pairs of the batch sampler).'
            )
        following = (real[:, None] + real[None]) % len(labels)  # (B, B): i, i + 1, ... around
        differ = labels[:, None] != labels[following]
        whole = differ.all(dim=0)  # a step of so many has every image meet another identity, and takes every map once
        steps = whole.int().argmax() if whole.any() else differ.int().argmax(dim=1)  # else each the next that differs
        image.append(real)
        feature.append((real + steps) % len(labels))
    return torch.stack([torch.cat(image), torch.cat(feature)], dim=1)
