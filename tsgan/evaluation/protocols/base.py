"""What protocols are made of: trials, settings, and the rules by which images are grouped and pairs excluded."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..features import FeatureTable

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
    """

    trials: list[Trial]
    sampling: str
    dedupe: bool = False
    exclude: Callable[[FeatureTable, np.ndarray, np.ndarray], np.ndarray] | None = None


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
    for pid, cam, rows in groups:
        if table.frames is None or table.frames[rows[0]] < 1 or (np.diff(table.frames[rows]) == 0).any():
            raise ValueError(
                'Galleries are drawn by frame number: `frames` (in a features file gallery_frames, and query_frames '
                f'for the other direction) must number the {len(rows)} images of identity {pid} in camera {cam} apart, '
                'from 1.'
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
