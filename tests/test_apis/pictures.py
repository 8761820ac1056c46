"""Pictures of nothing, for tests that look at none."""

import cv2
import numpy as np


def picture(seed: int, size=(96, 48), gray: bool = False) -> np.ndarray:
    """BGR, smooth enough for JPEG; one channel, three times, where it is gray."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (12, 6, 1 if gray else 3), dtype=np.uint8)
    image = cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)
    return np.dstack([image] * 3) if gray else image
