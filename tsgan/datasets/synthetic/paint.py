"""From surfaces to reflectance: the only place where the spectrum of a person matters."""

import cv2
import numpy as np

SUPERSAMPLE = 2  # canvas pixels a picture pixel, each way


def paint(canvas, person, infrared):
    """A drawn person in one spectrum, and how much of each pixel the person covers.

    Averaging both the reflectance, which is zero off the person, and the cover gives soft borders.

    Args:
        canvas (Canvas): The drawing, ``SUPERSAMPLE`` times as high and wide as the picture.
        person (Person): Whose tables give the reflectance.
        infrared (bool): Spectrum.

    Returns:
        tuple[np.ndarray, np.ndarray]: Reflectance times shading, float32 (H, W) in infrared, else BGR (H, W, 3); the
        cover, float32 (H, W) in [0, 1].
    """
    table = person.infrared if infrared else person.visible
    size = canvas.surface.shape[1] // SUPERSAMPLE, canvas.surface.shape[0] // SUPERSAMPLE
    cover = cv2.resize((canvas.surface > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    shade = cv2.blur(canvas.shade, (3, 3)).astype(np.float32) / 200
    drawn = table[canvas.surface] * (shade if infrared else shade[..., None])
    return cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), cover
