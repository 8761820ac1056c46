"""Translation grids: which images, what the generators make of them, and how that is drawn."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tsgan.structures import evaluating, unwrapped
from tsgan.visualization.grids import translation_grid


class LabelledImages(Protocol):
    """What a grid asks of a data set; each column (N,)."""

    labels: np.ndarray
    modalities: np.ndarray


def choose_pairs(dataset: LabelledImages, number: int, seed: int = 0) -> list[int]:
    """Rows of an RGB image of each of some identities, then of an IR image of each.

    Args:
        dataset (LabelledImages): Images of both modalities.
        number (int): Of identities; fewer where fewer have both modalities.
        seed (int): Of the choice. Defaults to 0.

    Raises:
        ValueError: When no identity has both.
    """
    rng = np.random.default_rng(seed)
    labels, modalities = dataset.labels, dataset.modalities
    both = np.intersect1d(labels[modalities == 'rgb'], labels[modalities == 'ir'])
    if not len(both):
        raise ValueError('No identity of the data set has an image of each modality: expected pairs to translate.')
    identities = rng.permutation(both)[:number]
    return [
        int(rng.choice(np.flatnonzero((modalities == modality) & (labels == identity))))
        for modality in ('rgb', 'ir')
        for identity in identities
    ]


def draw_translations(generators: nn.Module, rgb: Tensor, ir: Tensor) -> np.ndarray:
    """Draw what generators make of images, and of what they have made (paper, Fig. 5).

    Args:
        generators (nn.Module): What makes a Translation of two batches.
        rgb (Tensor): (N, 3, H, W) in [-1, 1]; N may be 0, if M is not.
        ir (Tensor): (M, 3, H, W) in [-1, 1].

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).
    """
    # Past a distributed wrapper, whose forward may wait for ranks that draw nothing.
    generators = unwrapped(generators)
    with torch.no_grad(), evaluating(generators):
        made = generators(rgb if len(rgb) else ir[:1], ir if len(ir) else rgb[:1])
    return translation_grid(
        real_rgb=_as_uint8(rgb),
        fake_ir=_as_uint8(made.fake_ir[: len(rgb)]),
        rec_rgb=_as_uint8(made.rec_rgb[: len(rgb)]),
        real_ir=_as_uint8(ir),
        fake_rgb=_as_uint8(made.fake_rgb[: len(ir)]),
        rec_ir=_as_uint8(made.rec_ir[: len(ir)]),
    )


def draw_translated(model: nn.Module, records: Sequence[dict], transform: Callable[[dict], dict]) -> np.ndarray:
    """Read images, and draw what the generators of a model make of them.

    Args:
        model (nn.Module): With ``generators`` and ``data_preprocessor``.
        records (Sequence[dict]): The images, each with ``img_path`` and ``modality``, 'rgb' or 'ir'.
        transform (Callable[[dict], dict]): The pipeline that reads one; what it gives has ``inputs``, (3, H, W).

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: When the model has no generators, or a file is no image.
    """
    if not hasattr(model, 'generators'):
        raise ValueError(f'{type(model).__name__} has no generators: expected a model that translates, such as TSGAN.')
    sides = [[transform(dict(r)) for r in records if r['modality'] == modality] for modality in ('rgb', 'ir')]
    inputs = torch.stack([made['inputs'] for side in sides for made in side])  # (N + M, 3, H, W)
    images = model.data_preprocessor({'inputs': inputs}, False)['inputs']
    return draw_translations(model.generators, *images.split([len(side) for side in sides]))


def _as_uint8(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] -> (B, H, W, 3) in 0..255."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
