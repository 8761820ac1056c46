"""Losses of DEEN and MPANet against loops over one image, centre and position at a time."""

import pytest
import torch
import torch.nn.functional as F
from slow_losses import distance, mean
from torch.autograd import gradcheck

from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput


def batch(seed, ids=4, pairs=3, blocks=1, channels=5, spread=0.3):
    """RGB images, then IR, grouped by identity, as the sampler gives them; so many blocks of these."""
    torch.manual_seed(seed)
    labels = torch.tensor([7, 2, 5, 0, 9][:ids]).repeat_interleave(pairs).repeat(2)
    is_rgb = (torch.arange(len(labels)) < len(labels) // 2).repeat(blocks)
    labels = labels.repeat(blocks)
    vectors = spread * torch.randn(len(labels), channels, dtype=torch.float64) + labels[:, None] / 20
    return vectors, labels, is_rgb


def computed(loss, leaf, *rest):
    """Value and gradient of a loss."""
    leaf = leaf.clone().requires_grad_()
    found = loss(leaf, *rest)
    found.backward()
    return found.item(), leaf.grad


def hinge(t):
    return t if t > 0 else 0 * t


def centre(vectors, chosen):
    return mean([vectors[i] for i in chosen]) if chosen else None


def pair_mining(vectors, labels, is_rgb, margin=0.2):
    """Sum over the expanded blocks of CPM, by its definition."""
    n = len(vectors) // 3
    ids = sorted(set(labels))

    def centres_of(block, rgb):
        rows = range(block * n, (block + 1) * n)
        found = {k: centre(vectors, [i for i in rows if labels[i] == k and is_rgb[i] == rgb]) for k in ids}
        return {k: c for k, c in found.items() if c is not None}

    one, two, total = centres_of(0, True), centres_of(0, False), 0 * vectors.sum()
    ids = [k for k in ids if k in one and k in two]

    def others(centres, k):
        return min((distance(centres[k], centres[j]) for j in ids if j != k), default=None)

    def half(close, fixed, far):
        terms = hinge(margin + close - fixed.detach())
        return terms + 0.5 * sum(hinge(margin + close - d) for d in far if d is not None)

    for block in (1, 2):
        three, four = centres_of(block, True), centres_of(block, False)
        terms = []
        for k in ids:
            a = half(distance(two[k], three[k]), distance(one[k], three[k]), [others(three, k), others(one, k)])
            b = half(distance(one[k], four[k]), distance(two[k], four[k]), [others(four, k), others(two, k)])
            terms.append((a + b) / 2)
        total = total + (mean(terms) if terms else 0)
    return total


def orthogonality(vectors, labels, is_rgb):
    n = len(vectors) // 3
    return sum((vectors[n + i] * vectors[2 * n + i]).sum() for i in range(n)) / (3 * n)


def centre_cluster(vectors, labels, is_rgb, margin=0.7):
    centres = {k: centre(vectors, [i for i, label in enumerate(labels) if label == k]) for k in set(labels)}
    within = mean([distance(vector, centres[label]) for vector, label in zip(vectors, labels, strict=True)])
    terms = [mean([hinge(margin - distance(c, d)) for j, d in centres.items() if j != k]) for k, c in centres.items()]
    return within + mean(terms)


SLOW = dict(
    CentreGuidedPairMiningLoss=(pair_mining, 3),
    OrthogonalityLoss=(orthogonality, 3),
    CentreClusterLoss=(centre_cluster, 1),
)
each_kind = pytest.mark.parametrize('kind', list(SLOW))


@each_kind
def test_value_and_gradient_are_those_of_loops(kind):
    slow, blocks = SLOW[kind]
    for seed in range(4):
        vectors, labels, is_rgb = batch(seed, blocks=blocks)
        found, gradient = computed(MODELS.build(dict(type=kind, loss_weight=2.0)), vectors, labels, is_rgb)
        expected, slow_gradient = computed(slow, vectors, labels.tolist(), is_rgb.tolist())
        assert found == pytest.approx(2 * expected, rel=1e-9)
        torch.testing.assert_close(gradient, 2 * slow_gradient, rtol=1e-7, atol=1e-12)
        assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize('kind', ['CentreGuidedPairMiningLoss', 'CentreClusterLoss'])
def test_value_and_gradient_are_those_of_loops_for_any_order_and_mixture(kind):
    slow, blocks = SLOW[kind]
    for seed in range(6):
        torch.manual_seed(seed)
        labels, is_rgb = torch.randint(0, 4, (12,)).repeat(blocks), (torch.rand(12) < 0.5).repeat(blocks)
        vectors = 0.5 * torch.randn(12 * blocks, 5, dtype=torch.float64)
        found, gradient = computed(MODELS.build(dict(type=kind, loss_weight=1.0)), vectors, labels, is_rgb)
        expected, slow_gradient = computed(slow, vectors, labels.tolist(), is_rgb.tolist())
        assert found == pytest.approx(expected, rel=1e-9)
        torch.testing.assert_close(gradient, slow_gradient, rtol=1e-7, atol=1e-12)


@each_kind
@pytest.mark.parametrize('case', ['one identity', 'one modality', 'all at one point'])
def test_batches_that_say_nothing_have_finite_values_and_gradients(kind, case):
    vectors, labels, is_rgb = batch(0, blocks=SLOW[kind][1])
    if case == 'one identity':
        labels = torch.zeros_like(labels)
    elif case == 'one modality':
        is_rgb = torch.ones_like(is_rgb)
    else:
        vectors = torch.ones_like(vectors)
    found, gradient = computed(MODELS.build(dict(type=kind)), vectors, labels, is_rgb)
    assert found == found and abs(found) < 100 and gradient.isfinite().all()
    if (kind, case) == ('CentreGuidedPairMiningLoss', 'one modality'):
        assert found == 0 and not gradient.any()


@each_kind
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_as_float32(kind, dtype):
    vectors, labels, is_rgb = batch(1, blocks=SLOW[kind][1], channels=64, spread=1)
    half = (150 * vectors).to(dtype)  # squares beyond 65,504
    loss = MODELS.build(dict(type=kind))
    found = loss(half, labels, is_rgb)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(half.double(), labels, is_rgb).item(), rel=1e-4)


@each_kind
def test_mixed_precision_leaves_the_loss_in_float32(kind):
    vectors, labels, is_rgb = batch(2, blocks=SLOW[kind][1], channels=64)
    vectors, loss = vectors.float(), MODELS.build(dict(type=kind))
    expected = loss(vectors, labels, is_rgb)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(loss(vectors, labels, is_rgb), expected)


def test_pair_mining_of_a_hand_worked_batch():
    # on a line; identity 0: RGB 0, IR 1, expanded RGB 0.5, IR 0.75, twice; identity 1 ten further on
    rgb, ir = torch.tensor([True, True]), torch.tensor([False, False])
    plain, expanded = torch.tensor([0.0, 10, 1, 11]), torch.tensor([0.5, 10.5, 0.75, 10.75])
    vectors = torch.cat([plain, expanded, expanded])[:, None]
    labels, is_rgb = torch.tensor([0, 1]).repeat(6), torch.cat([rgb, ir]).repeat(3)
    loss = MODELS.build(dict(type='CentreGuidedPairMiningLoss', margin=0.2, loss_weight=0.8))
    # d23 = 0.5, d13 = 0.5; d14 = 0.75, d24 = 0.25; others are 10 away
    expected = 0.8 * 2 * ((0.2 + 0.5 - 0.5) + (0.2 + 0.75 - 0.25)) / 2
    assert loss(vectors, labels, is_rgb).item() == pytest.approx(expected)


def test_pair_mining_moves_an_expanded_centre_only_towards_the_plain_one_of_the_other_modality():
    vectors, labels, is_rgb = batch(0, ids=1, blocks=3)
    one, two, three = (vectors[start : start + 3].mean(dim=0) for start in (0, 3, 6))
    assert 0.2 + (two - three).norm() - (one - three).norm() > 0  # A of the first expanded block is at work
    _, gradient = computed(MODELS.build(dict(type='CentreGuidedPairMiningLoss')), vectors, labels, is_rgb)
    step = -gradient[6:9].sum(dim=0)  # of d_23 alone, nothing of d_13
    assert torch.allclose(F.normalize(step, dim=0), F.normalize(two - three, dim=0), atol=1e-9)


@pytest.mark.parametrize('kind', ['CentreGuidedPairMiningLoss', 'OrthogonalityLoss'])
@pytest.mark.parametrize('rows', [8, 12])
def test_losses_of_three_blocks_refuse_other_rows(kind, rows):
    with pytest.raises(ValueError, match=f'{kind} reads three rows of each image.*DEENNet'):
        MODELS.build(dict(type=kind))(torch.randn(rows, 3), torch.arange(rows), torch.arange(rows) < rows // 2)


def test_pair_mining_needs_the_modalities():
    with pytest.raises(ValueError, match="expected 'rgb' or 'ir' in the field `modality`"):
        MODELS.build(dict(type='CentreGuidedPairMiningLoss'))(torch.randn(6, 3), torch.zeros(6), None)


def output_with(**extras):
    return ReIDOutput(*[None] * 6, extras=extras)


def test_mask_overlap_and_its_gradient_are_those_of_loops_over_pairs_and_positions():
    torch.manual_seed(0)
    masks = torch.rand(3, 4, 5, 2, dtype=torch.float64)
    loss = MODELS.build(dict(type='MaskOverlapLoss', loss_weight=0.5))

    def fast(m):
        return loss(output_with(masks=m), None, None)

    def slow(m):
        pairs = [
            sum(m[i, a, y, x] * m[i, b, y, x] for y in range(5) for x in range(2))
            for i in range(3)
            for a in range(4)
            for b in range(a + 1, 4)
        ]
        return 0.5 * mean(pairs)

    (found, gradient), (expected, slow_gradient) = computed(fast, masks), computed(slow, masks)
    assert found == pytest.approx(expected, rel=1e-12)
    torch.testing.assert_close(gradient, slow_gradient)
    assert fast(masks[:, :1]).item() == 0


def modality_identity(logits, labels, is_rgb):
    def of(rgb):
        rows = [i for i in range(len(labels)) if is_rgb[i] == rgb]
        return mean([-(logits[i].exp() / logits[i].exp().sum())[labels[i]].log() for i in rows])

    return of(True) + of(False)


def agreement(own, other):
    terms = []
    for a, b in zip(own, other, strict=True):
        p, q = a.exp() / a.exp().sum(), b.exp() / b.exp().sum()
        terms.append(sum(p[k] * (p[k] / q[k]).log() for k in range(len(p))))
    return mean(terms)


def test_modality_losses_and_their_gradients_are_those_of_loops():
    torch.manual_seed(0)
    own, other = torch.randn(2, 7, 5, dtype=torch.float64)
    labels, is_rgb = torch.randint(0, 5, (7,)), torch.tensor([True, False, False, True, True, False, True])
    identity = MODELS.build(dict(type='ModalityIdentityLoss', loss_weight=3.0))
    agreeing = MODELS.build(dict(type='ModalityAgreementLoss', loss_weight=2.5))

    found = computed(lambda x: identity(output_with(own_logits=x), labels, is_rgb), own)
    expected = computed(lambda x: 3 * modality_identity(x, labels, is_rgb), own)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(found[1], expected[1])

    found = computed(lambda x: agreeing(output_with(own_logits=x, other_logits=other), labels, is_rgb), own)
    expected = computed(lambda x: 2.5 * agreement(x, other), own)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    torch.testing.assert_close(found[1], expected[1])
    assert gradcheck(
        lambda x: agreeing(output_with(own_logits=x, other_logits=other), labels, is_rgb), own.requires_grad_()
    )


def test_the_other_modalitys_logits_get_no_gradient_and_agreement_is_no_loss():
    own, other = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    loss = MODELS.build(dict(type='ModalityAgreementLoss'))
    loss(output_with(own_logits=own, other_logits=other), None, None).backward()
    assert other.grad is None and own.grad.any()
    assert loss(output_with(own_logits=own, other_logits=own + 3), None, None).item() == pytest.approx(0, abs=1e-6)


def test_a_batch_of_one_modality_has_its_identity_loss():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    loss = MODELS.build(dict(type='ModalityIdentityLoss'))
    found = loss(output_with(own_logits=logits), labels, torch.ones(4, dtype=torch.bool))
    assert found.item() == pytest.approx(F.cross_entropy(logits, labels).item())


@pytest.mark.parametrize('kind', ['MaskOverlapLoss', 'ModalityIdentityLoss', 'ModalityAgreementLoss'])
def test_losses_of_what_the_network_does_not_give_say_so(kind):
    with pytest.raises(ValueError, match=f'{kind} reads .* and this network gives no extras: expected .*MPANet'):
        MODELS.build(dict(type=kind))(output_with(), torch.zeros(2), torch.ones(2, dtype=torch.bool))
