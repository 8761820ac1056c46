import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from tsgan.registry import MODELS

NUM_RGB, NUM_IR, DIM = 5, 3, 6
SETTINGS = [dict(), dict(use_hard=True), dict(momentum=0.1, temperature=0.3, cross_weight=0.7, loss_weight=2.0)]


def make(partners=(), **settings):
    loss = MODELS.build(dict(type='ClusterMemoryLoss', **settings))
    draws = torch.Generator().manual_seed(1)
    rgb, ir = (F.normalize(torch.randn(n, DIM, generator=draws), dim=1) for n in (NUM_RGB, NUM_IR))
    maps = dict(rgb_to_ir=torch.tensor([2, 0, 1, 1, 0]), ir_to_rgb=torch.tensor([4, 3, 0]))
    loss.fill(rgb, ir, **{name: maps[name] for name in partners})
    return loss


def batch(dtype=torch.float32):
    draws = torch.Generator().manual_seed(2)
    features = (3 * torch.randn(14, DIM, generator=draws)).to(dtype).requires_grad_()
    labels = torch.tensor([0, 0, 0, 3, 3, 3, 1, 1, 0, 0, 2, 2, 2, 2])
    return SimpleNamespace(feature=features), labels, torch.arange(14) < 8


def slow(loss, output, labels, is_rgb):
    """Image by image: the three terms, and the memories afterwards."""
    memory = {name: getattr(loss, f'memory_{name}').clone() for name in ('rgb', 'ir')}
    maps = {name: getattr(loss, f'partner_{name}') for name in ('rgb', 'ir')}
    before, terms = copy.deepcopy(memory), {}
    uses = []  # (memory, term, image, cluster)
    for crossing in (False, True):
        for i, label in enumerate(labels.tolist()):
            own, other = ('rgb', 'ir') if is_rgb[i] else ('ir', 'rgb')
            x = output.feature[i] / output.feature[i].norm()
            if not crossing:
                uses.append((own, own, x, label))
            elif maps[own] is not None:
                uses.append((other, 'cross', x, int(maps[own][label])))
    for name, term, x, label in uses:
        scores = torch.stack([x @ m for m in before[name]]) / loss.temperature
        terms.setdefault((term, name), []).append(scores.logsumexp(0) - scores[label])
    with torch.no_grad():
        for name, crossing in (('rgb', False), ('ir', False), ('ir', True), ('rgb', True)):
            own_uses = [(x, label) for n, term, x, label in uses if n == name and (term == 'cross') == crossing]
            if loss.use_hard:
                hardest = {}
                for x, label in own_uses:
                    if label not in hardest or x @ memory[name][label] < hardest[label] @ memory[name][label]:
                        hardest[label] = x
                own_uses = [(x, label) for label, x in hardest.items()]
            for x, label in own_uses:
                moved = loss.momentum * memory[name][label] + (1 - loss.momentum) * x
                memory[name][label] = moved / moved.norm()
    means = {use: torch.stack(values).mean() for use, values in terms.items()}
    terms = {term: sum(mean for use, mean in means.items() if use[0] == term) for term, _ in means}
    total = terms['rgb'] + terms['ir'] + loss.cross_weight * terms.get('cross', 0)
    return {'loss': loss.loss_weight * total, **terms}, memory


@pytest.mark.parametrize('settings', SETTINGS, ids=['all', 'hard', 'other numbers'])
@pytest.mark.parametrize('partners', [(), ('rgb_to_ir',), ('ir_to_rgb',), ('rgb_to_ir', 'ir_to_rgb')])
def test_loss_gradient_and_memories_are_those_taken_image_by_image(settings, partners):
    loss, args = make(partners, **settings), batch()
    expected, memory = slow(loss, *args)
    (gradient,) = torch.autograd.grad(expected['loss'], args[0].feature)
    found = loss(*args)
    assert found.keys() == expected.keys() and ('cross' in found) == bool(partners)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value)
    for name, value in memory.items():
        torch.testing.assert_close(getattr(loss, f'memory_{name}'), value)
    found['loss'].backward()  # the memories have moved on; the gradient is of what was compared
    torch.testing.assert_close(args[0].feature.grad, gradient)


def test_memories_stay_at_unit_length_and_clusters_out_of_the_batch_as_they_were():
    loss = make()
    before = loss.memory_rgb.clone()
    for _ in range(3):
        loss(*batch())
    assert torch.equal(loss.memory_rgb[[2, 4]], before[[2, 4]])
    assert not torch.isclose(loss.memory_rgb[[0, 1, 3]], before[[0, 1, 3]]).all(dim=1).any()
    torch.testing.assert_close(loss.memory_rgb.norm(dim=1), torch.ones(NUM_RGB))


def test_a_hand_worked_loss_and_update():
    loss = MODELS.build(dict(type='ClusterMemoryLoss', temperature=0.5, momentum=0.5))
    loss.fill(torch.eye(2), torch.eye(2))
    feature = torch.tensor([[2.0, 0.0], [0.0, 3.0]])  # an RGB image of cluster 0, an IR image that is called 0, too
    found = loss(SimpleNamespace(feature=feature), torch.tensor([0, 0]), torch.tensor([True, False]))
    near, far = torch.tensor(1 + 2.718281828**-2).log(), torch.tensor(1 + 2.718281828**2).log()
    torch.testing.assert_close(found['loss'], near + far)
    torch.testing.assert_close(loss.memory_rgb, torch.eye(2))
    torch.testing.assert_close(loss.memory_ir, torch.tensor([[0.5**0.5, 0.5**0.5], [0.0, 1.0]]))


def test_a_feature_of_length_zero_has_a_finite_gradient():
    output, labels, is_rgb = batch()
    output.feature.data[3] = 0
    make()(output, labels, is_rgb)['loss'].backward()
    assert output.feature.grad.isfinite().all()


def test_half_precision_is_computed_in_single():
    found = make(('rgb_to_ir',))(*batch(torch.float16))
    assert all(value.dtype == torch.float32 and value.isfinite() for value in found.values())


def test_mixed_precision_does_not_reach_into_the_loss():
    plain = make()(*batch())
    with torch.autocast('cpu', torch.bfloat16):
        mixed = make()(*batch())
    for name, value in plain.items():
        torch.testing.assert_close(mixed[name], value, rtol=0, atol=0)


def test_memories_are_in_no_checkpoint():
    assert not make(('ir_to_rgb',)).state_dict()


def test_empty_memories_and_unknown_modalities_are_refused():
    output, labels, is_rgb = batch()
    with pytest.raises(RuntimeError, match='no clusters to compare with: PseudoLabelHook'):
        MODELS.build(dict(type='ClusterMemoryLoss'))(output, labels, is_rgb)
    with pytest.raises(ValueError, match="`modality` of each is 'rgb' or 'ir'"):
        make()(output, labels, None)
