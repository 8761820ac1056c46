"""Find the files that are no images, or lose what is in them, before they stop a training run or spoil it."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mmengine.logging import print_log
from rich.progress import track

from tsgan.datasets.reid_dataset import ReIDDataset
from tsgan.images import decode_completely, in_words, is_deep, to_uint8

FEW_LEVELS = 16  # of 256: an image of more values that keeps fewer has lost most of what was in it


def check_images(dataset: ReIDDataset) -> None:
    """Decode every image of a data set, on all cores, with a progress bar.

    Warns of images of more than eight bits that would lose most of their range; names the first ten and how many there
    are.

    Args:
        dataset (ReIDDataset): The data set; its pipeline is not run.

    Raises:
        ValueError: If any file is no complete image, or has more than eight bits and its modality no range; names the
            first ten and how many there are.
    """
    rows = [dataset.get_data_info(idx) for idx in range(len(dataset))]
    with ThreadPoolExecutor() as pool:  # threads do: both decoders release the GIL
        found = list(track(pool.map(_check, rows), description='Checking images', total=len(rows)))
    where = f'of {len(rows)} files of the data set in {dataset.data_root}'
    lossy = [f'{row["img_path"]} ({loss})' for row, (_, loss) in zip(rows, found, strict=True) if loss]
    if lossy:
        print_log(
            f'{len(lossy)} {where} lose most of their range; a value_range that fits them keeps it:\n  {_first(lossy)}',
            logger='current',
            level=logging.WARNING,
        )
    bad = [f'{row["img_path"]} ({error})' for row, (error, _) in zip(rows, found, strict=True) if error]
    if bad:
        raise ValueError(f'{len(bad)} {where} cannot be used as images:\n  {_first(bad)}')


def _check(row: dict) -> tuple[str | None, str | None]:
    """Say what is wrong with an image, and what it would lose."""
    try:
        image = decode_completely(row['img_path'])
    except Exception as error:
        return in_words(error), None
    if not is_deep(image):
        return None, None
    if 'value_range' not in row:
        return f'more than 8 bits ({image.dtype}), and no value_range of {row["modality"]}', None
    before, after = len(np.unique(image)), len(np.unique(to_uint8(image, row['value_range'])))
    lossy = after < FEW_LEVELS < before
    return None, f'{before} values become {after} gray levels' if lossy else None


def _first(items: list[str], number: int = 10) -> str:
    rest = f'\n  and {len(items) - number} more' if len(items) > number else ''
    return '\n  '.join(items[:number]) + rest
