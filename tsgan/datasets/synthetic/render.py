"""One picture of one person by one camera."""

import cv2
import numpy as np

from .figure import Canvas, Figure
from .hard import creases, defocus, dim, fade_outlines, generators, hide, reframe
from .paint import SUPERSAMPLE, paint
from .pose import View, pose
from .scene import CAMERAS, backdrop, clutter, expose, panorama


def look(person, camera, height, width, rng):
    """A camera's view of a passing person, with the jitter of a detector's box.

    Args:
        person (Person): Who passes.
        camera (Camera): Who looks.
        height (int): Canvas rows; ``width`` its columns.
        rng (np.random.Generator): The picture's own.

    Returns:
        View: The projection onto the canvas.
    """
    heading = rng.uniform(0, 360) if rng.random() < 0.2 else rng.choice(camera.headings) + rng.normal(0, 18)
    elevation = np.deg2rad(camera.elevation + rng.normal(0, 3))
    # A 1.71 m person fills 0.86 of the picture's height; others are seen as tall as they are.
    scale = height * 0.86 / (1.71 * np.cos(elevation)) * rng.uniform(0.93, 1.07)
    centre = (width * (0.5 + rng.normal(0, 0.04)), height * (0.5 + rng.normal(0, 0.015)))
    distance = camera.distance * rng.uniform(0.85, 1.2)
    return View(np.deg2rad(heading), elevation, distance, scale, centre, person.height / 2)


def render_image(person, cam, rng, size=(96, 48), seed=0, style='default'):
    """Render one picture.

    Args:
        person (Person): Who is on it, dressed as ``identity`` gives them in this style.
        cam (int): Camera, 1-6.
        rng (np.random.Generator): The picture's own: pose, background, light and noise come from it alone.
        size (tuple[int, int]): Height and width in pixels.
        seed (int): Seed of the data set, which made the places.
        style (str): 'default', 'hard', or parts of 'hard' joined by ``+``.

    Returns:
        np.ndarray: BGR picture, uint8 (H, W, 3); three equal channels for an infrared camera.

    Raises:
        ValueError: There is no such style.
    """
    (height, width), camera, own = size, CAMERAS[cam], generators(style, rng)
    canvas = Canvas(SUPERSAMPLE * height, SUPERSAMPLE * width)
    view = look(person, camera, SUPERSAMPLE * height, SUPERSAMPLE * width, rng)
    if 'framing' in own:
        view = reframe(view, SUPERSAMPLE * height, SUPERSAMPLE * width, own['framing'])
    Figure(person, pose(person, rng), view).draw(canvas)
    if 'folds' in own:
        canvas.shade = fade_outlines(canvas.shade, own['folds'])

    figure, cover = paint(canvas, person, camera.infrared)
    folds = cv2.resize(rng.normal(1, 0.11, (9, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    if 'folds' in own:
        folds *= creases(height, width, camera.infrared, own['folds'])
    figure *= folds if camera.infrared else folds[..., None]

    ground = panorama(seed, camera.place, camera.outdoor, camera.infrared, height)
    scene = backdrop(ground, height, width, rng)
    cast_shadow(scene, view, rng)
    if camera.infrared:
        # The illuminator's light falls with the square of the distance: what is behind the person gets less.
        scene = scene[..., 0] * rng.uniform(0.25, 0.75)
        image = scene * (1 - cover) + figure
    else:
        image = scene * (1 - cover)[..., None] + figure
    if rng.random() < 0.1:
        occlude(image, rng)
    if 'occlusion' in own:
        image = hide(image, cover, view, camera.infrared, own['occlusion'])
    if 'blur' in own:
        image = defocus(image, own['blur'])
    image = expose(image, camera, rng)
    return dim(image, camera.infrared, own['low_light']) if 'low_light' in own else image


def outline(person, cam, rng, size=(96, 48)):
    """The default style's picture with nothing but who stands where: gray on black; arguments as in ``render_image``.

    Returns:
        np.ndarray: uint8 (H, W, 3), 150 where the person is.
    """
    height, width = size
    canvas = Canvas(SUPERSAMPLE * height, SUPERSAMPLE * width)
    view = look(person, CAMERAS[cam], SUPERSAMPLE * height, SUPERSAMPLE * width, rng)
    Figure(person, pose(person, rng), view).draw(canvas)
    _, cover = paint(canvas, person, infrared=True)
    return cv2.merge([(150 * cover).astype(np.uint8)] * 3)


def cast_shadow(scene, view, rng):
    """Darken the ground at the feet, in place."""
    height, width = scene.shape[:2]
    feet = view.project(np.zeros((1, 3)))[0][0] / SUPERSAMPLE
    shadow = np.ones((height, width), np.float32)
    centre = (int(feet[0] + rng.normal(0, 0.1) * width), int(feet[1]))
    cv2.ellipse(
        shadow, centre, (int(0.33 * width), int(0.04 * height) + 1), 0, 0, 360, float(rng.uniform(0.45, 0.8)), -1
    )
    scene *= cv2.blur(shadow, (5, 5))[..., None]


def occlude(image, rng):
    """Put something before the person, at a side or below, in place."""
    height, width = image.shape[:2]
    thing = np.zeros((height, width, 3), np.float32)
    if rng.random() < 0.5:
        reach = int(rng.uniform(0.15, 0.35) * width)
        region = np.s_[:, :reach] if rng.random() < 0.5 else np.s_[:, -reach:]
    else:
        region = np.s_[-int(rng.uniform(0.1, 0.28) * height) :, :]
    thing[...] = rng.uniform(0.1, 0.7, 3)
    for _ in range(3):
        clutter(thing, rng.uniform(0.1, 0.7, 3), rng)
    image[region] = thing[region] if image.ndim == 3 else thing[region][..., 0]
