"""An option takes effect, as typed, or is refused."""

from pathlib import Path

import pytest
from mmengine.config import Config

from tsgan.experiments import load_config, options

CONFIGS = Path(__file__).parents[2] / 'configs'
TSGAN = 'synthetic/tsgan_jd'
MISTAKEN = '{0}: {1} takes no such argument; did you mean {0}{2}?'  # a letter is missing


def load(*options, name=TSGAN):
    return load_config(str(CONFIGS / f'{name}.py'), cfg_options=list(options))


def entry(cfg, key):
    for name in key.split('.'):
        cfg = cfg[int(name)] if isinstance(cfg, list) else cfg[name]
    return cfg


@pytest.mark.parametrize(
    ('option', 'meant'),
    [
        ('modle.gan_weight=1', 'model.gan_weight'),
        ('model.gan_wieght=1', 'model.gan_weight'),
        ('model.map_form=mid', 'model.map_from'),  # an argument that the config does not name
        ('train_cfg.max_epoch=1', 'train_cfg.max_epochs'),
        ('model.loss_tri.margin=1', 'model.losses.loss_tri'),  # the same name, deeper
        ('model.losses.loss_tri.margin=1', 'model.losses.loss_tri.loss.margin'),
        ('batch_sampler.num_pair=1', 'train_dataloader.batch_sampler.num_pairs'),
        ('data_rot=x', 'data_root'),
        ('default_hooks.loger.interval=1', 'default_hooks.logger'),
        ('default_hooks.checkpoint.max_keep_ckpt=1', 'default_hooks.checkpoint.max_keep_ckpts'),  # takes **kwargs
        ('train_dataloader.bath_size=1', 'train_dataloader.batch_size'),
        ('randomness.sed=1', 'randomness.seed'),
        ('visualizer.vis_backends.1.typ=x', 'visualizer.vis_backends.1.type'),
        ('model.loss_adv.type=LSGANLos', 'LSGANLoss'),
        ('optim_wrapper.generator.optimizer.lr=1', 'optim_wrapper.generators'),
        ("model={'gan_wieght': 1}", 'model.gan_weight'),
    ],
)
def test_a_misspelt_key_is_refused_with_the_one_that_was_meant(option, meant):
    with pytest.raises(ValueError, match=f'{meant}\\?$') as error:
        load(option)
    assert str(error.value).startswith(option.split('=')[0])


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('model.reid.head.bn_neck=True', True),
        ('model.map_from=mid', 'mid'),
        ('default_hooks.ema.type=EMAHook', 'EMAHook'),
        ('optim_wrapper.reid.accumulative_counts=2', 2),
        ('optim_wrapper.reid.clip_grad.max_norm=5', 5),
        ('train_dataloader.pin_memory=true', True),
        ('log_processor.window_size=5', 5),
    ],
)
def test_an_argument_that_the_class_takes_need_not_be_in_the_config(option, value):
    assert entry(load(option), option.split('=')[0]) == value


def test_a_new_hook_takes_its_arguments_in_any_order_of_the_options():
    cfg = load('default_hooks.ema.momentum=0.5', 'default_hooks.ema.type=EMAHook')
    assert cfg.default_hooks.ema == dict(type='EMAHook', momentum=0.5)


@pytest.mark.parametrize(
    ('key', 'text', 'value'),
    [
        ('model.teacher.encoder.checkpoint', 'work dirs/a,b=[c]', 'work dirs/a,b=[c]'),
        ('model.teacher.encoder.checkpoint', "it's", "it's"),
        ('model.teacher.encoder.checkpoint', 'None', None),
        ('model.teacher.encoder.checkpoint', '"None"', 'None'),
        ('train_dataloader.dataset.split', '0001', '0001'),
        ('train_dataloader.dataset.split', '12', '12'),
        ('train_dataloader.dataset.split', '1e-3', '1e-3'),
        ('train_dataloader.dataset.split', 'true', 'true'),
        ('data_root', '[a],(b) ', '[a],(b) '),
        ('load_from', 'a,b c', 'a,b c'),
        ('load_from', '[a b', '[a b'),
        ('load_from', '1e-3', '1e-3'),  # None so far, and text alone by the class that takes it
        ('work_dir', '0.5', '0.5'),  # not in the config
        ('model.reid.encoder.checkpoint', '1', '1'),
        ('optim_wrapper.reid.optimizer.lr', '1e-3', 0.001),
        ('optim_wrapper.reid.optimizer.weight_decay', '-1', -1),
        ('optim_wrapper.generators.optimizer.betas', '0.1,0.2', (0.1, 0.2)),
        ('optim_wrapper.generators.optimizer.betas', '[0.1, 0.2]', (0.1, 0.2)),
        ('auto_scale_lr.enable', 'true', True),
        ('model.reid.encoder.backbone.init_cfg', 'None', None),
        ('test_evaluator.protocol.modes', 'all,indoor', ('all', 'indoor')),  # not in the config
        ('test_evaluator.protocol.shots', '[1]', (1,)),
        ('custom_hooks.0.phases', 'generators,reid', ['generators', 'reid']),
        ('test_evaluator.protocol.modes', '[reid,[a,(b,3)]]', ('reid', ['a', ('b', 3)])),
        ('test_evaluator.protocol.modes', '["a b","c,d"]', ('a b', 'c,d')),
        ('custom_hooks.0.phases', 'reid,', ['reid']),
    ],
)
def test_values_arrive_as_typed(key, text, value):
    found = entry(load(f'{key}={text}'), key)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('optim_wrapper.reid.optimizer.lr=abc', "expected a number, as the 0.002 that it replaces, not 'abc'"),
        ('train_cfg.max_epochs=1.5', 'expected a whole number, as the 10 that it replaces, not 1.5'),
        ('train_cfg.max_epochs=True', 'expected a whole number'),
        ('train_cfg.max_epochs=', 'expected a whole number'),
        ('auto_scale_lr.enable=1', 'expected True or False'),
        ('data_root=None', "expected text, as the 'data/synthetic' that it replaces, not None"),
        ('train_cfg.max_epochs=None', 'expected a whole number'),
        ('model=None', 'expected a list or a dict'),
        ('default_hooks.checkpoint.by_epoch=no', "expected True or False, not 'no'"),  # not in the config
        ('test_evaluator.protocol.shots=1', 'expected a list or a dict, not 1'),
        ('test_evaluator.protocol.modes=all', 'expected a list or a dict'),
        ('img_scale=1,2,3', 'expected 2 values'),
        ('img_scale=None', 'expected a list'),
        ('img_scale=64', 'expected a list'),
        ('img_scale=a,b', 'expected numbers'),
        ('model=3', 'expected a list or a dict'),
        ('param_scheduler.7.end=1', 'is a list of 2, from 0; there is no 7'),
        ('model.gan_weight.x=1', 'model.gan_weight is 0.1, which has no entries'),
        ('launcher=pytorch', 'expected as --launcher'),
        ('model.gan_weight', 'expected an option as KEY=VALUE'),
        ('split=3', 'split: the config has no such entry'),
        ('optim_wrapper.student.optimizer.lr=1', 'no phase student; it has optimizers of reid, generators, discrimin'),
        (
            '+optim_wrapper.student.optimizer.lr=1',
            "TSGAN has no phase 'student'; it has generators, reid, discriminators",
        ),
        ('model.loss_adv.weight=1', 'VanillaGANLoss. has no weight'),  # whose class has no __init__ of its own
        ('optim_wrapper.discriminators=None', 'optim_wrapper.discriminators: .* has no optimizer; expected dict'),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_a_sentence(option, said):
    with pytest.raises(ValueError, match=said):
        load(option)


@pytest.mark.parametrize('key', ['default_hooks.ema.momentum', 'custom_hooks.0.begin.generators'])
def test_what_is_right_about_a_key_is_not_suggested(key):
    with pytest.raises(ValueError) as error:
        load(f'{key}=1')
    assert not str(error.value).endswith(('default_hooks?', 'custom_hooks.0?'))


@pytest.mark.parametrize('key', ['model.xyz', 'param_scheduler.0.xyz', 'train_dataloader.xyz', 'xyz', 'env_cfg.xyz'])
def test_a_plus_is_offered_where_it_helps(key):
    try:
        load(f'{key}=1')
    except ValueError as error:
        if '; +' in str(error):
            assert entry(load(f'+{key}=1'), key) == 1


def test_a_plus_sets_whatever_it_is_told():
    cfg = load('+train_cfg.max_epochs=1.5', '+mine.too=[a,b]')
    assert (cfg.train_cfg.max_epochs, cfg.mine.too) == (1.5, ['a', 'b'])


@pytest.mark.parametrize('name', [TSGAN, 'tsgan_jd', 'backbone_296', 'regdb/backbone'])
def test_the_size_of_images_reaches_all_pipelines(name):
    cfg = load('img_scale=(30,60)', 'crop_size=[60,30]', name=name)
    loaders = [cfg[part] for part in ('train_dataloader', 'val_dataloader', 'test_dataloader') if cfg.get(part)]
    for pipeline in [loader.dataset.pipeline for loader in loaders] + [cfg.train_pipeline, cfg.test_pipeline]:
        sizes = [
            step.get('scale', step.get('crop_size')) for step in pipeline if step.type.endswith(('Resize', 'Crop'))
        ]
        assert sizes in ([(30, 60)], [(30, 60), (60, 30)])


def test_sizes_that_are_equal_are_told_apart():
    cfg = load('crop_size=(9,8)', name='rivals/one_stream')
    assert {step.type: step for step in cfg.train_dataloader.dataset.pipeline}['Resize'].scale == cfg.img_scale
    assert entry(cfg, 'train_dataloader.dataset.pipeline.2.crop_size') == (9, 8)


@pytest.mark.parametrize(
    ('option', 'instead'),
    [
        ('student.head.bn_neck=False', 'model.reid.head.bn_neck'),
        (
            'gan_optim.optimizer.lr=1',
            'optim_wrapper.generators.optimizer.lr, optim_wrapper.discriminators.optimizer.lr',
        ),
        ('train_pipeline.1.scale=1', 'train_dataloader.dataset.pipeline.1.scale'),
    ],
)
def test_a_variable_whose_copies_lie_elsewhere_is_refused_with_what_to_set_instead(option, instead):
    with pytest.raises(ValueError, match=f'set {instead} instead'):
        load(option)


def test_a_variable_that_no_entry_has_any_more_is_refused():
    with pytest.raises(ValueError, match='img_scale: no entry of the config has its value'):
        load('img_scale=(1,2)', name='rivals/align_gan')


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (
            'model = dict(gan_wieght=1)',
            'model.gan_wieght: TSGAN takes no such argument; did you mean model.gan_weight?',
        ),
        ("model = dict(loss_cyc=dict(type='Cycle'))", "model.loss_cyc.type: no 'Cycle' is registered"),
        ("default_hooks = dict(a=dict(type='EpochSeedHook', b=1))", 'default_hooks.a.b: EpochSeedHook takes no such'),
        ('modle = dict(gan_weight=1)', 'modle: nothing reads an entry of this name; did you mean model?'),
        ('train_cgf = dict(max_epochs=1)', 'train_cgf: nothing reads an entry of this name; did you mean train_cfg?'),
        ('train_cfg = dict(max_epoch=3)', MISTAKEN.format('train_cfg.max_epoch', 'ResumableTrainLoop', 's')),
        ('train_dataloader = dict(bath_size=3)', 'train_dataloader.bath_size: train_dataloader takes no such'),
        (
            'randomness = dict(sed=3)',
            'randomness.sed: randomness takes no such argument; did you mean randomness.seed?',
        ),
        ('log_processor = dict(window_sise=3)', 'log_processor.window_sise: log_processor takes no such argument; did'),
        (
            'train_dataloader = dict(batch_sampler=dict(num_pair=3))',
            MISTAKEN.format('train_dataloader.batch_sampler.num_pair', 'IdentityPairBatchSampler', 's'),
        ),
        (
            'default_hooks = dict(logger=dict(intervall=1))',
            'default_hooks.logger.intervall: FirstRankLoggerHook takes no such argument; did you mean default_hooks.lo',
        ),
        (
            'model = dict(losses=dict(loss_tri=dict(loss=dict(margn=1))))',
            'model.losses.loss_tri.loss.margn: BatchHardTripletLoss takes no such argument; did you mean model.losses',
        ),
        (
            "train_dataloader = dict(dataset=dict(pipeline=[dict(type='Resize', scal=(1, 2))]))",
            MISTAKEN.format('train_dataloader.dataset.pipeline.0.scal', 'Resize', 'e'),
        ),
        (
            'optim_wrapper = dict(reid=dict(optimizer=dict(lrr=1)))',
            'optim_wrapper.reid.optimizer.lrr: Adam takes no such argument; did you mean optim_wrapper.reid.optimizer',
        ),
        (  # takes **kwargs
            "param_scheduler = [dict(type='LinearLR', start_facto=0.1)]",
            MISTAKEN.format('param_scheduler.0.start_facto', 'LinearLR', 'r'),
        ),
        (
            "optim_wrapper = dict(reid=dict(optimizer=dict(lr='abc')))",
            'optim_wrapper.reid.optimizer.lr: expected a num',
        ),
        ("train_cfg = dict(max_epochs='ten')", "train_cfg.max_epochs: expected a whole number, not 'ten'."),
        ('train_cfg = dict(max_epochs=1.5)', 'train_cfg.max_epochs: expected a whole number, not 1.5.'),
        ("model = dict(gan_weight='big')", "model.gan_weight: expected a number, not 'big'."),
        ('model = dict(map_from=3)', 'model.map_from: expected text, not 3.'),
        ('model = dict(loss_adv=dict(weight=1))', 'model.loss_adv.weight: VanillaGANLoss takes no such argument'),
        ('model = dict(loss_adv=3)', 'model.loss_adv: expected a list or a dict, not 3.'),
    ],
)
def test_a_config_file_with_what_its_classes_do_not_take_is_refused(tmp_path, change, said):
    (tmp_path / 'mine.py').write_text(f"_base_ = '{CONFIGS}/{TSGAN}.py'\n{change}\n")
    with pytest.raises(ValueError) as error:
        load_config(str(tmp_path / 'mine.py'))
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (
            "custom_hooks = [dict(type='AlternatingPhasesHook', phases=['reid', 'generatorz'])]",
            "custom_hooks.0.phases.1: TSGAN has no phase 'generatorz'; did you mean generators?",
        ),
        (
            "custom_hooks = [dict(type='AlternatingPhasesHook', phases=[dict(name='teacher', every=2)])]",
            "custom_hooks.0.phases.0: TSGAN has no phase 'teacher'; it has generators, reid, discriminators.",
        ),
        (
            "custom_hooks = [dict(type='AlternatingPhasesHook', phases=['reid'], terms={'ried/loss_ts_cd': 5})]",
            "custom_hooks.0.terms.ried/loss_ts_cd: TSGAN has no phase 'ried'; did you mean reid?",
        ),
        (
            "optim_wrapper = dict(generator=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1)))",
            "optim_wrapper.generator: TSGAN has no phase 'generator'; did you mean generators?",
        ),
        (
            'optim_wrapper = dict(discriminators=None)',
            'optim_wrapper.discriminators: TSGAN trains in this phase, which',
        ),
        (
            "optim_wrapper = dict(_delete_=True, constructor='PerModuleOptimWrapperConstructor', "
            "generators=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1)))",
            'optim_wrapper.reid: TSGAN trains in this phase, which has no optimizer; expected dict(type=',
        ),
    ],
)
def test_phases_and_optimizers_of_a_config_are_those_that_its_model_has(tmp_path, change, said):
    (tmp_path / 'mine.py').write_text(f"_base_ = '{CONFIGS}/{TSGAN}.py'\n{change}\n")
    with pytest.raises(ValueError) as error:
        load_config(str(tmp_path / 'mine.py'))
    assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('model.type=', 'model.type: no '),
        ('model.type=None', 'model.type: expected the name of a registered model.'),
        ('+model=3', 'model: expected a dict, not 3.'),
        ('+optim_wrapper=3', 'optim_wrapper: expected a dict, not 3.'),
        ('+train_dataloader=3', 'train_dataloader: expected a dict, not 3.'),
        ('optim_wrapper.reid.optimizer.type=', 'optim_wrapper.reid.optimizer.type: no '),
        ('+custom_hooks=3', 'custom_hooks: expected a list of hooks, not 3.'),
        ('custom_hooks=[3]', 'custom_hooks.0: expected a dict with the type of a hook, not 3.'),
        ('custom_hooks.0=None', 'custom_hooks.0: expected a dict with the type of a hook, not None.'),
        ('custom_hooks.0.phases=[3]', 'custom_hooks.0.phases.0: expected a name or a dict with one, not 3.'),
        ('custom_hooks.0.terms=3', 'custom_hooks.0.terms: expected a dict by the names of terms, not 3.'),
    ],
)
def test_a_part_of_another_kind_is_named_before_anything_is_asked_of_it(option, said):
    with pytest.raises(ValueError) as error:
        load(option)
    assert str(error.value).startswith(said) and '\n' not in str(error.value)


def test_an_option_that_names_another_phase_is_refused_and_a_variable_of_ones_own_is_none(tmp_path):
    with pytest.raises(ValueError, match='custom_hooks.0.phases.0: TSGAN has no phase .genrators.; did you mean gen'):
        load('custom_hooks.0.phases=[genrators,reid]')
    (tmp_path / 'mine.py').write_text(f"_base_ = '{CONFIGS}/{TSGAN}.py'\nmine = dict(sizes=3)\nimg_size = 'any'\n")
    assert load_config(str(tmp_path / 'mine.py')).mine == dict(sizes=3)


@pytest.mark.parametrize('path', sorted(CONFIGS.rglob('*.py')), ids=str)
def test_every_config_is_of_what_its_classes_take(path):
    if '_base_' not in path.parts:
        load_config(str(path))


def test_loading_processes_are_a_ranks_share_of_the_cores_but_for_an_option(monkeypatch):
    monkeypatch.setattr(options.os, 'sched_getaffinity', lambda _: range(6), raising=False)
    workers = {ranks: [] for ranks in (1, 2, 4, 12)}
    for ranks in workers:
        monkeypatch.setenv('LOCAL_WORLD_SIZE', str(ranks))
        workers[ranks] = load(name='tsgan_jd').train_dataloader.num_workers
    assert workers == {1: 4, 2: 3, 4: 1, 12: 1}
    assert load('train_dataloader.num_workers=9').train_dataloader.num_workers == 9


def test_options_that_another_config_takes_are_picked_out():
    given = ['data_root=x', 'model.gan_weight=1', 'model.reid.head.bn_neck=True', 'optim_wrapper.generators.type=X']
    cfg = Config.fromfile(CONFIGS / 'synthetic/backbone.py')
    assert options.taken_options(given, cfg) == [given[0], given[2]]
    assert cfg.data_root == 'data/synthetic'
