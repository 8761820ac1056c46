import copy
import math
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from module_states import moved, state
from small_models import BASELINE, STUDENT

from tsgan.models.alternating import gradient_norms, loss_scale
from tsgan.models.gan import fake_pairs, same_index_pairs, varieties
from tsgan.structures import Translation

PHASES = ('generators', 'reid', 'discriminators')


def is_statistic(name):
    return 'running_' in name or 'num_batches' in name


@pytest.mark.parametrize('phase', PHASES)
def test_a_phase_moves_its_own_child_only_parameters_and_statistics(phase, make_tsgan, make_optim_wrapper, make_batch):
    model = make_tsgan()
    wrapper = make_optim_wrapper(model)
    model.phases = (phase,)
    before = {name: state(child) for name, child in model.named_children()}
    model.train_step(make_batch(), wrapper)
    for name, child in model.named_children():
        changed = moved(before[name], child)
        if name == phase:
            trained = {n for n, p in child.named_parameters() if p.requires_grad}
            assert trained <= changed | {n for n in trained if 'image_branch' in n and 'bias' in n}
            assert {n for n in before[name] if is_statistic(n)} <= changed
        else:
            assert not changed, name
            assert all(p.grad is None for p in child.parameters()), name


def test_after_a_step_every_child_is_as_trainable_as_before(make_tsgan, make_optim_wrapper, make_batch):
    model = make_tsgan()
    model.train()
    model.reid.encoder.backbone.conv1.requires_grad_(False)  # a user's own frozen layer
    model.reid.encoder.backbone.layer1.eval()  # and statistics
    before = {name: p.requires_grad for name, p in model.named_parameters()}
    modes = {name: m.training for name, m in model.named_modules()}
    model.train_step(make_batch(), make_optim_wrapper(model))
    assert {name: p.requires_grad for name, p in model.named_parameters()} == before
    assert {name: m.training for name, m in model.named_modules()} == modes


@pytest.mark.parametrize(('joint', 'forwards'), [(True, 2), (False, 1)])
def test_nothing_is_computed_twice_in_a_step(
    joint, forwards, make_tsgan, ordinary, make_optim_wrapper, make_batch, monkeypatch
):
    model = make_tsgan() if joint else make_tsgan(discriminators=ordinary)
    images = {}

    def count(name, module):
        images[name] = []
        module.register_forward_hook(lambda m, args, out, n=name: images[n].append(len(args[0])))

    count('G_I', model.generators.rgb_to_ir)
    count('G_R', model.generators.ir_to_rgb)
    count('student', model.reid)
    count('teacher', model.teacher)
    count('D_I', model.discriminators.ir)
    count('D_R', model.discriminators.rgb)
    model.train_step(make_batch(num_ids=2, num_pairs=2), make_optim_wrapper(model))  # B = 4
    assert images['G_I'] == [4, 4]  # X_R, and X'_R on its way back
    assert images['G_R'] == [4, 4]
    assert images['student'] == ([4, 12] if joint else [12])  # f^{X'_I} of Eq. 1, then X_R, X_I, X'_I
    assert images['teacher'] == [8]
    assert images['D_I'] == ([4, 8, 8] if joint else [4, 8])  # Eq. 1, Eq. 12, Eq. 2
    assert images['D_R'] == [4, 8]


def test_loss_terms_are_the_equations_recomputed_by_hand(make_tsgan, make_batch):
    model = make_tsgan()
    data = model.data_preprocessor(make_batch(), True)
    step = model.make_step(**data)
    rgb, ir = data['inputs'][:4], data['inputs'][4:]
    assert torch.equal(step.rgb, rgb) and torch.equal(step.ir, ir)

    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def minus_log(logits, real):
        return bce(logits, torch.full_like(logits, float(real)))

    d_i, d_r, g_i, g_r = model.discriminators.ir, model.discriminators.rgb, model.generators.rgb_to_ir, None
    g_r = model.generators.ir_to_rgb
    aligned = same_index_pairs(rgb)
    with model.only('generators'):
        terms = model.generators_loss(step)
        fake_ir, fake_rgb = g_i(rgb), g_r(ir)
        f = model.reid(fake_ir).final_map  # eval mode, as in Eq. 1's extra pass
        assert torch.allclose(terms['loss_adv_ir'], minus_log(d_i(fake_ir, f, aligned), True), atol=1e-6)
        assert torch.allclose(terms['loss_adv_rgb'], minus_log(d_r(fake_rgb), True), atol=1e-6)
        assert torch.allclose(terms['loss_cyc_rgb'], 10 * (g_r(fake_ir) - rgb).abs().mean(), atol=1e-5)
        assert torch.allclose(terms['loss_cyc_ir'], 10 * (g_i(fake_rgb) - ir).abs().mean(), atol=1e-5)

    fake_ir = fake_ir.detach()
    with model.only('reid'):
        terms = model.reid_loss(step)
        out = model.reid(torch.cat([rgb, ir, fake_ir]))
        f_ir, f_fake = out.final_map[4:8], out.final_map[8:]
        pairs_m = [(fake_ir, f_fake), (fake_ir, f_ir), (ir, f_fake)]  # Eq. 5
        gan = sum(minus_log(d_i(x, f, aligned), True) for x, f in pairs_m) / 3
        assert torch.allclose(terms['loss_gan'], 0.1 * gan, atol=1e-6)  # Eq. 12
        t_ir, t_fake = model.teacher(ir), model.teacher(fake_ir)
        s_rgb, s_ir, s_fake = out.mid_map.chunk(3)

        def channel(a, b):
            return (a - b).pow(2).sum(1).mean()

        assert torch.allclose(terms['loss_ts_real_ir'], 0.003 * channel(t_ir, s_ir), atol=1e-6)  # Eq. 13
        assert torch.allclose(terms['loss_ts_fake_ir'], 0.003 * channel(t_fake, s_fake), atol=1e-6)  # Eq. 14
        assert torch.allclose(terms['loss_ts_cd'], 0.006 * channel(t_fake, s_rgb), atol=1e-6)  # Eq. 15
        labels = step.labels.repeat(3)
        assert torch.allclose(terms['loss_id'], model.losses.loss_id.loss(out.logits, labels), atol=1e-5)
        assert torch.allclose(terms['loss_tri'], model.losses.loss_tri.loss(out.vector, labels)['loss'], atol=1e-5)

    with model.only('discriminators'):
        terms = model.discriminators_loss(step)
        fake = sum(minus_log(d_i(x, f, aligned), False) for x, f in pairs_m) / 3
        assert torch.allclose(terms['loss_ir_real'], minus_log(d_i(ir, f_ir, aligned), True), atol=1e-6)  # Eq. 3
        assert torch.allclose(terms['loss_ir_fake'], fake, atol=1e-6)  # Eq. 4
        assert torch.allclose(terms['loss_rgb_real'], minus_log(d_r(rgb), True), atol=1e-6)
        assert torch.allclose(terms['loss_rgb_fake'], minus_log(d_r(fake_rgb.detach()), False), atol=1e-6)


def two_stems():
    """Config of a student with a stem for each modality."""
    backbone = {name: STUDENT[name] for name in ('depth', 'stem_channels', 'base_channels', 'strides', 'out_indices')}
    backbone.update(type='TwoStreamResNet', share_from=1, gray=False)
    return dict(BASELINE['reid'], encoder=dict(type='Encoder', backbone=backbone))


def seen_by_stems(reid):
    """What each stem sees from now on, as images in [-1, 1], a list of batches each."""
    encoder, seen = reid.encoder, {'rgb': [], 'ir': []}
    for name, batches in seen.items():
        stem = getattr(encoder.backbone, name).conv1
        stem.register_forward_pre_hook(lambda m, args, b=batches: b.append(args[0] * encoder.std + encoder.mean))
    return seen


@pytest.mark.parametrize('stats', ['running', 'batch'])
def test_a_student_with_two_stems_sees_fake_infrared_images_as_infrared_ones(stats, make_tsgan, make_batch):
    model = make_tsgan(reid=two_stems(), adv_map_stats=stats)
    step = model.make_step(**model.data_preprocessor(make_batch(rgb_views=2), True))
    seen = seen_by_stems(model.reid)

    def sees(rgb, ir):
        for name, images in (('rgb', rgb), ('ir', ir)):
            expected = torch.cat([step.rgb[:0], *images])  # (N, 3, H, W), N may be 0
            torch.testing.assert_close(seen[name].pop(), expected, atol=1e-5, rtol=0)
            assert not seen[name]

    with model.only('generators'):
        model.generators_loss(step)
    fake_ir = step.translation.fake_ir.detach()
    sees(*(([], [fake_ir]) if stats == 'running' else ([step.rgb], [step.ir, fake_ir])))
    with model.only('reid'):
        model.reid_loss(step)
    sees([step.rgb, step.view], [step.ir, fake_ir])
    step.map_ir = None  # as in an iteration without a ReID phase
    with model.only('discriminators'):
        model.discriminators_loss(step)
    sees([], [step.ir, fake_ir])


def test_backbone_losses_reach_neither_generator_nor_images(make_tsgan, make_batch):
    model = make_tsgan()
    step = model.make_step(**model.data_preprocessor(make_batch(), True))
    model.generators_loss(step)  # leaves fakes with a graph behind
    sum(model.reid_loss(step).values()).backward()
    assert all(p.grad is None for p in model.generators.parameters())
    assert all(p.grad is None for p in model.teacher.parameters())


def test_eq_12_and_eq_4_pull_the_discriminator_logits_apart(make_tsgan, make_batch):
    model = make_tsgan()
    step = model.make_step(**model.data_preprocessor(make_batch(), True))
    with model.only('reid'):
        loss = model.reid_loss(step)['loss_gan']
        step.map_fake_ir.retain_grad()
        loss.backward()
    direction = -step.map_fake_ir.grad  # in which the backbone moves the map
    pairs = same_index_pairs(step.rgb)
    with torch.no_grad():
        fake_ir = step.translation.fake_ir
        before = model.discriminators.ir(fake_ir, step.map_fake_ir, pairs).mean()
        after = model.discriminators.ir(fake_ir, step.map_fake_ir + 1e3 * direction, pairs).mean()
    assert after > before  # the pair looks more real: D is fooled, not helped


def test_teacher_is_frozen_in_eval_mode_and_runs_on_no_more_than_is_needed(make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan(loss_ts_real_ir=None, loss_ts_fake_ir=None)  # the paper's single TS
    seen = []
    model.teacher.register_forward_hook(lambda m, args, out: seen.append(len(args[0])))
    model.train()
    assert not model.teacher.training and not any(m.training for m in model.teacher.modules())
    assert not any(p.requires_grad for p in model.teacher.parameters())
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    assert seen == [4]
    assert 'reid/loss_ts_cd' in log and 'reid/loss_ts_real_ir' not in log


def test_without_teacher_student_losses_the_teacher_does_not_run(make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan(loss_ts_cd=None, loss_ts_real_ir=None, loss_ts_fake_ir=None)
    model.teacher.register_forward_hook(lambda *_: pytest.fail('the teacher ran'))
    assert not any('loss_ts' in name for name in model.train_step(make_batch(), make_optim_wrapper(model)))


def test_ordinary_discriminator_has_no_pairs_and_no_eq_12(make_tsgan, ordinary, make_batch, make_optim_wrapper):
    log = make_tsgan(discriminators=ordinary)
    log = log.train_step(make_batch(), make_optim_wrapper(log))
    assert 'reid/loss_gan' not in log
    assert {'discriminators/loss_ir_real', 'discriminators/loss_rgb_fake'} <= set(log)


def test_pairs_of_equation_5(make_tsgan):
    model = make_tsgan()
    labels = torch.tensor([0, 0, 1, 1])
    # index 0-3: real, 4-7: fake; (image, map)
    expected = [(4, 4), (5, 5), (6, 6), (7, 7), (4, 0), (5, 1), (6, 2), (7, 3), (0, 4), (1, 5), (2, 6), (3, 7)]
    assert [tuple(p) for p in model.fake_pairs(labels).tolist()] == expected
    model.wrong_identity_pairs = True
    extra = [tuple(p) for p in model.fake_pairs(labels).tolist()[12:]]
    assert extra == [(0, 2), (1, 3), (2, 0), (3, 1)]


def test_wrong_identities_take_every_map_once_where_they_can_and_any_other_where_not():
    labels = torch.arange(4).repeat_interleave(4)
    wrong = fake_pairs(labels, wrong_identity=True)[3 * 16 :]
    assert wrong.tolist() == [[i, (i + 4) % 16] for i in range(16)]
    for labels in ([7, 7, 7, 1], [0, 1, 0, 2, 2], [0, 0, 1]):
        wrong = fake_pairs(torch.tensor(labels), wrong_identity=True)[3 * len(labels) :].tolist()
        assert [i for i, _ in wrong] == list(range(len(labels)))
        assert all(labels[i] != labels[j] for i, j in wrong)


def test_joint_discriminator_can_see_the_middle_map(make_tsgan, make_batch, make_optim_wrapper):
    ir = dict(type='JointDiscriminator', map_channels=64, base_channels=16, reduced_channels=16)
    discriminators = dict(type='Discriminators', ir=ir, rgb=dict(type='PatchDiscriminator', base_channels=16))
    model = make_tsgan(map_from='mid', discriminators=discriminators)
    assert 'reid/loss_gan' in model.train_step(make_batch(), make_optim_wrapper(model))
    with pytest.raises(ValueError, match="'final' or 'mid', not 'last'"):
        make_tsgan(map_from='last')


def test_a_pair_is_judged_the_same_alone_and_among_others(make_tsgan):
    d = make_tsgan().discriminators.ir
    images, maps = torch.rand(3, 3, 64, 32), torch.rand(3, 128, 4, 2)
    pairs = torch.tensor([[0, 2], [1, 1], [0, 0]])
    together = d(images, maps, pairs)
    alone = d(images[:1], maps[2:], torch.tensor([[0, 0]]))
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_a_phase_left_out_of_an_iteration_is_made_up_for_without_gradients(make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan()
    wrapper = make_optim_wrapper(model)
    model.phases = ('discriminators',)  # needs fakes and maps that no phase made
    before = {name: state(child) for name, child in model.named_children()}
    model.train_step(make_batch(), wrapper)
    assert not moved(before['generators'], model.generators)
    assert not moved(before['reid'], model.reid)


def test_unpaired_batches_are_refused(make_tsgan, make_batch, make_optim_wrapper):
    model, batch = make_tsgan(), make_batch()
    batch['data_samples'][0].set_gt_label(5)
    with pytest.raises(ValueError, match='IdentityPairBatchSampler'):
        model.train_step(batch, make_optim_wrapper(model))


def test_a_term_whose_time_has_not_come_counts_nothing(make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan()
    model.inactive_terms = frozenset({'reid/loss_ts_cd'})
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    assert log['reid/loss_ts_cd'] == 0
    assert log['reid/loss_ts_real_ir'] > 0
    terms = [value for name, value in log.items() if name.startswith('reid/loss_')]
    assert log['reid/loss'].item() == pytest.approx(sum(t.item() for t in terms), rel=1e-5)


def test_norms_compare_before_and_after_a_terms_time(make_tsgan, make_batch, make_optim_wrapper):
    waiting, found = ('loss_ts_cd', 'loss_ts_real_ir', 'loss_ts_fake_ir'), []
    whole = make_tsgan()
    for inactive in ((), waiting):
        model = copy.deepcopy(whole)
        model.measure_gradients, model.phases = True, ('reid',)
        model.inactive_terms = frozenset(f'reid/{name}' for name in inactive)
        model.train_step(make_batch(), make_optim_wrapper(model))
        found.append(model.gradient_norms)
    for name, norm in found[0].items():
        assert found[1][name] == (0 if name.removeprefix('reid/grad_') in waiting else norm)


@pytest.mark.parametrize('value', [math.inf, math.nan])
def test_an_infinite_term_whose_time_has_not_come_leaves_the_others_alone(
    value, make_tsgan, make_batch, make_optim_wrapper, monkeypatch
):
    model = make_tsgan()
    expected = copy.deepcopy(model)
    for each in (model, expected):
        each.inactive_terms = frozenset({'reid/loss_ts_cd', 'generators/loss_cyc_rgb'})
    finite = model.loss_ts_cd.forward
    monkeypatch.setattr(model.loss_ts_cd, 'forward', lambda *maps: finite(*maps) * value)
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    expected.train_step(make_batch(), make_optim_wrapper(expected))
    assert log['reid/loss_ts_cd'] == 0 and all(value.isfinite() for value in log.values())
    for (name, a), b in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_every_parameter_has_a_gradient_where_all_terms_wait(make_tsgan, make_batch, make_optim_wrapper):
    model = make_tsgan()
    model.phases = ('discriminators',)
    terms = ('loss_ir_real', 'loss_ir_fake', 'loss_rgb_real', 'loss_rgb_fake')
    model.inactive_terms = frozenset(f'discriminators/{term}' for term in terms)
    grads = {}
    for name, p in model.discriminators.named_parameters():
        p.register_hook(lambda grad, name=name: grads.update({name: grad}))
    model.train_step(make_batch(), make_optim_wrapper(model))
    assert grads.keys() == dict(model.discriminators.named_parameters()).keys()
    assert all((grad == 0).all() for grad in grads.values())


def test_gradient_norms_in_half_precision_are_measured_with_the_loss_scale():
    layer = torch.nn.Linear(3, 2)
    x = torch.randn(5, 3)
    term = (1e-9 * layer(x).half().float()).sum()  # its gradient goes through half precision, whose least is 6e-8
    assert gradient_norms({'loss': term}, layer)['loss'] == 0
    wrapper = object.__new__(AmpOptimWrapper)  # whose own __init__ asks for a GPU
    wrapper.loss_scaler = SimpleNamespace(get_scale=lambda: 2.0**16)
    found = gradient_norms({'loss': term}, layer, loss_scale(wrapper))['loss']
    expected = 1e-9 * torch.cat([x.sum(0).repeat(2), torch.full((2,), 5.0)]).norm()
    assert found.item() == pytest.approx(expected.item(), rel=1e-2)
    assert loss_scale(OptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.1))) == 1


def test_a_step_measures_with_the_loss_scale_of_the_phase(make_tsgan, make_batch, make_optim_wrapper, monkeypatch):
    model, scales = make_tsgan(), []
    model.measure_gradients = True
    wrapper = make_optim_wrapper(model)
    by_wrapper = {wrapper[name]: 2.0**i for i, name in enumerate(PHASES)}
    monkeypatch.setattr('tsgan.models.alternating.loss_scale', by_wrapper.get)
    monkeypatch.setattr(
        'tsgan.models.alternating.gradient_norms', lambda terms, child, scale: scales.append(scale) or {}
    )
    model.train_step(make_batch(), wrapper)
    assert scales == [1, 2, 4]


def test_losses_are_float32_where_networks_run_in_half_precision(
    make_tsgan, make_batch, make_optim_wrapper, monkeypatch
):
    model, outputs, terms = make_tsgan(), [], {}
    model.reid.register_forward_hook(lambda _, args, output: outputs.append(output))
    add_up = model.parse_losses
    monkeypatch.setattr(model, 'parse_losses', lambda losses: terms.update(losses) or add_up(losses))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.train_step(make_batch(), make_optim_wrapper(model))
    assert outputs and all(output.final_map.dtype == torch.bfloat16 for output in outputs)
    assert all(output.logits.dtype == torch.float32 for output in outputs)
    terms = {name: term for name, term in terms.items() if 'loss' in name}
    assert len(terms) == 14 and {term.dtype for term in terms.values()} == {torch.float32}


def test_variety_is_the_variance_over_images_beside_that_of_their_originals():
    rgb, ir = (torch.tensor(values).reshape(4, 1, 1, 1) for values in ([0.0, 1.0, 2.0, 3.0], [0.0, 0.0, 4.0, 4.0]))
    found = varieties(rgb, ir, Translation(fake_ir=rgb / 2 - 1, fake_rgb=1.0 - ir))
    assert found['variety_ir'].item() == pytest.approx(0.25, rel=1e-4)
    assert found['variety_rgb'].item() == pytest.approx(1, rel=1e-4)
    one = torch.ones(4, 1, 1, 1)
    found = varieties(rgb, one, Translation(fake_ir=one, fake_rgb=one))
    assert found['variety_ir'].item() < 1e-5 and found['variety_rgb'].item() == 1  # one picture of four, of one picture
    assert varieties(one[:1], one[:1], Translation(one[:1], one[:1]))['variety_ir'].item() == 1  # a batch of one pair


def test_gradient_norms_are_those_of_separate_backward_passes():
    layer = torch.nn.Linear(3, 2)
    x = torch.randn(5, 3)
    terms = {'loss_a': layer(x).square().mean(), 'loss_b': layer(x).abs().sum()}
    norms = gradient_norms(terms, layer)
    for name, function in (('loss_a', lambda y: y.square().mean()), ('loss_b', lambda y: y.abs().sum())):
        layer.zero_grad()
        function(layer(x)).backward()
        expected = sum(p.grad.square().sum() for p in layer.parameters()).sqrt()
        assert norms[name].item() == pytest.approx(expected.item(), rel=1e-5)


def test_only_the_reid_network_runs_at_test(make_tsgan, make_batch):
    model = make_tsgan().eval()
    for name in ('generators', 'discriminators', 'teacher'):
        getattr(model, name).register_forward_hook(lambda *_: pytest.fail('more than the backbone ran'))
    samples = model.test_step(make_batch())
    assert samples[0].feature.shape == (128,)


def test_generators_write_images_in_range_and_gray_where_asked(make_tsgan):
    for gray in (False, True):
        generator = dict(type='ResnetGenerator', base_channels=16, num_blocks=1, residual=gray)
        model = make_tsgan(generators=dict(type='CycleGenerators', generator=generator, gray_ir=gray))
        images = torch.rand(2, 3, 32, 16) * 2 - 1
        fakes = model.generators(images, images)
        assert all(t.shape == images.shape and t.abs().max() <= 1 for t in fakes)
        assert torch.equal(fakes.fake_ir[:, 0], fakes.fake_ir[:, 1]) == gray


def test_pairs_of_two_identities_are_refused_where_there_is_one(make_tsgan, make_batch, make_optim_wrapper):
    model, batch = make_tsgan(wrong_identity_pairs=True), make_batch(num_ids=1, num_pairs=4)
    wrapper = make_optim_wrapper(model)
    with pytest.raises(ValueError, match='TSGAN makes pairs of two identities.* among 4 RGB-IR pairs'):
        model.train_step(batch, wrapper)
    model.wrong_identity_pairs = False
    model.train_step(batch, wrapper)
