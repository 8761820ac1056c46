import json
from dataclasses import fields

import cv2
import numpy as np
import pytest

from tsgan.datasets.synthetic import PARTS, heading, identity, image_rng, outline, render, render_dataset, render_image
from tsgan.datasets.synthetic.clothes import Surface
from tsgan.datasets.synthetic.figure import Canvas, Figure
from tsgan.datasets.synthetic.hard import generators, parts_of
from tsgan.datasets.synthetic.hard.blur import defocus, disc, streak
from tsgan.datasets.synthetic.hard.folds import creases, fade_outlines
from tsgan.datasets.synthetic.hard.framing import reframe
from tsgan.datasets.synthetic.hard.low_light import dim
from tsgan.datasets.synthetic.hard.occlusion import MOST_HIDDEN, hide
from tsgan.datasets.synthetic.hard.outfits import change, jacket_off, jacket_on
from tsgan.datasets.synthetic.hard.weave import CLOTHS, DYE, FIBRE, weave
from tsgan.datasets.synthetic.paint import paint
from tsgan.datasets.synthetic.pose import View, pose
from tsgan.datasets.synthetic.scene import CAMERAS

SMALL = {'num_train': 2, 'num_val': 0, 'num_test': 1, 'num_pretrain': 1, 'frames': 2, 'size': (48, 24), 'seed': 7}
DRAWN = ('reframe', 'fade_outlines', 'creases', 'hide', 'defocus', 'dim')  # what the parts of a picture call


def pictures(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.glob('cam*/*/*.jpg'))}


def same_person(one, other):
    return all(np.array_equal(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))


def people(count):
    return [identity(3, pid) for pid in range(1, count + 1)]


def test_a_style_is_a_choice_of_parts():
    assert parts_of('default') == () and parts_of('hard') == PARTS
    assert parts_of('low_light+framing') == ('framing', 'low_light')
    for wrong in ('fog', 'blur+fog', '', 'default+blur'):
        with pytest.raises(ValueError, match=f"style is 'default', 'hard'.*got '{wrong}'".replace('+', r'\+')):
            parts_of(wrong)


@pytest.mark.parametrize('cam', [1, 3])
def test_without_what_its_parts_do_the_hard_picture_is_the_default_one(cam, monkeypatch):
    person = identity(1, 5)
    default = render_image(person, cam, image_rng(1, cam, 5, 2), seed=1)
    assert not np.array_equal(default, render_image(person, cam, image_rng(1, cam, 5, 2), seed=1, style='hard'))
    for name in DRAWN:
        monkeypatch.setattr(render, name, (lambda *_: 1) if name == 'creases' else lambda first, *_: first)
    hard = render_image(person, cam, image_rng(1, cam, 5, 2), seed=1, style='hard')
    np.testing.assert_array_equal(hard, default)


def test_parts_leave_the_generator_of_the_picture_alone_and_share_no_draws():
    rng = image_rng(1, 2, 3, 4)
    before = rng.bit_generator.state
    own = generators('hard', rng)
    assert rng.bit_generator.state == before
    draws = {part: generator.random() for part, generator in own.items()}
    assert len(set(draws.values())) == len(PARTS)
    # a part draws the same whichever others there are
    assert {part: generators(part, rng)[part].random() for part in PARTS} == draws
    assert generators('blur', image_rng(1, 2, 3, 5))['blur'].random() != draws['blur']


@pytest.mark.parametrize('part', PARTS)
def test_every_part_changes_pictures(part):
    changed = 0
    for pid in range(1, 9):
        images = []
        for style in ('default', part):
            person = identity(1, pid, 2, style)
            images.append(render_image(person, 2, image_rng(1, 2, pid, 1), (48, 24), 1, style))
        changed += not np.array_equal(*images)
    assert changed > 1


def test_hard_pictures_do_not_depend_on_the_number_of_workers_and_the_file_says_the_style(tmp_path):
    for workers in (1, 2):
        render_dataset(tmp_path / str(workers), **SMALL, workers=workers, style='hard')
    assert pictures(tmp_path / '1') == pictures(tmp_path / '2')
    assert json.loads((tmp_path / '1/synthetic.json').read_text())['style'] == 'hard'
    default = render_dataset(tmp_path / 'default', **SMALL, workers=1)
    assert 'style' not in json.loads((default / 'synthetic.json').read_text())  # as before there were styles
    ours, theirs = pictures(tmp_path / '1'), pictures(default)
    assert ours.keys() == theirs.keys() and all(ours[path] != theirs[path] for path in ours)
    lists = [(root / 'exp/train_id.txt').read_text() for root in (tmp_path / '1', default)]
    assert lists[0] == lists[1]


def test_another_style_is_refused_until_forced(tmp_path):
    render_dataset(tmp_path / 'hard', **SMALL, workers=1, style='hard')
    with pytest.raises(FileExistsError, match=r'style hard instead of default'):
        render_dataset(tmp_path / 'hard', **SMALL, workers=1)
    render_dataset(tmp_path / 'hard', **SMALL, workers=1, style='hard')
    render_dataset(tmp_path / 'default', **SMALL, workers=1)
    with pytest.raises(FileExistsError, match=r'style default instead of blur'):
        render_dataset(tmp_path / 'default', **SMALL, workers=1, style='blur')
    with pytest.raises(ValueError, match="got 'foggy'"):
        render_dataset(tmp_path / 'new', **SMALL, style='foggy')
    assert not (tmp_path / 'new').exists()


def test_heading_and_outline_are_those_of_the_picture():
    for pid, cam, frame in ((1, 1, 1), (2, 3, 4), (3, 6, 2)):
        person, rng = identity(1, pid), image_rng(1, cam, pid, frame)
        view = render.look(person, CAMERAS[cam], 192, 96, rng)
        assert heading(1, pid, cam, frame) == pytest.approx(np.rad2deg(view.heading) % 360)
        canvas = Canvas(192, 96)
        Figure(person, pose(person, rng), view).draw(canvas)
        seen = outline(person, cam, image_rng(1, cam, pid, frame))
        inside = canvas.surface.reshape(96, 2, 48, 2).swapaxes(1, 2).reshape(96, 48, 4).astype(bool)
        assert (seen[inside.all(-1)] == 150).all() and not seen[~inside.any(-1)].any()


def whole(view, person):
    """Rows of crown and soles on a canvas of any size, (2,)."""
    return view.project(np.array([[0, person.height, 0], [0, 0, 0]]))[0][:, 1]


def test_frames_of_a_detector_keep_the_view_and_cut_feet_heads_and_sides():
    person, height, width = identity(1, 1), 192, 96
    rows, columns, sizes = [], [], []
    for number in range(400):
        rng = np.random.default_rng(number)
        view = render.look(person, CAMERAS[1], height, width, np.random.default_rng(0))
        seen = reframe(view, height, width, rng)
        kept = ('heading', 'elevation', 'distance', 'middle')
        assert all(getattr(seen, name) == getattr(view, name) for name in kept)
        rows.append(whole(seen, person))
        columns.append(seen.centre[0])
        sizes.append(seen.scale / view.scale)
    crown, soles = np.array(rows).T
    assert 0.1 < (soles > height).mean() < 0.5 and 0.01 < (crown < 0).mean() < 0.3
    assert ((crown > 0.1 * height) & (soles < 0.9 * height)).any()  # loose boxes
    assert ((crown < -0.05 * height) & (soles > 1.05 * height)).mean() < 0.03  # one end stays inside
    assert 4 < np.std(columns) < 0.2 * width and min(sizes) > 0.6 and max(sizes) < 2


@pytest.mark.parametrize('infrared', [False, True])
def test_half_of_the_pictures_are_occluded_and_nobody_by_more_than_half(infrared):
    person, shape = identity(1, 4), (48, 24)
    view = View(0.3, 0.2, 4.0, 0.43 * 2 * 48 / 1.71 * 2, (24, 48), person.height / 2)
    canvas = Canvas(96, 48)
    Figure(person, pose(person, np.random.default_rng(0)), view).draw(canvas)
    cover = paint(canvas, person, infrared)[1]
    far = np.full(shape if infrared else (*shape, 3), -1e6, np.float32)
    hidden = []
    for number in range(300):
        front = hide(far, cover, view, infrared, np.random.default_rng(number))
        mask = 1 - (front if infrared else front[..., 0]) / -1e6  # how much of each pixel is in front of the person
        hidden.append((mask * cover).sum() / cover.sum())
    hidden = np.array(hidden)
    assert hidden.max() <= MOST_HIDDEN + 1e-3
    assert 0.25 < (hidden > 0.05).mean() < 0.65
    assert (hidden == 0).mean() > 0.25


def test_a_streak_has_its_length_and_direction_and_a_disc_its_radius():
    kernel = streak(6.0, 0.0)
    assert kernel.sum() == pytest.approx(1)
    middle = len(kernel) // 2
    along, across = kernel[middle], kernel[:, middle]
    assert (along > 0).sum() == 7 and (across > 0).sum() == 1  # 6 pixels, the two ends half
    np.testing.assert_allclose(along[:4], along[::-1][:4])
    np.testing.assert_allclose(along, np.array([0.5, 1, 1, 1, 1, 1, 0.5]) / 6)
    np.testing.assert_allclose(streak(6.0, np.pi / 2), kernel.T, atol=1e-6)
    kernel = disc(3.0)
    assert kernel.sum() == pytest.approx(1)
    y, x = np.mgrid[-3:4, -3:4]
    np.testing.assert_array_equal(kernel > 0, np.hypot(x, y) < 3.5)


@pytest.mark.parametrize('shape', [(96, 48), (96, 48, 3)])
def test_blur_takes_edges_and_no_light(shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    sharp, unchanged = [], 0
    for number in range(60):
        seen = defocus(image, np.random.default_rng(number))
        assert seen.shape == shape and seen.dtype == np.float32
        assert seen.mean() == pytest.approx(image.mean(), abs=0.02)
        if np.array_equal(seen, image):
            unchanged += 1
        else:
            sharp.append(np.abs(np.diff(seen, axis=1)).mean() / np.abs(np.diff(image, axis=1)).mean())
    assert 5 < unchanged < 40 and max(sharp) < 0.75


@pytest.mark.parametrize('infrared', [False, True])
def test_low_light_is_darker_and_noisier_and_infrared_stays_gray(infrared):
    image, left, ratios = np.full((64, 32, 3), 120, np.uint8), 0, []
    for number in range(60):
        seen = dim(image, infrared, np.random.default_rng(number))
        assert seen.dtype == np.uint8 and seen.shape == image.shape
        assert (seen == seen[..., :1]).all() or not infrared
        if np.array_equal(seen, image):
            left += 1
        else:
            ratios.append(seen.std() / seen.mean())
            assert seen.mean() < 115
    assert 15 < left < 50 and min(ratios) > 0.02


def test_woven_garments_are_the_same_garments_and_each_thread_is_seen_by_one_band():
    dyed = spun = 0
    for number, person in enumerate(people(20)):
        woven = weave(person, np.random.default_rng(number))
        for name in ('torso', 'sleeves', 'legs', 'skirt'):
            np.testing.assert_array_equal(getattr(woven, name) % len(Surface), getattr(person, name))
        below, top = woven.skirt - person.skirt, woven.torso - person.torso
        np.testing.assert_array_equal(below, woven.legs - person.legs if person.skirt is person.legs else top)
        assert woven.visible.shape == (64, 3) and woven.infrared.shape == (64,)
        np.testing.assert_array_equal(woven.visible[:16], person.visible)
        for surface in Surface:
            plain, dye, fibre, both = (woven.visible[surface + add] for add in (0, DYE, FIBRE, DYE + FIBRE))
            gray = [woven.infrared[surface + add] for add in (0, DYE, FIBRE, DYE + FIBRE)]
            np.testing.assert_array_equal(plain, fibre)
            np.testing.assert_array_equal(dye, both)
            assert gray[0] == gray[1] and gray[2] == gray[3]
            assert (np.abs(dye - plain).max() > 0.3) == (surface in CLOTHS)
            assert (abs(gray[2] - gray[0]) > 0.25) == (surface in CLOTHS)
        dyed += (woven.torso & DYE).any()
        spun += (woven.torso & FIBRE).any()
        assert same_person(woven, weave(person, np.random.default_rng(number)))
    assert 4 < dyed < 20 and 4 < spun < 20


def test_some_prints_lose_their_contrast_in_infrared():
    before, after = [], []
    for number, person in enumerate(people(100)):
        woven = weave(person, np.random.default_rng(number))
        contrast = [abs(p.infrared[Surface.TOP] - p.infrared[Surface.TOP_PRINT]) > 0 for p in (person, woven)]
        before.append(contrast[0])
        after.append(contrast[1])
    assert not (np.array(after) & ~np.array(before)).any()
    assert 0.35 < np.mean(after) < np.mean(before) - 0.1


def test_between_passages_some_wear_something_else_and_own_one_jacket_hat_and_bag():
    changed = []
    for number, person in enumerate(people(60)):
        worn = [change(person, np.random.default_rng(number), np.random.default_rng([number, cam])) for cam in range(6)]
        changed += [not same_person(person, seen) for seen in worn]
        for name in ('height', 'shoulder', 'hip', 'girth', 'legs', 'leg'):
            assert all(np.array_equal(getattr(seen, name), getattr(person, name)) for seen in worn)
        for surface in (Surface.SKIN, Surface.HAIR, Surface.SHOE, Surface.BOTTOM, Surface.BOTTOM_PRINT):
            assert all((seen.visible[surface] == person.visible[surface]).all() for seen in worn)
        jackets = {tuple(seen.visible[Surface.TOP]) for seen in worn} - {tuple(person.visible[Surface.TOP])}
        assert len(jackets) <= 1
        assert len({seen.bag for seen in worn}) <= 2 and len({seen.hair for seen in worn}) <= 3
    assert 0.4 < np.mean(changed) < 0.85


def test_all_cameras_see_one_weave_and_one_wardrobe_and_not_always_the_same_of_it():
    differ = 0
    for pid in range(1, 41):
        woven, worn = ([identity(3, pid, cam, part) for cam in range(1, 7)] for part in ('weave', 'outfits'))
        assert all(same_person(woven[0], seen) for seen in woven)
        jackets = {tuple(seen.visible[Surface.TOP]) for seen in worn} - {tuple(identity(3, pid).visible[Surface.TOP])}
        assert len(jackets) <= 1
        differ += not all(same_person(worn[0], seen) for seen in worn)
    assert differ > 20


def test_a_jacket_covers_the_top_shows_it_in_front_and_gives_it_its_own_look():
    plain = next(p for p in people(60) if p.cut == 'tee')
    woven = (weave(plain, np.random.default_rng(number)) for number in range(20))
    person = next(p for p in woven if (p.torso[:, 90:102] >= DYE).any())  # with threads in front
    maps = np.full((96, 192), Surface.TOP, np.uint8), np.full((96, 192), Surface.SLEEVE, np.uint8), None
    maps[0][:, 90:102] = Surface.INNER
    visible, infrared = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]), np.array([0.7, 0.2])
    seen = jacket_on(person, maps, visible, infrared)
    assert (seen.torso[:, :90] == Surface.TOP).all() and (seen.torso[:, 102:] == Surface.TOP).all()
    # what shows is the top, print for print and thread for thread, in the colours it had
    front, was = seen.torso[:, 90:102], person.torso[:, 90:102]
    np.testing.assert_array_equal(seen.visible[front], person.visible[was])
    np.testing.assert_array_equal(seen.infrared[front], person.infrared[was])
    for block in range(0, 64, 16):
        np.testing.assert_allclose(seen.visible[[block + Surface.TOP, block + Surface.TOP_PRINT]], visible)
        np.testing.assert_allclose(seen.infrared[[block + Surface.TOP, block + Surface.TOP_PRINT]], infrared)
        np.testing.assert_allclose(seen.visible[block + Surface.SLEEVE], visible[0])
    assert seen.sleeve == 2.0 and seen.loose >= 1.3 and seen.cut == 'jacket'
    assert (person.visible[Surface.TOP] != visible[0]).any()  # the person is as before


@pytest.mark.parametrize('cut', ['jacket', 'vest', 'coat'])
def test_taking_off_a_jacket_leaves_what_was_below(cut):
    person = next(p for p in people(60) if p.cut == cut)
    seen = jacket_off(person, sleeve=0.8)
    inner = np.isin(person.torso, (Surface.INNER, Surface.INNER_PRINT))
    np.testing.assert_array_equal(seen.torso[inner], person.torso[inner])
    assert (seen.torso[~inner] == Surface.INNER).all() and (seen.sleeves == Surface.INNER).all()
    assert seen.sleeve == 0.8 and (cut != 'coat' or seen.hem == 0)


def test_folds_are_sharp_in_visible_light_soft_in_infrared_and_take_no_light():
    steep = {}
    for infrared in (False, True):
        maps = [creases(96, 48, infrared, np.random.default_rng(number)) for number in range(30)]
        assert all(light.shape == (96, 48) and light.mean() == pytest.approx(1, abs=1e-3) for light in maps)
        assert all(light.min() > 0.3 and light.max() < 1.7 for light in maps)
        steep[infrared] = np.mean([np.abs(cv2.Laplacian(light, cv2.CV_32F)).mean() for light in maps])
    assert steep[False] > 2 * steep[True]


def test_outlines_fade_by_a_share_that_differs():
    shade = np.array([[200, 144, 160, 205]], np.uint8)
    faded = np.array([fade_outlines(shade, np.random.default_rng(number))[0] for number in range(50)]).astype(int)
    assert (faded[:, 0] == 200).all() and (faded[:, 1] >= 144 + 11).all() and (faded[:, 1] <= 200).all()
    share = (200 - faded[:, 1]) / 56
    np.testing.assert_allclose((200 - faded[:, 2]) / 40, share, atol=0.03)
    assert np.std(share) > 0.1
