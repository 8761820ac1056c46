"""Things and other people between camera and person."""

import cv2
import numpy as np

from ..figure import Canvas, Figure
from ..paint import SUPERSAMPLE, paint
from ..people import make_person
from ..pose import View, pose

MOST_HIDDEN = 0.5  # of the person, so that enough is left to know somebody by
TRIALS = 4


def hide(image, cover, view, infrared, rng):
    """Put a thing or a passer-by before a person, or nothing.

    Args:
        image (np.ndarray): Radiance, float32 (H, W) in infrared, else (H, W, 3).
        cover (np.ndarray): How much of each pixel the person covers, (H, W).
        view (View): How the person is seen.
        infrared (bool): Spectrum.
        rng (np.random.Generator): The picture's own.

    Returns:
        np.ndarray: The picture with at most ``MOST_HIDDEN`` of the person hidden.
    """
    kind = rng.choice(['nothing', 'thing', 'person'], p=[0.55, 0.27, 0.18])
    for _ in range(TRIALS if kind != 'nothing' else 0):
        front, mask = thing(*cover.shape, rng) if kind == 'thing' else passer_by(view, *cover.shape, infrared, rng)
        if (mask * cover).sum() <= MOST_HIDDEN * cover.sum():
            if kind == 'thing' and infrared:
                front = front[..., 0]
            return image * (1 - mask if infrared else 1 - mask[..., None]) + front
    return image


def thing(height, width, rng):
    """A pole, a railing, a counter, a box or a bush, cut off by the picture's border.

    Returns:
        tuple[np.ndarray, np.ndarray]: Reflectance, zero beside the thing, float32 (H, W, 3), and its cover (H, W).
    """
    mask = np.zeros((height, width), np.float32)
    kind = rng.choice(['pole', 'railing', 'counter', 'box', 'bush'])
    if kind == 'pole':
        x, wide = rng.uniform(-0.05, 1) * width, rng.uniform(0.06, 0.22) * width
        cv2.rectangle(mask, (round(x), 0), (round(x + wide), height), 1, -1)
    elif kind == 'railing':
        top, gap = rng.uniform(0.5, 0.75) * height, rng.uniform(0.1, 0.2) * width
        for x in np.arange(rng.uniform(-gap, 0), width, gap):
            cv2.rectangle(mask, (round(x), round(top)), (round(x + 0.35 * gap), height), 1, -1)
        cv2.rectangle(mask, (0, round(top)), (width, round(top + 0.03 * height)), 1, -1)
    elif kind == 'counter':
        cv2.rectangle(mask, (0, round(rng.uniform(0.55, 0.85) * height)), (width, height), 1, -1)
    elif kind == 'box':
        wide, tall = rng.uniform(0.3, 0.7) * width, rng.uniform(0.2, 0.5) * height
        x = -0.1 * width if rng.random() < 0.5 else 1.1 * width - wide
        cv2.rectangle(mask, (round(x), round(height - tall)), (round(x + wide), height), 1, -1)
    else:
        x, y = rng.uniform(0, width), rng.uniform(0.6, 1) * height
        for _ in range(40):
            at = round(x + rng.normal(0, 0.18 * width)), round(y + rng.normal(0, 0.12 * height))
            cv2.circle(mask, at, max(1, round(rng.uniform(0.015, 0.05) * height)), 1, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.5)
    stain = cv2.resize(rng.standard_normal((7, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.standard_normal((height, width)).astype(np.float32)
    light = np.clip(1 + 0.15 * stain + (0.25 if kind == 'bush' else 0.06) * grain, 0, 2)
    tone = np.clip(rng.uniform(0.08, 0.8) + rng.normal(0, 0.08, 3), 0.03, 1).astype(np.float32)
    return mask[..., None] * light[..., None] * tone, mask


def passer_by(view, height, width, infrared, rng):
    """Somebody else, nearer to the camera and to one side.

    Returns:
        tuple[np.ndarray, np.ndarray]: As ``paint`` gives them.
    """
    person, canvas = make_person(rng), Canvas(SUPERSAMPLE * height, SUPERSAMPLE * width)
    side, nearer = rng.choice([-1, 1]) * rng.uniform(0.3, 0.6), rng.uniform(1.0, 1.3)
    centre = view.centre[0] + side * SUPERSAMPLE * width, view.centre[1] + (nearer - 0.9) * 0.4 * SUPERSAMPLE * height
    heading = rng.uniform(0, 2 * np.pi)
    near = View(heading, view.elevation, view.distance, view.scale * nearer, centre, person.height / 2)
    Figure(person, pose(person, rng), near).draw(canvas)
    return paint(canvas, person, infrared)
