"""The sentence on each way of learning nothing any more, provoked on small networks."""

from types import SimpleNamespace

import pytest
import torch
from small_models import build_cmgan

from tsgan.engine import CollapseHook

LONG = 8  # iterations until a hook of these tests is sure


@pytest.fixture
def warned(make_batch, make_optim_wrapper):
    """Trains a model for some iterations, each on another batch, and returns what a hook has warned of."""

    def train(model, iters=2 * LONG, hook=None, begin=0, optimizer=None, batches=None):
        said, logs = [], []
        logger = SimpleNamespace(warning=said.append)
        runner = SimpleNamespace(model=model, logger=logger, iter=begin)
        hook = hook or CollapseHook(window=LONG // 4, patience=4)
        hook.before_train(runner)
        wrapper = make_optim_wrapper(model, optimizer or dict(type='SGD', lr=1e-3))
        for i in range(iters):
            batch = batches(i) if batches else make_batch(seed=i)
            logs.append(model.train_step(batch, wrapper))
            hook.after_train_iter(runner, i, outputs=logs[-1])
            runner.iter += 1
        return said, logs

    return train


def one_sentence(said, *expected):
    """Of exactly one warning, which has all of these."""
    assert len(said) == 1 and all(text in said[0] for text in expected), said
    assert '\n' not in said[0] and '; try ' in said[0] and said[0].endswith('.')
    return True


def test_a_healthy_training_is_warned_of_nothing_and_logs_every_share(make_tsgan, warned):
    said, logs = warned(make_tsgan())
    assert said == []
    names = {name for name in logs[0] if 'loss' not in name}
    assert names == {
        'generators/variety_ir', 'generators/variety_rgb', 'reid/tri_active', 'reid/tri_at_margin',
        'discriminators/accuracy_ir', 'discriminators/accuracy_rgb',
    }  # fmt: skip
    assert all(log[name].item() >= 0 for name in names for log in logs)


def collapse(model):
    """Makes V the same of every image, with nothing that could part them again."""
    norm = model.reid.encoder.backbone.layer4[-1].bn2
    for bn in [m for m in model.reid.encoder.modules() if hasattr(m, 'running_mean')]:
        torch.nn.init.zeros_(bn.weight)
    torch.nn.init.ones_(norm.bias)


def test_features_of_one_point_are_a_stuck_triplet(baseline, warned):
    collapse(baseline)
    said, logs = warned(baseline, optimizer=dict(type='SGD', lr=0))
    assert logs[-1]['reid/loss_tri'].item() == pytest.approx(0.3)
    assert one_sentence(said, 'reid/tri_at_margin was 100% over the last 8 iterations', 'collapsed to one point')


def test_triplets_that_are_never_active_are_told_of_from_the_start_alone(baseline, warned):
    baseline.losses.loss_tri.loss.margin = -1e3  # far beyond what the distances are
    assert one_sentence(warned(baseline)[0], 'reid/tri_active was 0 in the first 8 iterations', 'a larger margin')
    assert warned(baseline, begin=100)[0] == []  # of a training that goes on
    hook, losses = CollapseHook(window=2, patience=4), baseline.losses.loss_tri.loss
    losses.margin = 1e3
    assert warned(baseline, 2, hook=hook)[0] == []
    losses.margin = -1e3  # as in the end of a training that has gone well
    assert warned(baseline, hook=hook)[0] == []


def test_a_discriminator_that_is_always_right_has_won(make_tsgan, warned, make_batch):
    model = make_tsgan()
    model.phases = ('reid', 'discriminators')  # no generator gets in its way
    with torch.no_grad():  # fakes are white, and real images as they are
        for generator in (model.generators.rgb_to_ir, model.generators.ir_to_rgb):
            generator.layers[-1].bias.fill_(9.0)
    said, logs = warned(model, 40, optimizer=dict(type='Adam', lr=2e-3))
    assert logs[0]['discriminators/accuracy_rgb'] < 0.9
    said = [sentence for sentence in said if 'accuracy_rgb' in sentence]
    assert one_sentence(said, 'discriminators/accuracy_rgb was 99.', 'has won', "dict(name='discriminators', every=2)")


def test_a_discriminator_of_modalities_that_is_always_right_has_won(warned, make_batch):
    def dark(seed):
        batch = make_batch(seed=seed)
        batch['inputs'][4:] //= 8
        return batch

    model = build_cmgan()
    model.phases = ('discriminator',)
    said, logs = warned(model, 40, optimizer=dict(type='Adam', lr=1e-2), batches=dark)
    assert one_sentence(said, 'discriminator/accuracy_modality was 100.0%', 'has won', 'optim_wrapper.discriminator.')


@pytest.mark.parametrize(('which', 'name'), [('rgb_to_ir', 'ir'), ('ir_to_rgb', 'rgb')])
def test_one_picture_of_all_images_is_told_of(which, name, make_tsgan, warned):
    model = make_tsgan()
    model.phases = ('generators',)
    torch.nn.init.zeros_(getattr(model.generators, which).layers[-1].weight)
    said, logs = warned(model, optimizer=dict(type='SGD', lr=0))
    assert one_sentence(said, f'generators/variety_{name} was 0.0', 'the same picture')


def test_a_sign_has_to_stay_and_is_told_once(baseline):
    said = []
    runner = SimpleNamespace(model=baseline, logger=SimpleNamespace(warning=said.append), iter=0)
    hook = CollapseHook(window=2, patience=3)
    hook.before_train(runner)

    def log(*values):
        for value in values:
            hook.after_train_iter(runner, 0, outputs={'reid/tri_at_margin': torch.tensor(value), 'reid/loss': 1.0})
            runner.iter += 1
        return len(said)

    assert log(1.0, 1.0, 1.0, 1.0, 0.5, 0.9, 1.0, 1.0, 1.0, 1.0) == 0  # two windows, none, two
    assert log(1.0) == 0 and log(1.0) == 1
    assert log(*[1.0] * 20, *[0.0] * 4, *[1.0] * 20) == 1
