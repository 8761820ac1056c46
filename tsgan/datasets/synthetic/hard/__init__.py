"""What makes a picture harder: parts that know nothing of each other, one a file.

A style is a choice of parts: 'default' has none, 'hard' all, and 'blur+framing' names them. Each part draws from a
generator of its own and leaves the picture's alone, so a style adds to the default's picture of that person, camera and
frame: same pose, same place.
"""

import copy

import numpy as np

from .blur import defocus
from .folds import creases, fade_outlines
from .framing import reframe
from .low_light import dim
from .occlusion import hide
from .outfits import change
from .weave import weave

__all__ = [
    'PARTS',
    'change',
    'creases',
    'defocus',
    'dim',
    'fade_outlines',
    'generators',
    'hide',
    'parts_of',
    'reframe',
    'weave',
]

PARTS = ('outfits', 'weave', 'folds', 'framing', 'occlusion', 'blur', 'low_light')


def parts_of(style):
    """The parts of a style, in the order of ``PARTS``.

    Raises:
        ValueError: The style names something else.
    """
    if style in ('default', 'hard'):
        return PARTS if style == 'hard' else ()
    named = style.split('+')
    if not set(named) <= set(PARTS):
        raise ValueError(
            f"style is 'default', 'hard', or some of {', '.join(PARTS)} joined by + (blur+framing), got {style!r}."
        )
    return tuple(part for part in PARTS if part in named)


def generators(style, rng):
    """A generator for each part of ``style``, by name; ``rng``, the picture's own, stays as it is."""
    seeds = copy.deepcopy(rng).integers(2**32, size=len(PARTS))
    own = {part: np.random.default_rng([PARTS.index(part), seed]) for part, seed in zip(PARTS, seeds, strict=True)}
    return {part: own[part] for part in parts_of(style)}
