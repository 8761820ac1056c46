import numpy as np
import pytest

from tsgan.datasets.transforms import linear_enhancement
from tsgan.datasets.transforms.linear_enhancement import random_rectangle
from tsgan.registry import TRANSFORMS

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 20, 3), dtype=np.uint8)
GRADED = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)


def enhance(name, image, **arguments):
    with np.errstate(all='raise'):
        return TRANSFORMS.build(dict(type=name, **{'prob': 1, **arguments}))({'img': image})['img']


@pytest.fixture
def drawn(monkeypatch):
    """Sets what the next draws of Beta(a, b) give, each time three."""

    def draw(*triples):
        left = iter(triples)

        def beta(a, b, size):
            assert size == 3
            return np.array(next(left), float)

        monkeypatch.setattr(np.random, 'beta', beta)

    return draw


@pytest.fixture
def rectangles(monkeypatch):
    """Sets the next rectangles, as (top, bottom, left, right) or None."""

    def draw(*corners):
        left = iter(c and (slice(*c[:2]), slice(*c[2:])) for c in corners)
        monkeypatch.setattr(linear_enhancement, 'random_rectangle', lambda *args: next(left))
        return left

    return draw


def test_moderate_is_one_mixture_of_the_channels_whose_weights_sum_to_one(drawn):
    drawn([0.1, 0.1, 0.6])  # of B, G, R: 1/8, 1/8, 6/8
    image = np.array([[[8, 16, 40], [80, 0, 0], [255, 255, 255], [3, 1, 0]]], np.uint8)
    found = enhance('ModerateRLE', image)
    assert found[..., 0].tolist() == [[33, 10, 255, 0]]  # 1 + 2 + 30; 10; all; 0.375 + 0.125 = 0.5, to even
    assert (found == found[..., :1]).all() and found.dtype == np.uint8


def test_moderate_draws_what_beta_gives_and_stays_between_the_channels():
    np.random.seed(0)
    pixel = np.array([[[255, 0, 0]]], np.uint8)
    shares = np.array([enhance('ModerateRLE', pixel)[0, 0, 0] for _ in range(2000)]) / 255
    draws = np.random.default_rng(1).beta(0.3, 0.3, (200000, 3))
    expected = draws[:, 0] / draws.sum(axis=1)
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        assert abs(np.mean(shares <= np.quantile(expected, quantile) + 1 / 510) - quantile) < 0.035
    assert shares.mean() == pytest.approx(1 / 3, abs=0.03)
    found = enhance('ModerateRLE', IMAGE)[..., 0]
    assert (found >= IMAGE.min(axis=2)).all() and (found <= IMAGE.max(axis=2)).all()


def test_moderate_leaves_a_gray_image_and_takes_draws_of_nothing_as_the_mean(drawn):
    assert np.array_equal(enhance('ModerateRLE', GRADED), GRADED)
    drawn([0, 0, 0])
    assert enhance('ModerateRLE', np.array([[[3, 30, 60]]], np.uint8)).tolist() == [[[31, 31, 31]]]


def test_radical_scales_each_channel_of_a_rectangle_to_its_brightest_pixel(drawn, rectangles):
    image = np.full((4, 4, 3), 100, np.uint8)
    image[1, 1] = (200, 50, 100)
    rectangles((0, 2, 0, 2))
    drawn([0.5, 0.8, 0.05])  # brightest: 200, 100, 100 -> 127.5, 204, 12.75; the last is below a tenth: 0.1275
    found = enhance('RadicalRLE', image, least=0.2)
    assert found[1, 1].tolist() == [128, 102, 13]  # 127.5 to even; 50 * 2.04; 12.75
    assert found[0, 0].tolist() == [64, 204, 13]  # 63.75
    outside = np.ones((4, 4), bool)
    outside[:2, :2] = False
    assert (found[outside] == 100).all()


def test_radical_goes_on_until_a_product_of_factors_is_small(drawn, rectangles):
    image = np.full((4, 4, 3), 255, np.uint8)
    left = rectangles((0, 2, 0, 2), None, (1, 3, 1, 3), (0, 1, 0, 1), (3, 4, 3, 4))
    # 0.5 in the first; the second holds a pixel of it, whose brightest is 1: 0.5 * 0.5; the third 0.5 / 0.5 * 0.04
    drawn([0.5] * 3, [0.5] * 3, [0.04] * 3, [0.0] * 3)
    found = enhance('RadicalRLE', image)[..., 0].tolist()
    assert found == [[10, 128, 255, 255], [128, 64, 128, 255], [255, 128, 128, 255], [255, 255, 255, 255]]
    assert next(left) == (slice(3, 4), slice(3, 4))  # which was not drawn any more


def test_radical_tries_a_hundred_rectangles(drawn, rectangles):
    left = rectangles(*[None] * 60, *[(0, 2, 0, 2)] * 60)
    drawn(*[[0.5] * 3] * 60)
    enhance('RadicalRLE', np.full((4, 4, 3), 255, np.uint8))
    assert len(list(left)) == 20


def test_radical_leaves_a_channel_that_is_black(drawn, rectangles):
    image = np.full((4, 4, 3), (0, 100, 200), np.uint8)
    rectangles((0, 2, 0, 2))
    drawn([0.9, 0.5, 0.05])
    found = enhance('RadicalRLE', image)
    assert found[0, 0].tolist() == [0, 128, 13] and found[3, 3].tolist() == [0, 100, 200]


def slow_radical(image, area, aspect, least, beta):
    """As the published transform does it: pixel by pixel, the image itself scaled each time."""
    image, mask = image.astype(float), np.ones(image.shape)
    for _ in range(100):
        rectangle = random_rectangle(*image.shape[:2], area, aspect)
        if rectangle is None:
            continue
        wanted = 255 * np.random.beta(beta, beta, size=3)
        for channel in range(3):
            brightest = max(image[row, column, channel] for row, column in places(rectangle))
            for row, column in places(rectangle):
                factor = wanted[channel] / brightest if brightest else 1
                image[row, column, channel] *= factor
                mask[row, column, channel] *= factor
        if mask.min() < least:
            break
    return image


def places(rectangle):
    rows, columns = rectangle
    return [(row, column) for row in range(rows.start, rows.stop) for column in range(columns.start, columns.stop)]


@pytest.mark.parametrize('image', [IMAGE, np.zeros_like(IMAGE), np.where(IMAGE > 128, IMAGE, 0).astype(np.uint8)])
@pytest.mark.parametrize('least', [0.1, 1e-3])
def test_radical_is_the_slow_form(image, least):
    for seed in range(8):
        np.random.seed(seed)
        np.random.rand()  # whether at all
        expected = slow_radical(image, (0.02, 0.4), (0.3, 1 / 0.3), least, 0.4)
        np.random.seed(seed)
        before = image.copy()
        found = enhance('RadicalRLE', image, least=least)
        assert np.array_equal(image, before) and found.dtype == np.uint8
        assert np.abs(found - expected).max() <= 0.501
        assert expected.max() <= 255


@pytest.mark.parametrize('name', ['ModerateRLE', 'RadicalRLE'])
def test_an_image_is_changed_as_often_as_prob_says(name):
    np.random.seed(0)
    transform = TRANSFORMS.build(dict(type=name, prob=0.3))
    changed = [not np.array_equal(transform({'img': IMAGE})['img'], IMAGE) for _ in range(1000)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.04)
    assert np.array_equal(enhance(name, IMAGE, prob=0), IMAGE)


def test_rectangles_have_the_areas_and_aspects_asked_for_and_lie_anywhere_within():
    np.random.seed(0)
    found = [random_rectangle(100, 50, (0.1, 0.2), (0.5, 2)) for _ in range(2000)]
    assert None not in found
    h, w = np.array([[rows.stop - rows.start, columns.stop - columns.start] for rows, columns in found]).T
    assert (h * w / 5000 > 0.09).all() and (h * w / 5000 < 0.21).all()
    assert (h / w > 0.46).all() and (h / w < 2.15).all()
    assert np.mean(h / w) == pytest.approx(1.25, abs=0.03)  # even between 0.5 and 2
    tops, bottoms = {rows.start for rows, _ in found}, {rows.stop for rows, _ in found}
    lefts, rights = {columns.start for _, columns in found}, {columns.stop for _, columns in found}
    assert min(tops) == min(lefts) == 0 and max(bottoms) == 100 and max(rights) == 50


def test_rectangles_that_do_not_fit_or_are_empty_are_none():
    assert random_rectangle(100, 50, (0.9, 0.9), (1, 1)) is None
    assert random_rectangle(50, 100, (0.5, 0.5), (1, 1)) is None  # 50 high, as the image is
    assert random_rectangle(100, 50, (0.5, 0.5), (1, 1)) is None
    assert random_rectangle(4, 4, (0.02, 0.02), (0.3, 0.3)) is None  # 0.31 x 1.03
    assert random_rectangle(4, 4, (0.02, 0.02), (3, 3)) is None


@pytest.mark.parametrize('shape', [(1, 1, 3), (2, 1, 3), (3, 2, 3)])
def test_tiny_images_are_left(shape):
    np.random.seed(0)
    image = np.full(shape, 7, np.uint8)
    assert enhance('RadicalRLE', image, area=(0.9, 0.9), aspect=(1, 1)).shape == shape


@pytest.mark.parametrize(
    ('name', 'arguments', 'told'),
    [
        ('ModerateRLE', {'prob': 1.5}, 'ModerateRLE has prob=1.5: expected a probability'),
        ('RadicalRLE', {'prob': -1}, 'RadicalRLE has prob=-1: expected a probability'),
        ('ModerateRLE', {'beta': 0}, 'ModerateRLE has beta=0: expected a number above 0'),
        ('RadicalRLE', {'area': (0.4, 0.02)}, r'area=\(0.4, 0.02\): expected \(low, high\) above 0, low first'),
        ('RadicalRLE', {'aspect': (0, 1)}, r'aspect=\(0, 1\)'),
    ],
)
def test_arguments_that_mean_nothing_are_refused(name, arguments, told):
    with pytest.raises(ValueError, match=told):
        enhance(name, IMAGE, **arguments)
