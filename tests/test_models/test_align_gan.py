from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from module_states import moved, state
from small_models import build_align_gan

from tsgan.models.gan import same_index_pairs
from tsgan.registry import HOOKS, MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
PAPER, SYNTHETIC = 'rivals/align_gan.py', 'synthetic/rivals/align_gan.py'
JOINT = ('reid', 'generators', 'discriminators')
WARM_UP = frozenset({'reid/loss_id_fake_ir', 'reid/loss_tri', 'reid/loss_gan'})  # terms that wait in it
B = 4  # pairs of a batch; the GAN has the first 3


@pytest.fixture
def make_model():
    """Builds the small model, with changes to its config, in eval mode."""

    def make(**changes):
        model = build_align_gan(**changes).eval()
        model.phases = JOINT
        return model

    return make


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def step(model, make_batch):
    return model.make_step(**model.data_preprocessor(make_batch(), True))


def resized(images):
    return F.interpolate(images, (96, 48), mode='bilinear', align_corners=False)


def seen_by(module):
    """A list that grows with the arguments of every call."""
    seen = []
    module.register_forward_pre_hook(lambda _, args: seen.append(args))
    return seen


def is_among(image, images):
    return any(torch.allclose(image, other, atol=1e-5) for other in images)


# ---- training


@pytest.mark.parametrize('phase', ['reid', 'generators', 'warmup_discriminators', 'discriminators'])
def test_a_phase_moves_its_own_child_only_parameters_and_statistics(phase, model, make_batch, make_optim_wrapper):
    model.train()
    model.phases = (phase,)
    before = {name: state(child) for name, child in model.named_children()}
    model.train_step(make_batch(), make_optim_wrapper(model))
    for name, child in model.named_children():
        changed = moved(before[name], child)
        if name == phase:
            # a bias before a norm is taken out by it
            trained = {n for n, p in child.named_parameters() if p.requires_grad and 'bottleneck.1.bias' not in n}
            assert trained <= changed
            assert {n for n in before[name] if 'running_' in n} <= changed
        else:
            assert not changed and all(p.grad is None for p in child.parameters()), name


def test_no_rgb_image_reaches_the_network_in_any_phase(model, make_batch, make_optim_wrapper):
    data = model.data_preprocessor(make_batch(), True)['inputs']
    rgb, ir = resized(data[:B]), resized(data[B:])
    with torch.no_grad():
        fake_ir = resized(model.generators.to_ir(data[:B]))
    seen = seen_by(model.reid)
    model.train_step(make_batch(), make_optim_wrapper(model, dict(type='SGD', lr=0.0)))
    images = torch.cat([args[0] for args in seen])
    assert len(images) == 2 * B + 2 * 3  # of the ReID network's phase and of the generators'
    for image in images:
        assert is_among(image, ir) or is_among(image, fake_ir)
        assert not is_among(image, rgb)


def test_losses_stay_finite_where_nothing_but_the_generator_sees_rgb_images_of_nan(model, step, monkeypatch):
    step.feature.rgb.fill_(torch.nan)
    monkeypatch.setattr(model.generators, 'to_ir', torch.zeros_like)
    assert all(term.isfinite() for term in model.reid_loss(step).values())


def test_the_feature_warm_up_sees_real_ir_images_alone(model, make_batch, make_optim_wrapper):
    model.train()
    model.phases, model.inactive_terms = ('reid',), WARM_UP
    for name in ('generators', 'discriminators', 'warmup_discriminators'):
        for module in getattr(model, name).modules():
            module.register_forward_hook(lambda *_: pytest.fail('more than the ReID network ran'))
    seen = seen_by(model.reid)
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    (images,) = seen[0]
    assert len(seen) == 1 and torch.equal(images, resized(model.data_preprocessor(make_batch(), True)['inputs'][B:]))
    assert all(log[term] == 0 for term in WARM_UP)
    assert log['reid/loss_id_ir'] > 0 and log['reid/loss_tri_ir'] > 0


@pytest.mark.parametrize(('row', 'features', 'pixels', 'both'), [(PAPER, 50, 100, 101), (SYNTHETIC, 4, 2, 6)])
def test_warm_ups_run_as_scheduled(row, features, pixels, both, model):
    cfg = Config.fromfile(CONFIGS / row)
    (hook,) = map(HOOKS.build, cfg.custom_hooks)
    runner = SimpleNamespace(model=model, iter=7)
    hook.before_train(runner)
    found = []
    for runner.epoch in range(cfg.train_cfg.max_epochs):
        hook.before_train_iter(runner, batch_idx=7)
        found.append((model.phases, model.inactive_terms))
    warming_up, training = WARM_UP, frozenset({'reid/loss_tri_ir'})
    assert found[:features] == [(('reid',), warming_up)] * features
    assert {phases for phases, _ in found[features : features + pixels]} == {('generators', 'warmup_discriminators')}
    assert found[features + pixels :] == [(JOINT, training)] * both
    if row == PAPER:
        assert cfg.param_scheduler[0].milestones == [features + pixels + 50]
        assert cfg.train_dataloader.batch_sampler.num_batches == 100  # iterations a step of the source's


def test_every_scheduled_term_is_one_that_the_model_has(model, make_batch, make_optim_wrapper):
    (hook,) = map(HOOKS.build, Config.fromfile(CONFIGS / SYNTHETIC).custom_hooks)
    runner, wrapper = SimpleNamespace(model=model, iter=0), make_optim_wrapper(model)
    for runner.epoch in (0, 4, 6):
        hook.before_train_iter(runner, batch_idx=0)
        log = model.train_step(make_batch(), wrapper)
        hook.after_train_iter(runner, batch_idx=0, outputs=log)
        assert {name.split('/')[0] for name in log} == set(model.phases)


def test_generators_are_judged_by_the_discriminators_that_are_trained_beside_them(model, step):
    warm_up, joint = seen_by(model.warmup_discriminators), seen_by(model.discriminators)
    model.generators_loss(step)
    assert (len(warm_up), len(joint)) == (0, 1)
    model.phases = ('generators', 'warmup_discriminators')
    model.generators_loss(step)
    assert (len(warm_up), len(joint)) == (1, 1)


def test_fakes_of_the_joint_discriminator_are_of_four_kinds(model, step):
    seen = seen_by(model.discriminators.ir)
    step.pixel.labels = torch.tensor([0, 0, 1])
    model.generators_loss(step)
    model.discriminators_loss(step)
    images, maps, pairs = seen[-1]
    n, pixel = 3, step.pixel
    assert torch.equal(images, torch.cat([pixel.ir, pixel.translation.fake_ir]))  # 0 to 2 are real, 3 to 5 fake
    assert torch.allclose(maps, torch.cat([model.encode(x).final_map for x in images.split(n)]), atol=1e-5)
    assert not maps.requires_grad and not images.requires_grad

    def kind(image, feature):
        right = pixel.labels[image % n] == pixel.labels[feature % n]
        return ('real' if image < n else 'fake', 'real' if feature < n else 'fake', 'right' if right else 'wrong')

    kinds = [kind(image, feature) for image, feature in pairs.tolist()]
    assert kinds[:n] == [('real', 'real', 'right')] * n
    negatives = [('fake', 'fake', 'right'), ('fake', 'real', 'right'), ('real', 'fake', 'right')]
    negatives += [('real', 'real', 'wrong')]
    assert sorted(kinds[n:]) == sorted(negatives * n)


def test_loss_terms_are_those_of_the_source_recomputed(model, step):
    def lsgan(logits, target):
        return (logits - target).square().mean()

    def across(a, b, labels):  # anchors of a, the rest of b
        similarity = F.normalize(a.vector) @ F.normalize(b.vector).T
        same = labels[:, None] == labels[None]
        positive, negative = similarity.masked_fill(~same, 9).amin(1), similarity.masked_fill(same, -9).amax(1)
        return (1.0 + negative - positive).relu().mean()

    d_ir, d_rgb, entropy = model.discriminators.ir, model.discriminators.rgb, F.cross_entropy
    pairs, aligned = step.feature, same_index_pairs(step.feature.labels)
    with model.only('reid'):
        terms = model.reid_loss(step)
        real, fake = model.encode(pairs.ir), model.encode(model.generators.to_ir(pairs.rgb))
        assert torch.allclose(terms['loss_id_ir'], entropy(real.logits, pairs.labels))
        assert torch.allclose(terms['loss_id_fake_ir'], entropy(fake.logits, pairs.labels))
        assert torch.allclose(terms['loss_tri_ir'], across(real, real, pairs.labels), atol=1e-5)
        both = across(fake, real, pairs.labels) + across(real, fake, pairs.labels)
        assert torch.allclose(terms['loss_tri'], both, atol=1e-5)
        assert torch.allclose(terms['loss_gan'], 0.1 * lsgan(d_ir(pairs.ir, fake.final_map, aligned), 1))

    pairs, aligned = step.pixel, same_index_pairs(step.pixel.labels)
    rgb, ir, labels = pairs.rgb, pairs.ir, pairs.labels
    assert torch.equal(rgb, step.feature.rgb[:3]) and torch.equal(labels, step.feature.labels[:3])
    with model.only('generators'):
        terms = model.generators_loss(step)
        to_ir, to_rgb = model.generators.to_ir, model.generators.ir_to_rgb
        fake_ir, fake_rgb = to_ir(rgb), to_rgb(ir)
        real, fake = model.encode(ir), model.encode(fake_ir)
        assert torch.allclose(terms['loss_adv_ir'], lsgan(d_ir(fake_ir, real.final_map, aligned), 1) / 2, atol=1e-6)
        assert torch.allclose(terms['loss_adv_rgb'], lsgan(d_rgb(fake_rgb), 1) / 2, atol=1e-6)
        for name, image, other in (
            ('cyc_rgb', rgb, to_rgb(fake_ir)),
            ('cyc_ir', ir, to_ir(fake_rgb)),
            ('idt_rgb', rgb, to_rgb(rgb)),
            ('idt_ir', ir, to_ir(ir)),
        ):
            weight = 10 if 'cyc' in name else 5
            assert torch.allclose(terms[f'loss_{name}'], weight * (image - other).abs().mean() / 2, atol=1e-5), name
        both = across(fake, real, labels) + across(real, fake, labels)
        assert torch.allclose(terms['loss_tri'], 0.1 * both, atol=1e-5)
        assert torch.allclose(terms['loss_id'], 0.1 * entropy(fake.logits, labels), atol=1e-6)

    with model.only('discriminators'):
        terms = model.discriminators_loss(step)
        fakes = [(fake_ir, fake.final_map), (fake_ir, real.final_map), (ir, fake.final_map)]
        other = torch.tensor([2, 2, 0])  # the next of another identity; labels are 0, 0, 1
        fakes.append((ir, real.final_map[other]))
        mean = sum(lsgan(d_ir(image, feature, aligned), 0) for image, feature in fakes) / 4
        assert torch.allclose(terms['loss_ir_real'], lsgan(d_ir(ir, real.final_map, aligned), 1) / 2, atol=1e-6)
        assert torch.allclose(terms['loss_ir_fake'], mean / 2, atol=1e-6)
        assert torch.allclose(terms['loss_rgb_real'], lsgan(d_rgb(rgb), 1) / 2, atol=1e-6)
        assert torch.allclose(terms['loss_rgb_fake'], lsgan(d_rgb(fake_rgb), 0) / 2, atol=1e-6)
    with model.only('warmup_discriminators'):
        terms, d_ir = model.warmup_discriminators_loss(step), model.warmup_discriminators.ir
        assert torch.allclose(terms['loss_ir_real'], lsgan(d_ir(ir), 1) / 2, atol=1e-6)
        assert torch.allclose(terms['loss_ir_fake'], lsgan(d_ir(fake_ir), 0) / 2, atol=1e-6)


def reached(term, module):
    gradients = torch.autograd.grad(term, list(module.parameters()), retain_graph=True, allow_unused=True)
    return any(g is not None and g.abs().max() > 0 for g in gradients)


def test_each_term_of_the_generators_reaches_those_that_it_is_about(model, step):
    with model.only('generators'):
        terms = model.generators_loss(step)
    to_ir, to_rgb = model.generators.rgb_to_ir, model.generators.ir_to_rgb
    found = {name: (reached(term, to_ir), reached(term, to_rgb)) for name, term in terms.items() if 'loss' in name}
    assert found == {
        'loss_adv_ir': (True, False),
        'loss_adv_rgb': (False, True),
        'loss_cyc_rgb': (True, True),
        'loss_cyc_ir': (True, True),
        'loss_idt_rgb': (False, True),
        'loss_idt_ir': (True, False),
        'loss_tri': (True, False),
        'loss_id': (True, False),
    }


def test_terms_of_the_network_reach_what_they_are_about_and_no_generator(model, step):
    model.generators_loss(step)  # leaves fakes with a graph behind
    terms = model.reid_loss(step)
    head = model.reid.head
    found = {
        name: [reached(term, m) for m in (model.reid.encoder, head.embedding, head.classifier, model.generators)]
        for name, term in terms.items()
        if 'loss' in name
    }
    assert found == {
        'loss_id_ir': [True, False, True, False],
        'loss_tri_ir': [True, True, False, False],
        'loss_id_fake_ir': [True, False, True, False],
        'loss_tri': [True, True, False, False],
        'loss_gan': [True, False, False, False],
    }


def test_a_phase_left_out_of_an_iteration_is_made_up_for_without_gradients(model, make_batch, make_optim_wrapper):
    before = {name: state(child) for name, child in model.named_children()}
    model.phases = ('discriminators',)  # needs fakes and maps that no phase made
    model.train_step(make_batch(), make_optim_wrapper(model))
    assert [name for name, child in model.named_children() if moved(before[name], child)] == ['discriminators']


def test_a_discriminator_for_maps_of_another_width_is_refused_with_the_right_number():
    cfg = Config.fromfile(CONFIGS / SYNTHETIC).model
    cfg.discriminators.ir.map_channels = 255
    with pytest.raises(ValueError, match='model.discriminators.ir.map_channels=256`'):
        MODELS.build(cfg)


def test_second_views_which_nothing_would_read_are_refused(model, make_batch, make_optim_wrapper):
    with pytest.raises(ValueError, match='AlignGAN trains on one view of each image'):
        model.train_step(make_batch(rgb_views=2), make_optim_wrapper(model))


def test_unpaired_batches_are_refused(model, make_batch, make_optim_wrapper):
    batch = make_batch()
    batch['data_samples'][0].set_gt_label(5)
    with pytest.raises(ValueError, match='AlignGAN trains on .*IdentityPairBatchSampler'):
        model.train_step(batch, make_optim_wrapper(model))


# ---- test


def features(model, batch, rows=None):
    """Test features of some rows of a batch, in their order."""
    rows = list(range(len(batch['inputs']))) if rows is None else rows
    chosen = dict(inputs=batch['inputs'][rows], data_samples=[batch['data_samples'][row].clone() for row in rows])
    with torch.no_grad():
        return torch.stack([sample.feature for sample in model.test_step(chosen)])


def test_at_test_the_generator_sees_the_rgb_images_and_only_those_whatever_their_order(model, make_batch):
    batch = make_batch()  # rows 0 to 3 are RGB, 4 to 7 IR
    in_order = features(model, batch)
    inputs = model.data_preprocessor(batch, False)['inputs']
    seen = seen_by(model.generators.rgb_to_ir)
    for rows in ([5, 1, 0, 7, 3], [6, 4], [2], [0, 1, 2, 3]):
        seen.clear()
        assert torch.allclose(features(model, batch, rows), in_order[rows], atol=1e-5)
        rgb = [row for row in rows if row < B]
        assert len(seen) == bool(rgb)
        assert not rgb or torch.equal(seen[0][0], inputs[rgb])


def test_at_test_no_rgb_image_reaches_the_network_and_ir_images_as_they_are(model, make_batch):
    inputs = model.data_preprocessor(make_batch(), False)['inputs']
    seen = seen_by(model.reid)
    features(model, make_batch())
    images, mirrored = (args[0] for args in seen)
    assert torch.equal(mirrored, images.flip(dims=[3]))
    assert torch.equal(images[B:], resized(inputs[B:]))
    assert torch.allclose(images[:B], resized(model.generators.to_ir(inputs[:B])), atol=1e-5)


def test_the_test_feature_is_v_of_the_image_and_its_mirror_image_added_up(model, make_batch):
    ir = resized(model.data_preprocessor(make_batch(), False)['inputs'][B:])
    pooled = sum(model.reid.encoder(x)[1].mean(dim=(2, 3)) for x in (ir, ir.flip(3)))
    found = features(model, make_batch())[B:]
    assert found.shape == (4, 128) and torch.allclose(found, pooled, atol=1e-5)


def test_mirroring_an_image_does_not_change_its_feature(model, make_batch, monkeypatch):
    batch, mirrored = make_batch(), make_batch()
    mirrored['inputs'] = batch['inputs'].flip(3)
    assert torch.allclose(features(model, batch)[B:], features(model, mirrored)[B:], atol=1e-4)  # of IR images
    # of RGB images as far as the generator lets it: what it makes of a mirror image is not quite the mirror image
    monkeypatch.setattr(model.generators, 'to_ir', torch.neg)
    assert torch.allclose(features(model, batch), features(model, mirrored), atol=1e-4)
    assert not torch.allclose(features(model, batch)[0], features(model, batch)[1], atol=1e-2)


def test_images_of_unknown_modality_are_refused(model, make_batch):
    inputs = model.data_preprocessor(make_batch(), False)['inputs']
    with pytest.raises(ValueError, match='give each image a data sample with `modality`'):
        model(inputs)
    with pytest.raises(ValueError, match="'tensor' or 'predict', not 'loss'"):
        model(inputs, make_batch()['data_samples'], mode='loss')


# ---- parts


def test_a_generator_uses_the_running_statistics_in_eval_mode_and_only_there():
    generator = MODELS.build(
        dict(type='ResnetGenerator', base_channels=16, num_blocks=1, kernel_size=4, running_stats=True)
    )
    images, others = torch.rand(2, 3, 32, 16), 3 * torch.rand(2, 3, 32, 16)
    norms = [m for m in generator.modules() if isinstance(m, torch.nn.InstanceNorm2d)]
    assert all(norm.track_running_stats and norm.affine for norm in norms)

    def output(mode):
        with torch.no_grad():
            return generator.train(mode)(images)

    trained = output(True)
    first = state(generator)
    evaluated = output(False)
    assert not torch.allclose(evaluated, trained, atol=1e-3)  # not each image's own statistics
    assert not moved(first, generator)  # which it leaves
    generator.train()(others)
    assert {name.split('.')[-1] for name in moved(first, generator)} == {'running_mean', 'running_var'}
    assert not torch.allclose(output(False), evaluated, atol=1e-4)
    assert torch.allclose(output(True), trained, atol=1e-6)


def test_a_generator_without_running_statistics_is_the_same_in_both_modes():
    generator = MODELS.build(dict(type='ResnetGenerator', base_channels=16, num_blocks=1))
    images = torch.rand(2, 3, 32, 16)
    assert torch.equal(generator.train()(images), generator.eval()(images))
    assert not list(generator.buffers())


def test_the_papers_parts_have_the_sources_layers():
    model = MODELS.build(Config.fromfile(CONFIGS / PAPER).model)

    def convolutions(module):
        kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
        found = [m for m in module.modules() if isinstance(m, kinds)]
        return [(m.out_channels, m.kernel_size[0], m.stride[0]) for m in found]

    assert convolutions(model.generators.rgb_to_ir) == [
        *[(64, 7, 1), (128, 4, 2), (256, 4, 2)],
        *[(256, 3, 1)] * 8,  # 4 residual blocks
        *[(128, 4, 2), (64, 4, 2), (3, 7, 1)],
    ]
    patch = [(64, 4, 2), (128, 4, 2), (256, 4, 2), (512, 4, 2), (1024, 4, 2), (1, 3, 1)]
    for discriminator in (model.discriminators.rgb, model.warmup_discriminators.rgb, model.warmup_discriminators.ir):
        assert convolutions(discriminator) == patch
    joint = [*patch[:3], (64, 1, 1), *patch[3:]]
    assert convolutions(model.discriminators.ir) == joint
    images = torch.zeros(1, 3, 128, 128)
    logits, rgb_logits = model.discriminators(images, images, torch.zeros(1, 2048, 24, 12), torch.zeros(1, 2).long())
    assert logits.shape == rgb_logits.shape == (1, 1, 4, 4)
    assert model.generators(images, images).rec_ir.shape == images.shape
    assert model.reid.head.embedding.out_features == 256 and model.reid_size == (384, 192)


def test_the_encoder_learns_ten_times_slower_than_the_head():
    cfg = Config.fromfile(CONFIGS / PAPER)
    wrapper = build_optim_wrapper(MODELS.build(cfg.model), cfg.optim_wrapper)
    assert {round(group['lr'], 6) for group in wrapper['reid'].param_groups} == {0.02, 0.2}
    assert wrapper['reid'].optimizer.defaults['nesterov'] and wrapper['reid'].optimizer.defaults['weight_decay'] == 5e-4
    assert wrapper['generators'].optimizer.defaults['betas'] == (0.5, 0.999)
