from dataclasses import replace

import numpy as np
import pytest
from scipy.io import savemat

from tsgan.evaluation import FeatureTable

# Images of each (camera, identity) of a tiny data set in SYSU-MM01's cameras. Identity 2 was never in camera 1 or 2,
# identity 5 only in IR, identity 7 in no IR camera.
SIZES = {
    (1, 1): 4, (2, 1): 3, (3, 1): 2, (4, 1): 12, (6, 1): 3,
    (3, 2): 2, (4, 2): 5, (5, 2): 11, (6, 2): 2,
    (1, 4): 2, (2, 4): 13, (3, 4): 3, (5, 4): 3,
    (3, 5): 2, (6, 5): 2,
    (2, 7): 3, (5, 7): 4,
}  # fmt: skip


@pytest.fixture
def table():
    """Features with some structure by identity, in shuffled rows."""
    labels = [(pid, cam, frame) for (cam, pid), size in SIZES.items() for frame in range(1, size + 1)]
    draws = np.random.default_rng(0)
    pids, camids, frames = draws.permutation(np.array(labels)).T
    feats = draws.normal(size=(8, 6))[pids] + draws.normal(size=(len(pids), 6))
    return FeatureTable(feats.astype(np.float32), pids, camids, frames, np.where(np.isin(camids, (3, 6)), 'ir', 'rgb'))


@pytest.fixture
def regdb_table(table):
    """The same images under RegDB's two cameras."""
    return replace(table, camids=np.where(table.modalities == 'ir', 2, 1))


@pytest.fixture
def llcm_table(table):
    """The same images under cameras of LLCM, of which two take both modalities."""
    cameras = np.arange(7)
    cameras[[3, 6]] = 4, 5
    return replace(table, camids=cameras[table.camids])


@pytest.fixture
def perm_file(tmp_path):
    """The tiny data set's permutations in the official format: 6 cells of identities, each (10, n) uint8."""
    draws = np.random.default_rng(1)
    cameras = np.empty((6, 1), object)
    for cam in range(1, 7):
        cameras[cam - 1, 0] = identities = np.empty((1, 7), object)
        for pid in range(1, 8):
            size = SIZES.get((cam, pid), 0)
            perms = [draws.permutation(size) + 1 for _ in range(10)]
            identities[0, pid - 1] = np.array(perms, np.uint8).reshape(10, size)
    path = tmp_path / 'rand_perm_cam.mat'
    savemat(path, {'rand_perm_cam': cameras})
    return str(path)
