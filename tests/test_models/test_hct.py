"""HcT's configs: how its losses add up, and its pooling."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from tsgan.models.losses import HeteroCentreTripletLoss, named
from tsgan.registry import MODELS
from tsgan.structures import PartOutput, ReIDOutput

CONFIGS = Path(__file__).parents[2] / 'configs'


def model_of(name):
    return Config.fromfile(CONFIGS / f'{name}.py').model


@pytest.mark.parametrize(
    ('name', 'smoothing', 'weight'),
    [('modern/hct', 0.0, 1), ('synthetic/modern/hct', 0.0, 1), ('modern/regdb/hct', 0.1, 2)],
)
def test_the_losses_are_the_papers_sums_over_stripes(name, smoothing, weight):
    losses = {key: MODELS.build(cfg) for key, cfg in model_of(name).losses.items()}
    vectors, logits = torch.rand(6, 16, 8, dtype=torch.float64), torch.randn(6, 16, 5, dtype=torch.float64)
    parts = tuple(PartOutput(v, v, z) for v, z in zip(vectors, logits, strict=True))
    joined = torch.cat([*vectors], dim=1)  # (16, 48)
    output = ReIDOutput(None, None, joined, joined, None, {}, parts)
    labels, is_rgb = torch.arange(4).repeat_interleave(2).repeat(2), torch.arange(16) < 8
    found = sum(named(loss(output, labels, is_rgb))['loss'] for loss in losses.values())

    def centres(of):
        return HeteroCentreTripletLoss(margin=0.3)(of, labels, is_rgb)['loss']

    expected = sum(F.cross_entropy(z, labels, label_smoothing=smoothing) for z in logits)
    expected = expected + centres(joined) + weight * sum(map(centres, vectors))
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)  # soft labels are float32


def test_pooling_of_regdb_has_finite_gradients_of_values_whose_tenth_powers_vanish():
    pooling = MODELS.build(model_of('modern/regdb/hct').reid.parts.pooling)
    for value in (0.0, 1e-6, 2e-5, 1e-3, 0.1, 1.0, 300.0):
        stripe = torch.full((1, 1, 3, 9), value, requires_grad=True)
        pooled = pooling(stripe)
        pooled.sum().backward()
        assert pooled.item() == pytest.approx(max(value, 0.063), rel=1e-5) and stripe.grad.isfinite().all()


def test_embeddings_and_classifiers_start_as_published():
    parts = MODELS.build(model_of('synthetic/modern/hct').reid.parts)
    parts.init_weights()
    for embedding, head in zip(parts.embeddings, parts.heads, strict=True):
        assert embedding[0].weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.1)
        assert head.classifier.weight.std().item() == pytest.approx(0.001, rel=0.1)
        assert head.classifier.bias.abs().max() == embedding[0].bias.abs().max() == 0
