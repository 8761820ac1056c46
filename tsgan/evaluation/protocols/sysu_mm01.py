import os
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..features import FeatureTable
from .base import Setting, Trial, check_frames, draw_one_per_folder, folders
from .layouts import SYSU_IR, SYSU_RGB, check_cameras
from .matlab import read_cells


def same_room(table: FeatureTable, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """SYSU-MM01: cameras 2 and 3 stand in one room, so a camera 3 query never sees camera 2, whatever the identity."""
    return (table.camids[query] == 3)[:, None] & (table.camids[gallery] == 2)


class SYSUMM01Protocol:
    """SYSU-MM01's protocol: IR probes of cameras 3 and 6, RGB galleries drawn per identity and camera.

    Settings are named `{mode}_{single|multi}`: `all_single`, `all_multi`, `indoor_single`, `indoor_multi`.

    Args:
        modes (Sequence[str]): Names in `SYSUMM01Protocol.MODES`, which says the gallery cameras of each. `val` is for
            the 99 validation identities, which only cameras 3, 4 and 5 saw.
        shots (Sequence[int]): Images per identity and gallery camera: 1 is named `single`, 10 `multi`, k `{k}shot`.
        gallery_sampling (str, optional): 'official' takes the first images of the published permutations; 'agw' repeats
            the draws of AGW's family of code (`random.seed(trial)`, as DDAG and DEEN have it, then `random.choice` for
            each identity and camera), which knows single-shot only. None takes 'official' where `perm_file` exists,
            else 'agw' and leaves multi-shot search out, with a warning.
        perm_file (str, optional): `rand_perm_cam.mat` of the official evaluation code.
        num_trials (int): 10 in the literature, and at most 10 with the official file.

    Raises:
        ValueError: An unknown mode or sampling, multi-shot search with 'agw', a bad number of shots or trials.
        FileNotFoundError: 'official' without its file.

    Source: Wu et al., ICCV 2017 and its evaluation code; Ye et al., TPAMI 2021 (AGW) and ECCV 2020 (DDAG) for the 'agw'
    sampling.
    """

    MODES = {'all': SYSU_RGB, 'indoor': (1, 2), 'val': (4, 5)}
    PROBE_CAMERAS = SYSU_IR

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
            ValueError: Cameras that cannot be SYSU-MM01's, frames that do not number the images or that the permutation
                file does not know, no probe or no gallery image.
        """
        if table.modalities is None:  # which the camera tells
            table = replace(table, modalities=np.where(np.isin(table.camids, self.PROBE_CAMERAS), 'ir', 'rgb'))
        check_cameras('SYSU-MM01', table)
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
            check_frames(table, gallery)
            for shot in self.shots:
                name = f'{mode}_{ {1: "single", 10: "multi"}.get(shot, f"{shot}shot") }'
                trials = [Trial(query, self._draw(table, gallery, shot, trial)) for trial in range(self.num_trials)]
                settings[name] = Setting(trials, self.gallery_sampling, dedupe=True, exclude=same_room)
        return settings

    def _draw(self, table: FeatureTable, gallery: list, shot: int, trial: int) -> np.ndarray:
        """A trial's gallery, (G,): with official sampling, the images that its permutations begin with."""
        if self.gallery_sampling == 'agw':
            return draw_one_per_folder(gallery, seed=trial)
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


def _load_permutations(path: str, num_trials: int) -> dict[tuple[int, int], np.ndarray]:
    """Permutations (10, n) of the numbers 1..n by (camera, identity), of the folders that hold images."""
    perms = {
        (cam, pid): perm.astype(int)  # stored as uint8
        for cam, cell in enumerate(read_cells(path, 'rand_perm_cam'), start=1)
        for pid, perm in enumerate(cell, start=1)
        if perm.size
    }
    for (cam, pid), perm in perms.items():
        if perm.ndim != 2 or (np.sort(perm, axis=1) != np.arange(1, perm.shape[1] + 1)).any():
            raise ValueError(
                f'{path} is damaged: expected permutations of 1 to n, a row a trial, for camera {cam}, identity {pid}.'
            )
        if len(perm) < num_trials:
            raise ValueError(f'{path} holds {len(perm)} trials, fewer than num_trials={num_trials}.')
    return perms
