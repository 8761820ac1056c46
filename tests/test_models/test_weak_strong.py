"""CAJ+'s consistency of two views."""

import math

import pytest
import slow_losses
import torch

from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput


def said(logits):
    return ReIDOutput(None, None, None, None, logits, {})


def batch(order=None):
    """Labels and modalities of V, V' and IR of three identities, two images each."""
    labels = torch.tensor([4, 4, 0, 0, 2, 2]).repeat(3)
    return labels, torch.arange(18) < 12


def test_value_and_gradient_are_those_of_the_formula_in_loops():
    logits = torch.randn(18, 5, dtype=torch.float64, requires_grad=True)
    found = MODELS.build(dict(type='WeakStrongLoss', loss_weight=2.0))(said(logits), *batch())
    found.backward()
    gradient, logits.grad = logits.grad, None
    expected = 2 * slow_losses.weak_strong(logits[:6], logits[6:12])
    expected.backward()
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(gradient, logits.grad, rtol=1e-9, atol=1e-14)
    assert gradient[:6].abs().min() > 0 and gradient[6:].abs().max() == 0


def test_hand_worked_value():
    # V' is sure of class 0 by 3 : 1, V by 1 : 1
    logits = torch.tensor([[0.0, 0.0], [math.log(3), 0.0], [9.0, -9.0]])
    found = MODELS.build(dict(type='WeakStrongLoss'))(
        said(logits), torch.tensor([1, 1, 1]), torch.tensor([True, True, False])
    )
    assert found.item() == pytest.approx(math.log(2))


def test_infrared_rows_may_stand_anywhere():
    labels, is_rgb = batch()
    logits = torch.randn(18, 5)
    loss = MODELS.build(dict(type='WeakStrongLoss'))
    order = torch.tensor([12, 0, 1, 2, 13, 14, 3, 4, 5, 6, 15, 7, 8, 16, 9, 10, 11, 17])
    assert torch.equal(loss(said(logits), labels, is_rgb), loss(said(logits[order]), labels[order], is_rgb[order]))


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_as_float32(dtype):
    logits = (20 * torch.randn(18, 5)).to(dtype)
    loss = MODELS.build(dict(type='WeakStrongLoss'))
    found = loss(said(logits), *batch())
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(loss(said(logits.double()), *batch()).item(), rel=1e-5)


@pytest.mark.parametrize('case', ['one_view', 'odd', 'other_order', 'no_modality', 'infrared_only', 'no_classifier'])
def test_a_batch_without_second_views_is_refused_in_one_sentence(case):
    labels, is_rgb = batch()
    logits = torch.randn(18, 5)
    labels, is_rgb, logits = dict(
        one_view=(labels[6:], is_rgb[6:], logits[6:]),
        odd=(labels[1:], is_rgb[1:], logits[1:]),
        other_order=(torch.cat([labels[:6].flip(0), labels[6:]]), is_rgb, logits),
        no_modality=(labels, None, logits),
        infrared_only=(labels, torch.zeros_like(is_rgb), logits),
        no_classifier=(labels, is_rgb, None),
    )[case]
    with pytest.raises(ValueError, match=r'two views of each RGB image.*ModalityViews') as error:
        MODELS.build(dict(type='WeakStrongLoss'))(said(logits), labels, is_rgb)
    assert str(error.value).endswith('.') and str(error.value).count('. ') == 0


def test_several_rows_of_an_image_are_refused():
    labels, is_rgb = batch()
    output = said(torch.randn(54, 5))._replace(mid_map=torch.zeros(18, 4, 2, 1))
    with pytest.raises(ValueError, match='reads one row of each image, and this network made 54 of 18 images'):
        MODELS.build(dict(type='WeakStrongLoss'))(output, labels.repeat(3), is_rgb.repeat(3))
