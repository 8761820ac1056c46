"""Motion, defocus, and people so far away that the box is enlarged."""

import cv2
import numpy as np


def defocus(image, rng):
    """Blur a picture in one of three ways, or not.

    Args:
        image (np.ndarray): Radiance before the sensor, float32 (H, W) or (H, W, 3).
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: The same shape, and nearly the same mean.
    """
    height, width = image.shape[:2]
    kind = rng.choice(['none', 'motion', 'lens', 'far'], p=[0.4, 0.2, 0.2, 0.2])
    strength = rng.random()
    if kind == 'motion':
        return cv2.filter2D(image, -1, streak((0.03 + 0.04 * strength) * height, rng.normal(0, 0.35)))
    if kind == 'lens':
        return cv2.filter2D(image, -1, disc((0.012 + 0.01 * strength) * height))
    if kind == 'far':
        small = max(4, round((0.4 + 0.3 * strength) * width)), max(8, round((0.4 + 0.3 * strength) * height))
        small = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    return image


def streak(length, turn):
    """The kernel of a motion of ``length`` pixels, ``turn`` radians from the horizontal, (N, N), sum 1."""
    reach = int(np.ceil(length / 2))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    kernel = np.clip(length / 2 + 0.5 - np.abs(along), 0, 1) * np.clip(1 - np.abs(across), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def disc(radius):
    """The kernel of a lens out of focus by ``radius`` pixels, (N, N), sum 1."""
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)
