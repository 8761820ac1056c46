"""Folds: where a band's light makes them, and how much of a garment's outline it shows."""

import cv2
import numpy as np


def creases(height, width, infrared, rng):
    """Light on the folds of one moment.

    Light from one side draws many sharp folds; the illuminator next to an infrared lens leaves few and soft ones.

    Args:
        height (int): Rows of the picture; ``width`` its columns.
        infrared (bool): Whose light.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: Factor of the light, float32 (H, W), 1 on the average.
    """
    light = np.zeros((height, width), np.float32)
    count, sigma, depth = (8, 0.018, 0.35) if infrared else (26, 0.008, 0.45)
    for _ in range(rng.poisson(count)):
        start, turn = rng.uniform(0, (width, height)), rng.normal(0.6, 0.9)  # mostly downwards, slanting
        end = start + rng.uniform(0.06, 0.22) * height * np.array([np.sin(turn), np.cos(turn)])
        tone = float(rng.choice([-1, 1]) * rng.uniform(0.3, 1))
        cv2.line(light, np.rint(start).astype(int).tolist(), np.rint(end).astype(int).tolist(), tone, 1)
    light = cv2.GaussianBlur(light, (0, 0), sigma * height)
    return 1 + depth * (light - light.mean()) / max(np.abs(light).max(), 1e-6)


def fade_outlines(shade, rng):
    """Of the dark outlines of a drawing's parts keep a share that differs from picture to picture.

    Args:
        shade (np.ndarray): A canvas's, uint8 (H, W); 200 is 1.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: Nearer to 200, uint8 (H, W).
    """
    return np.rint(200 + rng.uniform(0, 0.8) * (shade.astype(np.float32) - 200)).astype(np.uint8)
