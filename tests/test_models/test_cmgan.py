from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from module_states import moved, state
from small_models import build_cmgan

from tsgan.registry import HOOKS, MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.fixture
def model():
    """The small model, in eval mode: with BN statistics that stay."""
    return build_cmgan().eval()


@pytest.fixture
def step(model, make_batch):
    return model.make_step(**model.data_preprocessor(make_batch(), True))


def told_apart(model, step):
    """L_D: how badly the discriminator tells the modalities of this batch apart."""
    with torch.no_grad():
        return model.modality_loss(model.reid(step.images).vector, step).item()


def test_the_discriminator_learns_to_tell_modalities_apart_and_the_network_unlearns_it(
    model, make_batch, make_optim_wrapper
):
    wrapper = make_optim_wrapper(model, dict(type='Adam', lr=1e-2))
    model.gan_weight = 1.0
    model.inactive_terms = frozenset({'reid/loss_id', 'reid/loss_tri'})  # the game alone
    batch = make_batch()
    batch['inputs'][4:] //= 4  # IR images are dark
    step = model.make_step(**model.data_preprocessor(batch, True))

    def play(phase, steps):
        model.phases, values = (phase,), []
        for _ in range(steps):
            model.train_step(batch, wrapper)
            values.append(told_apart(model, step))
        return values

    def falls(values):
        return all(b < a for a, b in zip(values, values[1:], strict=False))

    chance = told_apart(model, step)
    learned = play('discriminator', 100)
    assert learned[-1] < 0.1 * chance and falls(learned[20:])
    wrapper['reid'].optimizer.param_groups[0]['lr'] = 1e-4
    unlearned = play('reid', 10)
    assert unlearned[0] > learned[-1] and falls(unlearned[::-1])
    wrapper['discriminator'].optimizer.param_groups[0]['lr'] = 1e-3
    assert falls([unlearned[-1], *play('discriminator', 10)])


def test_gradients_of_the_two_objectives_on_the_features_are_opposite(model, step):
    seen = []
    model.discriminator.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    deceive = torch.autograd.grad(model.reid_loss(step)['loss_gan'], seen[0])[0]
    step.features = seen[0].detach().requires_grad_()
    tell = torch.autograd.grad(model.discriminator_loss(step)['loss_modality'], step.features)[0]
    assert tell.abs().max() > 0
    assert torch.allclose(deceive, -0.05 * tell, rtol=1e-4)


def test_loss_terms_are_those_of_the_paper_recomputed(model, step):
    terms = model.reid_loss(step)
    output = model.reid(step.images)
    entropy = torch.nn.functional.cross_entropy
    assert torch.allclose(terms['loss_id'], entropy(output.logits, step.labels))
    distance = torch.cdist(output.vector, output.vector)
    hardest = []
    for a in range(8):  # 0 to 3 are RGB, 4 to 7 IR
        others = [i for i in range(8) if (i < 4) != (a < 4)]
        positive = max(distance[a, i] for i in others if step.labels[i] == step.labels[a])
        negative = min(distance[a, i] for i in others if step.labels[i] != step.labels[a])
        hardest.append((1.4 + positive - negative).relu())
    assert torch.allclose(terms['loss_tri'], torch.stack(hardest).mean(), atol=1e-5)
    modality = torch.tensor([1] * 4 + [0] * 4)
    l_d = entropy(model.discriminator(output.vector), modality)
    assert torch.allclose(terms['loss_gan'], -0.05 * l_d)
    assert torch.allclose(model.discriminator_loss(step)['loss_modality'], l_d)


@pytest.mark.parametrize('phase', ['reid', 'discriminator'])
def test_a_phase_moves_its_own_child_only(phase, model, make_batch, make_optim_wrapper):
    model.train()
    model.phases = (phase,)
    before = {name: state(child) for name, child in model.named_children()}
    model.train_step(make_batch(), make_optim_wrapper(model))
    for name, child in model.named_children():
        changed = moved(before[name], child)
        if name == phase:
            assert {n for n, p in child.named_parameters() if p.requires_grad} <= changed
        else:
            assert not changed and all(p.grad is None for p in child.parameters()), name


@pytest.mark.parametrize('row', ['rivals/cmgan', 'synthetic/rivals/cmgan'])
def test_the_network_takes_five_steps_for_one_of_the_discriminator(row, model):
    (hook,) = map(HOOKS.build, Config.fromfile(CONFIGS / f'{row}.py').custom_hooks)
    runner = SimpleNamespace(model=model, epoch=0)
    hook.before_train(runner)
    ran = []
    for runner.iter in range(15):
        hook.before_train_iter(runner, batch_idx=runner.iter)
        ran += model.phases
    assert (ran.count('reid'), ran.count('discriminator')) == (15, 3)


def test_the_network_runs_once_an_iteration(model, make_batch, make_optim_wrapper):
    images = []
    model.reid.register_forward_hook(lambda module, args, output: images.append(len(args[0])))
    log = model.train_step(make_batch(), make_optim_wrapper(model))
    assert images == [8]
    assert {'reid/loss_id', 'reid/loss_tri', 'reid/loss_gan', 'discriminator/loss_modality'} <= log.keys()


def test_a_batch_of_one_modality_is_refused(model, make_batch, make_optim_wrapper):
    batch = make_batch()
    for sample in batch['data_samples']:
        sample.set_field('ir', 'modality', field_type='metainfo')
    with pytest.raises(ValueError, match='both RGB and IR images'):
        model.train_step(batch, make_optim_wrapper(model))


def test_only_the_reid_network_runs_at_test_and_says_what_it_said_without_modalities(model, make_batch):
    model.discriminator.register_forward_hook(lambda *_: pytest.fail('the discriminator ran'))
    samples = model.test_step(make_batch())
    inputs = model.data_preprocessor(make_batch(), False)['inputs']
    assert torch.equal(torch.stack([sample.feature for sample in samples]), model(inputs))


def test_a_discriminator_for_features_of_another_length_is_refused_with_the_right_number():
    cfg = Config.fromfile(CONFIGS / 'synthetic/rivals/cmgan.py').model
    cfg.reid.encoder.checkpoint = None
    cfg.discriminator.in_channels = 255
    with pytest.raises(ValueError, match='V has 256 elements.*model.discriminator.in_channels=256`'):
        MODELS.build(cfg)


def test_the_papers_discriminator_has_2048_1000_500_2_units():
    model = MODELS.build(Config.fromfile(CONFIGS / 'rivals/cmgan.py').model)
    layers = [(m.in_features, m.out_features) for m in model.discriminator.modules() if isinstance(m, torch.nn.Linear)]
    assert layers == [(2048, 1000), (1000, 500), (500, 2)]
    assert (model.losses.loss_tri.loss.margin, model.gan_weight) == (1.4, 0.05)
