"""Schedules of another length, against what they are defined to be."""

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import PARAM_SCHEDULERS

from tsgan.engine import AlternatingPhasesHook
from tsgan.experiments.lengths import options_of_length, place
from tsgan.experiments.options import load_config

CONFIGS = Path(__file__).parents[2] / 'configs'
ITERATIONS = 5  # an epoch


def stretched(row, epochs, **changes):
    cfg = load_config(str(CONFIGS / f'{row}.py'), cfg_options=changes)
    return load_config(
        cfg.filename, cfg_options=[f'{k}={v}' for k, v in changes.items()] + options_of_length(cfg, epochs)
    )


def rates(cfg, epochs):
    """The factor of the learning rate in each iteration, as MMEngine steps its schedulers."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    by_epoch, by_iteration = [], []
    for part in cfg.param_scheduler:
        part = dict(part, optimizer=optimizer)
        if part.pop('convert_to_iter_based', False):
            part = PARAM_SCHEDULERS.get(part.pop('type')).build_iter_from_epoch(epoch_length=ITERATIONS, **part)
        else:
            part = PARAM_SCHEDULERS.build(part)
        (by_epoch if part.by_epoch else by_iteration).append(part)
    found = []
    for _ in range(epochs):
        for _ in range(ITERATIONS):
            found.append(optimizer.param_groups[0]['lr'])
            optimizer.step()
            for part in by_iteration:
                part.step()
        for part in by_epoch:
            part.step()
    return found


@pytest.mark.parametrize('epochs', [1, 4, 10, 40])
def test_the_demos_rates_fall_by_half_a_cosine_over_the_whole_after_the_same_iterations_of_warm_up(epochs):
    cfg = stretched('synthetic/backbone', epochs, **{'param_scheduler.0.end': 5})
    total = epochs * ITERATIONS
    warm = [min(1, 0.1 + 0.9 * t / 4) for t in range(total)]  # 5 iterations: 0.1 ... 1
    expected = [w * (1 + math.cos(math.pi * t / total)) / 2 for t, w in enumerate(warm)]
    assert cfg.train_cfg.max_epochs == epochs and rates(cfg, epochs) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('epochs', 'warm_up', 'steps'),
    [(120, 10, (40, 70)), (60, 5, (20, 35)), (240, 20, (80, 140)), (10, 2, (3, 6)), (36, 3, (12, 21))],
)
def test_the_papers_rates_rise_and_step_at_the_same_places_of_the_whole(epochs, warm_up, steps):
    found = rates(stretched('backbone', epochs), epochs)
    warm = [min(1, 0.1 + 0.9 * e / (warm_up - 1)) for e in range(epochs)]
    expected = [w * 0.3 ** sum(e >= step for step in steps) for e, w in enumerate(warm)]
    assert found == pytest.approx([rate for rate in expected for _ in range(ITERATIONS)])


def test_a_schedule_that_begins_late_ends_with_the_training():
    cfg = load_config(str(CONFIGS / 'synthetic/backbone.py'))
    cfg.param_scheduler[0] = ConfigDict(type='LinearLR', start_factor=0.1, begin=0, end=3)
    cfg.param_scheduler[1] = ConfigDict(type='CosineAnnealingLR', T_max=7, begin=3, end=10)
    options = dict(option.split('=') for option in options_of_length(cfg, 25))
    assert options['param_scheduler.0.end'] == '8' and options['param_scheduler.1.begin'] == '8'
    assert options['param_scheduler.1.T_max'] == '17' and options['param_scheduler.1.end'] == '25'


def test_phases_and_terms_begin_and_end_at_the_same_places_of_the_whole():
    """AlignGAN's 12 epochs: 4 of features, 2 of pixels, 6 of both."""
    hooks = [
        AlternatingPhasesHook(phases=cfg.custom_hooks[0].phases, terms=cfg.custom_hooks[0].terms)
        for cfg in (stretched('synthetic/rivals/align_gan', epochs) for epochs in (12, 36))
    ]
    assert [phase.get('begin') for phase in hooks[1].phases] == [None, 18, 12, 12, 18]
    assert [phase.get('end') for phase in hooks[1].phases] == [12, None, None, 18, None]
    assert hooks[1].terms['reid/loss_tri_ir'] == {'end': 12} and hooks[1].terms['reid/loss_gan'] == {'begin': 18}
    assert [phase['name'] for phase in hooks[0].phases] == [phase['name'] for phase in hooks[1].phases]


def test_the_second_stage_of_clusters_begins_at_the_same_place_of_the_whole():
    assert stretched('synthetic/modern/adca', 40).custom_hooks[0].matching_from == 20


@pytest.mark.parametrize('row', sorted({*CONFIGS.glob('synthetic/*.py'), *CONFIGS.glob('synthetic/*/*.py')}), ids=str)
def test_every_row_can_be_made_three_times_as_long_and_its_own_length_changes_nothing(row):
    cfg = load_config(str(row))
    longer = load_config(str(row), cfg_options=options_of_length(cfg, 3 * cfg.train_cfg.max_epochs))
    assert longer.train_cfg.max_epochs == 3 * cfg.train_cfg.max_epochs
    own = load_config(str(row), cfg_options=options_of_length(cfg, cfg.train_cfg.max_epochs))
    assert own.to_dict() == cfg.to_dict()


def test_epochs_are_rounded_to_the_nearest_the_later_of_two():
    assert [place(epoch, 5, 10) for epoch in range(6)] == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    ('part', 'said'),
    [
        (dict(type='ExponentialLR', gamma=0.9), 'a ExponentialLR has no length to stretch'),
        (dict(type='CosineAnnealingLR', by_epoch=False, T_max=500), 'a CosineAnnealingLR that counts iterations'),
    ],
)
def test_a_schedule_that_cannot_be_stretched_is_refused_in_a_sentence(part, said):
    cfg = load_config(str(CONFIGS / 'synthetic/backbone.py'))
    cfg.param_scheduler[1] = ConfigDict(part)
    with pytest.raises(ValueError, match=f'param_scheduler.1: {said}'):
        options_of_length(cfg, 20)
    with pytest.raises(ValueError, match='at least 1 epoch long, not 0'):
        options_of_length(cfg, 0)
