"""Protocols: which test images are queries, which are gallery, and which pairs a query never sees.

A protocol turns a table of images into named settings. A setting is a list of trials (indices into the table), a rule
of exclusion and whether CMC counts identities. Another data set is another small class with `settings`, `describe`.
"""

import os
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from .features import FeatureTable


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


def same_room(table: FeatureTable, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """SYSU-MM01: cameras 2 and 3 stand in one room, so a camera 3 query never sees camera 2, whatever the identity."""
    return (table.camids[query] == 3)[:, None] & (table.camids[gallery] == 2)


def same_identity_and_camera(table: FeatureTable, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The usual rule of single-modality search: finding a person in the very camera that took the query is no feat."""
    same_pid = table.pids[query][:, None] == table.pids[gallery]
    return same_pid & (table.camids[query][:, None] == table.camids[gallery])


class SYSUMM01Protocol:
    """SYSU-MM01's protocol: IR probes of cameras 3 and 6, RGB galleries drawn per identity and camera.

    Settings are named `{mode}_{single|multi}`: `all_single`, `all_multi`, `indoor_single`, `indoor_multi`.

    Args:
        modes (Sequence[str]): Names in `SYSUMM01Protocol.MODES`, which says the gallery cameras of each. `val` is for
            the 99 validation identities, which only cameras 3, 4 and 5 saw.
        shots (Sequence[int]): Images per identity and gallery camera: 1 is named `single`, 10 `multi`, k `{k}shot`.
        gallery_sampling (str, optional): 'official' takes the first images of the published permutations; 'agw' repeats
            the draws of the AGW, CAJ, DDAG and DEEN code (`random.seed(trial)`, then `random.choice` for each identity
            and camera), which knows single-shot only. None takes 'official' where `perm_file` exists, else 'agw' and
            leaves multi-shot search out, with a warning.
        perm_file (str, optional): `rand_perm_cam.mat` of the official evaluation code.
        num_trials (int): 10 in the literature, and at most 10 with the official file.

    Raises:
        ValueError: An unknown mode or sampling, multi-shot search with 'agw', a bad number of shots or trials.
        FileNotFoundError: 'official' without its file.

    Source: Wu et al., ICCV 2017 and its evaluation code; Ye et al., TPAMI 2021 for the 'agw' sampling.
    """

    MODES = {'all': (1, 2, 4, 5), 'indoor': (1, 2), 'val': (4, 5)}
    PROBE_CAMERAS = (3, 6)

    def __init__(
        self,
        modes: Sequence[str] = ('all', 'indoor'),
        shots: Sequence[int] = (1, 10),
        gallery_sampling: str | None = None,
        perm_file: str | None = None,
        num_trials: int = 10,
    ):
        unknown = [mode for mode in modes if mode not in self.MODES]
        if unknown or not modes:
            raise ValueError(f'SYSU-MM01 modes are {", ".join(self.MODES)}, not {list(modes)}.')
        if not shots or min(shots) < 1 or num_trials < 1:
            raise ValueError(f'Shots and trials start at 1, got shots={list(shots)}, num_trials={num_trials}.')
        if gallery_sampling not in ('official', 'agw', None):
            raise ValueError(f"gallery_sampling is 'official', 'agw' or None, not {gallery_sampling!r}.")
        found = perm_file is not None and os.path.isfile(perm_file)
        where = (
            'rand_perm_cam.mat, which comes with the official evaluation code (github.com/wuancong/SYSU-MM01, '
            "evaluation/data_split/) and is best kept in the data set's exp/ folder"
            + ('' if perm_file is None else f'; there is no file {perm_file}')
        )
        if gallery_sampling == 'official' and not found:
            raise FileNotFoundError(f"gallery_sampling='official' needs perm_file={where}.")
        self.gallery_sampling = gallery_sampling or ('official' if found else 'agw')
        if self.gallery_sampling == 'agw' and max(shots) > 1:
            sentence = (
                f"The 'agw' sampling is single-shot only: ask for shots=(1,), or give perm_file={where}, "
                'for the official sampling.'
            )
            if gallery_sampling == 'agw' or 1 not in shots:
                raise ValueError(sentence)
            warnings.warn(f'Multi-shot search is left out. {sentence}', stacklevel=2)
            shots = (1,)
        self.modes, self.shots, self.num_trials = tuple(modes), tuple(shots), num_trials
        self.perm_file = perm_file if self.gallery_sampling == 'official' else None
        self._permutations = _load_permutations(perm_file, num_trials) if self.perm_file else None

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'SYSU-MM01',
            'modes': list(self.modes),
            'shots': list(self.shots),
            'gallery_sampling': self.gallery_sampling,
            'perm_file': self.perm_file,
            'num_trials': self.num_trials,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by name.

        Raises:
            ValueError: Images that the permutation file does not know, no probe or no gallery image.
        """
        if table.frames is None:
            raise ValueError("SYSU-MM01's galleries are drawn by frame number: the table needs `frames`.")
        query = np.flatnonzero(np.isin(table.camids, self.PROBE_CAMERAS))
        if not len(query):
            raise ValueError('SYSU-MM01 probes are images of the IR cameras 3 and 6, and the table has none.')
        settings = {}
        for mode in self.modes:
            cameras = self.MODES[mode]
            gallery = list(folders(table, np.flatnonzero(np.isin(table.camids, cameras))))
            if not gallery:
                raise ValueError(
                    f"Mode '{mode}' draws its gallery from cameras {cameras}: the table has no such image."
                )
            for shot in self.shots:
                name = f'{mode}_{ {1: "single", 10: "multi"}.get(shot, f"{shot}shot") }'
                draw = self._draw_official if self.gallery_sampling == 'official' else self._draw_agw
                trials = [Trial(query, draw(table, gallery, shot, trial)) for trial in range(self.num_trials)]
                settings[name] = Setting(trials, self.gallery_sampling, dedupe=True, exclude=same_room)
        return settings

    def _draw_official(self, table: FeatureTable, gallery: list, shot: int, trial: int) -> np.ndarray:
        """The images that the permutations of a trial begin with, (G,)."""
        chosen = []
        for pid, cam, rows in gallery:
            perm = self._permutations.get((cam, pid))  # (10, n), numbers 1..n
            if perm is None or not np.array_equal(table.frames[rows], np.arange(1, perm.shape[1] + 1)):
                raise ValueError(
                    f'{self.perm_file} is for other data: it knows {0 if perm is None else perm.shape[1]} images of '
                    f'identity {pid} in camera {cam}, numbered from 1; the table has {len(rows)}, '
                    f'numbered {table.frames[rows].min()} to {table.frames[rows].max()}.'
                )
            chosen.append(rows[perm[trial, :shot] - 1])
        return np.concatenate(chosen)

    @staticmethod
    def _draw_agw(table: FeatureTable, gallery: list, shot: int, trial: int) -> np.ndarray:
        """One image a folder, by the very calls of the published code, (G,)."""
        draws = random.Random(trial)  # the same numbers as random.seed(trial), and the caller's generator untouched
        return np.array([draws.choice(rows) for _, _, rows in gallery])


class SingleModalityProtocol:
    """Search within one modality (Table III): one query per identity and camera, all other images are gallery.

    CMC counts images. One setting, `single_modality`.

    Args:
        modality (str): 'rgb' or 'ir'.
        num_trials (int): Seeded draws of the queries. Defaults to 10.
        across_cameras (bool): Hide gallery images of the query's identity *and* camera. Defaults to True; False is for
            one's own images, where no camera is known.
    """

    def __init__(self, modality: str, num_trials: int = 10, across_cameras: bool = True):
        if modality not in ('rgb', 'ir') or num_trials < 1:
            raise ValueError(f"modality is 'rgb' or 'ir' and num_trials at least 1, not {modality!r}, {num_trials}.")
        self.modality, self.across_cameras, self.num_trials = modality, across_cameras, num_trials

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'single modality',
            'modality': self.modality,
            'across_cameras': self.across_cameras,
            'num_trials': self.num_trials,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """The setting by its name. Raises ValueError where the table has no image of the modality."""
        images = _rows_of(table, self.modality)
        trials = []
        for trial in range(self.num_trials):
            draws = np.random.default_rng(trial)
            query = np.array([draws.choice(rows) for _, _, rows in folders(table, images)])
            trials.append(Trial(query, np.setdiff1d(images, query)))
        exclude = same_identity_and_camera if self.across_cameras else None
        return {'single_modality': Setting(trials, 'seeded', exclude=exclude)}


class CrossModalityProtocol:
    """Search across modalities in one's own images, where no camera is known.

    The settings are the directions `ir_to_rgb` and `rgb_to_ir`: all images of the first modality are queries, the
    gallery is drawn from the second. Nothing is excluded; CMC counts images, mAP too.

    Args:
        shots (int): Gallery images per identity (all where it has fewer). Defaults to 1.
        directions (Sequence[str]): Which of the two settings to measure. Defaults to both.
        num_trials (int): Seeded draws of the gallery. Defaults to 10.
    """

    DIRECTIONS = ('ir_to_rgb', 'rgb_to_ir')

    def __init__(self, shots: int = 1, directions: Sequence[str] = DIRECTIONS, num_trials: int = 10):
        if not directions or any(direction not in self.DIRECTIONS for direction in directions):
            raise ValueError(f'Directions are {", ".join(self.DIRECTIONS)}, not {list(directions)}.')
        if shots < 1 or num_trials < 1:
            raise ValueError(f'Shots and trials start at 1, got shots={shots}, num_trials={num_trials}.')
        self.shots, self.directions, self.num_trials = shots, tuple(directions), num_trials

    def describe(self) -> dict:
        """What a result must be published with."""
        return {
            'protocol': 'cross modality',
            'shots': self.shots,
            'directions': list(self.directions),
            'num_trials': self.num_trials,
        }

    def settings(self, table: FeatureTable) -> dict[str, Setting]:
        """Settings by direction. Raises ValueError where the table lacks a modality."""
        settings = {}
        for direction in self.directions:
            query_modality, gallery_modality = direction.split('_to_')
            query, images = _rows_of(table, query_modality), _rows_of(table, gallery_modality)
            images = images[np.argsort(table.pids[images], kind='stable')]
            persons = np.split(images, np.flatnonzero(np.diff(table.pids[images])) + 1)
            trials = []
            for trial in range(self.num_trials):
                draws = np.random.default_rng(trial)
                gallery = [draws.choice(rows, min(self.shots, len(rows)), replace=False) for rows in persons]
                trials.append(Trial(query, np.concatenate(gallery)))
            settings[direction] = Setting(trials, 'seeded')
        return settings


def _rows_of(table: FeatureTable, modality: str) -> np.ndarray:
    """Rows of one modality, (n,)."""
    if table.modalities is None:
        raise ValueError("This protocol tells 'rgb' from 'ir' images: the table needs `modalities`.")
    rows = np.flatnonzero(table.modalities == modality)
    if not len(rows):
        raise ValueError(f"The table has no image of modality '{modality}'.")
    return rows


def _load_permutations(path: str, num_trials: int) -> dict[tuple[int, int], np.ndarray]:
    """Permutations (10, n) of the numbers 1..n by (camera, identity), of the folders that hold images."""
    try:
        cells = loadmat(path)['rand_perm_cam'].ravel()  # 6 cameras
    except (MatReadError, ValueError, KeyError, NotImplementedError) as error:
        raise ValueError(f'{path} is no MATLAB 5 file with a cell array `rand_perm_cam`.') from error
    permutations = {}
    for cam, identities in enumerate(cells, start=1):
        for pid, perm in enumerate(identities.ravel(), start=1):
            if perm.size:
                if len(perm) < num_trials:
                    raise ValueError(f'{path} holds {len(perm)} trials, fewer than num_trials={num_trials}.')
                permutations[cam, pid] = perm.astype(np.int64)  # stored as uint8
    return permutations
