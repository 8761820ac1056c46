"""What a synthetic person is: a body, garments of some material, hair and carried things.

A person is described by *surfaces*: small integers that garments are drawn with. How a surface looks in a spectrum is
a table (:attr:`Person.visible`, :attr:`Person.infrared`), so one drawing serves both modalities and differs between
them exactly where the two tables do.
"""

from dataclasses import dataclass

import numpy as np

from .clothes import BAGS, CUTS, HAIRS, REPEATS, TEXTURE_COLS, Surface, colour, dress_skull, dress_top, repeat


@dataclass(frozen=True)
class Person:
    """One identity. Lengths are metres; ``sleeve`` and ``leg`` count limb segments (0 bare, 1 to the joint, 2 all).

    Attributes:
        height, shoulder, hip, depth, leg_length, girth, head: Stature, half widths, torso depth over width, leg
            length, limb radius and half head width.
        cut, hair, bag: One of ``CUTS``, ``HAIRS``, ``BAGS``.
        sleeve, leg: Covered length of arms and legs; ``loose`` and ``flare`` are how much wider than the limb.
        hem: Length of a skirt, dress or coat below the hip in leg segments, 0 when there is none.
        bag_side: +1 when carried at the person's left, -1 at the right; ``bag_size`` scales it.
        torso, skirt, sleeves, legs, skull: Surface maps (uint8) of ``TEXTURE_ROWS`` x ``TEXTURE_COLS``.
        visible: BGR reflectance of each surface, (16, 3) in [0, 1].
        infrared: Near-infrared reflectance of each surface, (16,) in [0, 1].
    """

    height: float
    shoulder: float
    hip: float
    depth: float
    leg_length: float
    girth: float
    head: float
    cut: str
    hair: str
    bag: str
    scarf: bool
    sleeve: float
    leg: float
    loose: float
    flare: float
    hem: float
    bag_side: int
    bag_size: float
    torso: np.ndarray
    skirt: np.ndarray
    sleeves: np.ndarray
    legs: np.ndarray
    skull: np.ndarray
    visible: np.ndarray
    infrared: np.ndarray


def make_person(rng):
    """Draw one identity.

    Args:
        rng (np.random.Generator): Decides everything; nothing else is read.

    Returns:
        Person: Body, clothes, hair and carried things.
    """
    cut = str(rng.choice(CUTS))
    hair = str(rng.choice(HAIRS, p=[0.06, 0.22, 0.12, 0.15, 0.12, 0.06, 0.1, 0.08, 0.05, 0.04]))
    if hair == 'hood' and cut not in ('hoodie', 'coat'):
        hair = 'short'
    sleeve = {
        'tank': 0.0,
        'tee': rng.uniform(0.5, 1.0),
        'vest': rng.choice([0.0, 2.0]),
        'dress': rng.choice([0, 0.6, 2]),
    }
    hem, hem_is_top = 0.0, cut in ('coat', 'dress')
    if cut == 'coat':
        hem = rng.uniform(0.45, 1.3)
    elif cut == 'dress':
        hem = rng.uniform(0.6, 1.6)
    elif rng.random() < 0.18:
        hem = rng.uniform(0.5, 1.6)
    leg = (
        rng.choice([0.0, 2.0], p=[0.65, 0.35])
        if hem > 0 and cut != 'coat'
        else rng.choice([2.0, 1.5, rng.uniform(0.6, 1.0)], p=[0.6, 0.12, 0.28])
    )
    torso, sleeves, skirt = dress_top(rng, cut)
    legs = np.full_like(torso, Surface.BOTTOM)
    choice = rng.random()
    if choice < 0.16:
        legs[:, TEXTURE_COLS // 4 - 12 : TEXTURE_COLS // 4 + 12] = Surface.BOTTOM_PRINT  # stripes along the seams
        legs[:, -TEXTURE_COLS // 4 - 12 : -TEXTURE_COLS // 4 + 12] = Surface.BOTTOM_PRINT
    elif choice < 0.4:
        legs = repeat(rng.choice(REPEATS), Surface.BOTTOM, Surface.BOTTOM_PRINT, rng)
    visible, infrared = colour(rng)
    height, build = rng.normal(1.71, 0.09), rng.normal(1.0, 0.13)
    return Person(
        height=float(np.clip(height, 1.48, 1.95)),
        shoulder=float(np.clip(0.205 * build * rng.normal(1, 0.08), 0.15, 0.29)),
        hip=float(np.clip(0.165 * build * rng.normal(1, 0.1), 0.12, 0.26)),
        depth=float(np.clip(0.62 * build**0.8, 0.45, 0.9)),
        leg_length=float(rng.uniform(0.455, 0.525)),
        girth=float(np.clip(0.05 * build * rng.normal(1, 0.1), 0.034, 0.075)),
        head=float(rng.uniform(0.074, 0.092)),
        cut=cut,
        hair=hair,
        bag=str(rng.choice(BAGS)),
        scarf=bool(rng.random() < 0.14),
        sleeve=float(sleeve.get(cut, rng.choice([2.0, 2.0, 1.4]))),
        leg=float(leg),
        loose=float(rng.uniform(1.05, 1.75)),
        flare=float(rng.uniform(1.0, 1.7)),
        hem=float(hem),
        skirt=skirt if hem_is_top else legs,
        bag_side=int(rng.choice([-1, 1])),
        bag_size=float(rng.uniform(0.75, 1.35)),
        torso=torso,
        sleeves=sleeves,
        legs=legs,
        skull=dress_skull(hair, rng),
        visible=visible,
        infrared=infrared,
    )
