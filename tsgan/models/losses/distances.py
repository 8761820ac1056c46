import torch
from torch import Tensor, nn


def euclidean_distances(a: Tensor, b: Tensor) -> Tensor:
    """Of every row of ``a`` (M, C) to every row of ``b`` (N, C) -> (M, N); the gradient of a distance 0 is 0."""
    # the exact difference, since |a|^2 - 2ab + |b|^2 loses the small distances
    return torch.cdist(a, b, compute_mode='donot_use_mm_for_euclid_dist')


def same(a: Tensor, b: Tensor | None = None) -> Tensor:
    """Which labels are equal, (M,), (N,) -> (M, N) bool; without ``b``, those of ``a`` among each other."""
    return a[:, None] == (a if b is None else b)[None]


def centres(vectors: Tensor, labels: Tensor, is_rgb: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Means of an identity's vectors, whatever the order of the batch.

    Args:
        vectors (Tensor): (N, C).
        labels (Tensor): Identities, (N,).
        is_rgb (Tensor, optional): Which vectors are of RGB images, (N,) bool: a centre for each identity and modality,
            of those that are there. Defaults to None, one for each identity.

    Returns:
        tuple: Centres (K, C), their identities (K,), and which are of RGB images, (K,) bool or None. Sorted by
        identity, IR before RGB.
    """
    keys = labels if is_rgb is None else 2 * labels + is_rgb
    keys, group, sizes = keys.unique(return_inverse=True, return_counts=True)  # (K,), (N,), (K,)
    sums = vectors.new_zeros(len(keys), vectors.shape[1]).index_add(0, group, vectors)
    means = sums / sizes[:, None]  # no matrix product: mixed precision would round it to half
    return (means, keys, None) if is_rgb is None else (means, keys // 2, keys % 2 == 1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of each row's values where the mask is set, (M, N) -> (M,); 0, without gradient, in a row with none."""
    return values.masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def known(is_rgb: Tensor | None, loss: nn.Module) -> Tensor:
    """The mask of RGB images, for a loss that cannot do without.

    Raises:
        ValueError: When the batch has none.
    """
    if is_rgb is None:
        raise ValueError(
            f'{type(loss).__name__} compares modalities, but the data samples of this batch lack theirs: expected '
            "'rgb' or 'ir' in the field `modality` of each."
        )
    return is_rgb
