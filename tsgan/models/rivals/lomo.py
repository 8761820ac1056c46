from collections.abc import Sequence

import cv2
import numpy as np
from torch import nn

from tsgan.registry import MODELS

WINDOW, STEP = 10, 5  # pixels: windows are counted, and lie so far apart


@MODELS.register_module()
class LOMO(nn.Module):
    """Local maximal occurrence of colours and textures (Liao et al., CVPR 2015), by default of 128 x 48 images.

    Joint HSV histograms after Retinex, and SILTP histograms of the plain gray image, in windows of 10 x 10 pixels; of
    the windows in one row, each bin's largest count. All that at several scales, each half of the one before. As in
    the published code, logarithm and unit length are of each kind of histogram by itself (HSV, SILTP of each radius),
    and smaller scales halve the image of colour bins. Has no parameters.

    How the published code brings Retinex back to 8 bits is not said: see :func:`retinex`.

    Args:
        num_scales (int): Scales; those that no window fits into count for nothing. Defaults to 3.
        sigmas (Sequence[float]): Scales of Retinex, in pixels. Defaults to (5, 20).
        colour_bins (int): Bins of each of H, S and V. Defaults to 8.
        radii (Sequence[int]): Radii of SILTP, in pixels. Defaults to (3, 5).
        tau (float): Relative difference that SILTP takes for none. Defaults to 0.3.
    """

    def __init__(
        self,
        num_scales: int = 3,
        sigmas: Sequence[float] = (5, 20),
        colour_bins: int = 8,
        radii: Sequence[int] = (3, 5),
        tau: float = 0.3,
    ) -> None:
        super().__init__()
        self.num_scales = num_scales
        self.sigmas = sigmas
        self.colour_bins = colour_bins
        self.radii = radii
        self.tau = tau

    def forward(self, image: np.ndarray) -> np.ndarray:
        """Args:
            image (np.ndarray): (H, W, 3) uint8, RGB.

        Returns:
            np.ndarray: (D,) float32; of a 128 x 48 image, (512 colours + 2 x 81 textures) x (24 + 11 + 5 rows) = 26960.

        Raises:
            ValueError: When the image is smaller than a window.
        """
        if min(image.shape[:2]) < WINDOW:
            raise ValueError(f'LOMO takes images of at least {WINDOW} x {WINDOW} pixels, not {image.shape[:2]}.')
        bins = colour_bins(retinex(image, self.sigmas), self.colour_bins)  # (H, W, 3)
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)  # (H, W)
        place = self.colour_bins ** np.arange(3, dtype=np.float32)
        counts = [[] for _ in (None, *self.radii)]  # kind -> scale -> (rows x bins,)
        for _ in range(self.num_scales):
            counts[0].append(row_maxima(bins @ place, self.colour_bins**3))
            for count, radius in zip(counts[1:], self.radii, strict=True):
                count.append(row_maxima(siltp(gray, radius, self.tau), 81))
            bins, gray = np.floor(halved(bins)), halved(gray)
        vectors = [np.log1p(np.concatenate(count), dtype=np.float32) for count in counts]
        return np.concatenate([vector / np.linalg.norm(vector) for vector in vectors])


def retinex(image: np.ndarray, sigmas: Sequence[float]) -> np.ndarray:
    """Multi-scale Retinex (Jobson et al. 1997): log of the image minus log of its surround, mean over scales.

    Each channel by itself. 0, where a pixel is as its surround, becomes mid gray, and a factor of e more or less white
    or black: the paper does not say how it comes back to 8 bits, and its code's Retinex is a compiled program.

    Args:
        image (np.ndarray): (H, W, 3) uint8.
        sigmas (Sequence[float]): Gaussian surrounds, in pixels.

    Returns:
        np.ndarray: (H, W, 3) uint8.
    """
    image = image.astype(np.float32) + 1  # the logarithm of 0 is none
    surrounds = [cv2.log(cv2.GaussianBlur(image, (0, 0), sigma)) for sigma in sigmas]
    reflectance = cv2.log(image) - sum(surrounds) / len(sigmas)
    return (128 * reflectance + 128).clip(0, 255).astype(np.uint8)


def colour_bins(image: np.ndarray, num_bins: int) -> np.ndarray:
    """H, S and V of each pixel in equal bins, (H, W, 3) uint8 -> (H, W, 3) float32 of whole numbers."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)  # H in [0, 180), S and V in [0, 255]
    return np.floor(hsv * (num_bins / np.array([180, 256, 256], np.float32)))


def siltp(gray: np.ndarray, radius: int, tau: float) -> np.ndarray:
    """Scale-invariant local ternary patterns (Liao et al., CVPR 2010) of four neighbours.

    A neighbour darker than (1 - tau) of the pixel is a 1, one brighter than (1 + tau) of it a 2, else a 0: the digits,
    to base 3, of the right, upper, left and lower one, lowest first. Outside the image its border goes on.

    Args:
        gray (np.ndarray): (H, W) float32.
        radius (int): How far away the neighbours are.
        tau (float): Relative difference that counts as none.

    Returns:
        np.ndarray: (H, W), codes from 0 to 80.
    """
    height, width = gray.shape
    padded = cv2.copyMakeBorder(gray, *[radius] * 4, cv2.BORDER_REPLICATE)
    low, high = (1 - tau) * gray, (1 + tau) * gray
    codes = np.zeros((height, width), np.uint8)
    for power, (y, x) in enumerate([(0, 1), (-1, 0), (0, -1), (1, 0)]):
        top, left = radius * (1 + y), radius * (1 + x)
        neighbour = padded[top : top + height, left : left + width]
        codes += ((neighbour < low) + np.uint8(2) * (neighbour > high)) * np.uint8(3**power)
    return codes


def row_maxima(codes: np.ndarray, num_codes: int) -> np.ndarray:
    """Count each code in all windows; of the windows in one row, keep the largest count.

    Args:
        codes (np.ndarray): (H, W), whole numbers from 0.
        num_codes (int): How many codes there are.

    Returns:
        np.ndarray: (rows x num_codes,); empty where no window fits.
    """
    if min(codes.shape) < WINDOW:
        return np.zeros(0, np.intp)
    windows = np.lib.stride_tricks.sliding_window_view(codes.astype(np.intp), (WINDOW, WINDOW))[::STEP, ::STEP]
    rows, columns = windows.shape[:2]
    first = num_codes * np.arange(rows * columns).reshape(rows, columns, 1, 1)  # a range of numbers for each window
    counts = np.bincount((windows + first).ravel(), minlength=num_codes * rows * columns)
    return counts.reshape(rows, columns, num_codes).max(axis=1).ravel()


def halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, (H, W, ...) -> (H // 2, W // 2, ...); an odd last row or column is left out."""
    height, width = (size // 2 * 2 for size in image.shape[:2])
    image = image[:height, :width]
    return (image[::2, ::2] + image[::2, 1::2] + image[1::2, ::2] + image[1::2, 1::2]) / 4
