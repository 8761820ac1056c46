import copy
import itertools
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from tsgan.models.rivals.lomo import colour_bins, halved, retinex, row_maxima, siltp
from tsgan.models.rivals.xqda import pair_covariances, xqda
from tsgan.registry import HOOKS, MODELS


@pytest.fixture
def image():
    """A smooth (128, 48, 3) image with some noise."""
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.integers(0, 256, (128, 48, 3)).astype(np.float32), (0, 0), 3) - 128
    return (128 + 6 * smooth + rng.normal(0, 3, smooth.shape)).clip(0, 255).astype(np.uint8)


# ---------------------------------------------------------------------------------------------------------------- HOG


@pytest.fixture
def hog():
    return MODELS.build(dict(type='HOG'))


@pytest.fixture
def formula():
    """A (128, 64, 3) image with gradients of all directions."""
    y, x = np.mgrid[:128, :64]
    return np.stack([3 * x + y, x * y // 7, 2 * y + 5 * x], axis=-1).astype(np.uint8)


def hog_by_loops(gray):
    """Dalal and Triggs: 9 unsigned orientations of 20 degrees, cells of 8 x 8, blocks of 2 x 2 cells, L2-Hys at 0.2."""
    gray, cells = gray.astype(float), np.zeros((gray.shape[0] // 8, gray.shape[1] // 8, 9))
    for y, x in itertools.product(range(gray.shape[0]), range(gray.shape[1])):
        dy = gray[y + 1, x] - gray[y - 1, x] if 0 < y < gray.shape[0] - 1 else 0.0
        dx = gray[y, x + 1] - gray[y, x - 1] if 0 < x < gray.shape[1] - 1 else 0.0
        cells[y // 8, x // 8, int(np.degrees(np.arctan2(dy, dx)) % 180 // 20) % 9] += np.hypot(dy, dx) / 64
    blocks = []
    for y, x in itertools.product(range(cells.shape[0] - 1), range(cells.shape[1] - 1)):
        block = cells[y : y + 2, x : x + 2].ravel()
        block = np.minimum(block / np.linalg.norm(block), 0.2)
        blocks.append(block / np.linalg.norm(block))
    return np.concatenate(blocks)


def test_hog_of_a_128_x_64_image_has_3780_numbers_and_equals_its_definition_in_loops(hog, formula):
    for picture in (formula, np.random.default_rng(0).integers(0, 256, formula.shape, dtype=np.uint8)):
        vector = hog(picture)
        assert vector.shape == (3780,) and vector.dtype == np.float32
        np.testing.assert_allclose(vector, hog_by_loops(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)), atol=1e-5)


def test_hog_of_an_image_without_edges_is_zero(hog):
    assert not hog(np.full((128, 64, 3), 77, np.uint8)).any()


def test_hog_takes_images_of_a_block_and_more(hog):
    assert hog(np.zeros((64, 32, 3), np.uint8)).shape == (7 * 3 * 36,)
    with pytest.raises(ValueError, match='at least: 16 rows and 16 cols'):
        hog(np.zeros((128, 8, 3), np.uint8))


# --------------------------------------------------------------------------------------------------------------- LOMO


@pytest.fixture
def lomo():
    return MODELS.build(dict(type='LOMO'))


COLOUR, TEXTURE = 512 * 40, 81 * 40  # bins x rows of windows
PARTS = np.cumsum([COLOUR, TEXTURE])


def test_lomo_of_a_128_x_48_image_has_26960_numbers_each_kind_of_unit_length(lomo, image):
    vector = lomo(image)
    assert vector.shape == (26960,) and vector.dtype == np.float32
    assert [len(part) for part in np.split(vector, PARTS)] == [COLOUR, TEXTURE, TEXTURE]
    assert [np.linalg.norm(part) for part in np.split(vector, PARTS)] == pytest.approx([1, 1, 1], rel=1e-5)


def rows_by_loops(codes, num_codes):
    """Counts of 10 x 10 windows in steps of 5, window by window; the largest of a row."""
    found = []
    for y in range(0, codes.shape[0] - 9, 5):
        best = np.zeros(num_codes)
        for x in range(0, codes.shape[1] - 9, 5):
            counts = [0] * num_codes
            for code in codes[y : y + 10, x : x + 10].ravel():
                counts[int(code)] += 1
            best = np.maximum(best, counts)
        found.append(best)
    return np.concatenate(found)


def test_lomo_equals_its_definition_in_loops(lomo, image):
    vector = np.split(lomo(image), PARTS)
    bins = colour_bins(retinex(image, (5, 20)), 8)
    scales = [bins, np.floor(halved(bins)), np.floor(halved(np.floor(halved(bins))))]
    codes = [64 * b[..., 2] + 8 * b[..., 1] + b[..., 0] for b in scales]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    grays = [gray, halved(gray), halved(halved(gray))]
    textures = [[siltp(g, radius, 0.3) for g in grays] for radius in (3, 5)]
    for part, kind, num in zip(vector, [codes, *textures], [512, 81, 81], strict=True):
        expected = np.log(1 + np.concatenate([rows_by_loops(scale, num) for scale in kind]))
        np.testing.assert_allclose(part, expected / np.linalg.norm(expected), atol=1e-6)


def test_lomo_of_a_constant_image_has_one_full_bin_in_each_row(lomo):
    colour, *textures = np.split(lomo(np.full((128, 48, 3), 200, np.uint8)), PARTS)
    middle = 4 * 64  # Retinex leaves mid gray: H and S 0, V 128 in the fifth of eight bins
    for part, num, code in ((colour, 512, middle), (textures[0], 81, 0), (textures[1], 81, 0)):
        expected = np.zeros((40, num))
        expected[:, code] = 1 / np.sqrt(40)  # 100 pixels in each window, whatever its logarithm
        np.testing.assert_allclose(part, expected.ravel(), atol=1e-6)


def test_lomo_leaves_out_scales_that_no_window_fits_into_and_refuses_smaller_images(lomo):
    assert lomo(np.zeros((64, 32, 3), np.uint8)).shape == ((512 + 162) * (11 + 5),)  # 64 x 32, 32 x 16, not 16 x 8
    with pytest.raises(ValueError, match=r'at least 10 x 10 pixels, not \(128, 9\)'):
        lomo(np.zeros((128, 9, 3), np.uint8))


@pytest.mark.parametrize('radius', [1, 2])
def test_siltp_of_a_hand_worked_patch(radius):
    patch = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]], np.float32)
    # the pixel 50 in the middle, range 35 to 65: right 60 is 0, upper 20 is 1, left 40 is 0, lower 80 is 2
    assert 0 * 1 + 1 * 3 + 0 * 9 + 2 * 27 == 57
    # beyond the border, the border goes on: 10 has 20, 10, 10 and 40 around it
    assert 2 * 1 + 0 * 3 + 0 * 9 + 2 * 27 == 56
    expected = np.array([[56, 65, 63], [57, 57, 57], [3, 3, 3]])
    square = np.ones((radius, radius), np.float32)
    np.testing.assert_array_equal(siltp(np.kron(patch, square), radius, 0.3), np.kron(expected, square))


def test_siltp_takes_differences_of_less_than_tau_for_none():
    row = np.array([[100, 71, 100, 69, 100, 129, 100, 131]], np.float32)
    assert (siltp(row, 1, 0.3)[0, ::2] % 3).tolist() == [0, 1, 0, 2]  # the right neighbour's digit


def test_siltp_does_not_see_the_brightness_of_the_light(image):
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    np.testing.assert_array_equal(siltp(gray, 3, 0.3), siltp(gray / 4, 3, 0.3))


def test_row_maxima_equal_a_loop_over_windows():
    codes = np.random.default_rng(0).integers(0, 7, (33, 21))
    found = row_maxima(codes, 7)
    np.testing.assert_array_equal(found, rows_by_loops(codes, 7))
    assert len(found) == 5 * 7 and not len(row_maxima(codes[:9], 7))


def test_retinex_equals_its_formula(image):
    pixels = image.astype(float) + 1
    logs = []
    for sigma in (5, 20):
        offset = np.arange(-4 * sigma, 4 * sigma + 1)
        kernel = np.exp(-(offset**2) / (2 * sigma**2))
        kernel /= kernel.sum()
        padded = np.pad(pixels, [(4 * sigma,) * 2, (4 * sigma,) * 2, (0, 0)], mode='reflect')
        surround = np.zeros_like(pixels)
        for y, x in itertools.product(range(0, 128, 9), range(0, 48, 5)):  # a sample: the sum is slow
            around = padded[y : y + 8 * sigma + 1, x : x + 8 * sigma + 1]
            surround[y, x] = np.einsum('y,x,yxc->c', kernel, kernel, around)
        logs.append(np.log(surround[::9, ::5]))
    expected = 128 + 128 * (np.log(pixels[::9, ::5]) - sum(logs) / 2)
    found = retinex(image, (5, 20))
    assert found.dtype == np.uint8 and found.std() > 10
    assert abs(found[::9, ::5] - expected.clip(0, 255)).max() <= 1.01  # rounding down, single precision


def test_colour_bins_share_hue_saturation_and_value_in_eight():
    black, white, red, green, blue = [0, 0, 0], [255] * 3, [255, 0, 0], [0, 255, 0], [0, 0, 255]
    pixels = np.array([[black, white, red, green, blue, [255, 0, 40], [64, 64, 64], [63, 63, 63]]], np.uint8)
    expected = [[0, 0, 0], [0, 0, 7], [0, 7, 7], [2, 7, 7], [5, 7, 7], [7, 7, 7], [0, 0, 2], [0, 0, 1]]
    np.testing.assert_array_equal(colour_bins(pixels, 8)[0], expected)


def test_halving_takes_means_of_2_x_2_and_leaves_an_odd_border_out():
    image = np.array([[1, 3, 10, 10, 99], [5, 7, 10, 14, 99], [99, 99, 99, 99, 99]], np.float32)
    np.testing.assert_array_equal(halved(image), [[4, 11]])


# --------------------------------------------------------------------------------------------------------------- XQDA


def people(num_ids=6, dim=5, seed=0, noise=0.5):
    """Features of identities with an offset between the modalities, unequally many of each."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_ids, dim))
    features, labels, is_rgb = [], [], []
    for label, modality in itertools.product(range(num_ids), (True, False)):
        for _ in range(rng.integers(1, 5)):
            features.append(centres[label] + noise * rng.normal(size=dim) + (0.3 if modality else 0))
            labels.append(10 * label)
            is_rgb.append(modality)
    order = rng.permutation(len(labels))
    return np.array(features)[order], np.array(labels)[order], np.array(is_rgb)[order]


def covariances_by_pairs(features, labels, is_rgb):
    """Of the differences of all RGB-IR pairs, one by one."""
    sums, counts = np.zeros((2, features.shape[1], features.shape[1])), [0, 0]
    for i in np.flatnonzero(is_rgb):
        for j in np.flatnonzero(~is_rgb):
            other = int(labels[i] != labels[j])
            difference = features[i] - features[j]
            sums[other] += np.outer(difference, difference)
            counts[other] += 1
    return sums[0] / counts[0], sums[1] / counts[1]


def metric_by_hand(features, labels, is_rgb, regularization):
    """M = W (inv(W^T S_I W) - inv(W^T S_E W)) W^T, W the eigenvectors of inv(S_I) S_E of eigenvalue > 1."""
    intra, extra = covariances_by_pairs(features, labels, is_rgb)
    intra += regularization * np.eye(len(intra))
    values, vectors = np.linalg.eig(np.linalg.inv(intra) @ extra)
    w = np.real(vectors[:, np.real(values) > 1])
    metric = w @ (np.linalg.inv(w.T @ intra @ w) - np.linalg.inv(w.T @ extra @ w)) @ w.T
    return metric, w.shape[1]


def test_covariances_equal_a_loop_over_all_pairs():
    data = people()
    for found, expected in zip(pair_covariances(*data), covariances_by_pairs(*data), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize('regularization', [0.001, 0.5])
def test_distances_behind_the_projection_are_those_of_the_metric(regularization):
    features, labels, is_rgb = people()
    metric, dims = metric_by_hand(features, labels, is_rgb, regularization)
    projection = xqda(features, labels, is_rgb, regularization)
    assert projection.shape == (5, dims)
    strength = np.diag(projection.T @ pair_covariances(features, labels, is_rgb)[1] @ projection)  # eigenvalues - 1
    assert (strength > 0).all() and (np.diff(strength) < 0).all()
    projected = features @ projection
    for i, j in itertools.combinations(range(len(features)), 2):
        difference = features[i] - features[j]
        assert ((projected[i] - projected[j]) ** 2).sum() == pytest.approx(difference @ metric @ difference, rel=1e-6)


@pytest.mark.parametrize('dtype', [np.float64, np.float32])
def test_features_longer_than_there_are_images_give_the_same_metric(dtype):
    features, labels, is_rgb = people(num_ids=5, dim=80)
    assert len(features) < 80
    metric, _ = metric_by_hand(features, labels, is_rgb, 0.001)
    projection = xqda(features.astype(dtype), labels, is_rgb)
    assert projection.dtype == dtype and 0 < projection.shape[1] < len(features)
    tolerance = 1e-7 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(projection @ projection.T, metric, atol=tolerance * abs(metric).max())


def test_only_directions_in_which_identities_differ_are_kept():
    features, labels, is_rgb = people(dim=4)
    features[:, 1:] = np.where(is_rgb, 1, -1)[:, None] * [0.5, 1.0, 2.0]  # all pairs differ alike
    projection = xqda(features, labels, is_rgb)
    metric, dims = metric_by_hand(features, labels, is_rgb, 0.001)
    assert projection.shape == (4, 1) and dims == 1
    np.testing.assert_allclose(projection @ projection.T, metric, atol=1e-7 * abs(metric).max())


def test_no_direction_at_all_is_one_sentence():
    features, labels, is_rgb = people(noise=0.0)
    with pytest.raises(ValueError, match='no eigenvalue above 1'):
        xqda(np.ones_like(features), labels, is_rgb)
    with pytest.raises(ValueError, match='no eigenvalue above 1'):
        xqda(features, labels, is_rgb, regularization=100.0)


def test_pairs_of_one_kind_alone_are_refused():
    features, labels, is_rgb = people()
    with pytest.raises(ValueError, match=r'there are 0 pairs of one and \d+ of two'):
        xqda(features, labels + is_rgb, is_rgb)
    with pytest.raises(ValueError, match=r'\d+ pairs of one and 0 of two'):
        xqda(features, 0 * labels, is_rgb)
    with pytest.raises(ValueError, match='0 RGB and'):
        xqda(features, labels, np.zeros_like(is_rgb))


def test_a_metric_is_as_large_as_its_checkpoint_says():
    metric, other = (MODELS.build(dict(type='XQDA')) for _ in range(2))
    assert list(metric.state_dict()) == ['projection']
    metric.fit(*people())
    features = torch.randn(3, 5)
    other.load_state_dict(metric.state_dict())
    torch.testing.assert_close(other(features), features @ metric.projection)
    net = nn.ModuleDict(dict(metric=MODELS.build(dict(type='XQDA'))))
    load_state_dict(net, {'metric.projection': metric.projection}, strict=True)  # MMEngine's
    assert torch.equal(net['metric'].projection, metric.projection)


def test_a_metric_that_was_not_learned_on_such_features_says_so():
    metric = MODELS.build(dict(type='XQDA'))
    with pytest.raises(RuntimeError, match='on features of length 0, and gets some of length 5'):
        metric(torch.zeros(2, 5))
    metric.fit(*people())
    with pytest.raises(RuntimeError, match='on features of length 5, and gets some of length 7'):
        metric(torch.zeros(2, 7))


# -------------------------------------------------------------------------------------------------------------- model


class Means(nn.Module):
    """The mean of each channel, and one number of four pixels, as a descriptor."""

    def forward(self, image):
        assert image.dtype == np.uint8 and image.flags.c_contiguous
        self.last = image
        return np.append(image.mean(axis=(0, 1)), image[:2, :2].std()).astype(np.float32)


PREPROCESSOR = dict(type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True)


@pytest.fixture
def make_model():
    MODELS.register_module('Means', module=Means, force=True)
    yield lambda metric=True, **settings: MODELS.build(
        dict(
            type='HandcraftedReID',
            data_preprocessor=PREPROCESSOR,
            reid=dict(
                type='HandcraftedNet', extractor=dict(type='Means'), metric=dict(type='XQDA') if metric else None
            ),
            **settings,
        )
    )
    MODELS._module_dict.pop('Means')


def train_epoch(model, *batches):
    """As MMEngine's loop and the hook do it."""
    model.train()
    for batch in batches:
        model.train_step(copy.deepcopy(batch), optim_wrapper=None)
    HOOKS.build(dict(type='FitMetricHook')).after_train_epoch(SimpleNamespace(model=model))


def test_the_extractor_sees_the_8_bit_rgb_image_that_the_file_holds(make_model, make_batch):
    model, batch = make_model(metric=False), make_batch(num_ids=1, num_pairs=1)
    batch['inputs'][1, 0, :, :8] = torch.arange(256, dtype=torch.uint8).view(32, 8).repeat(2, 1)
    model.test_step(copy.deepcopy(batch))
    expected = batch['inputs'][1].permute(1, 2, 0).numpy()[..., ::-1]  # BGR -> RGB
    np.testing.assert_array_equal(model.reid.extractor.last, expected)


def test_without_a_metric_the_feature_is_the_descriptor_and_training_keeps_nothing(make_model, make_batch):
    model, batch = make_model(metric=False), make_batch()
    train_epoch(model, batch)
    assert not model.vectors and not model.state_dict()
    samples = model.test_step(copy.deepcopy(batch))
    expected = [Means()(x.permute(1, 2, 0).numpy()[..., ::-1].copy()) for x in batch['inputs']]
    np.testing.assert_allclose(torch.stack([sample.feature for sample in samples]), expected, rtol=1e-6)


def test_the_metric_is_fitted_to_all_images_of_the_epoch_and_then_compares_them(make_model, make_batch):
    batches = [make_batch(num_ids=3, num_pairs=3, seed=seed) for seed in (0, 1)]
    model, plain = make_model(), make_model(metric=False)
    train_epoch(model, *batches)
    vectors = [sample.feature for batch in batches for sample in plain.test_step(copy.deepcopy(batch))]
    samples = [sample for batch in batches for sample in batch['data_samples']]
    vectors, labels = torch.stack(vectors), np.array([int(sample.gt_label) for sample in samples])
    expected = xqda(vectors.numpy(), labels, np.array([sample.modality == 'rgb' for sample in samples]))
    torch.testing.assert_close(model.reid.metric.projection, torch.from_numpy(expected))
    found = torch.stack([s.feature for b in batches for s in model.test_step(copy.deepcopy(b))])
    torch.testing.assert_close(found, vectors @ torch.from_numpy(expected))
    assert not model.vectors and not model.kept  # the next epoch begins anew
    train_epoch(model, *batches)
    torch.testing.assert_close(model.reid.metric.projection, torch.from_numpy(expected))


def test_no_more_than_so_many_images_of_an_identity_and_modality_are_described(make_model, make_batch):
    model = make_model(max_images=3)
    batches = [make_batch(num_ids=2, num_pairs=2, seed=seed) for seed in (0, 1, 2)]
    for batch in batches:
        model.train_step(copy.deepcopy(batch), optim_wrapper=None)
    assert sorted(zip(model.labels, model.modalities, strict=True)) == sorted(
        [(label, modality) for label in (0, 1) for modality in ('rgb', 'ir') for _ in range(3)]
    )
    assert len(model.vectors) == 12
    plain = make_model(metric=False)
    first, second, _ = ([s.feature for s in plain.test_step(copy.deepcopy(batch))] for batch in batches)
    np.testing.assert_array_equal(model.vectors, first + second[::2])  # the first that come


def test_several_processes_are_refused_where_there_is_a_metric_to_fit(make_model, monkeypatch):
    monkeypatch.setattr('tsgan.engine.hooks.get_world_size', lambda: 2)
    hook = HOOKS.build(dict(type='FitMetricHook'))
    hook.before_train(SimpleNamespace(model=make_model(metric=False)))
    with pytest.raises(RuntimeError, match='a metric is fitted in one process, and this training has 2'):
        hook.before_train(SimpleNamespace(model=make_model()))
