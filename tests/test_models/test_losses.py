import math

import pytest
import torch

from tsgan.models.losses import named
from tsgan.registry import MODELS


def cosine_distance(a, b):
    return 1 - sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def triplet_by_hand(vectors, labels, margin, distance=math.dist, across=None):
    """Eq. 11 in loops over plain floats."""
    total = 0.0
    for a, anchor in enumerate(vectors):
        others = [i for i in range(len(vectors)) if across is None or across[i] != across[a]]
        positives = [distance(anchor, vectors[i]) for i in others if labels[i] == labels[a]]
        negatives = [distance(anchor, vectors[i]) for i in others if labels[i] != labels[a]]
        if positives and negatives:
            total += max(0.0, margin + max(positives) - min(negatives))
    return total / len(vectors)


def test_triplet_loss_of_a_hand_worked_batch():
    # anchors at 0, 1 of identity 0 and 3, 7 of identity 1: hardest positives 1, 1, 4, 4, negatives 3, 2, 2, 6
    vectors = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    loss = MODELS.build(dict(type='BatchHardTripletLoss', margin=0.5))(vectors, torch.tensor([0, 0, 1, 1]))['loss']
    assert loss.item() == pytest.approx((0 + 0 + (0.5 + 4 - 2) + 0) / 4)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_triplet_loss_equals_loops_over_random_batches(dtype):
    loss = MODELS.build(dict(type='BatchHardTripletLoss', margin=0.3, loss_weight=2.0))
    for seed in range(5):
        torch.manual_seed(seed)
        vectors, labels = torch.randn(12, 5).to(dtype), torch.randint(0, 4, (12,))
        expected = 2.0 * triplet_by_hand(vectors.tolist(), labels.tolist(), 0.3)
        assert loss(vectors, labels)['loss'].item() == pytest.approx(expected, rel=1e-5)


def test_triplet_loss_of_collapsed_vectors_is_the_margin_with_finite_gradients():
    vectors = torch.ones(6, 4, requires_grad=True)
    said = MODELS.build(dict(type='BatchHardTripletLoss', margin=0.3))(vectors, torch.tensor([0, 0, 1, 1, 2, 2]))
    loss = said['loss']
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert vectors.grad.isfinite().all()


def test_anchors_that_are_active_and_those_at_the_margin_are_counted():
    # hardest positives 1, 1, 1.02, 1.02 and negatives 2, 1, 1, 2.02 of anchors at 0, 1, 2 and 3.02, with margin 0.5
    vectors = torch.tensor([[0.0], [1.0], [2.0], [3.02]])
    said = MODELS.build(dict(type='BatchHardTripletLoss', margin=0.5))(vectors, torch.tensor([0, 0, 1, 1]))
    assert (said['active'].item(), said['at_margin'].item()) == (0.5, 0.5)
    said = MODELS.build(dict(type='BatchHardTripletLoss', margin=1.5))(vectors, torch.tensor([0, 0, 1, 1]))
    assert (said['active'].item(), said['at_margin'].item()) == (1.0, 0.5)
    said = MODELS.build(dict(type='BatchHardTripletLoss'))(torch.ones(4, 2), torch.tensor([0, 0, 1, 1]))
    assert (said['active'].item(), said['at_margin'].item()) == (1.0, 1.0)
    said = MODELS.build(dict(type='BatchHardTripletLoss'))(vectors, torch.zeros(4, dtype=torch.long))  # no negatives
    assert (said['active'].item(), said['at_margin'].item()) == (0.0, 0.0)


def test_triplet_loss_of_one_identity_is_zero():
    vectors = torch.randn(4, 3, requires_grad=True)
    loss = MODELS.build(dict(type='BatchHardTripletLoss'))(vectors, torch.zeros(4, dtype=torch.long))['loss']
    loss.backward()
    assert loss.item() == 0
    assert vectors.grad.abs().max() == 0


def test_triplets_across_modalities_of_a_hand_worked_batch():
    # RGB anchors at 0 (identity 0) and 3 (1), IR ones at 1 (0) and 7 (1): positives 1, 4, 1, 4, negatives 7, 2, 2, 7
    vectors, labels = torch.tensor([[0.0], [3.0], [1.0], [7.0]]), torch.tensor([0, 1, 0, 1])
    loss = MODELS.build(dict(type='BatchHardTripletLoss', margin=0.5, across=True))
    is_rgb = torch.tensor([True, True, False, False])
    expected = (0 + (0.5 + 4 - 2) + 0 + 0) / 4
    assert loss(vectors, labels, is_rgb)['loss'].item() == loss(vectors, labels, ~is_rgb)['loss'].item()
    assert loss(vectors, labels, is_rgb)['loss'].item() == pytest.approx(expected)
    with pytest.raises(ValueError, match="BatchHardTripletLoss compares modalities.* expected 'rgb' or 'ir'"):
        loss(vectors, labels)


@pytest.mark.parametrize('distance', ['euclidean', 'cosine'])
def test_triplets_across_modalities_equal_loops_also_where_an_anchor_has_none(distance):
    cfg = dict(type='BatchHardTripletLoss', margin=1.4, loss_weight=2.0, distance=distance)
    losses = {across: MODELS.build(dict(cfg, across=across)) for across in (False, True)}
    function = dict(euclidean=math.dist, cosine=cosine_distance)[distance]
    differ = 0
    for seed in range(8):
        torch.manual_seed(seed)
        vectors, labels, is_rgb = torch.randn(12, 5), torch.randint(0, 5, (12,)), torch.rand(12) < 0.5
        values = {across: loss(vectors, labels, is_rgb)['loss'].item() for across, loss in losses.items()}
        for across, value in values.items():
            mask = is_rgb.tolist() if across else None
            expected = 2.0 * triplet_by_hand(vectors.tolist(), labels.tolist(), 1.4, function, mask)
            assert value == pytest.approx(expected, rel=1e-4)
        differ += values[False] != values[True]
    assert differ == 8


def test_an_anchor_without_a_partner_in_the_other_modality_adds_nothing_and_keeps_gradients_finite():
    vectors = torch.randn(4, 3, requires_grad=True)
    loss = MODELS.build(dict(type='BatchHardTripletLoss', margin=9.0, across=True))
    for is_rgb in ([True] * 4, [True, True, False, False]):  # no other modality; no positive in it
        value = loss(vectors, torch.tensor([0, 0, 1, 1]), torch.tensor(is_rgb))['loss']
        value.backward()
        assert value.item() == 0 and vectors.grad.abs().max() == 0


def test_unknown_distance_is_refused():
    with pytest.raises(ValueError, match="one of .* not 'l1'"):
        MODELS.build(dict(type='BatchHardTripletLoss', distance='l1'))


def test_identity_loss_is_equation_9_with_the_soft_labels_of_equation_10():
    loss = MODELS.build(dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, mode='original', loss_weight=3.0))
    logits, label, n, eps = torch.tensor([[1.0, -2.0, 0.5]]), 2, 3, 0.1
    q = [eps / n, eps / n, 1 - (n - 1) / n * eps]
    p = [math.exp(x) / sum(math.exp(y) for y in logits[0].tolist()) for x in logits[0].tolist()]
    assert loss(logits, torch.tensor([label])).item() == pytest.approx(
        -3 * sum(a * math.log(b) for a, b in zip(q, p, strict=True)), rel=1e-5
    )


def test_vanilla_adversarial_loss_is_minus_log_of_the_probability():
    loss = MODELS.build(dict(type='VanillaGANLoss'))
    logits = torch.tensor([[2.0, -1.0]])
    sigmoid = [1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))]
    assert loss(logits, True).item() == pytest.approx(-sum(math.log(s) for s in sigmoid) / 2, rel=1e-5)
    assert loss(logits, False).item() == pytest.approx(-sum(math.log(1 - s) for s in sigmoid) / 2, rel=1e-5)


def test_least_squares_adversarial_loss_is_the_squared_distance_to_the_target():
    loss = MODELS.build(dict(type='LSGANLoss'))
    logits = torch.tensor([[2.0, -1.0]])
    assert loss(logits, True).item() == pytest.approx((1 + 4) / 2)
    assert loss(logits, False).item() == pytest.approx((4 + 1) / 2)
    assert loss(logits + 1, True).item() == pytest.approx((4 + 1) / 2)


def test_cycle_loss_is_the_weighted_mean_absolute_difference():
    loss = MODELS.build(dict(type='CycleConsistencyLoss', loss_weight=10.0))
    assert loss(torch.tensor([[0.5, -1.0]]), torch.tensor([[0.0, 1.0]])).item() == pytest.approx(10 * 2.5 / 2)


@pytest.mark.parametrize(('reduction', 'expected'), [('sum', 30.0), ('channel', 15.0), ('mean', 5.0)])
def test_teacher_student_loss_reductions_by_hand(reduction, expected):
    # two images, 3 channels, 1 x 2 positions; squared differences sum to 12 and 48
    student = torch.zeros(2, 3, 1, 2)
    teacher = torch.stack([torch.full((3, 1, 2), 2**0.5), torch.full((3, 1, 2), 8**0.5)])
    loss = MODELS.build(dict(type='TeacherStudentLoss', loss_weight=1.0, reduction=reduction))
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-5)


def test_teacher_student_loss_moves_the_student_only():
    student, teacher = torch.randn(2, 3, 4, 2, requires_grad=True), torch.randn(2, 3, 4, 2, requires_grad=True)
    MODELS.build(dict(type='TeacherStudentLoss', loss_weight=1.0))(student, teacher).backward()
    assert student.grad.abs().max() > 0
    assert teacher.grad is None


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="one of .* not 'batch'"):
        MODELS.build(dict(type='TeacherStudentLoss', loss_weight=1.0, reduction='batch'))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ('cfg', 'shape'),
    [
        (dict(type='TeacherStudentLoss', loss_weight=1.0, reduction='sum'), (2, 256, 8, 8)),
        (dict(type='TeacherStudentLoss', loss_weight=1.0, reduction='channel'), (2, 256, 8, 8)),
        (dict(type='CycleConsistencyLoss', reduction='sum'), (2, 3, 128, 128)),
        (dict(type='LSGANLoss'), (2, 1, 8, 8)),
        (dict(type='VanillaGANLoss'), (2, 1, 8, 8)),
        (dict(type='BatchHardTripletLoss', reduction='sum'), (8, 64)),
    ],
    ids=lambda value: value.get('type') + value.get('reduction', '') if isinstance(value, dict) else '',
)
def test_losses_of_half_precision_are_those_of_the_same_numbers_in_double(cfg, shape, dtype):
    x = (300 * torch.randn(shape)).to(dtype)  # squares beyond 65,504
    y = (300 * torch.randn(shape)).to(dtype)
    second = {'BatchHardTripletLoss': torch.arange(len(x)) // 2, 'LSGANLoss': True, 'VanillaGANLoss': True}
    loss = MODELS.build(cfg)
    found = named(loss(x, second.get(cfg['type'], y)))['loss']
    expected = named(loss(x.double(), second.get(cfg['type'], y.double())))['loss']
    assert found.dtype == torch.float32 and expected.dtype == torch.float64
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_losses_printed_as_sums_are_so_many_times_their_means():
    images = torch.rand(4, 3, 8, 5), torch.rand(4, 3, 8, 5)
    mean, whole = (MODELS.build(dict(type='CycleConsistencyLoss', reduction=r))(*images) for r in ('mean', 'sum'))
    assert whole.item() == pytest.approx(
        10 * sum((a - b).abs().sum().item() for a, b in zip(*images, strict=True)) / 4, rel=1e-5
    )
    assert whole.item() == pytest.approx(mean.item() * 3 * 8 * 5, rel=1e-5)
    vectors, labels = torch.randn(12, 5), torch.arange(12) // 3
    mean, whole = (
        MODELS.build(dict(type='BatchHardTripletLoss', reduction=r))(vectors, labels)['loss'] for r in ('mean', 'sum')
    )
    assert whole.item() == pytest.approx(12 * mean.item(), rel=1e-5)


@pytest.mark.parametrize(('kind', 'between'), [('VanillaGANLoss', 0.0), ('LSGANLoss', 0.5)])
def test_a_discriminators_accuracy_is_the_mean_of_those_of_real_and_of_fake_images(kind, between):
    real, fake = torch.tensor([1.0, -1.0, 2.0, 0.1]) + between, torch.tensor([[-1.0, 0.1], [-0.1, -3.0]]) + between
    alone = torch.cat([fake, fake, fake])  # however many more there are of one
    loss = MODELS.build(dict(type=kind))
    assert loss.accuracy(real, fake).item() == loss.accuracy(real, alone).item() == (3 / 4 + 3 / 4) / 2
    assert loss.accuracy(real.abs() + 1, -fake.abs()).item() == 1


@pytest.mark.parametrize('kind', ['CycleConsistencyLoss', 'BatchHardTripletLoss'])
def test_unknown_reductions_are_refused(kind):
    with pytest.raises(ValueError, match=f"reduction of {kind} is one of .* not 'max'"):
        MODELS.build(dict(type=kind, reduction='max'))
