"""Writes what was drawn, as the kind of picture that the file's name says."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tsgan.whole_files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = ('.jpg', '.jpeg', '.png')
FIGURES = ('.png', '.svg', '.pdf', '.jpg')


def encode(image: np.ndarray, suffix: str, quality: int = 92) -> bytes:
    """An image, RGB, uint8, (h, w, 3), as a file of this kind holds it; quality is of a JPEG, in percent."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix in ('.jpg', '.jpeg') else []
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def check_suffix(file: str | Path, kinds: tuple[str, ...] = PICTURES) -> str:
    """The kind of a file by its name; asked before the work, which may be long.

    Raises:
        ValueError: When it is none of ``kinds``.
    """
    suffix = Path(file).suffix.lower()
    if suffix not in kinds:
        raise ValueError(f'{file}: expected a name that ends with one of {" ".join(kinds)}')
    return suffix


def save_picture(file: str | Path, image: np.ndarray) -> None:
    """Write an image, RGB, uint8, (h, w, 3)."""
    write_whole(file, encode(image, check_suffix(file)))


def save_figure(file: str | Path, figure: 'Figure') -> None:
    """Write a figure of Matplotlib."""
    suffix, content = check_suffix(file, FIGURES), io.BytesIO()
    figure.savefig(content, format=suffix[1:], dpi=150)
    write_whole(file, content.getvalue())
