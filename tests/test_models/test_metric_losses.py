"""Losses of vectors, identities and modalities: AGW's, CAJ's, HcT's and PMT's."""

import functools
import logging
import math
import os
from datetime import timedelta

import pytest
import slow_losses
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmengine.logging import MMLogger
from torch.autograd import gradcheck

from tsgan.models.losses import centres, masked_mean
from tsgan.registry import MODELS

SLOW = dict(
    WeightedTripletLoss=slow_losses.weighted_triplet,
    SquaredWeightedTripletLoss=slow_losses.squared_weighted_triplet,
    HeteroCentreTripletLoss=slow_losses.hetero_centre_triplet,
    ModalitySharedEnhancementLoss=slow_losses.modality_shared_enhancement,
    DiscriminativeCentreLoss=slow_losses.discriminative_centre,
)
NEED_MODALITIES = ('HeteroCentreTripletLoss', 'ModalitySharedEnhancementLoss')
every_loss = pytest.mark.parametrize('kind', list(SLOW))


def value(found):
    return found['loss'] if isinstance(found, dict) else found


def computed(loss, vectors, labels, is_rgb, factor=1):
    """Value and gradient of a loss."""
    vectors = vectors.clone().requires_grad_()
    found = factor * value(loss(vectors, labels, is_rgb))
    found.backward()
    return found.item(), vectors.grad


def batch(seed, ids=4, pairs=3, channels=5, dtype=torch.float64):
    """RGB images, then IR, grouped by identity, as the sampler gives them."""
    torch.manual_seed(seed)
    labels = torch.tensor([7, 2, 5, 0, 9, 4][:ids]).repeat_interleave(pairs).repeat(2)
    vectors = torch.randn(len(labels), channels, dtype=dtype) + labels[:, None] / 9
    return vectors, labels, torch.arange(len(labels)) < len(labels) // 2


@every_loss
def test_value_and_gradient_are_those_of_the_formula_in_loops(kind):
    for seed in range(4):
        vectors, labels, is_rgb = batch(seed)
        loss = MODELS.build(dict(type=kind, loss_weight=2.0))
        found, gradient = computed(loss, vectors, labels, is_rgb)
        slow, slow_gradient = computed(SLOW[kind], vectors, labels.tolist(), is_rgb.tolist(), factor=2)
        assert found == pytest.approx(slow, rel=1e-9) and found > 0
        torch.testing.assert_close(gradient, slow_gradient, rtol=1e-7, atol=1e-12)
        assert gradient.abs().max() > 1e-3


@every_loss
def test_value_and_gradient_are_those_of_the_formula_for_any_mixture_of_labels_and_modalities(kind):
    for seed in range(6):
        torch.manual_seed(seed)
        vectors, labels = torch.randn(14, 5, dtype=torch.float64), torch.randint(0, 5, (14,))
        is_rgb = torch.rand(14) < 0.6
        found, gradient = computed(MODELS.build(dict(type=kind)), vectors, labels, is_rgb)
        slow, slow_gradient = computed(SLOW[kind], vectors, labels.tolist(), is_rgb.tolist())
        assert found == pytest.approx(slow, rel=1e-9)
        torch.testing.assert_close(gradient, slow_gradient, rtol=1e-7, atol=1e-12)


@every_loss
def test_order_of_the_batch_makes_no_difference(kind):
    vectors, labels, is_rgb = batch(0)
    loss = MODELS.build(dict(type=kind))
    found, gradient = computed(loss, vectors, labels, is_rgb)
    order = torch.randperm(len(labels))
    again, permuted = computed(loss, vectors[order], labels[order], is_rgb[order])
    assert again == pytest.approx(found, rel=1e-12)
    torch.testing.assert_close(permuted, gradient[order], rtol=1e-9, atol=1e-14)


@every_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_as_float32(kind, dtype):
    vectors, labels, is_rgb = batch(1, channels=64)
    half = (150 * vectors).to(dtype)  # squares beyond 65,504
    loss = MODELS.build(dict(type=kind, **(dict(cap=None) if 'Squared' in kind else {})))
    found, gradient = computed(loss, half, labels, is_rgb)
    expected, _ = computed(loss, half.double(), labels, is_rgb)
    assert value(loss(half, labels, is_rgb)).dtype == torch.float32
    assert found == pytest.approx(expected, rel=1e-4) and gradient.isfinite().all()


@every_loss
def test_mixed_precision_leaves_the_loss_in_float32(kind):
    vectors, labels, is_rgb = batch(2, channels=64, dtype=torch.float32)
    loss = MODELS.build(dict(type=kind))
    expected = value(loss(vectors, labels, is_rgb))
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(value(loss(vectors, labels, is_rgb)), expected)


def degenerate():
    vectors, labels, is_rgb = batch(3)
    return dict(
        one_identity=(vectors, torch.zeros_like(labels), is_rgb),
        one_modality=(vectors, labels, torch.ones_like(is_rgb)),
        one_image_each=(vectors[::3], labels[::3], is_rgb[::3]),
        one_image_of_one=(vectors[:1], labels[:1], is_rgb[:1]),
        all_at_one_point=(torch.ones_like(vectors), labels, is_rgb),
    )


ZERO = dict(
    WeightedTripletLoss={'one_identity', 'one_image_of_one'},
    SquaredWeightedTripletLoss={'one_identity', 'one_image_of_one'},
    HeteroCentreTripletLoss={'one_identity', 'one_image_of_one', 'one_modality'},
    ModalitySharedEnhancementLoss={'one_modality', 'one_image_each', 'one_image_of_one', 'all_at_one_point'},
    DiscriminativeCentreLoss={'one_identity', 'one_image_of_one', 'all_at_one_point'},
)


@every_loss
@pytest.mark.parametrize('case', list(degenerate()))
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_degenerate_batches_have_a_finite_value_and_gradient(kind, case, dtype):
    vectors, labels, is_rgb = degenerate()[case]
    found, gradient = computed(MODELS.build(dict(type=kind)), vectors.to(dtype), labels, is_rgb)
    assert math.isfinite(found) and gradient.isfinite().all()
    assert (found == 0) == (case in ZERO[kind])
    if found == 0:
        assert gradient.abs().max() == 0


@pytest.mark.parametrize('kind', NEED_MODALITIES)
def test_a_batch_that_does_not_say_its_modalities_is_refused(kind):
    with pytest.raises(ValueError, match=f"{kind} compares modalities.* expected 'rgb' or 'ir'"):
        MODELS.build(dict(type=kind))(*batch(0)[:2], None)


@pytest.mark.parametrize('kind', [kind for kind in SLOW if kind not in NEED_MODALITIES])
def test_the_others_do_without(kind):
    vectors, labels, is_rgb = batch(0)
    loss = MODELS.build(dict(type=kind))
    assert value(loss(vectors, labels)) == value(loss(vectors, labels, is_rgb))


def test_weighted_triplet_of_a_hand_worked_batch():
    # on a line: identity 0 at 0 and log 2, identity 1 at log 8: anchor 0 has positives 0 and log 2 with weights 1 : 2
    vectors, labels = torch.tensor([[0.0], [math.log(2)], [math.log(8)]]), torch.tensor([0, 0, 1])
    p = 2 / 3 * math.log(2)
    # anchor 2 has negatives at log 8 and log 4, weighted 1 : 2, and itself as the only positive
    q = [math.log(8), math.log(4), (math.log(8) + 2 * math.log(4)) / 3]
    expected = sum(math.log(1 + math.exp(a - b)) for a, b in zip([p, p, 0], q, strict=True)) / 3
    assert MODELS.build(dict(type='WeightedTripletLoss'))(vectors, labels).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('kind', ['WeightedTripletLoss', 'SquaredWeightedTripletLoss'])
def test_weights_sum_to_one_at_any_distance(kind):
    # P and Q grow with the distances also where exp(-distance) is less than any float32
    vectors, labels, is_rgb = batch(4)
    cfg = dict(type=kind, **(dict(cap=None) if 'Squared' in kind else {}))
    found, gradient = computed(MODELS.build(cfg), (1000 * vectors).float(), labels, is_rgb)
    expected, expected_gradient = computed(MODELS.build(cfg), 1000 * vectors, labels, is_rgb)
    assert found == pytest.approx(expected, rel=1e-5)
    assert gradient.isfinite().all() and gradient.abs().max() > 0.01
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    'cfg',
    [
        dict(type='WeightedTripletLoss'),
        dict(type='SquaredWeightedTripletLoss', alpha=0.7, gamma=1.3, cap=None),
        dict(type='SquaredWeightedTripletLoss', scale='channels'),
        dict(type='SquaredWeightedTripletLoss', scale='unit'),
        dict(type='HeteroCentreTripletLoss', margin=1.0),
        dict(type='ModalitySharedEnhancementLoss'),
        dict(type='DiscriminativeCentreLoss'),
    ],
    ids=lambda cfg: cfg['type'] + str(cfg.get('scale', '')),
)
def test_gradients_are_those_of_small_differences(cfg):
    vectors, labels, is_rgb = batch(5, ids=3, pairs=2)
    loss = MODELS.build(cfg)
    assert gradcheck(lambda v: value(loss(v, labels, is_rgb)), vectors.requires_grad_())


@pytest.mark.parametrize('options', [dict(alpha=0.5, gamma=2.0), dict(cap=1.5), dict(cap=None, gamma=0.3)])
def test_squared_triplet_has_its_factors_and_cap_where_the_formula_has_them(options):
    slow = {**options, 'cap': math.inf if options.get('cap', 88) is None else options.get('cap', 88.0)}
    capped = set()
    for seed in range(4):
        vectors, labels, is_rgb = batch(seed)
        loss = MODELS.build(dict(type='SquaredWeightedTripletLoss', **options))
        found, gradient = computed(loss, 2 * vectors, labels, is_rgb)
        in_loops = functools.partial(slow_losses.squared_weighted_triplet, **slow)
        expected, expected_gradient = computed(in_loops, 2 * vectors, labels.tolist(), None)
        assert found == pytest.approx(expected, rel=1e-8)
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-6, atol=1e-11)
        pairs = slow_losses.weighted_distances(2 * vectors, labels.tolist(), slow.get('alpha', 1.0))
        wrong = [p > q and slow.get('gamma', 1.0) * (p - q) ** 2 > slow['cap'] for p, q in pairs]
        share = loss(2 * vectors, labels)['capped'].item()
        assert share == pytest.approx(sum(wrong) / len(wrong))
        capped.add(0 < share < 1)
    assert True in capped or options.get('cap') is None


@pytest.mark.parametrize(('scale', 'function'), [
    ('channels', lambda v: v / 5**0.5), ('unit', lambda v: v / v.norm(dim=1, keepdim=True)), (None, lambda v: v)
])  # fmt: skip
def test_squared_triplet_with_a_scale_is_that_of_scaled_vectors(scale, function):
    vectors, labels, _ = batch(6)
    vectors = vectors + 20 * (torch.arange(len(vectors)) % 2)[:, None]
    plain, scaled = (MODELS.build(dict(type='SquaredWeightedTripletLoss', scale=s)) for s in (None, scale))
    assert scaled(vectors, labels)['loss'].item() == pytest.approx(plain(function(vectors), labels)['loss'].item())
    with pytest.raises(ValueError, match="scale of .* is one of .* not 'sqrt'"):
        MODELS.build(dict(type='SquaredWeightedTripletLoss', scale='sqrt'))


def test_an_anchor_beyond_the_cap_gives_88_and_no_gradient():
    # two identities at 0 and 20, each with an image at both: P - Q is about 20 for each anchor
    vectors, labels = torch.tensor([[0.0], [20.0], [0.0], [20.0]]), torch.tensor([0, 0, 1, 1])
    loss = MODELS.build(dict(type='SquaredWeightedTripletLoss'))
    found, gradient = computed(loss, vectors, labels, None)
    assert found == 88.0 and gradient.abs().max() == 0
    assert loss(vectors, labels)['capped'].item() == 1
    found, gradient = computed(MODELS.build(dict(type='SquaredWeightedTripletLoss', cap=None)), vectors, labels, None)
    assert found == pytest.approx(400, rel=1e-5) and gradient.abs().min() > 1


def test_anchors_in_order_beyond_the_cap_are_not_counted():
    vectors, labels = torch.tensor([[0.0], [0.1], [20.0], [20.1]]), torch.tensor([0, 0, 1, 1])
    found = MODELS.build(dict(type='SquaredWeightedTripletLoss'))(vectors, labels)
    assert found['capped'].item() == 0 and found['loss'].item() < 1e-30


@pytest.fixture
def warnings(caplog):
    """What MMEngine's current logger was told."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)  # a test before may have had it silent
    logger.addHandler(caplog.handler)
    yield lambda: [record for record in caplog.records if record.levelno >= logging.WARNING]
    logger.removeHandler(caplog.handler)
    logger.setLevel(level)


def test_a_high_share_of_capped_anchors_is_told_once_and_then_rarely(warnings):
    loss = MODELS.build(dict(type='SquaredWeightedTripletLoss'))
    loss.WINDOW, loss.SILENCE = 5, 20
    labels = torch.tensor([0, 0, 1, 1])
    fine, bad = torch.tensor([[0.0], [1.0], [0.0], [1.0]]), torch.tensor([[0.0], [20.0], [0.0], [20.0]])
    for _ in range(10):
        loss(fine, labels)
    for _ in range(4):  # not yet a window of them
        loss(bad, labels)
    assert warnings() == []
    for _ in range(20):
        loss(bad, labels)
    assert len(warnings()) == 1
    text = warnings()[0].getMessage()
    assert text.count('\n') == 0 and '100%' in text and 'no gradient' in text and 'cap=None' in text
    for _ in range(20):
        loss(bad, labels)
    assert len(warnings()) == 2 and '100%' in warnings()[1].getMessage()


def test_hetero_centre_triplet_of_a_hand_worked_batch():
    # centres: identity 0 at 1 (RGB) and 2 (IR), identity 1 at 4 (RGB) and 9 (IR)
    vectors = torch.tensor([[0.0], [2.0], [3.0], [5.0], [1.5], [2.5], [8.0], [10.0]])
    labels, is_rgb = torch.tensor([0, 0, 1, 1] * 2), torch.arange(8) < 4
    loss = MODELS.build(dict(type='HeteroCentreTripletLoss', margin=0.5))
    hinges = [0.5 + 1 - 3, 0.5 + 1 - 2, 0.5 + 5 - 2, 0.5 + 5 - 7]
    said = loss(vectors, labels, is_rgb)
    assert said['loss'].item() == pytest.approx(sum(max(0, h) for h in hinges) / 4)
    assert (said['active'].item(), said['at_margin'].item()) == (0.25, 0)  # a hinge of 0 is not


def test_a_centre_without_one_of_the_other_modality_adds_nothing():
    # centres: identity 0 at 0 (RGB) and 1 (IR), identity 1 at 1.25, of RGB images only
    vectors, labels = torch.tensor([[0.0], [1.25], [1.0]]), torch.tensor([0, 1, 0])
    loss = MODELS.build(dict(type='HeteroCentreTripletLoss', margin=0.5))
    found = loss(vectors, labels, torch.tensor([True, True, False]))['loss'].item()
    assert found == pytest.approx((0.5 + 1 - 1.25 + 0.5 + 1 - 0.25) / 3)


def test_modality_shared_enhancement_of_a_hand_worked_batch():
    # one person: RGB at 0 and 1, IR at 3 and 5; within 1, 1, 2, 2; across 4, 3, 2.5, 4.5
    vectors, labels = torch.tensor([[0.0], [1.0], [3.0], [5.0]]), torch.zeros(4, dtype=torch.long)
    loss = MODELS.build(dict(type='ModalitySharedEnhancementLoss'))
    expected = ((9 + 4) / 2 + (0.25 + 6.25) / 2) / 2
    assert loss(vectors, labels, torch.tensor([True, True, False, False])).item() == pytest.approx(expected)


def test_discriminative_centre_of_a_hand_worked_batch():
    # centres 1 and 7; own distances 1, 1, 3, 3; of the other identity 3 and 9 to the first, 5 and 7 to the second
    vectors, labels = torch.tensor([[0.0], [2.0], [4.0], [10.0]]), torch.tensor([0, 0, 1, 1])
    found = MODELS.build(dict(type='DiscriminativeCentreLoss'))(vectors, labels)
    assert found.item() == pytest.approx(2 / ((3 + 5) / 2))


def test_the_nearest_vector_of_others_counts_where_none_is_nearer_than_their_mean():
    # centres 1 and 4; own distances 1, 1, 0; to the first the other identity's only vector, at 3; to the second 4 and 2
    vectors, labels = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([0, 0, 1])
    found = MODELS.build(dict(type='DiscriminativeCentreLoss'))(vectors, labels)
    assert found.item() == pytest.approx(2 / 3 / ((3 + 2) / 2))


def rank_worker(rank, folder):
    """What each of two ranks finds with its half of the identities: gradients of its own vectors."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', f'file://{folder}/rendezvous', timedelta(minutes=2), rank=rank, world_size=2)
    vectors, labels, is_rgb = batch(8)
    mine = half(labels, rank)
    found = {k: computed(MODELS.build(dict(type=k)), vectors[mine], labels[mine], is_rgb[mine]) for k in SLOW}
    torch.save(found, f'{folder}/{rank}.pt')
    os._exit(0)  # at the end of Python, gloo may wait for ever


def half(labels, rank):
    """Rows of the first or of the last two identities of :func:`batch`."""
    return torch.isin(labels, torch.tensor([[7, 2], [5, 0]][rank]))


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    mp.spawn(rank_worker, (str(folder),), nprocs=2)
    return [torch.load(folder / f'{rank}.pt') for rank in range(2)]


@every_loss
def test_gradients_of_two_ranks_are_those_of_one_process_on_the_whole_batch(kind, ranks):
    vectors, labels, is_rgb = batch(8)
    loss = MODELS.build(dict(type=kind))
    expected, gradient = computed(loss, vectors, labels, is_rgb)
    alone = []
    for rank, found in enumerate(ranks):
        rows = half(labels, rank)
        assert found[kind][0] == pytest.approx(expected, rel=1e-9)
        # 2: gradients of parameters are averaged over ranks afterwards
        torch.testing.assert_close(found[kind][1] / 2, gradient[rows], rtol=1e-7, atol=1e-12)
        alone.append(computed(loss, vectors[rows], labels[rows], is_rgb[rows])[0])
    if kind != 'ModalitySharedEnhancementLoss':  # which compares images of one identity only
        assert sum(alone) / 2 != pytest.approx(expected, rel=1e-3)


def test_centres_are_means_by_identity_and_modality():
    vectors, labels = torch.tensor([[0.0], [4.0], [2.0], [6.0]]), torch.tensor([3, 1, 3, 1])
    is_rgb = torch.tensor([True, True, True, False])
    found, identity, rgb = centres(vectors, labels, is_rgb)
    assert found[:, 0].tolist() == [6, 4, 1] and identity.tolist() == [1, 1, 3] and rgb.tolist() == [False, True, True]
    found, identity, rgb = centres(vectors, labels)
    assert found[:, 0].tolist() == [5, 1] and identity.tolist() == [1, 3] and rgb is None


def test_masked_mean_of_nothing_is_zero_whatever_stands_there():
    values = torch.tensor([[1.0, torch.inf], [torch.nan, 2.0]], requires_grad=True)
    found = masked_mean(values, torch.tensor([[True, False], [False, False]]))
    found.sum().backward()
    assert found.tolist() == [1, 0] and values.grad.tolist() == [[1, 0], [0, 0]]


@pytest.mark.parametrize('cap', [0, -88])
def test_a_cap_below_every_square_is_refused(cap):
    with pytest.raises(ValueError, match=f'cap of SquaredWeightedTripletLoss is {cap}: expected more than 0'):
        MODELS.build(dict(type='SquaredWeightedTripletLoss', cap=cap))
