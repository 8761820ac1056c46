import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_lines import run
from scipy.io import loadmat

from tsgan.datasets.synthetic import contact_sheet, identity, image_rng, render_dataset, render_image
from tsgan.datasets.synthetic.clothes import Surface

REPO = Path(__file__).parents[2]
SMALL = {'num_train': 3, 'num_val': 2, 'num_test': 2, 'num_pretrain': 2, 'frames': 3, 'size': (48, 24), 'seed': 7}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return render_dataset(tmp_path_factory.mktemp('synthetic') / 'data', **SMALL, workers=2)


def pictures(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.glob('cam*/*/*.jpg'))}


def ids(root, name):
    return [int(pid) for pid in (root / 'exp' / f'{name}_id.txt').read_text().split(',')]


def test_layout_and_lists_are_those_of_sysu_mm01(root):
    assert ids(root, 'train') == [1, 2, 3]
    assert ids(root, 'val') == [4, 5]
    assert ids(root, 'test') == [6, 7]
    assert ids(root, 'available') == [1, 2, 3, 4, 5, 6, 7]
    assert ids(root, 'pretrain') == [8, 9]
    assert all(len(file.read_text().splitlines()) == 1 for file in (root / 'exp').glob('*.txt'))
    expected = {
        Path(f'cam{cam}/{pid:04d}/{frame:04d}.jpg')
        for cam in range(1, 7)
        for pid in range(1, 10)
        for frame in (1, 2, 3)
        if pid < 8 or cam in (1, 2, 4, 5)
    }
    assert set(pictures(root)) == expected


def test_pictures_have_the_asked_size_and_infrared_has_equal_channels(root):
    for cam in range(1, 7):
        image = cv2.imread(str(root / f'cam{cam}' / '0001' / '0001.jpg'))
        assert image.shape == (48, 24, 3)
        equal = (image == image[..., :1]).all()
        assert equal == (cam in (3, 6))


def test_permutations_have_the_official_form(root):
    cameras = loadmat(root / 'exp' / 'rand_perm_cam.mat')['rand_perm_cam']
    assert cameras.shape == (6, 1)
    for cam in range(1, 7):
        cells = cameras[cam - 1, 0].ravel()
        for pid in range(1, 10):
            frames = len(list((root / f'cam{cam}' / f'{pid:04d}').glob('*.jpg')))
            assert cells[pid - 1].dtype == np.uint8
            assert cells[pid - 1].shape == (10, frames)
            assert (np.sort(cells[pid - 1], axis=1) == np.arange(1, frames + 1)).all()


def test_pictures_do_not_depend_on_the_number_of_workers(root, tmp_path):
    render_dataset(tmp_path, **SMALL, workers=1)
    assert pictures(tmp_path) == pictures(root)
    assert (tmp_path / 'exp/rand_perm_cam.mat').exists()


# (pid, camera, frame) of the default set, seed 1 -> means of 4 x 2 parts of the picture, in gray levels
DEFAULT_SET = {
    (1, 1, 1): [[63.4, 43.7], [78.4, 59.5], [78.8, 66.9], [79.0, 82.1]],
    (205, 3, 7): [[93.5, 67.8], [104.4, 85.7], [103.2, 110.3], [78.8, 50.9]],
    (396, 6, 12): [[66.0, 41.7], [86.0, 47.8], [58.3, 56.1], [52.9, 34.8]],
}


@pytest.mark.parametrize('image', DEFAULT_SET)
def test_the_default_set_stays_what_results_stand_on(image):
    pid, cam, frame = image
    picture = render_image(identity(1, pid), cam, image_rng(1, cam, pid, frame), seed=1)
    means = picture.reshape(4, 24, 2, 24, 3).mean(axis=(1, 3, 4))
    np.testing.assert_allclose(means, DEFAULT_SET[image], atol=0.2)  # CPUs round otherwise, by far less


def test_another_seed_gives_other_people_and_places(root, tmp_path):
    render_dataset(tmp_path, **SMALL | {'seed': 8}, workers=1)
    ours, theirs = pictures(root), pictures(tmp_path)
    assert all(ours[path] != theirs[path] for path in ours)


def test_a_finished_data_set_is_reused(root):
    file = root / 'cam1/0001/0001.jpg'
    before = file.stat().st_mtime_ns
    render_dataset(root, **SMALL)
    assert file.stat().st_mtime_ns == before


def test_other_parameters_are_refused_until_forced(tmp_path):
    small = {'num_train': 1, 'num_val': 0, 'num_test': 1, 'num_pretrain': 0, 'size': (32, 16), 'workers': 1}
    render_dataset(tmp_path, **small, frames=2)
    with pytest.raises(FileExistsError, match=rf'{tmp_path}.*frames 2 instead of 1.*--force'):
        render_dataset(tmp_path, **small, frames=1)
    render_dataset(tmp_path, **small, frames=1, force=True)
    assert len(pictures(tmp_path)) == 2 * 6


def test_an_interrupted_rendering_is_done_again(tmp_path):
    small = {
        'num_train': 1,
        'num_val': 0,
        'num_test': 1,
        'num_pretrain': 0,
        'frames': 1,
        'size': (32, 16),
        'workers': 1,
    }
    render_dataset(tmp_path, **small)
    whole = pictures(tmp_path)
    (tmp_path / 'synthetic.json').unlink()
    (tmp_path / 'synthetic.unfinished').touch()
    (tmp_path / 'cam1/0001/0001.jpg').write_bytes(b'half a pict')
    render_dataset(tmp_path, **small)
    assert pictures(tmp_path) == whole


def test_pictures_of_somebody_else_are_never_touched(tmp_path):
    file = tmp_path / 'cam1/0001/0001.jpg'
    file.parent.mkdir(parents=True)
    file.write_bytes(b'precious')
    with pytest.raises(FileExistsError, match='not rendered here'):
        render_dataset(tmp_path, **SMALL, force=True)
    assert file.read_bytes() == b'precious'


@pytest.mark.parametrize(
    'wrong, message',
    [
        ({'num_train': 0}, 'num_train must be at least 1'),
        ({'num_test': 0}, 'num_test must be at least 1'),
        ({'num_pretrain': -1}, 'num_pretrain must be at least 0'),
        ({'num_train': 9999}, 'at most 9999 identities'),
        ({'frames': 0}, 'frames must be 1 to 255'),
        ({'frames': 256}, 'frames must be 1 to 255'),
        ({'size': (8, 8)}, 'size must be'),
        ({'workers': 0}, 'workers must be at least 1'),
        ({'seed': -1}, 'seed must not be negative'),
    ],
)
def test_bad_arguments_give_one_sentence(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        render_dataset(tmp_path / 'data', **SMALL | wrong)
    assert not (tmp_path / 'data').exists()


def correlations(patches, pids):
    """Mean correlation of two patches of one identity, and of two identities."""
    patches = np.stack(patches).reshape(len(patches), -1).astype(float)
    patches -= patches.mean(0)  # what all pictures of a camera share
    similar = np.corrcoef(patches)
    same = np.equal.outer(pids, pids) & ~np.eye(len(pids), dtype=bool)
    return similar[same].mean(), similar[~np.equal.outer(pids, pids)].mean()


@pytest.mark.parametrize('cam', [1, 6])
def test_background_and_noise_tell_nothing_about_the_identity(cam):
    corners, pids = [], []
    for pid in range(1, 11):
        person = identity(0, pid)
        for frame in range(1, 11):
            image = render_image(person, cam, image_rng(0, cam, pid, frame), (48, 24))
            corners.append(image[:8, :6, 0])
            pids.append(pid)
    within, between = correlations(corners, pids)
    assert abs(within - between) < 0.1


def test_the_two_spectra_of_one_moment_share_no_noise():
    person = identity(0, 1)
    draws = [image_rng(0, cam, 1, 1).random(8) for cam in range(1, 7)]
    assert len({tuple(draw) for draw in draws}) == 6
    rgb, infrared = (render_image(person, cam, image_rng(0, cam, 1, 1), (96, 48)) for cam in (2, 3))
    fine = [image.mean(2) - cv2.blur(image.mean(2), (3, 3)) for image in (rgb, infrared)]
    assert abs(np.corrcoef(fine[0][:20, :12].ravel(), fine[1][:20, :12].ravel())[0, 1]) < 0.25


def test_infrared_reflectance_is_no_function_of_the_visible_colour():
    people = [identity(0, pid) for pid in range(1, 201)]
    visible = np.array([person.visible[Surface.TOP] for person in people])
    infrared = np.array([person.infrared[Surface.TOP] for person in people])
    black = visible.max(1) < 0.15
    assert black.sum() > 10 and np.ptp(infrared[black]) > 0.4  # one colour, many infrared grays
    agree = np.abs(infrared - 0.6) < 0.03
    assert np.ptp(visible[agree].mean(1)) > 0.5  # one infrared gray, many colours
    assert all(abs(np.corrcoef(channel, infrared)[0, 1]) < 0.2 for channel in visible.T)


def test_some_prints_vanish_in_infrared_and_some_stay():
    people = [identity(0, pid) for pid in range(1, 201)]
    contrast = np.array([abs(p.infrared[Surface.TOP] - p.infrared[Surface.TOP_PRINT]) for p in people])
    in_colour = np.array([np.abs(p.visible[Surface.TOP] - p.visible[Surface.TOP_PRINT]).max() for p in people])
    assert (in_colour > 0.3).all()
    assert 0.1 < (contrast == 0).mean() < 0.5
    assert (contrast[contrast > 0] > 0.2).all()


def test_people_differ_in_cut_and_carriage():
    people = [identity(0, pid) for pid in range(1, 301)]
    looks = {(p.cut, p.hair, p.bag, p.bag_side, p.leg > 1, p.hem > 0, p.scarf, round(p.sleeve)) for p in people}
    assert len(looks) > 240


def test_contact_sheet(root, tmp_path):
    contact_sheet(root, tmp_path / 'docs' / 'sheet.jpg', num_identities=2, height=64)
    assert cv2.imread(str(tmp_path / 'docs' / 'sheet.jpg')).shape[0] > 2 * 64


def test_command_line(tmp_path):
    command = [sys.executable, str(REPO / 'tools/dataset_tools/render_synthetic.py'), str(tmp_path / 'data')]
    counts = ['--num-train', '1', '--num-val', '0', '--num-test', '1', '--num-pretrain', '0', '--frames', '1']
    small = [*counts, '--size', '32', '16', '--workers', '1']
    sheet = tmp_path / 'sheet.png'
    run([*command, *small, '--contact-sheet', sheet], REPO, anew=True)
    assert sheet.exists()
    wrong = run([*command, *small, '--frames', '0'], REPO, fails=True)
    assert wrong.text.splitlines() == [
        'error: frames must be 1 to 255, the range of the official permutation file, got 0.'
    ]
