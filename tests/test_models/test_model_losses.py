"""Losses of a ReID model as its config names them, and heads on parts of the map."""

import copy

import pytest
import small_models
import torch
import torch.nn.functional as F

from tsgan.models import TSGAN
from tsgan.models.reid.net import ReIDNet
from tsgan.registry import MODELS
from tsgan.structures import ReIDOutput

ENTROPY = dict(type='OnLogits', loss=dict(type='mmpretrain.CrossEntropyLoss'))


class TwoSlots(TSGAN):
    """The student's losses as two fixed slots, as the paper's Eq. 8 has them: the slow reference."""

    def losses_of(self, output, labels, is_rgb):
        identity, triplet = self.losses.loss_id.loss, self.losses.loss_tri.loss
        smooth = torch.full_like(output.logits, 0.1 / output.logits.shape[1])
        smooth.scatter_(1, labels[:, None], 1 - 0.1 + 0.1 / output.logits.shape[1])
        by_hand = 3 * -(smooth * output.logits.log_softmax(1)).sum(1).mean()
        assert torch.allclose(by_hand, identity(output.logits, labels), rtol=1e-5)
        said = triplet(output.vector, labels)
        shares = {f'tri_{name}': said[name] for name in ('active', 'at_margin')}
        return {'loss_id': identity(output.logits, labels), 'loss_tri': said['loss'], **shares}


def test_tsgans_weights_after_three_steps_are_those_of_two_fixed_losses_bit_by_bit(
    make_tsgan, make_batch, make_optim_wrapper
):
    states, logs = [], []
    for kind in (TSGAN, TwoSlots):
        torch.manual_seed(1)
        model = make_tsgan(adv_map_stats='batch')
        model.__class__ = kind
        wrapper = make_optim_wrapper(model, dict(type='Adam', lr=1e-3))
        logs.append([model.train_step(make_batch(seed=step), wrapper) for step in range(3)])
        states.append(model.state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert logs[0] == logs[1] and {'reid/loss_id', 'reid/loss_tri', 'reid/loss_gan'} <= logs[0][0].keys()


class CentreNorm(torch.nn.Module):
    """A loss of one's own, that logs more than its value."""

    def forward(self, output, labels, is_rgb):
        length = output.vector.norm(dim=1)
        return dict(loss=length.mean(), longest=length.max(), rgb=is_rgb.float().mean())


@pytest.fixture
def own_loss():
    MODELS.register_module(name='CentreNorm', module=CentreNorm)
    yield dict(type='CentreNorm')
    MODELS._module_dict.pop('CentreNorm')


def test_a_loss_of_ones_own_joins_tsgan_counts_and_logs_what_it_gives(
    own_loss, make_tsgan, make_batch, make_optim_wrapper
):
    plain = make_tsgan()
    model = make_tsgan(losses=dict(loss_id=ENTROPY, loss_tri=None, loss_norm=own_loss))
    model.measure_gradients = True
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    terms = {name for name in log if name.startswith('reid/')}
    ts = {f'reid/loss_ts_{name}' for name in ('cd', 'real_ir', 'fake_ir')}
    assert terms == ts | {f'reid/{n}' for n in ('loss', 'loss_id', 'loss_norm', 'loss_gan', 'norm_longest', 'norm_rgb')}
    summed = sum(log[name].item() for name in terms if 'loss' in name and name != 'reid/loss')
    assert log['reid/loss'].item() == pytest.approx(summed, rel=1e-6)
    assert log['reid/norm_rgb'].item() == pytest.approx(1 / 3)  # of X_R, X_I, X'_I
    assert 'reid/grad_loss_norm' in model.gradient_norms and 'reid/grad_norm_rgb' not in model.gradient_norms
    assert plain.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    'losses, sentence',
    [
        (dict(centre=ENTROPY), r"model\.losses\.centre: expected a name that begins with 'loss'"),
        (dict(loss_id=dict(ENTROPY, of='all')), r"of of OnLogits is one of .* not 'all'"),
        (dict(loss_head=dict(type='ReIDHead', num_classes=2, in_channels=4)), r'loss_head \(ReIDHead\) has parameters'),
        ({'loss.id': ENTROPY}, r'model\.losses\.loss\.id: expected a name .* without dots'),
        ([ENTROPY], r'model\.losses is a list: expected a dict'),
        (dict(loss_tri='BatchHardTripletLoss'), r"loss_tri is 'BatchHardTripletLoss': expected the config of a loss"),
        (
            dict(loss_tri=dict(type='WeightedTripletLoss')),
            r"loss_tri \(WeightedTripletLoss\) reads vectors, .*'OnVectors', loss=dict\(type='WeightedTripletLoss'",
        ),
        (dict(loss_id=ENTROPY['loss']), r"CrossEntropyLoss\) reads cls_score, .*type='OnLogits'"),
    ],
)
def test_wrong_losses_are_refused(losses, sentence, make_tsgan):
    with pytest.raises(ValueError, match=sentence):
        make_tsgan(losses=losses)


def test_a_network_without_a_loss_is_refused(baseline, make_batch, make_optim_wrapper):
    baseline.losses.clear()
    with pytest.raises(ValueError, match=r'the phase reid of ReIDBaseline has no loss: .* model\.losses'):
        baseline.train_step(make_batch(), make_optim_wrapper(baseline))


def test_what_is_logged_must_not_be_added_up(own_loss, baseline):
    baseline.losses['loss_norm'] = CentreNorm()
    baseline.losses.loss_norm.forward = lambda *_: dict(loss=torch.zeros(()), loss_of_rgb=torch.ones(()))
    output = ReIDOutput(None, None, torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 6), {})
    with pytest.raises(ValueError, match="loss_norm logs 'loss_of_rgb': MMEngine would add up"):
        baseline.losses_of(output, torch.tensor([0, 1]), None)


def test_a_network_of_k_rows_an_image_gets_labels_and_modalities_k_times(baseline):
    seen = []
    baseline.losses['loss_own'] = CentreNorm()
    baseline.losses.loss_own.forward = lambda output, labels, is_rgb: seen.append((labels, is_rgb)) or torch.zeros(())
    vector = torch.randn(6, 4)
    output = ReIDOutput(None, None, vector, vector, torch.randn(6, 6), {})
    baseline.losses_of(output, torch.tensor([4, 5]), torch.tensor([True, False]))
    assert seen[0][0].tolist() == [4, 5] * 3 and seen[0][1].tolist() == [True, False] * 3


def net_of(**changes):
    resnet = dict(type='mmpretrain.ResNet', depth=18, stem_channels=16, base_channels=16, out_indices=(2, 3))
    encoder = dict(type='Encoder', backbone=resnet)
    head = dict(type='ReIDHead', num_classes=6, in_channels=128, bn_neck=True)
    return ReIDNet(**(dict(encoder=encoder, head=head) | changes))


STRIPES = dict(type='StripeHeads', num_stripes=2, in_channels=128, num_classes=6, bn_neck=True)


def test_stripes_are_pooled_apart_and_all_features_are_joined_at_test():
    net = net_of(parts=STRIPES).eval()
    output = net(torch.randn(4, 3, 64, 32))
    rows = output.final_map.shape[2] // 2
    assert rows * 2 == output.final_map.shape[2]
    for i, (part, head) in enumerate(zip(output.parts, net.parts.heads, strict=True)):
        vector = output.final_map[:, :, i * rows : (i + 1) * rows].mean(dim=(2, 3))
        assert torch.allclose(part.vector, vector, atol=1e-6)
        assert torch.allclose(part.feature, head.neck(vector), atol=1e-6)
        assert torch.allclose(part.logits, head.classifier(head.neck(vector)), atol=1e-6)
    whole = net.head.neck(output.final_map.mean(dim=(2, 3)))
    assert torch.allclose(output.feature, torch.cat([whole, *(p.feature for p in output.parts)], 1), atol=1e-6)
    assert output.branches.keys() == {'before_neck', 'after_neck', 'whole', 'part_1', 'part_2'}


def test_stripes_begin_as_a_head_of_the_whole_does_and_as_their_config_says():
    net = net_of(parts=dict(STRIPES, init_cfg=dict(type='Normal', layer='BatchNorm1d', mean=2, std=0.01)))
    net.init_weights()
    for head in (net.head, *net.parts.heads):
        assert 0.0008 < head.classifier.weight.std() < 0.0012
    assert all(head.neck.weight.mean() > 1.9 for head in net.parts.heads)


def test_without_a_head_of_the_whole_v_is_the_parts_joined_and_has_no_logits():
    net = net_of(head=None, parts=dict(STRIPES, bn_neck=False, embedding_channels=16))
    output = net(torch.randn(4, 3, 64, 32))
    assert output.vector.shape == (4, 32) and output.logits is None
    assert (output.vector >= 0).all() and torch.equal(output.vector, output.feature)  # behind a ReLU
    assert all(head.classifier.bias is not None for head in net.parts.heads)
    loss = MODELS.build(ENTROPY)
    with pytest.raises(ValueError, match="no classifier of the whole image; expected of='parts'"):
        loss(output, torch.tensor([0, 1, 2, 3]), None)


def test_losses_of_parts_are_their_mean_and_of_both_that_and_the_whole():
    output, labels = net_of(parts=STRIPES)(torch.randn(4, 3, 64, 32)), torch.tensor([0, 0, 5, 5])
    entropies = [F.cross_entropy(said.logits, labels) for said in (output, *output.parts)]
    for of, expected in {
        'whole': entropies[0],
        'parts': (entropies[1] + entropies[2]) / 2,
        'both': entropies[0] + (entropies[1] + entropies[2]) / 2,
    }.items():
        value = MODELS.build(dict(ENTROPY, of=of))(output, labels, None)
        assert torch.allclose(value if of == 'whole' else value['loss'], expected)
    triplet = dict(type='OnVectors', loss=dict(type='BatchHardTripletLoss'), of='parts')
    by_hand = [MODELS.build(triplet['loss'])(part.vector, labels)['loss'] for part in output.parts]
    assert torch.allclose(MODELS.build(triplet)(output, labels, None)['loss'], sum(by_hand) / 2)
    with pytest.raises(ValueError, match='needs a network with heads of parts: give model.reid.parts'):
        MODELS.build(triplet)(net_of()(torch.randn(4, 3, 64, 32)), labels, None)


def test_gem_with_a_fixed_power_is_the_mean_of_cubes_and_its_power_is_not_trained():
    net = net_of(pooling=dict(type='mmpretrain.GeneralizedMeanPooling', p=3.0, p_trainable=False))
    output = net(torch.randn(4, 3, 64, 32))
    expected = output.final_map.double().clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
    assert torch.allclose(output.vector.double(), expected, rtol=1e-4)
    assert not net.pooling.p.requires_grad


def test_a_map_that_is_one_vector_an_image_is_v_already():
    net, vectors = net_of(), torch.randn(4, 128)
    assert net.pool(vectors)[0] is vectors


@pytest.mark.parametrize(
    'changes, sentence',
    [
        (dict(head=None), 'neither a head nor parts'),
        (dict(parts=dict(STRIPES, in_channels=64)), r'model\.reid\.parts\.in_channels is 64: .*in_channels=128'),
        (dict(parts=dict(STRIPES, num_stripes=0)), 'num_stripes of StripeHeads is 0: expected 1 or more'),
    ],
)
def test_heads_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        net_of(**changes)


def vit_of(in_channels=32, **changes):
    arch = dict(embed_dims=32, num_layers=2, num_heads=2, feedforward_channels=64)
    vit = dict(type='mmpretrain.VisionTransformer', arch=arch, img_size=(64, 32), patch_size=16, out_indices=[0, 1])
    head = dict(type='ReIDHead', num_classes=6, in_channels=in_channels, bn_neck=True)
    return MODELS.build(dict(type='ReIDNet', encoder=dict(type='Encoder', backbone=vit), head=head, **changes))


def test_a_head_that_reads_more_than_a_class_token_is_refused():
    assert vit_of()(torch.randn(2, 3, 64, 32)).vector.shape == (2, 32)
    with pytest.raises(ValueError, match='VisionTransformer has 32 channels, but model.reid.head.in_channels is 48'):
        vit_of(in_channels=48)


@pytest.mark.parametrize(
    'changes, sentence',
    [
        (
            dict(pooling=dict(type='mmpretrain.GeneralizedMeanPooling')),
            'gives vectors .*expected model.reid.pooling=None',
        ),
        (dict(parts=dict(STRIPES, in_channels=32)), 'StripeHeads cuts maps .*or no model.reid.parts'),
    ],
)
def test_a_class_token_is_neither_pooled_nor_cut(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        vit_of(**changes)(torch.randn(2, 3, 64, 32))


def test_more_stripes_than_rows_are_refused():
    net = net_of(parts=dict(STRIPES, num_stripes=5))
    with pytest.raises(ValueError, match='map of 2 rows cannot be cut into 5 stripes'):
        net(torch.randn(4, 3, 64, 32))


@pytest.fixture
def teacher_student():
    cfg = copy.deepcopy(small_models.TSGAN)
    for name in ('generators', 'discriminators', 'loss_adv', 'loss_cyc'):
        del cfg[name]
    return MODELS.build(dict(cfg, type='TeacherStudent'))


def test_a_second_view_stands_where_the_fake_infrared_image_stood(teacher_student, make_batch, make_optim_wrapper):
    model, batch = teacher_student, make_batch(rgb_views=2)
    step = model.make_step(**model.data_preprocessor(batch, True))
    assert [x.shape[0] for x in (step.rgb, step.view, step.ir, step.labels)] == [4] * 4
    terms = model.reid_loss(step)
    model.reid.zero_grad()
    output = model.reid(torch.cat([step.rgb, step.ir, step.view]))
    student, teacher = output.mid_map.chunk(3), model.teacher(torch.cat([step.ir, step.view])).chunk(2)

    def channel(a, b):
        return (a - b).pow(2).sum(1).mean()

    assert torch.allclose(terms['loss_ts_cd'], 0.006 * channel(student[0], teacher[1]), atol=1e-6)
    assert torch.allclose(terms['loss_ts_real_ir'], 0.003 * channel(student[1], teacher[0]), atol=1e-6)
    assert torch.allclose(terms['loss_ts_fake_ir'], 0.003 * channel(student[2], teacher[1]), atol=1e-6)
    log = model.train_step(batch, make_optim_wrapper(model))
    assert {t for t in log if 'loss' in t} == {
        f'reid/{n}' for n in ('loss', 'loss_id', 'loss_tri', *[t for t in terms if 'ts' in t])
    }
    with pytest.raises(ValueError, match='TeacherStudent needs a second view of each RGB image: .*ModalityViews'):
        model.train_step(make_batch(), make_optim_wrapper(model))


def test_a_second_view_is_an_rgb_image_of_the_same_person_to_the_student(teacher_student, make_batch):
    model, seen = teacher_student, []
    model.losses['loss_own'] = CentreNorm()
    model.losses.loss_own.forward = lambda output, *rest: seen.append(rest) or torch.zeros(())
    model.reid.register_forward_pre_hook(lambda module, args: seen.append(args[1:]))
    step = model.make_step(**model.data_preprocessor(make_batch(rgb_views=2), True))
    model.reid_loss(step)
    is_rgb = [flag for flag in (True, False, True) for _ in range(4)]  # X_R, X_I and the second view
    (told,), (labels, told_losses) = seen
    assert told.tolist() == told_losses.tolist() == is_rgb
    assert labels.tolist() == 3 * step.labels.tolist() == 3 * [0, 0, 1, 1]


def test_a_second_view_beside_the_fake_joins_the_students_images_and_leaves_the_gan_alone(
    make_tsgan, make_batch, make_optim_wrapper
):
    torch.manual_seed(3)
    model = make_tsgan()
    batch = make_batch(rgb_views=2)
    pairs = [*range(4), *range(8, 12)]
    without_views = dict(inputs=batch['inputs'][pairs], data_samples=[batch['data_samples'][i] for i in pairs])
    seen = []
    model.reid.register_forward_pre_hook(lambda module, args: seen.append([len(args[0]), args[1].tolist()]))
    log = model.train_step(batch, make_optim_wrapper(model))
    flags = [flag for flag in (True, False, False, True) for _ in range(4)]
    assert seen[-1] == [16, flags]  # X_R, X_I, X'_I and the second view
    torch.manual_seed(3)
    plain = make_tsgan()
    without = plain.train_step(without_views, make_optim_wrapper(plain))
    assert all(log[name] == without[name] for name in log if name.startswith('generators/'))
    assert log['reid/loss_id'] != without['reid/loss_id']
