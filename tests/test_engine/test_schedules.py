"""Which schedule each of the paper's three optimizers follows, by MMEngine's own building of it."""

import logging
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.runner.loops import BaseLoop

from tsgan.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs'
EPOCHS = 120
REID, GAN = 3.5e-4, 2e-4  # base rates


def rates(cfg, model, make_optim_wrapper):
    """Child -> learning rate of every epoch, and one after the last."""
    wrapper = make_optim_wrapper(model)
    for name, child in wrapper.items():
        for group in child.optimizer.param_groups:
            group['lr'] = group['initial_lr'] = cfg.optim_wrapper[name].optimizer.lr
    return {name: [lrs[0] for lrs in own] for name, own in all_rates(cfg, wrapper, EPOCHS).items()}


def all_rates(cfg, wrapper, epochs):
    """Child -> learning rates of every epoch, one for each group of its parameters."""

    class Loop(BaseLoop):
        def __init__(self):
            pass

        def run(self):
            pass

    runner = SimpleNamespace(
        optim_wrapper=wrapper,
        _train_loop=Loop(),
        max_epochs=epochs,
        logger=logging.getLogger(),
        train_dataloader=[0] * 7,
    )
    runner._build_param_scheduler = lambda *args: Runner._build_param_scheduler(runner, *args)
    schedulers = Runner.build_param_scheduler(runner, cfg.param_scheduler)
    found = {name: [] for name in schedulers}
    for _ in range(epochs):
        for name, own in schedulers.items():
            found[name].append(wrapper[name].get_lr()['lr'])
            wrapper[name].optimizer.step()
            for scheduler in own:
                scheduler.step()
    return found


def papers_factor(epoch):
    """Sec. IV-B: linear warm-up over ten epochs from a tenth, x 0.3 at epochs 40 and 70."""
    return min((epoch + 1) / 10, 1) * 0.3 ** ((epoch >= 40) + (epoch >= 70))


def test_generators_and_discriminators_follow_the_one_schedule_that_the_paper_names(make_tsgan, make_optim_wrapper):
    found = rates(Config.fromfile(CONFIGS / 'tsgan_jd.py'), make_tsgan(), make_optim_wrapper)
    for name, base in (('generators', GAN), ('reid', REID), ('discriminators', GAN)):
        assert found[name] == pytest.approx([base * papers_factor(epoch) for epoch in range(EPOCHS)]), name


def test_each_optimizer_may_have_a_schedule_of_its_own_as_the_docs_write_it(make_tsgan, make_optim_wrapper, tmp_path):
    blocks = (CONFIGS.parent / 'docs/method.md').read_text().split('```python\n')
    example = next(block for block in blocks if block.startswith('# my_schedule.py')).split('```')[0]
    (tmp_path / 'own.py').write_text(example.replace("'configs/tsgan_jd.py'", f"'{CONFIGS}/tsgan_jd.py'"))
    found = rates(Config.fromfile(tmp_path / 'own.py'), make_tsgan(), make_optim_wrapper)
    assert found['reid'] == pytest.approx([REID * papers_factor(epoch) for epoch in range(EPOCHS)])
    for name in ('generators', 'discriminators'):
        assert found[name][:61] == pytest.approx([GAN] * 61)
        assert found[name][119] == pytest.approx(0.01 * GAN)
        falls = [a - b for a, b in zip(found[name][60:119], found[name][61:], strict=True)]
        assert falls == pytest.approx([falls[0]] * 59, rel=1e-6) and falls[0] > 0


def small_vit():
    cfg = Config.fromfile(CONFIGS / 'synthetic/modern/vit.py').model
    cfg.reid.encoder.checkpoint = None
    return MODELS.build(cfg)


def by_parameter(cfg, model):
    """Name of a parameter of the ReID network -> its learning rates by epoch, from the config's own optimizer."""
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    names = {id(p): name for name, p in model.reid.named_parameters()}
    found = all_rates(cfg, wrapper, cfg.train_cfg.max_epochs)['reid']
    groups = [[names[id(p)] for p in group['params']] for group in wrapper['reid'].optimizer.param_groups]
    return {name: [lrs[i] for lrs in found] for i, group in enumerate(groups) for name in group}


def test_agws_network_learns_at_a_tenth_of_the_rate_of_neck_and_classifier_epoch_by_epoch(baseline):
    found = by_parameter(Config.fromfile(CONFIGS / '_base_/schedules/reid_sgd_81e.py'), baseline)
    expected = []
    for epoch in range(81):  # as the published code writes it
        if epoch < 10:
            expected.append(0.1 * (epoch + 1) / 10)
        elif epoch < 20:
            expected.append(0.1)
        else:
            expected.append(0.1 * 0.1 if epoch < 50 else 0.1 * 0.01)
    assert found['head.neck.weight'] == found['head.classifier.weight'] == pytest.approx(expected)
    assert 'head.neck.bias' not in found  # stays 0
    network = {name for name in found if name.startswith('encoder.')}
    assert network == {f'encoder.{name}' for name, _ in baseline.reid.encoder.named_parameters()}
    assert all(found[name] == pytest.approx([0.1 * lr for lr in expected]) for name in network)


def test_a_vits_blocks_learn_at_half_the_rate_along_a_cosine():
    found = by_parameter(Config.fromfile(CONFIGS / '_base_/schedules/vit_adamw_24e.py'), small_vit())
    expected = [3e-4 * factor for factor in (0.01, 0.505, 1.0)]
    expected += [3e-4 * (0.01 + 0.99 * (1 + math.cos(math.pi * t / 21)) / 2) for t in range(21)]
    halved = {name for name, lrs in found.items() if lrs == pytest.approx([0.5 * lr for lr in expected])}
    assert halved == {name for name in found if name.startswith(('encoder.backbone.patch', 'encoder.backbone.layers'))}
    rest = set(found) - halved
    assert {'encoder.backbone.cls_token', 'encoder.backbone.pos_embed', 'head.classifier.weight'} <= rest
    assert all(found[name] == pytest.approx(expected) for name in rest)
