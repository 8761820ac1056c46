import numpy as np
import pytest

from tsgan.registry import TRANSFORMS

BGR = [10, 20, 200]
GRAY = round(0.114 * 10 + 0.587 * 20 + 0.299 * 200)  # 72.68


def exchange(image, **arguments):
    transform = TRANSFORMS.build(dict(type='ChannelExchange', **arguments))
    return transform({'img': image})['img']


def outcomes(number, **arguments):
    """What becomes of a pixel, and how often, in percent."""
    np.random.seed(0)
    transform = TRANSFORMS.build(dict(type='ChannelExchange', **arguments))
    image = np.array([[BGR]], np.uint8)
    found = [tuple(transform({'img': image.copy()})['img'][0, 0].tolist()) for _ in range(number)]
    return {value: 100 * found.count(value) / number for value in set(found)}


def alike(value):
    return (value, value, value)


def test_one_of_three_channels_is_copied_to_all_each_as_often():
    found = outcomes(3000)
    assert found == pytest.approx({alike(10): 100 / 3, alike(20): 100 / 3, alike(200): 100 / 3}, abs=3)


@pytest.mark.parametrize('share', [0.5, 0.6])
def test_channel_adap_gray_is_a_channel_three_times_in_four_else_gray_or_as_it_is(share):
    gray = (1 - 0.75) * share
    found = outcomes(8000, channel_prob=0.75, gray_prob=gray)
    expected = {alike(value): 25 for value in BGR} | {alike(GRAY): 100 * gray, tuple(BGR): 100 * (0.25 - gray)}
    assert found == pytest.approx(expected, abs=2)


def test_nothing_happens_without_probabilities():
    assert outcomes(50, channel_prob=0) == {tuple(BGR): 100}


@pytest.mark.parametrize('arguments', [{}, {'channel_prob': 0, 'gray_prob': 1}])
def test_every_pixel_keeps_its_place_and_the_file_its_image(arguments):
    np.random.seed(0)
    image = np.random.randint(0, 256, (16, 8, 3), np.uint8)
    before = image.copy()
    mirrored = image[:, ::-1]  # as RandomFlip gives it
    found = exchange(mirrored, **arguments)
    assert found.dtype == np.uint8 and found.shape == image.shape
    assert (found == found[..., :1]).all()
    luma = before[:, ::-1] @ np.array([0.114, 0.587, 0.299])
    expected = [*np.moveaxis(before[:, ::-1], 2, 0)] if not arguments else [luma]
    assert any(np.abs(found[..., 0] - one).max() <= 0.51 for one in expected)
    assert np.array_equal(image, before)


@pytest.mark.parametrize('arguments', [{}, {'channel_prob': 0, 'gray_prob': 1}, {'channel_prob': 0.75}])
def test_a_gray_image_stays_as_it_is(arguments):
    image = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    for _ in range(10):
        assert np.array_equal(exchange(image, **arguments), image)


@pytest.mark.parametrize(('channel', 'gray'), [(0.8, 0.3), (-0.1, 0.5), (0.5, -0.1), (1.5, 0)])
def test_probabilities_that_are_none_are_refused(channel, gray):
    with pytest.raises(ValueError, match=f'channel_prob={channel} and gray_prob={gray}: expected two probabilities'):
        exchange(None, channel_prob=channel, gray_prob=gray)
