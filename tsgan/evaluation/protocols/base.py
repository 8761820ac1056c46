"""What protocols are made of: trials, settings, and the rules by which images are grouped and pairs excluded."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..features import NPZ_QUERY, FeatureTable

DIRECTIONS = ('ir_to_rgb', 'rgb_to_ir')


class Trial(NamedTuple):
    """One draw: rows of the table that are queries, (Q,), and rows that are gallery, (G,)."""

    query: np.ndarray
    gallery: np.ndarray


@dataclass(frozen=True, eq=False)
class Setting:
    """What one column group of a results table is measured on.

    Args:
        trials (list[Trial]): Results are means over them.
        sampling (str): How the trials were drawn, for the output.
        dedupe (bool): CMC counts identities, not images.
        exclude (Callable, optional): `exclude(table, query, gallery)` is the (Q, G) mask of pairs that are not seen.
        ties (str): How equal distances rank, as in `score_trials`: by gallery index unless said otherwise.
    """

    trials: list[Trial]
    sampling: str
    dedupe: bool = False
    exclude: Callable[[FeatureTable, np.ndarray, np.ndarray], np.ndarray] | None = None
    ties: str = 'index'


def folders(table: FeatureTable, rows: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yields (identity, camera, rows ordered by frame) of each identity and camera, in ascending order."""
    frames = np.arange(len(table)) if table.frames is None else table.frames
    rows = rows[np.lexsort((frames[rows], table.camids[rows], table.pids[rows]))]
    labels = np.stack([table.pids[rows], table.camids[rows]], axis=1)  # (n, 2)
    starts = np.flatnonzero((np.diff(labels, axis=0) != 0).any(axis=1)) + 1
    for group in np.split(rows, starts):
        if len(group):
            yield int(table.pids[group[0]]), int(table.camids[group[0]]), group


def same_identity_and_camera(table: FeatureTable, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The usual rule of single-modality search: finding a person in the very camera that took the query is no feat."""
    same_pid = table.pids[query][:, None] == table.pids[gallery]
    return same_pid & (table.camids[query][:, None] == table.camids[gallery])


def draw_one_per_folder(groups: list[tuple[int, int, np.ndarray]], seed: int) -> np.ndarray:
    """One image of each of `folders`, by the very calls of the published AGW and LLCM code, (n,)."""
    draws = random.Random(seed)  # the same numbers as random.seed(seed), and the caller's generator untouched
    return np.array([draws.choice(rows) for _, _, rows in groups])


def check_frames(table: FeatureTable, groups: list[tuple[int, int, np.ndarray]]) -> None:
    """Raises ValueError where frames do not number the images of each of `folders`: draws would hang on their order."""
    rows = np.concatenate([rows for _, _, rows in groups])
    name = '`frames`'
    if table.modalities is not None:
        side = 'query' if table.modalities[rows[0]] == NPZ_QUERY else 'gallery'
        name = f'{name} ({side}_frames in a features file)'
    if table.frames is None or not table.frames[rows].any():
        raise ValueError(
            f'Galleries are drawn by frame number, and {name} are missing: number the images of each identity in each '
            'camera from 1, in the order of their files.'
        )
    starts = np.array([table.frames[rows[0]] for _, _, rows in groups])  # folders are ordered by frame
    if not starts.any():
        raise ValueError(f'{name} are counted from 0: add 1, so that each identity in each camera begins with 1.')
    for pid, cam, rows in groups:
        frames = table.frames[rows]
        if frames[0] < 1:
            raise ValueError(f'{name} of identity {pid} in camera {cam} begin with {frames[0]}: expected 1 or more.')
        twice = np.flatnonzero(np.diff(frames) == 0)
        if len(twice):
            images = ' and '.join(table.name_row(row) for row in rows[twice[0] : twice[0] + 2])
            raise ValueError(
                f'{name} must tell the images of identity {pid} in camera {cam} apart: {images} both have number '
                f'{frames[twice[0]]}.'
            )


def check_directions(directions: Sequence[str]) -> tuple[str, ...]:
    """The directions of a search across modalities. Raises ValueError for none and for unknown ones."""
    if not directions or any(direction not in DIRECTIONS for direction in directions):
        raise ValueError(f'Directions are {", ".join(DIRECTIONS)}, not {list(directions)}.')
    return tuple(directions)


def both_sides(table: FeatureTable, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a direction's queries, (Nq,), and of all images that its galleries are drawn from, (Ng,)."""
    query, gallery = direction.split('_to_')
    return rows_of(table, query), rows_of(table, gallery)


def rows_of(table: FeatureTable, modality: str) -> np.ndarray:
    """Rows of one modality, (n,)."""
    if table.modalities is None:
        raise ValueError("This protocol tells 'rgb' from 'ir' images: the table needs `modalities`.")
    rows = np.flatnonzero(table.modalities == modality)
    if not len(rows):
        raise ValueError(f"The table has no image of modality '{modality}'.")
    return rows
