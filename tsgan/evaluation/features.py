"""The one table that evaluation reads: a feature and its labels for every test image."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile, ZipFile

import numpy as np

from tsgan.file_kinds import kind_by_beginning
from tsgan.unpacking import DAMAGED, check_unpacked
from tsgan.whole_files import whole_file

NPZ_QUERY, NPZ_GALLERY = 'ir', 'rgb'  # the modality of `query_*` and of `gallery_*` in a features file
REQUIRED, OPTIONAL = ('feats', 'pids', 'camids'), ('frames', 'paths')
KEYS = [f'{side}_{name}' for side in ('query', 'gallery') for name in REQUIRED + OPTIONAL]
IMAGE_KEYS = (*REQUIRED, 'modalities', 'paths')


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
        paths (np.ndarray, optional): The image's file, (N,), str, '' where it is not known. Nothing is measured by it.

    Raises:
        ValueError: Lengths that differ, a table without rows, features that are not finite, labels of another kind.
    """

    feats: np.ndarray
    pids: np.ndarray
    camids: np.ndarray
    frames: np.ndarray | None = None
    modalities: np.ndarray | None = None
    paths: np.ndarray | None = None

    def __post_init__(self):
        feats = _real_features('Features', self.feats)
        object.__setattr__(self, 'feats', feats)
        for name in ('pids', 'camids', 'frames', 'modalities', 'paths'):
            column = getattr(self, name)
            if column is None and name not in REQUIRED:
                continue
            if name in ('modalities', 'paths'):
                column = _column(name, column, len(feats), 'features').astype(str)
            else:
                column = _integers(name, column, len(feats), 'features')
            if name == 'modalities' and not np.isin(column, ('rgb', 'ir')).all():
                raise ValueError(f"Modalities must be 'rgb' or 'ir', not {sorted(set(column.tolist()))}.")
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.feats)

    def name_row(self, row: int) -> str:
        """What to call an image in a message: its row among those of its modality, and its file where that is known."""
        name = f'row {row}'
        if self.modalities is not None:
            modality = self.modalities[row]
            name = f'row {(self.modalities[:row] == modality).sum()} of the {modality.upper()} images'
        return f'{name} ({self.paths[row]})' if self.paths is not None and self.paths[row] else name

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
        gallery_paths: np.ndarray | None = None,
        query_paths: np.ndarray | None = None,
    ) -> 'FeatureTable':
        """Stacks IR queries (Nq rows) and RGB gallery images (Ng rows) to one table, queries first.

        A frame number that is not given is 0: protocols that sample by frame only ask for the gallery's.
        """
        sides = {
            'query': (query_feats, query_pids, query_camids, query_frames, query_paths, NPZ_QUERY),
            'gallery': (gallery_feats, gallery_pids, gallery_camids, gallery_frames, gallery_paths, NPZ_GALLERY),
        }
        columns = []
        for side, (feats, pids, camids, frames, paths, modality) in sides.items():
            rows = f'{side}_feats'
            feats = _real_features(rows, feats)
            count = len(feats)
            frames = np.zeros(count, np.int64) if frames is None else frames
            paths = np.full(count, '') if paths is None else _column(f'{side}_paths', paths, count, rows).astype(str)
            labels = {'pids': pids, 'camids': camids, 'frames': frames}
            integers = (_integers(f'{side}_{name}', column, count, rows) for name, column in labels.items())
            columns.append((feats, *integers, np.full(count, modality), paths))
        (query_feats, *_), (gallery_feats, *_) = columns
        if query_feats.shape[1] != gallery_feats.shape[1]:
            raise ValueError(
                f'query_feats {query_feats.shape} and gallery_feats {gallery_feats.shape} must be (Nq, D) and (Ng, D).'
            )
        if np.array_equal(query_feats, gallery_feats):
            raise ValueError(
                f'query_feats and gallery_feats are the same {len(query_feats)} features: one of the two was given '
                'twice, where infrared and visible images were expected.'
            )
        *columns, paths = (np.concatenate(pair) for pair in zip(*columns, strict=True))
        return cls(*columns, paths if (paths != '').any() else None)


def _real_features(name: str, feats: np.ndarray) -> np.ndarray:
    """Checked features, (N, D), float. Raises ValueError for anything else, under this name."""
    feats = np.asarray(feats)
    if feats.ndim != 2 or 0 in feats.shape:
        raise ValueError(f'{name} must be a table of shape (N, D), neither of them 0, not {feats.shape}.')
    if feats.dtype.kind not in 'biuf':
        raise ValueError(f'{name} must be real numbers, not {feats.dtype}.')
    if feats.dtype.kind != 'f':
        feats = feats.astype(np.float32)
    bad = ~np.isfinite(feats).all(axis=1)  # (N,)
    if bad.any():
        raise ValueError(
            f'{name} must be finite: {bad.sum()} of {len(feats)} rows hold NaN or infinity, '
            f'the first is row {bad.argmax()}.'
        )
    return feats


def _column(name: str, column: np.ndarray, count: int, rows: str) -> np.ndarray:
    """A column of one value a row, (count,)."""
    column = np.asarray(column)
    if column.shape != (count,):
        raise ValueError(f'{name} has shape {column.shape} beside {count} {rows}: expected one value each, ({count},).')
    return column


def _integers(name: str, column: np.ndarray, count: int, rows: str) -> np.ndarray:
    """A column of whole numbers of any type, (count,), as int64."""
    column = _column(name, column, count, rows)
    if column.dtype.kind not in 'biuf':
        kind = {'U': 'text', 'S': 'text', 'O': 'Python objects'}.get(column.dtype.kind, column.dtype)
        raise ValueError(f'{name} must be integers, not {kind}.')
    if column.dtype.kind in 'uf':
        bad = ~(np.isfinite(column) & (np.abs(column) < 2**62) & (column == np.floor(column)))
        if bad.any():
            row = bad.argmax()
            raise ValueError(f'{name} must be integers: row {row} holds {column[row]}.')
    return column.astype(np.int64)


def check_same_images(a: FeatureTable, b: FeatureTable, names: tuple[str, str] = ('A', 'B')) -> None:
    """Whether two tables are of the same images in the same order; `names` are theirs in the message.

    Raises:
        ValueError: They are not; names the first row that differs.
    """
    if len(a) != len(b):
        raise ValueError(f'Only the same images can be compared: {names[0]} has {len(a)}, {names[1]} has {len(b)}.')
    for name in ('modalities', 'pids', 'camids', 'frames'):
        left, right = getattr(a, name), getattr(b, name)
        if left is None or right is None:
            continue
        differ = left != right
        if name == 'frames':
            differ &= (left > 0) & (right > 0)  # 0: one of the two does not know
        if differ.any():
            row = int(differ.argmax())
            raise ValueError(
                f'Only the same images in the same order can be compared: in {name} {names[0]} has {left[row]} for '
                f'{a.name_row(row)} and {names[1]} has {right[row]} for {b.name_row(row)}.'
            )


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


def save_features(path: str, table: FeatureTable, data_root: str | None = None) -> None:
    """Writes a table as NPZ: `query_*` are its IR images, `gallery_*` its RGB images.

    Keys: `{query,gallery}_{feats,pids,camids,frames}`; frames are 0 where the table has none. Where it knows the files,
    `{query,gallery}_paths` too: relative to `data_root` (str, optional) those below it, the others as they are.
    """
    if table.modalities is None:
        raise ValueError('A features file tells IR from RGB images: the table needs `modalities`.')
    columns = {name: getattr(table, name) for name in REQUIRED + OPTIONAL}
    if table.frames is None:
        columns['frames'] = np.zeros(len(table), np.int64)
    if table.paths is None:
        del columns['paths']
    elif data_root is not None:
        columns['paths'] = np.array([_below(data_root, file) for file in table.paths.tolist()])
    arrays = {
        f'{side}_{name}': column[table.modalities == modality]
        for side, modality in (('query', NPZ_QUERY), ('gallery', NPZ_GALLERY))
        for name, column in columns.items()
    }
    _write(path, arrays)


def save_image_features(path: str, feats: np.ndarray, rows: Sequence, model: str, fingerprint: str) -> None:
    """Writes features of loose images as NPZ, with what is known of each.

    Keys: `feats` (N, D) float32; `paths`, `identities`, `modalities` (N,) str, '' where not known; `pids`, `camids`
    (N,) int64, -1 where not known; `model`, `fingerprint` str, what made the features. A pid is the identity's number
    where all that are known are numbers, else its place among their sorted names: `identities` say who it is in any
    file. A camid is the number in the camera's name.

    Args:
        path (str): The file.
        feats (np.ndarray): (N, D).
        rows (Sequence): N rows with `path`, `identity`, `camera` and `modality`, as of a `ReIDInferencer`.
        model (str): Name of the model.
        fingerprint (str): What tells it from others.
    """
    _write(
        path,
        {
            'feats': np.asarray(feats, np.float32),
            **image_labels(rows),
            'model': np.array(model),
            'fingerprint': np.array(fingerprint),
        },
    )


def image_labels(rows: Sequence) -> dict[str, np.ndarray]:
    """What is known of loose images: `paths` and other keys of :func:`save_image_features`.

    Args:
        rows (Sequence): N rows with `path`, `identity`, `camera` and `modality`, as of a `ReIDInferencer`.
    """
    identities = [row.identity for row in rows]
    names = sorted({name for name in identities if name is not None})
    numbers = map(int, names) if all(name.isdecimal() for name in names) else range(len(names))
    pids = dict(zip(names, numbers, strict=True))
    return {
        'paths': _texts([row.path for row in rows]),
        'identities': _texts(identities),
        'pids': np.array([pids.get(name, -1) for name in identities], np.int64),
        'camids': np.array([camera_number(row.camera) for row in rows], np.int64),
        'modalities': _texts([row.modality for row in rows]),
    }


def camera_number(camera: str | None) -> int:
    """The number in a camera's name, such as 3 of `cam3`; -1 where there is none."""
    return int(re.sub(r'\D', '', camera or '') or -1)


def _texts(column: list[str | None]) -> np.ndarray:
    return np.array([value or '' for value in column], dtype=str)


def _write(path: str, arrays: dict[str, np.ndarray]) -> None:
    """As NPZ."""
    with whole_file(path) as unfinished, unfinished.open('wb') as file:  # by a name, savez would write to NAME.npz
        np.savez(file, **arrays)


def _below(root: str, file: str) -> str:
    return Path(file).relative_to(root).as_posix() if Path(file).is_relative_to(root) else file


def load_features(path: str) -> FeatureTable:
    """Reads what `save_features` wrote, or anybody's file with the same keys (frames and paths may be absent).

    Nothing in it is ever unpickled: what a pickle holds, it runs.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It is no NPZ file, lacks an array, or holds what `FeatureTable` refuses.
    """
    arrays = _read_arrays(path, KEYS, REQUIRED)
    try:
        return FeatureTable.from_query_gallery(**arrays)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def holds_image_features(path: str) -> bool:
    """Whether a file is of loose images, as `save_image_features` writes it, rather than of a test."""
    try:
        with ZipFile(path) as archive:
            return 'feats.npy' in archive.namelist()
    except DAMAGED:  # whoever reads it says what is wrong
        return False


def load_image_features(path: str) -> FeatureTable:
    """Reads what `save_image_features` wrote: the images of which identity and modality are known.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It is no such file, or nobody in it is known.
    """
    arrays = _read_arrays(path, IMAGE_KEYS, IMAGE_KEYS)
    try:
        known = (arrays['pids'] >= 0) & np.isin(arrays['modalities'], ('rgb', 'ir'))
        if not known.any():
            raise ValueError('of no image both identity and modality are known: expected folders of identities.')
        return FeatureTable(**{name: column[known] for name, column in arrays.items()})
    except (ValueError, IndexError, TypeError) as error:
        raise ValueError(f'{path}: {error}') from error


def load_labelled_features(path: str) -> tuple[dict[str, np.ndarray], str, str]:
    """Features with their labels from either kind of file, and what made them.

    Returns:
        tuple[dict[str, np.ndarray], str, str]: `feats` (N, D), `identities` (N,) str, '' where not known, `pids`,
        `camids` (N,) int, -1 where not known, `modalities` (N,) str; the model's name and fingerprint, '' of a test's
        features, which do not say.

    Raises:
        OSError: There is no such file, or it cannot be opened.
        ValueError: It is no such file.
    """
    if not holds_image_features(path):
        table = load_features(path)
        columns = {name: getattr(table, name) for name in (*REQUIRED, 'modalities')}
        return {**columns, 'identities': table.pids.astype(str)}, '', ''
    keys = (*REQUIRED, 'modalities', 'identities', 'model', 'fingerprint')
    arrays = _read_arrays(path, keys, keys)
    model, fingerprint = (str(arrays.pop(name)) for name in ('model', 'fingerprint'))
    return arrays, model, fingerprint


def _read_arrays(path: str, keys: Sequence[str], required: Sequence[str]) -> dict[str, np.ndarray]:
    """The arrays of some keys that an NPZ file holds; those that end as one of the required must be there."""
    with open(path, 'rb') as file:
        begin = file.read(512)
    if not begin.startswith(b'PK'):
        raise ValueError(f'{path} is no NPZ file but {_kind(begin)}: expected what numpy.savez writes.')
    with suppress(BadZipFile):  # which is said below
        check_unpacked(path)
    try:
        with ZipFile(path) as archive:
            members = {name.removesuffix('.npy'): name for name in archive.namelist() if name.endswith('.npy')}
            missing = [name for name in keys if name.endswith(tuple(required)) and name not in members]
            objects = [name for name in keys if name in members and _holds_objects(archive, members[name])]
            if not missing and not objects:
                return {name: _read_array(archive, members[name]) for name in keys if name in members}
            others = archive.namelist()
    except (*DAMAGED, TokenError, MemoryError, OverflowError) as error:  # the last three of an array's header
        raise ValueError(f'{path} is no NPZ file of arrays, or a damaged one ({error}).') from error
    if not members:
        what = 'a PyTorch file' if any(name.endswith('/data.pkl') for name in others) else 'a ZIP archive'
        raise ValueError(f'{path} is no NPZ file but {what} without arrays: expected what numpy.savez writes.')
    if missing:
        raise ValueError(f'{path} lacks {", ".join(missing)}; it holds {", ".join(sorted(members))}.')
    raise ValueError(
        f'{path}: {", ".join(objects)} of Python objects, which only running code from the file could read: save '
        'numbers (paths as text), such as numpy.array(column, dtype=int).'
    )


def _kind(begin: bytes) -> str:
    """What a file seems to be by its first bytes."""
    if known := kind_by_beginning(begin):
        return known
    if begin.startswith(b'\x80'):
        return 'a Python pickle'
    control = any(byte < 9 or 13 < byte < 32 for byte in begin)
    return 'of another kind' if control else 'a text file'


def _holds_objects(archive: ZipFile, member: str) -> bool:
    """Whether an array's numbers are Python objects, from its header alone.

    Raises:
        ValueError: The header tells of more numbers than there are, for which NumPy would make room.
    """
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        there = archive.getinfo(member).file_size - file.tell()
    if not dtype.hasobject and math.prod(shape) * dtype.itemsize != there:
        raise ValueError(f'{member} has {there} bytes, where {shape} of {dtype} were expected')
    return dtype.hasobject


def _read_array(archive: ZipFile, member: str) -> np.ndarray:
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)
