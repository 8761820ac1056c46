from pathlib import Path

import cv2
import numpy as np
import pytest


def write_image(path, seed=0):
    """A 16 x 8 noise image; the folder is made too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 256, (16, 8, 3), dtype=np.uint8))


@pytest.fixture(name='write_image')
def _write_image():
    return write_image


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


@pytest.fixture
def rows():
    """Gives (path below the root, pid, camid, modality, frame) of every image of a data set, in its order."""
    keys = ('pid', 'camid', 'modality', 'frame')
    return lambda dataset: [
        (row['img_path'].removeprefix(f'{dataset.data_root}/'), *(row[key] for key in keys)) for row in dataset
    ]


def write_list(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))


# split -> subset -> the folders of its identities, whose labels are their places here
REGDB = {1: {'train': [3, 1], 'test': [10, 2]}, 2: {'train': [2, 3, 10], 'test': [1]}}


@pytest.fixture
def regdb_root(tmp_path) -> Path:
    """RegDB in small: four identities, two visible and three thermal images each, listed in an order of their own."""
    root = tmp_path / 'RegDB'
    files = {
        'visible': {pid: [f'Visible/{pid}/male_front_v_0000{i}_{pid}.bmp' for i in (7, 2)] for pid in (1, 2, 3, 10)},
        'thermal': {pid: [f'Thermal/{pid}/male_front_t_0000{i}_{pid}.bmp' for i in (4, 9, 5)] for pid in (1, 2, 3, 10)},
    }
    for name, identities in files.items():
        for i, file in enumerate(file for images in identities.values() for file in images):
            write_image(root / file, seed=i)
        for split, subsets in REGDB.items():
            for subset, pids in subsets.items():
                lines = [f'{file} {label}' for label, pid in enumerate(pids) for file in identities[pid]]
                write_list(root / 'idx' / f'{subset}_{name}_{split}.txt', lines)
    return root


# modality -> identity (its label is its place) -> (camera, frame number in the file's name) of each image
LLCM_TRAIN = {
    'vis': {1: [(1, 7010), (1, 90), (9, 1)], 12: [(3, 5)]},
    'nir': {1: [(1, 8)], 12: [(4, 30), (4, 4), (2, 6)]},
}
# modality -> camera -> identity -> files
LLCM_TEST = {
    'vis': {1: {4: ['b.jpg', 'a.jpg']}, 3: {4: ['c.jpg'], 1064: ['d.jpg']}, 9: {1064: ['10.jpg', '9.jpg']}},
    'nir': {1: {4: ['e.jpg']}, 8: {1064: ['f.jpg', 'g.jpg']}},
}


@pytest.fixture
def llcm_root(tmp_path) -> Path:
    """LLCM in small: training identities 1 and 12, test identities 4 and 1064."""
    root = tmp_path / 'LLCM'
    for name, identities in LLCM_TRAIN.items():
        lines = []
        for label, (pid, images) in enumerate(identities.items()):
            for cam, frame in images:
                file = f'{name}/{pid:04d}/{pid:04d}_c{cam:02d}_s185535_f{frame}_{name}.jpg'
                write_image(root / file, seed=frame)
                lines.append(f'{file} {label}')
        write_list(root / 'idx' / f'train_{name}.txt', lines)
    write_list(root / 'idx' / 'test_id.txt', ['1064,4'])
    for name, cameras in LLCM_TEST.items():
        for cam in range(1, 10):
            if (name, cam) != ('nir', 3):
                (root / f'test_{name}' / f'cam{cam}').mkdir(parents=True)
            for pid, files in cameras.get(cam, {}).items():
                for file in files:
                    write_image(root / f'test_{name}' / f'cam{cam}' / f'{pid:04d}' / file)
    return root
