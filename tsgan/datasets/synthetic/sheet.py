"""The contact sheet: some identities as rows, the six cameras as columns."""

from pathlib import Path

import cv2
import numpy as np

from .scene import CAMERAS

INK, PAPER = 40, 255


def contact_sheet(root, file, num_identities=6, frames=2, height=128):
    """Write a contact sheet of a rendered data set.

    Args:
        root (str or Path): Folder of the data set.
        file (str or Path): Picture to write; its suffix decides the format.
        num_identities (int): Rows: the first test identities.
        frames (int): Pictures of an identity by a camera, side by side.
        height (int): Height of one picture on the sheet in pixels.

    Raises:
        FileNotFoundError: ``root`` has no list of test identities, or one of the pictures is missing.
        OSError: ``file`` could not be written.
    """
    root = Path(root)
    pids = [int(pid) for pid in (root / 'exp' / 'test_id.txt').read_text().split(',')][:num_identities]
    rows = [np.hstack([_cell(root, cam, pid, frames, height) for cam in CAMERAS]) for pid in pids]
    sheet = np.vstack(rows)
    margin, left = 44, 64
    sheet = cv2.copyMakeBorder(sheet, margin, 6, left, 6, cv2.BORDER_CONSTANT, value=(PAPER,) * 3)
    wide = (sheet.shape[1] - left - 6) // len(CAMERAS)
    for i, (cam, camera) in enumerate(CAMERAS.items()):
        place = 'street' if camera.outdoor else f'room {"AB"[camera.place]}'
        _write(sheet, f'camera {cam}', (left + i * wide + 4, 18))
        _write(sheet, f'{"infrared" if camera.infrared else "RGB"}, {place}', (left + i * wide + 4, 36))
    for i, pid in enumerate(pids):
        _write(sheet, f'{pid:04d}', (10, margin + i * (height + 6) + height // 2))
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(file), sheet, [cv2.IMWRITE_JPEG_QUALITY, 85]):
        raise OSError(f'{file} could not be written: its suffix must be a picture format such as .jpg or .png.')


def _cell(root, cam, pid, frames, height):
    images = []
    for path in sorted((root / f'cam{cam}' / f'{pid:04d}').glob('*.jpg'))[:frames]:
        image = cv2.imread(str(path))
        width = round(image.shape[1] * height / image.shape[0])
        images.append(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC))
    if not images:
        raise FileNotFoundError(f'{root / f"cam{cam}" / f"{pid:04d}"} has no picture: render the data set first.')
    return cv2.copyMakeBorder(np.hstack(images), 0, 6, 0, 8, cv2.BORDER_CONSTANT, value=(PAPER,) * 3)


def _write(sheet, text, at):
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (INK,) * 3, 1, cv2.LINE_AA)
