"""Partly other clothes: between two passages people put a jacket on or off, change hat and bag."""

from dataclasses import replace

import numpy as np

from ..clothes import (
    BAGS,
    TOP_MATERIALS,
    Surface,
    cloth_colour,
    cloth_infrared,
    dress_skull,
    dress_top,
    print_colour,
    print_infrared,
)

WITHOUT_JACKET = ('tank', 'tee', 'shirt', 'hoodie', 'dress')
HATS = ('cap', 'beanie', 'sunhat', 'hood')
JACKET, HAT, BAG = 0.2, 0.15, 0.25  # share of the passages in which it is changed


def change(person, wardrobe, passage):
    """A person as dressed for one passage. Body, trousers, shoes and what the jacket covers stay.

    Args:
        person (Person): Who it is.
        wardrobe (np.random.Generator): What else the person owns, so the same at each call for this person.
        passage (np.random.Generator): What is worn this time.

    Returns:
        Person: The same body, dressed otherwise or not.
    """
    owned = dress_top(wardrobe, 'jacket'), *_colours(wardrobe)
    hat, bag = str(wardrobe.choice(['cap', 'beanie'])), str(wardrobe.choice(BAGS[2:]))
    sleeve, skulls = float(wardrobe.choice([0.8, 2.0])), {hair: dress_skull(hair, wardrobe) for hair in ('short', hat)}
    jacket, changes_hat, changes_bag = passage.random(3) < (JACKET, HAT, BAG)
    if changes_hat:
        hair = 'short' if person.hair in HATS else hat
        person = replace(person, hair=hair, skull=skulls[hair])
    if changes_bag:
        person = replace(person, bag='none' if person.bag != 'none' else bag)
    if jacket and person.cut in WITHOUT_JACKET:
        person = jacket_on(person, *owned)
    elif jacket:
        person = jacket_off(person, sleeve)
        if person.hair == 'hood':
            person = replace(person, hair='short', skull=skulls['short'])
    return person


def jacket_on(person, maps, visible, infrared):
    """Put on a jacket; its open front shows what is below.

    Args:
        person (Person): Somebody in a top alone.
        maps (tuple): The jacket's, as ``dress_top`` gives them.
        visible (np.ndarray): BGR reflectance of the jacket and its print, (2, 3).
        infrared (np.ndarray): Near-infrared reflectance of both, (2,).

    Returns:
        Person: The same person in a jacket: tables and maps of the former top have moved to ``INNER``.
    """
    torso, sleeves, _ = maps
    inner = np.isin(torso, (Surface.INNER, Surface.INNER_PRINT, Surface.SKIN))
    colours = {}
    for name, jacket in (('visible', visible), ('infrared', infrared)):
        table = getattr(person, name).copy()
        for block in range(0, len(table), len(Surface)):  # woven people have several, see weave.py
            table[[block + Surface.INNER, block + Surface.INNER_PRINT]] = table[
                [block + Surface.TOP, block + Surface.TOP_PRINT]
            ]
            table[[block + Surface.TOP, block + Surface.TOP_PRINT]] = jacket
            table[block + Surface.SLEEVE] = jacket[0]
        colours[name] = table
    return replace(
        person,
        cut='jacket',
        torso=np.where(inner, _below(person.torso), torso),
        skirt=_below(person.skirt),
        skull=_below(person.skull),
        sleeves=sleeves,
        sleeve=2.0,
        loose=max(person.loose, 1.3),
        **colours,
    )


def jacket_off(person, sleeve):
    """Take off a jacket, vest or coat: what showed in its open front is all of the top; ``sleeve`` as in ``Person``."""
    inner = np.isin(person.torso % len(Surface), (Surface.INNER, Surface.INNER_PRINT))
    return replace(
        person,
        cut='tee',
        torso=np.where(inner, person.torso, np.uint8(Surface.INNER)),
        sleeves=np.full_like(person.sleeves, Surface.INNER),
        sleeve=sleeve,
        skirt=person.legs if person.cut == 'coat' else person.skirt,
        hem=0.0 if person.cut == 'coat' else person.hem,
    )


def _below(surfaces):
    """A surface map of the top as that of what a jacket covers; which thread it is (see weave.py) stays."""
    moved = np.arange(len(Surface), dtype=np.uint8)
    moved[Surface.TOP], moved[Surface.TOP_PRINT] = Surface.INNER, Surface.INNER_PRINT
    return moved[surfaces % len(Surface)] + surfaces // len(Surface) * np.uint8(len(Surface))


def _colours(rng):
    cloth, infrared = cloth_colour(rng), cloth_infrared(rng, TOP_MATERIALS)
    inks = print_colour(rng, cloth), print_infrared(rng, infrared, rng.random() < 0.5)
    return np.stack([cloth, inks[0]]), np.array([infrared, inks[1]])
