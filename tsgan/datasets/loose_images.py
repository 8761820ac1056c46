"""Images that somebody has, in folders, by name or in memory, with what their folders say of them."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from tsgan.datasets.files import IMG_EXTENSIONS, OTHER_EXTENSIONS, is_left_behind, nearby

EXTENSIONS = (*IMG_EXTENSIONS, *OTHER_EXTENSIONS, '.gif')  # of the last ones, whoever reads them says what is wrong
EXPECTED = 'expected a folder, a file, a pattern such as photos/**/*.jpg, an array, a PIL image, or a list of such'

# How folders call the two modalities, as words of their names: `rgb`, `IR_query`, `thermal-2`
MODALITY_WORDS = {
    'rgb': {'rgb', 'vis', 'visible', 'visual', 'color', 'colour'},
    'ir': {'ir', 'nir', 'lwir', 'infrared', 'thermal'},
}
CAMERA = re.compile(r'cam(?:era)?[ _-]?\d+', re.IGNORECASE)
DEPTH = 3  # of the folders that say something of a file that was named itself: modality, camera, identity


class ImageRow(NamedTuple):
    """What is known of an image, as of a row of features, of a gallery, or of a hit."""

    path: str | None = None  # None: it was given as an array or a PIL image
    identity: str | None = None  # the folder `<identity>/<image>`
    camera: str | None = None  # the folder of its camera, such as `cam3`
    modality: str | None = None  # 'rgb' or 'ir': what a folder says, or, once it was read, its pixels


class LooseImage(NamedTuple):
    """An image to be read: a file, by the path in its row, or what was given itself."""

    row: ImageRow
    image: np.ndarray | Image.Image | None = None


def find_images(inputs: object) -> list[LooseImage]:
    """List images, in the order given; those of a folder, with all below it, by their path.

    In a folder, files count that are images by their extension, and neither hidden nor left behind by a system. An
    image in a folder below it shows the identity that this folder is called by, unless that is the name of a modality
    or a camera. Of a file that was named itself, the folder is an identity where the one above it is a modality's or a
    camera's, as in ``ir/0012/1.png`` and ``cam3/0012/1.png``.

    Args:
        inputs (object): A folder, a file, a pattern of either (``**`` for any depth), an array of 8 or 16 bits, BGR as
            OpenCV has it, (H, W, 3), or gray, (H, W), a PIL image, a :class:`LooseImage`, or an iterable of these.

    Raises:
        FileNotFoundError: If there is no such file, a pattern fits none, or a folder has no image.
        ValueError: On an array that is no image.
        TypeError: On anything else.
    """
    if isinstance(inputs, LooseImage):
        return [inputs]
    if isinstance(inputs, (str, os.PathLike)):
        return _named(os.fspath(inputs))
    if isinstance(inputs, Image.Image):
        return [LooseImage(ImageRow(), inputs)]
    if isinstance(inputs, np.ndarray):
        return [LooseImage(ImageRow(), _checked(inputs))]
    if isinstance(inputs, Iterable) and not isinstance(inputs, (bytes, dict)) and not hasattr(inputs, 'detach'):
        found = [image for item in inputs for image in find_images(item)]
        if not found:
            raise ValueError(f'no image was given: {EXPECTED}')
        return found
    raise TypeError(f'a {type(inputs).__name__} is no image: {EXPECTED}')


def _named(name: str) -> list[LooseImage]:
    path = os.path.expanduser(name)
    if os.path.isdir(path):
        found = [LooseImage(_row(file, path)) for file in _below(path, set())]
        if not found:
            raise FileNotFoundError(f'{name} holds no image: expected files such as {" ".join(IMG_EXTENSIONS)} in it')
        return found
    if os.path.exists(path):
        return [LooseImage(_row(path))]
    if glob.has_magic(path):
        root = os.path.dirname(path[: re.search(r'[*?[]', path).start()]) or '.'
        found = [LooseImage(_row(file, root)) for file in _fitting(path)]
        if not found:
            raise FileNotFoundError(f'{name} fits no image: expected files such as {" ".join(IMG_EXTENSIONS)}')
        return found
    if '://' in name:
        raise ValueError(f'{name} is an address, and images are not downloaded: {EXPECTED}')
    near = nearby(Path(path))
    raise FileNotFoundError(f'no image at {name}{f" (there is {near})" if near else ""}: {EXPECTED}')


def _fitting(pattern: str) -> list[str]:
    """The images that fit, and those below the folders that fit: ``**`` has found these already."""
    files = []
    for place in sorted(glob.glob(pattern, recursive=True)):
        if not os.path.isdir(place):
            files += [place] if _counts(os.path.basename(place)) else []
        elif '**' not in pattern and not is_left_behind(os.path.basename(place)):
            files += _below(place, set())
    return files


def _counts(name: str) -> bool:
    return not is_left_behind(name) and name.lower().endswith(EXTENSIONS)


def _below(folder: str, seen: set[str]) -> list[str]:
    """The images in and below a folder, sorted; one that links lead to again is passed over.

    A link to nothing is taken for an image: nobody knows what it has led to, so that whoever reads it says so.
    """
    real = os.path.realpath(folder)
    if real in seen:
        return []
    seen.add(real)
    with os.scandir(folder) as scan:
        entries = sorted((entry for entry in scan if not is_left_behind(entry.name)), key=lambda entry: entry.name)
    found = []
    for entry in entries:
        lost = entry.is_symlink() and not os.path.exists(entry.path)
        if not lost and entry.is_dir():
            found += _below(entry.path, seen)
        elif lost or _counts(entry.name):
            found.append(entry.path)
    return found


def _row(path: str, root: str | None = None) -> ImageRow:
    """What the folders from ``root`` on say of a file; without one, the :data:`DEPTH` that are nearest to it."""
    folders = os.path.abspath(path).split(os.sep)[:-1]
    inside = len(folders) - len(os.path.abspath(root).split(os.sep)) if root is not None else 0  # folders below root
    folders = folders[-(inside + 1) if root is not None else -DEPTH :]  # the root's own name, too
    modality = next(filter(None, map(modality_of_folder, reversed(folders))), None)
    camera = next((name for name in reversed(folders) if CAMERA.fullmatch(name)), None)
    below_a_kind = len(folders) > 1 and _is_kind(folders[-2])
    is_identity = folders and not _is_kind(folders[-1]) and (inside > 0 or below_a_kind)
    return ImageRow(path, folders[-1] if is_identity else None, camera, modality)


def _is_kind(folder: str) -> bool:
    """Whether a folder's name is that of a modality or a camera."""
    return modality_of_folder(folder) is not None or CAMERA.fullmatch(folder) is not None


def modality_of_folder(name: str) -> str | None:
    """'rgb' or 'ir' where the name of a folder says one of both."""
    words = set(re.split(r'[^a-z]+', name.lower()))
    found = [modality for modality, names in MODALITY_WORDS.items() if words & names]
    return found[0] if len(found) == 1 else None


def _checked(image: np.ndarray) -> np.ndarray:
    shape = image.shape[:2] if image.shape[2:] in ((), (3,)) and image.size else ()
    if len(shape) != 2 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f'an array of {image.dtype}, shape {image.shape}, is no image: expected 8 or 16 bits without sign, BGR '
            '(H, W, 3) or gray (H, W)'
        )
    return image
