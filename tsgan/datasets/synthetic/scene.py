"""The six cameras of SYSU-MM01's layout, the places they look at, and how light becomes a picture."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

RGB_CAMERAS = (1, 2, 4, 5)
INFRARED_CAMERAS = (3, 6)


@dataclass(frozen=True)
class Camera:
    """One camera.

    Attributes:
        place (int): Where it stands; cameras 2 and 3 share a room.
        outdoor (bool): What that place looks like.
        infrared (bool): Near-infrared with its own illuminator, or RGB.
        headings (tuple[float, ...]): Directions in which people mostly pass, degrees (0 towards the camera).
        elevation (float): How far it looks down, degrees.
        distance (float): Distance of the people, metres.
        cast (tuple[float, float, float]): Colour of the light, BGR.
        gain (float): Exposure.
        gamma (float): Response curve; above 1 darkens.
        haze (float): Light that is added everywhere.
        sun (float): Strength of light from one side, negative from the left.
        blur (float): Gaussian sigma, as a share of the picture's height.
        noise (float): Standard deviation, picture values in [0, 1].
    """

    place: int
    outdoor: bool
    infrared: bool
    headings: tuple
    elevation: float
    distance: float
    cast: tuple
    gain: float
    gamma: float
    haze: float
    sun: float
    blur: float
    noise: float


CAMERAS = {
    1: Camera(0, False, False, (0, 20, 180), 12, 4.0, (0.80, 0.96, 1.08), 1.05, 0.95, 0.02, 0.15, 0.003, 0.018),
    2: Camera(1, False, False, (-60, -90, 180), 24, 3.2, (1.10, 1.00, 0.88), 0.90, 1.10, 0.03, -0.25, 0.005, 0.024),
    3: Camera(1, False, True, (0, 45, 150), 22, 3.4, (1.0, 1.0, 1.0), 1.22, 0.95, 0.03, 0.0, 0.005, 0.020),
    4: Camera(2, True, False, (150, 180, 90), 8, 6.0, (1.04, 1.02, 1.00), 1.25, 0.85, 0.07, 0.40, 0.004, 0.015),
    5: Camera(3, True, False, (90, 45, 0), 30, 5.0, (0.92, 1.06, 0.95), 1.00, 1.05, 0.08, -0.40, 0.006, 0.020),
    6: Camera(4, True, True, (-90, -135, 0), 15, 4.5, (1.0, 1.0, 1.0), 1.15, 1.00, 0.02, 0.0, 0.0065, 0.027),
}


@lru_cache(maxsize=16)
def panorama(seed, place, outdoor, infrared, height):
    """What stands around a place: its surfaces do not depend on the spectrum, their reflectance does.

    Args:
        seed (int): Seed of the data set.
        place (int): Number of the place.
        outdoor (bool): A street or a room.
        infrared (bool): Spectrum.
        height (int): Picture height in pixels; the panorama is 1.6 times as high and 10 times as wide.

    Returns:
        np.ndarray: BGR reflectance in [0, 1], float32 (1.6 height, 10 height, 3). The floor begins at 0.95 height.
    """
    rng = np.random.default_rng([seed, 3, place])
    rows, cols, horizon = int(1.6 * height), 10 * height, int(0.95 * height)
    surface = np.zeros((rows, cols), np.uint8)
    surface[horizon:] = 1
    number = 2

    def block(x, y, width, tall):
        nonlocal number
        cv2.rectangle(surface, (int(x), int(y)), (int(x + width), int(y + tall)), number, -1)
        number = number + 1 if number < 250 else 2

    tile = max(3, int(height * rng.uniform(0.12, 0.3)))
    for x in range(-rows, cols + rows, tile):
        cv2.line(surface, (x, horizon), (x + int(rng.uniform(0.35, 0.4) * rows), rows), 251, 1)
    for step in np.cumsum(np.geomspace(0.04, 0.2, 6)):
        cv2.line(surface, (0, horizon + int(step * height)), (cols, horizon + int(step * height)), 251, 1)
    for _ in range(26):  # walls, doors, facades
        wide, tall = height * rng.uniform(0.15, 0.9), height * rng.uniform(0.4, 1.0)
        block(rng.uniform(0, cols), horizon - tall, wide, tall)
    for _ in range(30):  # windows, posters, boards in rows
        wide, tall = height * rng.uniform(0.08, 0.2), height * rng.uniform(0.08, 0.25)
        x, y = rng.uniform(0, cols), horizon - height * rng.uniform(0.35, 0.95)
        for i in range(rng.integers(1, 5)):
            block(x + 1.4 * i * wide, y, wide, tall)
            number -= number > 2 and i > 0
    for _ in range(30 if outdoor else 12):  # trees and bushes, plants
        x, y = int(rng.uniform(0, cols)), int(horizon - height * rng.uniform(0.0, 0.8))
        for _ in range(12):
            centre = (x + int(rng.normal(0, 0.1 * height)), y + int(rng.normal(0, 0.08 * height)))
            cv2.circle(surface, centre, int(height * rng.uniform(0.03, 0.1)), 252, -1)
        cv2.line(surface, (x, y), (x, horizon), 253, max(1, height // 40))
    for _ in range(24):  # bins, benches, cupboards, poles
        if rng.random() < 0.4:
            block(
                rng.uniform(0, cols),
                horizon - height * rng.uniform(0.5, 1.0),
                height * 0.03,
                height * rng.uniform(0.5, 1.0),
            )
        else:
            wide, tall = height * rng.uniform(0.1, 0.4), height * rng.uniform(0.1, 0.35)
            block(rng.uniform(0, cols), horizon - 0.8 * tall, wide, tall)

    hue, saturation, value = rng.uniform(0, 360, 256), rng.uniform(0.02, 0.32, 256), rng.uniform(0.15, 0.85, 256)
    hsv = np.stack([hue, saturation, value], 1).astype(np.float32)
    hsv[0], hsv[1] = (rng.uniform(20, 220), 0.12, 0.65), (rng.uniform(10, 60), 0.15, rng.uniform(0.35, 0.6))
    hsv[251], hsv[252], hsv[253] = (0, 0.05, 0.3), (rng.uniform(80, 130), 0.6, 0.35), (25, 0.5, 0.25)
    table = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2BGR)[0]
    gray = rng.uniform(0.12, 0.7, 256).astype(np.float32)
    gray[252] = 0.8  # leaves shine in near-infrared
    if infrared:
        table = np.repeat(gray[:, None], 3, 1)
    grain = rng.standard_normal((rows, cols)).astype(np.float32)
    stain = cv2.resize(rng.standard_normal((rows // 8, cols // 8)).astype(np.float32), (cols, rows))
    return np.clip(table[surface] * (1 + 0.05 * grain + 0.12 * stain)[..., None], 0, 1)


def backdrop(view, height, width, rng):
    """A random cut of a panorama with random clutter.

    Args:
        view (np.ndarray): The panorama.
        height (int): Rows of the picture; ``width`` its columns.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: Float32 (height, width, 3).
    """
    zoom = rng.uniform(0.85, 1.5)
    x = rng.uniform(0, view.shape[1] - zoom * width)
    y = rng.uniform(0, max(0.1, view.shape[0] - zoom * height))
    flip = -1 if rng.random() < 0.5 else 1
    cut = np.array([[flip * zoom, 0, x + (flip < 0) * zoom * width], [0, zoom, y]])
    scene = cv2.warpAffine(
        view, cut, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    for _ in range(rng.integers(0, 4)):
        clutter(scene, rng.uniform(0.1, 0.8) + rng.uniform(-0.1, 0.1, 3), rng)
    return scene * rng.uniform(0.75, 1.2)


def clutter(scene, tone, rng):
    """Paint one thing, or a passer-by far behind, of colour ``tone`` on ``scene`` in place."""
    height, width = scene.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0.2, 1) * height
    wide, tall = rng.uniform(0.04, 0.3) * width, rng.uniform(0.08, 0.4) * height
    tone = tuple(float(t) for t in tone)
    if rng.random() < 0.6:
        cv2.rectangle(scene, (int(x), int(y - tall)), (int(x + wide), int(y)), tone, -1)
    else:
        cv2.ellipse(scene, (int(x), int(y - tall)), (int(wide / 2) + 1, int(tall)), 0, 0, 360, tone, -1)
        cv2.circle(scene, (int(x), int(y - 2.1 * tall)), int(wide / 3) + 1, tuple(0.8 * t for t in tone), -1)


@lru_cache(maxsize=4)
def frame_axes(height, width):
    """Pixel coordinates in [-1, 1]: x as (1, W) and y as (H, 1), float32."""
    return np.linspace(-1, 1, width, dtype=np.float32)[None], np.linspace(-1, 1, height, dtype=np.float32)[:, None]


def expose(radiance, camera, rng):
    """Light, lens and sensor.

    Args:
        radiance (np.ndarray): Reflectance times shading, float32 (H, W, 3), or (H, W) for an infrared camera.
        camera (Camera): Whose picture it is.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: BGR picture, uint8 (H, W, 3).
    """
    height, width = radiance.shape[:2]
    x, y = frame_axes(height, width)
    gain = camera.gain * np.exp(rng.normal(0, 0.12))
    if camera.infrared:
        # The illuminator's beam is narrow and stands near the lens; corners get less twice.
        beam = (x - rng.normal(0, 0.25)) ** 2 * 0.35 + (y - rng.normal(-0.15, 0.2)) ** 2 * 0.45
        light = gain * np.exp(-beam) * (1 - 0.25 * (x**2 + y**2) / 2)
        noise = rng.standard_normal((height, width), np.float32)
    else:
        cast = np.array(camera.cast) * np.exp(rng.normal(0, 0.04, 3))
        side = 1 + rng.normal(camera.sun, 0.1) * x + rng.normal(0, 0.12) * y
        light = (gain * side)[..., None] * cast.astype(np.float32)
        noise = rng.standard_normal((height, width, 3), np.float32)
    image = (radiance * light + camera.haze).astype(np.float32)
    sigma = camera.blur * height * rng.uniform(0.7, 1.5)
    image = cv2.GaussianBlur(image, (0, 0), max(sigma, 0.2))
    image = cv2.pow(np.maximum(image, 0), camera.gamma * float(np.exp(rng.normal(0, 0.06))))
    image += noise * (camera.noise * rng.uniform(0.7, 1.3))
    image = np.clip(image * 255, 0, 255).astype(np.uint8)
    return cv2.merge([image] * 3) if camera.infrared else image
