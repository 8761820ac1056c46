import pytest
from mmengine.optim import build_optim_wrapper
from torch.optim import SGD, Adam


def config(**children):
    """As ``optim_wrapper`` of a config file."""
    wrappers = {name: dict(type='OptimWrapper', optimizer=optimizer) for name, optimizer in children.items()}
    return dict(constructor='PerModuleOptimWrapperConstructor', **wrappers)


ADAM, PLAIN = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)), dict(type='SGD', lr=0.1)


def parameters(wrapper):
    return {id(p) for group in wrapper.param_groups for p in group['params']}


def test_each_child_has_an_optimizer_of_its_own_over_its_parameters_alone(make_tsgan):
    model = make_tsgan()
    wrapper = build_optim_wrapper(model, config(generators=ADAM, reid=PLAIN, discriminators=ADAM))
    assert isinstance(wrapper['reid'].optimizer, SGD) and isinstance(wrapper['generators'].optimizer, Adam)
    assert wrapper['generators'].optimizer.defaults['betas'] == (0.5, 0.999)
    for name in model.PHASES:
        trained = {id(p) for p in getattr(model, name).parameters() if p.requires_grad}
        assert trained <= parameters(wrapper[name])
        assert parameters(wrapper[name]) <= {id(p) for p in getattr(model, name).parameters()}


def test_a_frozen_teacher_needs_no_optimizer_and_may_have_none(make_tsgan):
    children = dict(generators=ADAM, reid=PLAIN, discriminators=ADAM)
    model = make_tsgan()
    assert set(build_optim_wrapper(model, config(**children)).keys()) == set(children)
    with pytest.raises(ValueError, match='teacher'):
        build_optim_wrapper(model, config(**children, teacher=PLAIN))


def test_a_trained_child_without_optimizer_is_named(make_tsgan):
    expected = r"\['discriminators', 'generators', 'reid'\]; it has \['discriminators', 'reid'\]"
    with pytest.raises(ValueError, match=expected):
        build_optim_wrapper(make_tsgan(), config(reid=PLAIN, discriminators=ADAM))


def test_a_key_that_is_no_child_is_named(baseline):
    with pytest.raises(ValueError, match=r"ReIDBaseline, \['reid'\]; it has \['reid', 'student'\]"):
        build_optim_wrapper(baseline, config(reid=PLAIN, student=PLAIN))


def test_paramwise_settings_and_clipping_are_each_childs_own(make_tsgan):
    cfg = config(generators=PLAIN, reid=PLAIN, discriminators=PLAIN)
    cfg['reid'] |= dict(paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=10))), clip_grad=dict(max_norm=1))
    model = make_tsgan()
    wrapper = build_optim_wrapper(model, cfg)
    head = {id(p) for p in model.reid.head.parameters()}
    for name in model.PHASES:
        for group in wrapper[name].param_groups:
            in_head = id(group['params'][0]) in head
            assert group['lr'] == pytest.approx(1.0 if in_head else 0.1)
    assert any(group['lr'] == pytest.approx(1.0) for group in wrapper['reid'].param_groups)
    assert wrapper['reid'].clip_grad_kwargs == dict(max_norm=1)
    assert not wrapper['generators'].clip_grad_kwargs


def test_paramwise_settings_for_no_child_are_refused(baseline):
    with pytest.raises(ValueError, match='belongs into the config of one child'):
        build_optim_wrapper(baseline, config(reid=PLAIN) | dict(paramwise_cfg=dict(norm_decay_mult=0)))
