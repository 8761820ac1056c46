"""By what a data set's test images are known: a protocol is refused where its data set cannot be what it was given."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..features import FeatureTable

SYSU_RGB, SYSU_IR = (1, 2, 4, 5), (3, 6)
LLCM_RGB, LLCM_IR = (1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 4, 5, 6, 7, 8, 9)


class Layout(NamedTuple):
    """The cameras of a data set: in words, and whether sets of RGB and of IR cameras may be (some of) them."""

    cameras: str
    fits: Callable[[set[int], set[int]], bool]


LAYOUTS = {
    'SYSU-MM01': Layout(
        'RGB cameras 1, 2, 4, 5 and IR cameras 3, 6', lambda rgb, ir: rgb <= set(SYSU_RGB) and ir <= set(SYSU_IR)
    ),
    'RegDB': Layout('one RGB and one IR camera', lambda rgb, ir: len(rgb) <= 1 and len(ir) <= 1),
    'LLCM': Layout(
        'RGB cameras 1 to 9 and IR cameras 1, 2, 4 to 9, some of them the same',
        lambda rgb, ir: rgb <= set(LLCM_RGB) and ir <= set(LLCM_IR) and bool(rgb & ir),
    ),
}


def check_cameras(name: str, table: FeatureTable) -> None:
    """Whether a table's cameras may be those of a data set.

    Raises:
        ValueError: They cannot be; says what is expected, what is there, and which data set it fits.
    """
    rgb, ir = (set(table.camids[table.modalities == modality].tolist()) for modality in ('rgb', 'ir'))
    if LAYOUTS[name].fits(rgb, ir):
        return
    others = [other for other, layout in LAYOUTS.items() if other != name and layout.fits(rgb, ir)]
    if LAYOUTS[name].fits(ir, rgb):
        hint = 'with the modalities swapped these are right (in a features file query_* are IR, gallery_* RGB images)'
    elif others:
        hint = f'such are those of {" or ".join(others)}'
    elif LAYOUTS[name].fits({cam + 1 for cam in rgb}, {cam + 1 for cam in ir}):
        hint = 'they seem to be counted from 0, where 1 is expected'
    else:
        hint = 'such are those of no data set known here'
    raise ValueError(
        f"{name}'s protocol expects {LAYOUTS[name].cameras}; the images are of {_cameras('RGB', rgb)} and "
        f'{_cameras("IR", ir)}: {hint}.'
    )


def check_counts(name: str, table: FeatureTable, num_ids: int, num_images: int | None = None) -> None:
    """Warns where a table holds other numbers than a data set's test images: measured all the same, as one's own data.

    Args:
        name (str): The data set.
        table (FeatureTable): What is measured.
        num_ids (int): Its test identities.
        num_images (int, optional): Images of each identity in each modality. Defaults to None: they differ.
    """
    ids = len(np.unique(table.pids))
    _, images = np.unique(np.stack([table.pids, table.modalities == 'ir'], axis=1), axis=0, return_counts=True)
    few, most = images.min(), images.max()
    expected, seen = f'{num_ids} test identities', f'{ids}'
    if num_images is not None:
        expected += f' with {num_images} images in each modality'
        seen += f' with {few}' if few == most else f' with {few} to {most}'
    if ids != num_ids or (num_images is not None and not few == most == num_images):
        warnings.warn(
            f'{name} has {expected}, these are of {seen}: not comparable with published results.', stacklevel=3
        )


def _cameras(modality: str, numbers: set[int]) -> str:
    if not numbers:
        return f'no {modality} camera'
    shown = ', '.join(map(str, sorted(numbers)[:9])) + (', ...' if len(numbers) > 9 else '')
    return f'{modality} camera{"s" if len(numbers) > 1 else ""} {shown}'
