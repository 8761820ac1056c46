"""Boxes as a detector draws them: off the centre, too large, too small, feet or head or a side outside."""

import numpy as np

from ..pose import View


def reframe(view, height, width, rng):
    """The same look at a person through another box.

    Args:
        view (View): The projection onto the canvas.
        height (int): Canvas rows; ``width`` its columns.
        rng (np.random.Generator): The picture's own.

    Returns:
        View: The same direction and distance; another scale and centre.
    """
    x, y = np.asarray(view.centre) + rng.normal(0, (0.06 * width, 0.015 * height))
    zoom = np.exp(rng.normal(0, 0.07))
    kind = rng.choice(['jitter', 'feet', 'head', 'side', 'loose'], p=[0.6, 0.18, 0.05, 0.07, 0.1])
    if kind in ('feet', 'head'):
        zoom *= rng.uniform(1.15, 1.5)
        y += 0.43 * height * (zoom - 1) * (1 if kind == 'feet' else -1)  # the other end stays where it was
    elif kind == 'side':
        x += rng.choice([-1, 1]) * rng.uniform(0.15, 0.3) * width
    elif kind == 'loose':
        zoom *= rng.uniform(0.65, 0.85)
    return View(view.heading, view.elevation, view.distance, view.scale * zoom, (x, y), view.middle)
