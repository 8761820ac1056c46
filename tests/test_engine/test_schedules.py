"""Which schedule each of the paper's three optimizers follows, by MMEngine's own building of it."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.loops import BaseLoop

CONFIGS = Path(__file__).parents[2] / 'configs'
EPOCHS = 120
REID, GAN = 3.5e-4, 2e-4  # base rates


def rates(cfg, model, make_optim_wrapper):
    """Child -> learning rate of every epoch, and one after the last."""
    wrapper = make_optim_wrapper(model)
    for name, child in wrapper.items():
        for group in child.optimizer.param_groups:
            group['lr'] = group['initial_lr'] = cfg.optim_wrapper[name].optimizer.lr

    class Loop(BaseLoop):
        def __init__(self):
            pass

        def run(self):
            pass

    runner = SimpleNamespace(
        optim_wrapper=wrapper,
        _train_loop=Loop(),
        max_epochs=EPOCHS,
        logger=logging.getLogger(),
        train_dataloader=[0] * 7,
    )
    runner._build_param_scheduler = lambda *args: Runner._build_param_scheduler(runner, *args)
    schedulers = Runner.build_param_scheduler(runner, cfg.param_scheduler)
    found = {name: [] for name in schedulers}
    for _ in range(EPOCHS):
        for name, own in schedulers.items():
            found[name].append(wrapper[name].get_lr()['lr'][0])
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
    example = next(block for block in blocks if block.startswith("_base_ = './tsgan_jd.py'")).split('```')[0]
    (tmp_path / 'own.py').write_text(example.replace("'./tsgan_jd.py'", f"'{CONFIGS}/tsgan_jd.py'"))
    found = rates(Config.fromfile(tmp_path / 'own.py'), make_tsgan(), make_optim_wrapper)
    assert found['reid'] == pytest.approx([REID * papers_factor(epoch) for epoch in range(EPOCHS)])
    for name in ('generators', 'discriminators'):
        assert found[name][:61] == pytest.approx([GAN] * 61)
        assert found[name][119] == pytest.approx(0.01 * GAN)
        falls = [a - b for a, b in zip(found[name][60:119], found[name][61:], strict=True)]
        assert falls == pytest.approx([falls[0]] * 59, rel=1e-6) and falls[0] > 0
