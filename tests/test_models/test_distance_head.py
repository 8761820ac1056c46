import math

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from tsgan.registry import MODELS


def head(num_classes=5, in_channels=3, **changes):
    module = MODELS.build(dict(type='DistanceHead', num_classes=num_classes, in_channels=in_channels, **changes))
    module.init_weights()
    return module


def with_centres(module, scale=1.0):
    module.classifier.centres.data.normal_(std=scale)
    return module


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('tau', [1.0, 0.25])
def test_logits_are_minus_tau_times_the_squared_distances_in_loops(dtype, tau):
    module, vectors = with_centres(head(tau=tau)), torch.randn(7, 3).to(dtype)
    _, logits, _ = module(vectors)
    assert logits.dtype == torch.float32
    for row, vector in zip(logits.tolist(), vectors.tolist(), strict=True):
        for found, centre in zip(row, module.classifier.centres.tolist(), strict=True):
            assert found == pytest.approx(-tau * sum((a - b) ** 2 for a, b in zip(vector, centre, strict=True)))


def test_small_distances_between_long_vectors_are_exact():
    module = head(num_classes=40, in_channels=2)
    module.classifier.centres.data = 1000 + torch.arange(80.0).view(40, 2) / 64
    vectors = torch.full((30, 2), 1000.0)  # as many as for which torch.cdist would multiply matrices
    expected = -((vectors[:, None].double() - module.classifier.centres.double()) ** 2).sum(2)
    assert torch.allclose(module(vectors)[1].double(), expected, rtol=1e-5)


@pytest.mark.parametrize('tau', [1.0, 0.01])
def test_the_predicted_class_is_the_nearest_centre(tau):
    module, vectors = with_centres(head(num_classes=9, tau=tau)), torch.randn(50, 3)
    nearest = [
        min(range(9), key=lambda k: math.dist(vector, module.classifier.centres[k].tolist()))
        for vector in vectors.tolist()
    ]
    assert module(vectors)[1].argmax(dim=1).tolist() == nearest


def test_gradients_of_centres_and_vectors_are_those_worked_by_hand():
    tau, labels = 0.5, torch.tensor([0, 3, 3, 1])
    module, vectors = with_centres(head(tau=tau)), torch.randn(4, 3, requires_grad=True)
    _, logits, _ = module(vectors)
    cross_entropy(logits, labels).backward()
    error = (logits.softmax(1) - one_hot(labels, 5)).detach() / 4  # (N, K): dL / ds
    towards = (vectors[:, None] - module.classifier.centres).detach()  # (N, K, C): ds / dc = 2 tau (f - c)
    by_hand = 2 * tau * error[:, :, None] * towards
    assert torch.allclose(module.classifier.centres.grad, by_hand.sum(0), atol=1e-6)
    assert torch.allclose(vectors.grad, -by_hand.sum(1), atol=1e-6)
    assert (module.classifier.centres.grad.norm(dim=1) > 0).all()  # of all, the identities not in the batch too


def test_a_vector_on_its_centre_has_finite_gradients():
    module = with_centres(head())
    vectors = module.classifier.centres.detach().clone().requires_grad_()
    cross_entropy(module(vectors)[1], torch.arange(5)).backward()
    assert vectors.grad.isfinite().all() and module.classifier.centres.grad.isfinite().all()


def test_the_feature_compared_at_test_is_what_the_centres_are_compared_with():
    vectors = torch.randn(8, 3)
    feature, *_ = head()(vectors)
    assert feature is vectors
    feature, logits, _ = with_centres(module := head(bn_neck=True))(vectors)
    assert torch.allclose(feature, (vectors - vectors.mean(0)) / vectors.std(0, correction=0), atol=1e-4)
    assert torch.allclose(logits, -((feature[:, None] - module.classifier.centres) ** 2).sum(2), rtol=1e-4)
    assert head(bn_neck=True, neck_feat='before')(vectors)[0] is vectors


@pytest.mark.parametrize('with_triplet', [False, True])
def test_a_step_moves_every_centre(with_triplet, baseline, make_batch, make_optim_wrapper):
    baseline.reid.head = head(num_classes=6, in_channels=128)
    baseline.losses.loss_id.loss = MODELS.build(dict(type='mmpretrain.CrossEntropyLoss'))
    if not with_triplet:
        del baseline.losses['loss_tri']
    centres = baseline.reid.head.classifier.centres
    before = centres.detach().clone()
    log = baseline.train_step(make_batch(), make_optim_wrapper(baseline))
    assert log['reid/loss'].isfinite() and ('reid/loss_tri' in log) == with_triplet
    assert ((centres - before).norm(dim=1) > 0).all()
