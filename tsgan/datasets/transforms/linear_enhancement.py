from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from tsgan.datasets.transforms.channel_exchange import in_all_channels
from tsgan.registry import TRANSFORMS

ATTEMPTS = 100


@TRANSFORMS.register_module()
class ModerateRLE(BaseTransform):
    """Moderate random linear enhancement: a random mixture of the three channels in the place of each.

    Of *RLE: A Unified Perspective of Data Augmentation for Cross-Spectral Re-Identification* (NeurIPS 2024, Eq. 5;
    stone96123/RLE). Under Lambert's model of reflection a material answers another band by a factor of its own; one
    mixture for the whole image keeps to a visible camera's bands.

    The mixture is a R + b G + c B; a, b and c are drawn from Beta(beta, beta) and divided by their sum. Values are
    rounded; those of a gray image stay.

    Required key and modified key: img (uint8, BGR, shape (H, W, 3)).

    Args:
        prob (float): Probability that an image is changed. Defaults to 0.5.
        beta (float): Of the distribution; below 1, one channel outweighs the others. Defaults to 0.3.

    Raises:
        ValueError: If ``prob`` is no probability, or ``beta`` not above 0.
    """

    def __init__(self, prob: float = 0.5, beta: float = 0.3) -> None:
        check_prob_and_beta(self, prob, beta)
        self.prob = prob
        self.beta = beta

    def transform(self, results: dict) -> dict:
        """Mix the channels of the image, or leave them.

        Args:
            results (dict): With ``img``.

        Returns:
            dict: The same, with another ``img``.
        """
        if np.random.rand() < self.prob:
            weights = np.random.beta(self.beta, self.beta, size=3)
            total = weights.sum()
            weights = weights / total if total > 0 else np.full(3, 1 / 3)  # a small beta draws zeros
            results['img'] = in_all_channels(np.rint(results['img'] @ weights).astype(np.uint8))
        return results


@TRANSFORMS.register_module()
class RadicalRLE(BaseTransform):
    """Radical random linear enhancement: rectangles, each channel of which is scaled by a random factor.

    Of *RLE: A Unified Perspective of Data Augmentation for Cross-Spectral Re-Identification* (NeurIPS 2024, Eq. 6 and
    7; stone96123/RLE): under Lambert's model of reflection each material answers another band by a factor of its own.

    Up to 100 times, a rectangle as that of random erasing: in each channel, u is drawn from Beta(beta, beta), and all
    values are scaled so that the brightest becomes u (of 1). One that would not fit into the image counts, and is left
    out. A channel that is black in the rectangle stays so. It ends as soon as the product of the factors anywhere is
    below ``least``. Values are rounded once, at the end.

    Required key and modified key: img (uint8, BGR, shape (H, W, 3)).

    Args:
        prob (float): Probability that an image is changed. Defaults to 0.5.
        beta (float): Of the distribution. Defaults to 0.4.
        least (float): t_min: the product of factors below which it ends. Defaults to 0.1.
        area (Sequence[float]): Least and largest area of a rectangle, of the image's. Defaults to (0.02, 0.4).
        aspect (Sequence[float]): Least and largest height of a rectangle, of its width. Defaults to (0.3, 1 / 0.3).

    Raises:
        ValueError: If ``prob`` is no probability, ``beta`` not above 0, or a range not one of positive numbers.
    """

    def __init__(
        self,
        prob: float = 0.5,
        beta: float = 0.4,
        least: float = 0.1,
        area: Sequence[float] = (0.02, 0.4),
        aspect: Sequence[float] = (0.3, 1 / 0.3),
    ) -> None:
        check_prob_and_beta(self, prob, beta)
        for name, (low, high) in {'area': area, 'aspect': aspect}.items():
            if not 0 < low <= high:
                raise ValueError(f'RadicalRLE has {name}=({low}, {high}): expected (low, high) above 0, low first')
        self.prob = prob
        self.beta = beta
        self.least = least
        self.area = area
        self.aspect = aspect

    def transform(self, results: dict) -> dict:
        """Scale rectangles of the image, or leave it.

        Args:
            results (dict): With ``img``.

        Returns:
            dict: The same, with another ``img``.
        """
        if np.random.rand() < self.prob:
            image = results['img'].astype(np.float32)
            results['img'] = np.rint(image * self.factors(image)).astype(np.uint8)
        return results

    def factors(self, image: np.ndarray) -> np.ndarray:
        """What each value of an image is to be multiplied by, (H, W, 3) in 0..255 -> (H, W, 3)."""
        factors = np.ones_like(image)
        for _ in range(ATTEMPTS):
            rectangle = random_rectangle(*image.shape[:2], self.area, self.aspect)
            if rectangle is None:
                continue
            inside = factors[rectangle]  # (h, w, 3), a part of them
            brightest = (image[rectangle] * inside).max(axis=(0, 1))  # (3, )
            wanted = 255 * np.random.beta(self.beta, self.beta, size=3)
            inside *= np.divide(wanted, brightest, out=np.ones(3), where=brightest > 0)
            if inside.min() < self.least:
                break
        return factors


def random_rectangle(
    height: int, width: int, area: Sequence[float], aspect: Sequence[float]
) -> tuple[slice, slice] | None:
    """Draw a rectangle as published ReID code draws that of random erasing (Zhong et al., AAAI 2020).

    Args:
        height (int): Of the image.
        width (int): Of the image.
        area (Sequence[float]): Least and largest area, of the image's.
        aspect (Sequence[float]): Least and largest height, of the width.

    Returns:
        tuple[slice, slice] | None: Rows and columns; None where it is empty, or not smaller than the image.
    """
    size, ratio = np.random.uniform(*area) * height * width, np.random.uniform(*aspect)
    h, w = round(np.sqrt(size * ratio)), round(np.sqrt(size / ratio))
    if not (0 < h < height and 0 < w < width):
        return None
    top, left = np.random.randint(height - h + 1), np.random.randint(width - w + 1)
    return slice(top, top + h), slice(left, left + w)


def check_prob_and_beta(transform: BaseTransform, prob: float, beta: float) -> None:
    name = type(transform).__name__
    if not 0 <= prob <= 1:
        raise ValueError(f'{name} has prob={prob}: expected a probability, from 0 to 1')
    if not beta > 0:
        raise ValueError(f'{name} has beta={beta}: expected a number above 0')
