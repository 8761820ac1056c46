"""The one table that evaluation reads: a feature and its labels for every test image."""

import os
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

NPZ_QUERY, NPZ_GALLERY = 'ir', 'rgb'  # the modality of `query_*` and of `gallery_*` in a features file
KEYS = [f'{side}_{name}' for side in ('query', 'gallery') for name in ('feats', 'pids', 'camids', 'frames')]


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features and labels of all test images of both modalities, row by row, checked when made.

    Args:
        feats (np.ndarray): Features, (N, D), of any float type and norm; kept in that type.
        pids (np.ndarray): Identities, (N,), int.
        camids (np.ndarray): Cameras, (N,), int.
        frames (np.ndarray, optional): Number of the image in its camera / identity folder, (N,), int, from 1; 0 where
            it is not known.
        modalities (np.ndarray, optional): 'rgb' or 'ir', (N,), str.

    Raises:
        ValueError: Lengths that differ, a table without rows, features that are not finite, labels of another kind.
    """

    feats: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    frames: np.ndarray | None = None
    modalities: np.ndarray | None = None

    def __post_init__(self):
        feats = np.asarray(self.feats)
        if feats.ndim != 2 or 0 in feats.shape:
            raise ValueError(f'Features must be a table of shape (N, D) with at least one row, not {feats.shape}.')
        if feats.dtype.kind not in 'biuf':
            raise ValueError(f'Features must be real numbers, not {feats.dtype}.')
        if feats.dtype.kind != 'f':
            feats = feats.astype(np.float32)
        bad = ~np.isfinite(feats).all(axis=1)  # (N,)
        if bad.any():
            raise ValueError(
                f'Features must be finite: {bad.sum()} of {len(feats)} rows hold NaN or infinity, '
                f'the first is row {bad.argmax()}.'
            )
        object.__setattr__(self, 'feats', feats)
        for name in ('pids', 'camids', 'frames', 'modalities'):
            column = getattr(self, name)
            if column is None and name in ('frames', 'modalities'):
                continue
            column = np.asarray(column)
            if column.shape != (len(feats),):
                raise ValueError(f'{name} has shape {column.shape} beside {len(feats)} features: one value a feature.')
            if name == 'modalities':
                column = column.astype(str)
                if not np.isin(column, ('rgb', 'ir')).all():
                    raise ValueError(f"Modalities must be 'rgb' or 'ir', not {sorted(set(column.tolist()))}.")
            elif column.dtype.kind not in 'biuf' or (column != np.nan_to_num(column).astype(np.int64)).any():
                raise ValueError(f'{name} must be integers.')
            else:
                column = column.astype(np.int64)
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.feats)

    @classmethod
    def from_query_gallery(
        cls,
        query_feats: np.ndarray,
        query_pids: np.ndarray,
        query_camids: np.ndarray,
        gallery_feats: np.ndarray,
        gallery_pids: np.ndarray,
        gallery_camids: np.ndarray,
        gallery_frames: np.ndarray | None = None,
        query_frames: np.ndarray | None = None,
    ) -> 'FeatureTable':
        """Stacks IR queries (Nq rows) and RGB gallery images (Ng rows) to one table, queries first.

        A frame number that is not given is 0: protocols that sample by frame only ask for the gallery's.
        """
        query_feats, gallery_feats = np.asarray(query_feats), np.asarray(gallery_feats)
        for side, feats in (('query', query_feats), ('gallery', gallery_feats)):
            if not feats.size:
                raise ValueError(f'{side}_feats is empty: its shape is {feats.shape}.')
        sides = {
            'query': (query_feats, query_pids, query_camids, query_frames, NPZ_QUERY),
            'gallery': (gallery_feats, gallery_pids, gallery_camids, gallery_frames, NPZ_GALLERY),
        }
        if query_feats.ndim != 2 or gallery_feats.ndim != 2 or query_feats.shape[1] != gallery_feats.shape[1]:
            raise ValueError(
                f'query_feats {query_feats.shape} and gallery_feats {gallery_feats.shape} must be (Nq, D) and (Ng, D).'
            )
        columns = []
        for side, (feats, pids, camids, frames, modality) in sides.items():
            count = len(feats)
            frames = np.zeros(count, np.int64) if frames is None else frames
            for name, column in (('pids', pids), ('camids', camids), ('frames', frames)):
                if np.shape(column) != (count,):
                    raise ValueError(f'{side}_{name} has shape {np.shape(column)} beside {count} {side}_feats.')
            columns.append((feats, pids, camids, frames, np.full(count, modality)))
        return cls(*(np.concatenate(pair) for pair in zip(*columns, strict=True)))


def l2_normalize(feats: np.ndarray) -> np.ndarray:
    """Rows of unit length, (N, D) float32; a row of zeros stays as it is."""
    unit = np.empty(feats.shape, np.float32)
    for start in range(0, len(feats), 4096):  # a copy of all features in float64 would be the largest of all arrays
        block = feats[start : start + 4096].astype(np.float64)  # float64: squares of large features overflow float32
        norm = np.sqrt(np.einsum('nd,nd->n', block, block))
        unit[start : start + 4096] = block / np.maximum(norm, np.finfo(np.float64).tiny)[:, None]
    return unit


def centre(feats: np.ndarray) -> np.ndarray:
    """Features less their mean, scaled to coordinates in [-1, 1], (N, D) float32.

    Distances keep their order and their ratios. Products of such features lose least in float32: what all features
    have in common says nothing, and would take most of the digits.
    """
    if feats.dtype != np.float64:
        feats = feats.astype(np.float32, copy=False)
    if (feats == feats[0]).all():
        return np.zeros(feats.shape, np.float32)
    mean = feats.mean(axis=0, dtype=np.float64).astype(feats.dtype)  # (D,)
    centred = feats - mean
    centred /= max(centred.max(), -centred.min())
    return centred.astype(np.float32, copy=False)


def first_equal(feats: np.ndarray) -> np.ndarray:
    """Of each row, the first that equals it, (N,) int: a matrix product may round the distances to equals apart."""
    first, seen = np.arange(len(feats)), {}
    _, group, count = np.unique(feats[:, :4], axis=0, return_inverse=True, return_counts=True)
    for row in np.flatnonzero(count[group.ravel()] > 1):  # equal in the first coordinates, most likely none
        first[row] = seen.setdefault(feats[row].tobytes(), row)
    return first


def save_features(path: str, table: FeatureTable) -> None:
    """Writes a table as NPZ: `query_*` are its IR images, `gallery_*` its RGB images.

    Keys: `{query,gallery}_{feats,pids,camids,frames}`; frames are 0 where the table has none.
    """
    if table.modalities is None:
        raise ValueError('A features file tells IR from RGB images: the table needs `modalities`.')
    frames = np.zeros(len(table), np.int64) if table.frames is None else table.frames
    arrays = {}
    for side, modality in (('query', NPZ_QUERY), ('gallery', NPZ_GALLERY)):
        rows = table.modalities == modality
        arrays[f'{side}_feats'] = table.feats[rows]
        arrays[f'{side}_pids'] = table.pids[rows]
        arrays[f'{side}_camids'] = table.camids[rows]
        arrays[f'{side}_frames'] = frames[rows]
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    np.savez(path, **arrays)


def load_features(path: str) -> FeatureTable:
    """Reads what `save_features` wrote, or anybody's file with the same keys (frames may be absent).

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no NPZ file, lacks an array, or holds what `FeatureTable` refuses.
    """
    try:
        file = np.load(path)
        arrays = {name: file[name] for name in KEYS if name in file} if isinstance(file, np.lib.npyio.NpzFile) else None
    except FileNotFoundError:
        raise
    except (ValueError, OSError, EOFError, BadZipFile) as error:
        raise ValueError(f'{path} is no NPZ file of arrays, or a damaged one ({error}).') from error
    if arrays is None:
        raise ValueError(f'{path} holds a single array: expected an NPZ file of arrays by name.')
    missing = [name for name in KEYS if name not in arrays and not name.endswith('_frames')]
    if missing:
        raise ValueError(f'{path} lacks {", ".join(missing)}.')
    try:
        return FeatureTable.from_query_gallery(**arrays)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error
