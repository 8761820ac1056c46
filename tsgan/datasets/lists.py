"""The text files in which data sets list their identities and their images."""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tsgan.datasets.files import nearby, read_text
from tsgan.datasets.reid_dataset import camera_records


def read_ids(path: Path) -> list[int]:
    """Read a list of identities: one line of numbers, separated by commas; one more comma may end it.

    Args:
        path (Path): The list.

    Returns:
        list[int]: The numbers, in the list's order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds anything else.
    """
    text = read_text(path, 'a list of identity numbers separated by commas').strip()
    if not re.fullmatch(r'\d+(\s*,\s*\d+)*(\s*,)?', text):
        raise ValueError(f'{path} is malformed: expected one line of identity numbers separated by commas')
    return [int(number) for number in re.findall(r'\d+', text)]


def read_images(root: Path, path: Path) -> list[tuple[Path, int]]:
    """Read a list of images: a line each, with the path below the data set's folder, a space, and the label.

    Folders may be separated as Windows does, by a backslash.

    Args:
        root (Path): The data set's folder.
        path (Path): The list.

    Returns:
        list[tuple[Path, int]]: (file, label) of each image, in the list's order.

    Raises:
        FileNotFoundError: If there is no such list, or an image that it lists is not there.
        ValueError: If a line says anything else, or an image is listed twice.
    """
    text = read_text(path, 'a list of images, a path and a label in each line')
    images, lines = [], {}
    for number, line in enumerate(text.rstrip().split('\n'), start=1):
        match = re.fullmatch(r'(\S+)[ \t]+(\d+)', line.rstrip())
        if not match:
            raise ValueError(f'{path}, line {number} is malformed: expected path, space, label, but it is {line!r}')
        image = root / match[1].replace('\\', '/')
        if lines.setdefault(image, number) != number:
            raise ValueError(f'{path} lists {image} twice, in lines {lines[image]} and {number}: expected it once')
        images.append((image, int(match[2])))
    lost = [image for image, _ in images if not image.is_file()]
    if lost:
        near = nearby(lost[0])
        raise FileNotFoundError(
            f'{lost[0]} is missing{f" (there is {near})" if near else ""}, one of {len(lost)} such images among the '
            f'{len(images)} that {path} lists: expected each of them in {root}'
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
