from pathlib import Path

import cv2
import numpy as np
import pytest


def write_image(path, seed=0):
    """A 16 x 8 noise image; the folder is made too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (16, 8, 3), dtype=np.uint8))


# camera -> identity -> frames; identity 5 is a test identity that camera 3 never saw
SYSU = {
    1: {2: [1, 2, 3], 9: [1, 2], 5: [1, 2]},
    2: {2: [1, 2], 5: [3, 10]},
    3: {2: [1, 2], 9: [1], 40: [1, 2]},
    4: {9: [4], 40: [1, 2, 3], 5: [1]},
    5: {40: [1]},
    6: {2: [1], 5: [7, 8]},
}


@pytest.fixture
def sysu_root(tmp_path) -> Path:
    """SYSU-MM01 in small: train ids 2 and 9, val id 40, test id 5."""
    root = tmp_path / 'SYSU-MM01'
    for cam, identities in SYSU.items():
        for pid, frames in identities.items():
            for frame in frames:
                write_image(root / f'cam{cam}' / f'{pid:04d}' / f'{frame:04d}.jpg', seed=frame)
    (root / 'exp').mkdir()
    for name, ids in {'train': '2,9', 'val': '40', 'test': '5'}.items():
        (root / 'exp' / f'{name}_id.txt').write_text(ids + '\n')
    return root


@pytest.fixture
def folder_root(tmp_path) -> Path:
    """Ten identities with awkward names, two RGB and three IR images each."""
    root = tmp_path / 'own'
    for name in ['anna', 'Ben', '10', '9', 'mé', 'with space', 'x.y', 'a-b', 'id_1', 'zoe']:
        for file in ['b.png', 'a.jpg']:
            write_image(root / 'rgb' / name / file)
        for file in ['3.bmp', '1.JPG', '2.webp']:
            write_image(root / 'ir' / name / file)
    return root
