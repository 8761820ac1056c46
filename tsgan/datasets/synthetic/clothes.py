"""What people wear: surfaces, materials, prints and colours."""

from enum import IntEnum

import cv2
import numpy as np


class Surface(IntEnum):
    """What a pixel of a drawn person belongs to; 0 is no person."""

    NONE = 0
    SKIN = 1
    HAIR = 2
    HAT = 3
    SHOE = 4
    SOLE = 5
    BAG = 6
    BAG_TRIM = 7
    TOP = 8
    TOP_PRINT = 9
    SLEEVE = 10
    INNER = 11
    INNER_PRINT = 12
    BOTTOM = 13
    BOTTOM_PRINT = 14
    SCARF = 15


# Near-infrared reflectance: mean and spread of a material, whatever its visible colour. Most dyes of synthetic fibres
# are transparent there, so that black nylon is bright; carbon-blackened leather stays dark.
MATERIALS = {
    'cotton': (0.58, 0.10),
    'denim': (0.38, 0.08),
    'wool': (0.46, 0.10),
    'nylon': (0.76, 0.08),
    'polyester': (0.68, 0.12),
    'leather': (0.16, 0.05),
    'softshell': (0.27, 0.07),
}
TOP_MATERIALS = ('cotton', 'wool', 'nylon', 'polyester', 'leather', 'softshell')
BOTTOM_MATERIALS = ('cotton', 'denim', 'denim', 'wool', 'nylon', 'polyester', 'softshell')
BAG_MATERIALS = ('nylon', 'leather', 'cotton', 'softshell')

CUTS = ('tank', 'tee', 'shirt', 'hoodie', 'jacket', 'vest', 'coat', 'dress')
HAIRS = ('bald', 'short', 'bob', 'long', 'ponytail', 'bun', 'cap', 'beanie', 'sunhat', 'hood')
BAGS = ('none', 'none', 'backpack', 'backpack', 'shoulder_bag', 'handbag', 'suitcase')
REPEATS = ('rings', 'pinstripes', 'checks', 'dots')  # prints that go on over sleeves and skirts
PLACED = ('logo', 'block', 'band', 'sash', 'yoke', 'halves')  # prints that sit at one place of the torso

TEXTURE_ROWS, TEXTURE_COLS = 96, 192  # a texture is wrapped around the body; column 96 is the middle of the front


def cloth_colour(rng):
    """A garment's visible colour, BGR in [0, 1]: half of what people wear is black, white, gray or navy."""
    if rng.random() < 0.45:
        value = rng.choice([0.05, 0.12, 0.3, 0.55, 0.9])
        hue, saturation = rng.uniform(0, 360), rng.uniform(0, 0.15)
    else:
        hue, saturation, value = rng.uniform(0, 360), rng.uniform(0.4, 0.95), rng.uniform(0.2, 0.9)
    hsv = np.array([[[hue, saturation, value]]], np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]


def print_colour(rng, cloth):
    """A colour that can be told from ``cloth`` (BGR) by eye."""
    while True:
        ink = cloth_colour(rng)
        if np.abs(ink - cloth).max() > 0.35:
            return ink


def cloth_infrared(rng, materials):
    """A garment's near-infrared reflectance: its material's, and nothing of its colour."""
    mean, spread = MATERIALS[materials[rng.integers(len(materials))]]
    return float(np.clip(rng.normal(mean, spread), 0.06, 0.95))


def print_infrared(rng, cloth, survives):
    """Reflectance of an ink on ``cloth``: plainly another one when the ink survives in infrared, else the cloth's."""
    if not survives:
        return cloth
    step = rng.uniform(0.28, 0.5)
    return cloth - step if cloth > 0.55 or (cloth > 0.4 and rng.random() < 0.5) else cloth + step


def repeat(kind, base, ink, rng):
    """A repeating print as a surface map (``TEXTURE_ROWS``, ``TEXTURE_COLS``)."""
    rows, cols = np.mgrid[:TEXTURE_ROWS, :TEXTURE_COLS]
    period = int(rng.choice([12, 16, 24, 32]))
    width = period * rng.uniform(0.3, 0.55)
    across, along = rows % period < width, cols % period < width
    if kind == 'rings':
        drawn = across
    elif kind == 'pinstripes':
        drawn = along
    elif kind == 'checks':
        drawn = across ^ along
    else:
        period = max(period, 16)
        odd = (rows // period) % 2 * (period // 2)
        drawn = (rows % period - period / 2) ** 2 + ((cols + odd) % period - period / 2) ** 2 < (0.36 * period) ** 2
    return np.where(drawn, ink, base).astype(np.uint8)


def placed(kind, base, ink, rng):
    """A print at one place of the torso as a surface map (``TEXTURE_ROWS``, ``TEXTURE_COLS``)."""
    texture = np.full((TEXTURE_ROWS, TEXTURE_COLS), base, np.uint8)
    rows, cols = np.mgrid[:TEXTURE_ROWS, :TEXTURE_COLS]
    middle = TEXTURE_COLS // 2
    if kind == 'logo':
        centre = (middle + int(rng.integers(-12, 13)), int(rng.integers(26, 40)))
        axes = (int(rng.integers(10, 20)), int(rng.integers(9, 16)))
        cv2.ellipse(texture, centre, axes, 0, 0, 360, int(ink), -1)
    elif kind == 'block':
        half, top, bottom = rng.integers(16, 30), rng.integers(15, 28), rng.integers(45, 65)
        texture[top:bottom, middle - half : middle + half] = ink
    elif kind == 'band':
        top = rng.integers(15, 60)
        texture[top : top + rng.integers(12, 24)] = ink
    elif kind == 'sash':
        # One turn around the body, so that front and back both show a diagonal.
        slope = rng.choice([-1, 1])
        drawn = np.abs(rows - TEXTURE_ROWS / 2 - slope * 0.9 * (cols - middle)) < rng.uniform(9, 15)
        behind = np.abs(rows - TEXTURE_ROWS / 2 + slope * 0.9 * (((cols + middle) % TEXTURE_COLS) - middle)) < 11
        front = np.abs(cols - middle) < TEXTURE_COLS / 4
        texture[np.where(front, drawn, behind)] = ink
    elif kind == 'yoke':
        texture[: rng.integers(28, 56)] = ink
    else:
        texture[:, :middle] = ink
    return texture


def dress_top(rng, cut):
    """Surface maps of torso and sleeves.

    Returns:
        tuple[np.ndarray, np.ndarray, np.ndarray]: Torso, sleeves, and what goes on below the hip in a coat or dress.
    """
    top, ink = Surface.TOP, Surface.TOP_PRINT
    torso = np.full((TEXTURE_ROWS, TEXTURE_COLS), top, np.uint8)
    skirt, sleeves = torso.copy(), np.full_like(torso, Surface.SLEEVE)
    choice = rng.random()
    if choice < 0.36:
        torso = repeat(rng.choice(REPEATS), top, ink, rng)
        skirt = torso.copy()
        if rng.random() < 0.7:
            sleeves = torso.copy()
    elif choice < 0.8:
        torso = placed(rng.choice(PLACED), top, ink, rng)
    middle = TEXTURE_COLS // 2
    if cut in ('jacket', 'vest') or (cut == 'coat' and rng.random() < 0.5):
        inner = np.full_like(torso, Surface.INNER)
        if rng.random() < 0.5:
            inner = repeat(rng.choice(REPEATS), Surface.INNER, Surface.INNER_PRINT, rng)
        half, slant = rng.uniform(9, 22), rng.uniform(-8, 8)
        rows, cols = np.mgrid[:TEXTURE_ROWS, :TEXTURE_COLS]
        is_open = np.abs(cols - middle) < half + slant * (rows / TEXTURE_ROWS - 0.5)
        torso = np.where(is_open, inner, torso)
        skirt = np.where(is_open, Surface.BOTTOM, skirt).astype(np.uint8)
    elif cut == 'hoodie':
        torso[62:82, middle - 26 : middle + 26] = ink  # the pouch
    elif cut == 'coat' or rng.random() < 0.15:
        torso[:, middle - 3 : middle + 3] = ink  # a row of buttons or a zip
    if cut in ('tank', 'tee', 'dress') or rng.random() < 0.2:
        depth = int(rng.integers(6, 22))
        neckline = np.array([[middle - 14, -1], [middle + 14, -1], [middle, depth]], np.int32)
        cv2.fillPoly(torso, [neckline], int(Surface.SKIN))
    if cut != 'vest' and rng.random() < 0.2:
        torso[88:] = Surface.BAG_TRIM  # a belt
    return torso, sleeves, skirt


def dress_skull(hair, rng):
    """Surface map of the head: hair or hat above, face in front, nape behind."""
    cover = {
        'bald': Surface.SKIN,
        'cap': Surface.HAT,
        'beanie': Surface.HAT,
        'sunhat': Surface.HAT,
        'hood': Surface.TOP,
    }
    cover = cover.get(hair, Surface.HAIR)
    below = Surface.TOP if hair == 'hood' else Surface.SKIN if hair == 'bald' else Surface.HAIR
    texture = np.full((TEXTURE_ROWS, TEXTURE_COLS), Surface.SKIN, np.uint8)
    middle = TEXTURE_COLS // 2
    line = int(rng.integers(24, 36)) if hair != 'beanie' else 42
    texture[:line] = cover
    face = 34 if hair in ('hood', 'long', 'bob') else 50
    texture[line:80, : middle - face] = below
    texture[line:80, middle + face :] = below
    for eye in (middle - 13, middle + 13):
        texture[46:53, eye - 5 : eye + 5] = Surface.HAIR
    if rng.random() < 0.15:
        texture[70:, middle - 28 : middle + 28] = Surface.HAIR  # a beard
    return texture


def colour(rng):
    """The two spectral tables of a person's surfaces.

    Returns:
        tuple[np.ndarray, np.ndarray]: Visible (16, 3) and infrared (16,) reflectance.
    """
    visible, infrared = np.zeros((16, 3), np.float32), np.zeros(16, np.float32)
    tone = rng.uniform(0.3, 0.85)
    visible[Surface.SKIN] = np.array([0.62, 0.74, 1.0]) * tone
    infrared[Surface.SKIN] = rng.uniform(0.62, 0.74)
    strands = np.array([[0.04, 0.05, 0.06], [0.08, 0.13, 0.22], [0.2, 0.42, 0.6], [0.55, 0.55, 0.57], [0.1, 0.2, 0.5]])
    visible[Surface.HAIR] = strands[rng.choice(5, p=[0.45, 0.27, 0.13, 0.1, 0.05])]
    infrared[Surface.HAIR] = rng.uniform(0.26, 0.46)

    for surface, materials in (
        (Surface.HAT, TOP_MATERIALS),
        (Surface.SHOE, ('leather', 'nylon', 'softshell', 'cotton')),
        (Surface.BAG, BAG_MATERIALS),
        (Surface.TOP, TOP_MATERIALS),
        (Surface.INNER, ('cotton', 'polyester', 'wool')),
        (Surface.BOTTOM, BOTTOM_MATERIALS),
        (Surface.SCARF, ('wool', 'cotton', 'polyester')),
    ):
        visible[surface], infrared[surface] = cloth_colour(rng), cloth_infrared(rng, materials)
    for cloth, ink, keeps in (
        (Surface.TOP, Surface.TOP_PRINT, 0.8),
        (Surface.INNER, Surface.INNER_PRINT, 0.8),
        (Surface.BOTTOM, Surface.BOTTOM_PRINT, 0.8),
        (Surface.BAG, Surface.BAG_TRIM, 0.5),
        (Surface.SHOE, Surface.SOLE, 0.5),
    ):
        visible[ink] = print_colour(rng, visible[cloth])
        infrared[ink] = print_infrared(rng, infrared[cloth], rng.random() < keeps)
    # Raglan: sleeves of the print's colour.
    sleeve = Surface.TOP_PRINT if rng.random() < 0.25 else Surface.TOP
    visible[Surface.SLEEVE], infrared[Surface.SLEEVE] = visible[sleeve], infrared[sleeve]
    return visible, infrared
