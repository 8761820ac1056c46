"""Little light: a darker picture, the noise of few photons, and a camera that amplifies both."""

import cv2
import numpy as np

DARK = 0.3  # share of the pictures


def dim(image, infrared, rng):
    """Take light from a picture.

    Args:
        image (np.ndarray): BGR picture, uint8 (H, W, 3).
        infrared (bool): Three equal channels, which stay equal.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: uint8 (H, W, 3).
    """
    dark, light, gain = rng.random() < DARK, rng.uniform(0.2, 0.55), rng.uniform(0.45, 0.85)
    if not dark:
        return image
    signal = light * (image[..., :1] if infrared else image).astype(np.float32) / 255
    noise = rng.standard_normal(signal.shape, np.float32)
    signal = signal + noise * np.sqrt(0.0006 * signal + 0.00008)  # photons, and the read-out
    signal = signal * light**-gain  # part of what is missing, so noise comes up, too
    dim = np.clip(signal * 255, 0, 255).astype(np.uint8)
    return cv2.merge([dim] * 3) if infrared else dim
