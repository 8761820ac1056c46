"""Texture that one band alone sees: dyes without contrast in infrared, fibres without contrast in the visible."""

from dataclasses import replace

import numpy as np

from ..clothes import PLACED, REPEATS, Surface, placed, print_colour, print_infrared, repeat

# A woven surface is its number plus these: what one thread changes, the other spectrum does not see.
DYE, FIBRE = len(Surface), 2 * len(Surface)
CLOTHS = (Surface.TOP, Surface.TOP_PRINT, Surface.SLEEVE, Surface.INNER, Surface.BOTTOM, Surface.BOTTOM_PRINT)
PRINTS = (
    (Surface.TOP, Surface.TOP_PRINT),
    (Surface.INNER, Surface.INNER_PRINT),
    (Surface.BOTTOM, Surface.BOTTOM_PRINT),
)
WOVEN, VANISHES = 0.4, 0.25  # share of garments with a dye, and with a fibre; of prints that lose their contrast


def weave(person, rng):
    """A person in the same garments with more texture, each kind seen by one band.

    Args:
        person (Person): Who it is; only maps and tables are read.
        rng (np.random.Generator): The person's own: a garment keeps its texture.

    Returns:
        Person: ``visible`` is (64, 3) and ``infrared`` (64,): the plain surfaces, those with a dye, with a fibre, with
        both.
    """
    visible, infrared = np.tile(person.visible, (4, 1)), np.tile(person.infrared, 4)
    for cloth, ink in PRINTS:
        if rng.random() < VANISHES:
            infrared[ink :: len(Surface)] = infrared[cloth]
    for surface in CLOTHS:
        dyed, spun = print_colour(rng, visible[surface]), print_infrared(rng, infrared[surface], survives=True)
        visible[[surface + DYE, surface + DYE + FIBRE]] = dyed
        infrared[[surface + FIBRE, surface + DYE + FIBRE]] = spun
    top, bottom = _threads(rng), _threads(rng)
    legs = person.legs + bottom
    return replace(
        person,
        torso=person.torso + top,
        sleeves=person.sleeves + top,
        legs=legs,
        skirt=legs if person.skirt is person.legs else person.skirt + top,
        visible=visible,
        infrared=infrared,
    )


def _threads(rng):
    """What is added to a surface map: 0, ``DYE``, ``FIBRE`` or their sum, uint8."""
    woven = np.uint8(0)
    for thread in (DYE, FIBRE):
        if rng.random() < WOVEN:
            kind = str(rng.choice(REPEATS + PLACED))
            woven = woven + (repeat if kind in REPEATS else placed)(kind, 0, thread, rng)
    return woven
