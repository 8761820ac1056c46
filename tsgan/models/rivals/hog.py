from functools import lru_cache

import cv2
import numpy as np
from torch import nn

from tsgan.registry import MODELS

CELL, BLOCK, BINS = 8, 16, 9  # pixels of a cell, pixels of a block of 2 x 2 cells, orientations
CLIP = 0.2


@MODELS.register_module()
class HOG(nn.Module):
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005), as OpenCV's ``HOGDescriptor()`` computes them.

    Square-root gamma, centred differences, unsigned orientations, votes shared between neighbouring bins and cells,
    Gaussian-weighted blocks in steps of a cell, L2-Hys. Written out here because OpenCV 5 has dropped its own; the
    order of the numbers is OpenCV's too. Has no parameters.
    """

    def forward(self, image: np.ndarray) -> np.ndarray:
        """Args:
            image (np.ndarray): (H, W, 3) uint8, RGB; H and W multiples of 8, at least 16.

        Returns:
            np.ndarray: (D,) float32; of a 128 x 64 image, 15 x 7 blocks x 4 cells x 9 orientations = 3780.

        Raises:
            ValueError: When the size is no whole number of cells, or less than a block.
        """
        height, width = image.shape[:2]
        if height % CELL or width % CELL or min(height, width) < BLOCK:
            raise ValueError(
                f'HOG takes images whose height and width are multiples of {CELL} and at least {BLOCK}, not '
                f'{height} x {width}: resize them in the pipeline.'
            )
        votes = orientation_votes(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))  # (H, W, 9)
        rows, columns = cell_weights(height), cell_weights(width)  # (2 BY, H), (2 BX, W)
        cells = np.tensordot(columns, np.tensordot(rows, votes, axes=1), axes=(1, 1))  # (2 BX, 2 BY, 9)
        cells = cells.reshape(len(columns) // 2, 2, len(rows) // 2, 2, BINS)
        blocks = cells.swapaxes(1, 2).reshape(-1, 4 * BINS)  # (BX * BY, 36)
        blocks /= np.linalg.norm(blocks, axis=1, keepdims=True) + 0.1 * blocks.shape[1]  # the constants are OpenCV's
        blocks = blocks.clip(max=CLIP)
        blocks /= np.linalg.norm(blocks, axis=1, keepdims=True) + 1e-3
        return blocks.ravel()


def orientation_votes(gray: np.ndarray) -> np.ndarray:
    """Each pixel's gradient magnitude, shared between the two orientations that its direction lies between.

    Args:
        gray (np.ndarray): (H, W) uint8.

    Returns:
        np.ndarray: (H, W, 9) float32; bin k is centred on (k + 0.5) * 20 degrees.
    """
    padded = np.pad(np.sqrt(gray, dtype=np.float32), 1, mode='reflect')  # (H + 2, W + 2)
    magnitude, angle = cv2.cartToPolar(padded[1:-1, 2:] - padded[1:-1, :-2], padded[2:, 1:-1] - padded[:-2, 1:-1])
    position = angle * np.float32(BINS / np.pi) - np.float32(0.5)  # [0, 2 pi) -> two rounds of the bins
    lower = np.floor(position)
    share = position - lower  # of the upper bin
    lower = lower.astype(np.intp)
    votes = np.zeros((gray.size, BINS), np.float32)
    pixels = np.arange(gray.size)
    votes[pixels, lower.ravel() % BINS] = (magnitude * (1 - share)).ravel()
    votes[pixels, (lower.ravel() + 1) % BINS] = (magnitude * share).ravel()
    return votes.reshape(*gray.shape, BINS)


@lru_cache
def cell_weights(size: int) -> np.ndarray:
    """What each pixel of a row or column gives to the cells of the blocks that it lies in.

    A block's weight is a Gaussian times a linear interpolation between its cells, in both directions alike: the weight
    of a pixel is the product of its row's and its column's.

    Args:
        size (int): Height or width.

    Returns:
        np.ndarray: (2 B, size) float32, the two cells of the first block, of the second ...
    """
    offset = np.arange(BLOCK)
    gaussian = np.exp(-((offset - BLOCK / 2) ** 2) / (2 * (BLOCK / 4) ** 2))
    centres = np.array([[0.5], [1.5]]) * CELL
    within = gaussian * (1 - abs(offset + 0.5 - centres) / CELL).clip(0)  # (2, 16)
    weights = np.zeros((size // CELL - 1, 2, size), np.float32)
    for block, row in enumerate(weights):
        row[:, block * CELL : block * CELL + BLOCK] = within
    return weights.reshape(-1, size)
