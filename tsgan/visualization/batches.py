"""What a training pipeline makes of images, batch by batch as the sampler gives them."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from tsgan.images import read_image
from tsgan.visualization.grids import picture_rows

COLUMNS = 8
CELL = (128, 64)


def draw_batches(loader: DataLoader, number: int = 1, most: int | None = None, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw the first batches of an epoch: each image as its file has it, and as the pipeline gives it.

    Pairs stand below each other: an RGB image before and after, the IR image of the same person before and after. Above
    them is the name of the person's folder. Of a pipeline that makes several views, each has a row.

    Args:
        loader (DataLoader): Of a :class:`~tsgan.datasets.ReIDDataset`, whose pipeline ends in uint8 images in BGR.
        number (int): Of batches; as many as an epoch has. Defaults to 1.
        most (int, optional): Pairs (or images, of one modality) of each to draw. Defaults to None: all.
        seed (int): Of the augmentation. Defaults to 0.

    Yields:
        np.ndarray: A picture a batch: RGB, uint8, (height, width, 3).
    """
    for place, rows in zip(range(number), loader.batch_sampler, strict=False):
        with own_randomness(seed + place):  # not while whoever asks has the turn
            picture = _draw_batch(loader.dataset, rows, most)
        yield picture


def _draw_batch(dataset, rows: Sequence[int], most: int | None) -> np.ndarray:
    records = [dataset.get_data_info(row) for row in rows]
    sides = {}  # modality -> places in the batch
    for place, record in enumerate(records):
        sides.setdefault(record['modality'], []).append(place)
    people = [[records[place]['pid'] for place in places] for places in sides.values()]
    paired = all(pids == people[0] for pids in people)
    lines = [sides] if paired else [{name: places} for name, places in sides.items()]
    groups, captions = [], []
    for line in lines:
        count = min(most or len(rows), len(next(iter(line.values()))))
        for start in range(0, count, COLUMNS):
            part = {name: places[start : min(start + COLUMNS, count)] for name, places in line.items()}
            group = {}
            for name, places in part.items():
                group[f'{name.upper()}, file'] = [_file(records[place]) for place in places]
                views = list(zip(*(_after(dataset, rows[place]) for place in places), strict=True))
                for number, view in enumerate(views, start=1):
                    group[f'{name.upper()}, view {number}' if views[1:] else f'{name.upper()}, after'] = list(view)
            groups.append(group)
            captions.append([Path(records[place]['img_path']).parent.name for place in next(iter(part.values()))])
    return picture_rows(groups, CELL, captions)


def _file(record: dict) -> np.ndarray:
    return read_image(record['img_path'], record.get('value_range'), 'rgb')


def _after(dataset, row: int) -> list[np.ndarray]:
    """The views that the pipeline gives of an image, RGB; of most, one."""
    made = dataset[row]
    return [_image(view['inputs']) for view in (made if isinstance(made, list) else [made])]


def _image(inputs: torch.Tensor) -> np.ndarray:
    """BGR -> RGB, (3, H, W) -> (H, W, 3). Raises ValueError where it is none that the networks' preprocessors take."""
    if inputs.dtype != torch.uint8 or inputs.ndim != 3 or len(inputs) != 3:
        raise ValueError(
            f'the pipeline ends in {inputs.dtype} of shape {tuple(inputs.shape)}: expected torch.uint8 of (3, H, W), '
            'as PackInputs gives it.'
        )
    return inputs.permute(1, 2, 0).numpy()[..., ::-1].copy()


@contextmanager
def own_randomness(seed: int):
    """Seeded generators inside, and the ones that training uses untouched by it."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
