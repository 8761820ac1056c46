"""The text files in which data sets list their identities and their images."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tsgan.datasets.reid_dataset import camera_records


def read_ids(path: Path) -> list[int]:
    """Read a list of identities: one line of numbers, separated by commas.

    Args:
        path (Path): The list.

    Returns:
        list[int]: The numbers, in the list's order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: expected a list of identity numbers separated by commas')
    text = path.read_text().strip()
    if not re.fullmatch(r'\d+(\s*,\s*\d+)*', text):
        raise ValueError(f'{path} is malformed: expected one line of identity numbers separated by commas')
    return [int(number) for number in text.split(',')]


def read_images(root: Path, path: Path) -> list[tuple[Path, int]]:
    """Read a list of images: a line each, with the path below the data set's folder, a space, and the label.

    Args:
        root (Path): The data set's folder.
        path (Path): The list.

    Returns:
        list[tuple[Path, int]]: (file, label) of each image, in the list's order.

    Raises:
        FileNotFoundError: If there is no such list, or an image that it lists is not there.
        ValueError: If a line says anything else.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: expected a list of images, a path and a label in each line')
    images = []
    for number, line in enumerate(path.read_text().rstrip().split('\n'), start=1):
        match = re.fullmatch(r'(\S+) (\d+)', line.rstrip())
        if not match:
            raise ValueError(f'{path}, line {number} is malformed: expected path, space, label, but it is {line!r}')
        images.append((root / match[1], int(match[2])))
    lost = [str(image) for image, _ in images if not image.is_file()]
    if lost:
        raise FileNotFoundError(
            f'{lost[0]} is missing, one of {len(lost)} such images among the {len(images)} that {path} lists: expected '
            f'each of them in {root}'
        )
    return images


def listed_records(images: Iterable[tuple[Path, int, int]], modality: str) -> list[dict]:
    """Make the rows of listed images.

    Args:
        images (Iterable[tuple[Path, int, int]]): (file, identity number, camera number) of each, in the list's order.
        modality (str): 'rgb' or 'ir'.

    Returns:
        list[dict]: The rows, without ``gt_label``; ``frame`` is the place among the images of an identity and camera.
    """
    records, frames = [], Counter()
    for image, pid, camid in images:
        frames[pid, camid] += 1
        records += camera_records([(frames[pid, camid], image)], pid, camid, modality)
    return records
