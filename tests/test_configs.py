"""Every file in configs/ builds and trains a step; every table row differs from its neighbour as its comment says."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from mmengine.config import Config, ConfigDict
from mmengine.optim import build_optim_wrapper

from tsgan.registry import HOOKS, MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
NAMES = sorted(str(f.relative_to(CONFIGS)) for f in CONFIGS.rglob('*.py') if '_base_' not in f.parts)
ROWS = ['backbone', 'teacher_ir', 'baseline_rgb', 'tsgan_jd', 'tsgan_jd_rerank', 'tsgan_od', 'tsgan_od_single_ts']
TS = {'loss_ts_cd', 'loss_ts_real_ir', 'loss_ts_fake_ir'}


def load(name):
    return Config.fromfile(CONFIGS / name)


def from_scratch(node):
    """Take out what a model begins with: downloads, and the checkpoints of other trainings."""
    for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
        if key == 'checkpoint' or (key == 'init_cfg' and isinstance(value, dict) and value['type'] == 'Pretrained'):
            node[key] = None
        elif isinstance(value, (dict, list)):
            from_scratch(value)


def training(name, make_batch):
    """A config's model on this machine's device, what moves it, and a batch: warm-ups are over."""
    cfg = load(name)
    from_scratch(cfg.model)
    model = MODELS.build(cfg.model).to('cuda' if torch.cuda.is_available() else 'cpu')
    model.init_weights()
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    runner = SimpleNamespace(model=model, epoch=cfg.train_cfg.max_epochs - 1, iter=0, _resume=False)
    for hook in map(HOOKS.build, cfg.get('custom_hooks', [])):
        hook.before_train(runner)
        hook.before_train_iter(runner, batch_idx=0)
    if 'loss_memory' in getattr(model, 'losses', {}):  # which a hook fills before an epoch
        model.losses.loss_memory.fill(*torch.eye(model.reid.map_channels[-1])[:4].chunk(2))
    *_, last = cfg.train_dataloader.dataset.pipeline
    stripes = (cfg.model.reid.get('parts') or {}).get('num_stripes', 1)
    batch = make_batch(num_ids=2, num_pairs=2, rgb_views=len(last.get('rgb', [()])), height=max(64, 16 * stripes))
    return cfg, model.train(), wrapper, batch


@pytest.mark.parametrize('name', NAMES)
def test_config_builds_its_model_and_trains_a_step_in_its_phases(name, make_batch):
    cfg, model, wrapper, batch = training(name, make_batch)
    before = {phase: [p.detach().clone() for p in getattr(model, phase).parameters()] for phase in model.phases}
    log = model.train_step(batch, wrapper)
    assert all(torch.isfinite(value).all() for value in log.values()), log
    for phase in model.phases:
        after = getattr(model, phase).parameters()
        assert any(not torch.equal(a, b) for a, b in zip(after, before[phase], strict=True)), phase
    assert {term for term in TS if f'reid/{term}' in log} == {term for term in TS if cfg.model.get(term)}


@pytest.mark.slow
@pytest.mark.parametrize('name', [name for name in NAMES if re.match('synthetic/(modern/|tsgan_jd|rivals/[ac])', name)])
def test_losses_in_half_precision_are_those_of_float32(name, make_batch):
    logs = []
    for half in (False, True):
        torch.manual_seed(0)
        _, model, wrapper, batch = training(name, make_batch)
        with torch.autocast(model.data_preprocessor.device.type, dtype=torch.float16, enabled=half):
            log = model.train_step(batch, wrapper)
        logs.append({term: value.float() for term, value in log.items() if 'loss' in term})  # shares go by steps
    torch.testing.assert_close(logs[1], logs[0], rtol=0.05, atol=0.02)


def flat(node, prefix=''):
    """Dotted name -> value of everything in a config."""
    if isinstance(node, (dict, ConfigDict)) and node:
        return {k: v for key, value in node.items() for k, v in flat(value, f'{prefix}{key}.').items()}
    if isinstance(node, list) and any(isinstance(value, dict) for value in node):
        return flat(dict(enumerate(node)), prefix)
    return {prefix[:-1]: node}


def differences(a, b):
    a, b = (flat(load(name)._cfg_dict.to_dict()) for name in (a, b))
    return {key for key in a.keys() | b.keys() if key not in a or key not in b or a[key] != b[key]}


def all_within(names, prefixes):
    return all(name.startswith(tuple(prefixes)) for name in names)


@pytest.fixture(params=['', 'synthetic/'], ids=['paper', 'synthetic'])
def row(request):
    return lambda name: f'{request.param}{name}.py'


def test_the_synthetic_set_has_every_row(row):
    assert {row(name) for name in ROWS} <= set(NAMES)


def test_single_ts_is_od_without_the_other_two_teacher_student_losses(row):
    found = differences(row('tsgan_od'), row('tsgan_od_single_ts'))
    assert {'.'.join(name.split('.')[:2]) for name in found} == {'model.loss_ts_real_ir', 'model.loss_ts_fake_ir'}
    cfg = load(row('tsgan_od_single_ts'))
    assert cfg.model.loss_ts_real_ir is None and cfg.model.loss_ts_fake_ir is None and cfg.model.loss_ts_cd


def test_od_is_jd_with_an_ordinary_discriminator_of_ir_images(row):
    found = differences(row('tsgan_jd'), row('tsgan_od'))
    assert found and all_within(found, ['model.discriminators.ir.'])
    assert load(row('tsgan_jd')).model.discriminators.ir.type == 'JointDiscriminator'
    assert load(row('tsgan_od')).model.discriminators.ir.type == 'PatchDiscriminator'


def test_the_two_discriminators_of_od_are_alike(row):
    discriminators = load(row('tsgan_od')).model.discriminators
    assert discriminators.ir == discriminators.rgb


def test_the_reranked_row_is_jd_tested_with_reranking(row):
    assert differences(row('tsgan_jd'), row('tsgan_jd_rerank')) == {'test_evaluator.rerank'}


def test_the_printed_row_is_jd_with_every_norm_and_sum_as_printed_and_its_weights(row):
    names = ['loss_cyc', 'losses.loss_tri.loss', 'loss_ts_cd', 'loss_ts_real_ir', 'loss_ts_fake_ir']
    changed = {f'model.{name}.reduction' for name in names}
    assert differences(row('tsgan_jd'), row('tsgan_jd_printed')) == changed
    printed = flat(load(row('tsgan_jd_printed'))._cfg_dict.to_dict())
    assert {printed[name] for name in changed} == {'sum'}


def test_the_joint_discriminator_is_align_gans_where_images_leave_it_positions():
    ours, theirs, small = (load(f'{name}.py').model for name in ('tsgan_jd', 'rivals/align_gan', 'synthetic/tsgan_jd'))
    assert ours.discriminators.ir == theirs.discriminators.ir
    for cfg, width in ((ours, 1024), (small, 128)):
        joint = MODELS.build(cfg.discriminators.ir).joint_branch
        assert joint[-1].in_channels == width
        assert sum(isinstance(layer, torch.nn.InstanceNorm2d) for layer in joint) == (2 if cfg is ours else 1)


def test_jd_trains_the_backbones_network_on_its_data_and_schedule(row):
    backbone, jd = load(row('backbone')), load(row('tsgan_jd'))
    for part in ('reid', 'losses', 'data_preprocessor'):
        assert backbone.model[part] == jd.model[part], part
    assert backbone.optim_wrapper.reid == jd.optim_wrapper.reid
    variables = ['gan_optim', 'teacher.']  # which files share by name
    assert all_within(
        differences(row('backbone'), row('tsgan_jd')), ['model.', 'optim_wrapper.', 'custom_hooks', *variables]
    )


def test_jd_has_all_teacher_student_losses_and_a_teacher_that_the_teacher_config_trains(row):
    model = load(row('tsgan_jd')).model
    assert model.loss_ts_cd.loss_weight == 0.006
    assert model.loss_ts_real_ir.loss_weight == model.loss_ts_fake_ir.loss_weight == 0.003
    assert model.teacher.encoder.trained_by == f'configs/{row("teacher_ir")}'
    assert model.teacher.encoder.checkpoint == f'work_dirs/{row("teacher_ir").removesuffix(".py")}'


@pytest.mark.parametrize(('name', 'modality'), [('teacher_ir', 'ir'), ('baseline_rgb', 'rgb')])
def test_the_rows_of_table_iii_are_the_backbone_on_one_modality(row, name, modality):
    found = differences(row('backbone'), row(name))
    loading = ['train_dataloader.dataset.modality', 'train_dataloader.batch_size', 'auto_scale_lr.base_batch_size']
    assert all_within(found, [*loading, 'test_evaluator.protocol.'])
    cfg = load(row(name))
    assert cfg.train_dataloader.dataset.modality == cfg.test_evaluator.protocol.modality == modality
    assert cfg.test_evaluator.protocol.type == 'SingleModalityProtocol'


@pytest.mark.parametrize('prefix', ['modern/', 'synthetic/modern/'])
def test_pgm_differs_from_adca_by_matching_and_memory_and_neither_has_identities(prefix):
    found = differences(f'{prefix}adca.py', f'{prefix}pgm.py')
    memory = [f'model.losses.loss_memory.{key}' for key in ('momentum', 'use_hard')]
    assert all_within(found, ['custom_hooks.0.method', *memory, 'model.reid.encoder.backbone.non_local'])
    for name in ('adca', 'pgm'):
        cfg = load(f'{prefix}{name}.py')
        assert cfg.model.reid.head.num_classes is None and cfg.custom_hooks[0].method == name
        assert [key for key, loss in cfg.model.losses.items() if loss] == ['loss_memory']
        assert cfg.custom_hooks[0].pipeline == cfg.test_dataloader.dataset.pipeline
        assert cfg.custom_hooks[0].matching_from * 2 == cfg.train_cfg.max_epochs
        views = len(cfg.train_dataloader.dataset.pipeline[-1].rgb)
        assert views == cfg.train_dataloader.batch_sampler.rgb_views == 2


OTHER = {'regdb': ('RegDB', 206), 'llcm': ('LLCM', 713)}  # data sets of the paper's rows: class, training identities


@pytest.mark.parametrize('data', OTHER)
@pytest.mark.parametrize('name', ['backbone', 'teacher_ir', 'tsgan_jd'])
def test_rows_on_other_data_sets_are_the_papers_but_for_data_protocol_and_identities(data, name):
    found = differences(f'{name}.py', f'{data}/{name}.py')
    loading = ['data_root', 'split', 'train_dataloader.dataset.', 'test_dataloader.dataset.', 'test_evaluator.']
    teacher = [f'model.teacher.encoder.{key}' for key in ('checkpoint', 'trained_by')]
    assert all_within(found, [*loading, 'model.reid.head.num_classes', *teacher])
    assert not any('pipeline' in key for key in found)
    cfg = load(f'{data}/{name}.py')
    dataset, num_classes = OTHER[data]
    assert cfg.train_dataloader.dataset.type == cfg.test_dataloader.dataset.type == dataset
    assert cfg.model.reid.head.num_classes == num_classes
    assert cfg.test_evaluator.training_identities.endswith(', last checkpoint')
    assert str(num_classes) in cfg.test_evaluator.training_identities


@pytest.mark.parametrize('data', OTHER)
def test_rows_on_other_data_sets_are_tested_with_their_protocol_and_the_teacher_on_ir_alone(data):
    for name in ('backbone', 'tsgan_jd'):
        assert load(f'{data}/{name}.py').test_evaluator.protocol == {'type': f'{OTHER[data][0]}Protocol'}
    cfg = load(f'{data}/teacher_ir.py')
    assert cfg.train_dataloader.dataset.modality == cfg.test_evaluator.protocol.modality == 'ir'
    assert cfg.test_evaluator.protocol.type == 'SingleModalityProtocol'
    assert cfg.test_evaluator.protocol.get('across_cameras', True) == (data == 'llcm')  # RegDB has one IR camera


@pytest.mark.parametrize(
    ('data', 'split', 'options'), [('regdb', '/split_1', ' --cfg-options split=1'), ('llcm', '', '')]
)
def test_the_teacher_on_another_data_set_is_its_own(data, split, options):
    encoder = load(f'{data}/tsgan_jd.py').model.teacher.encoder
    assert encoder.checkpoint == f'work_dirs/{data}/teacher_ir{split}'
    assert encoder.trained_by == f'configs/{data}/teacher_ir.py{options}'


def test_every_metafile_is_in_the_index_and_names_configs_that_exist():
    root = CONFIGS.parent
    files = yaml.safe_load((root / 'model-index.yml').read_text())['Import']
    assert sorted(files) == sorted(str(file.relative_to(root)) for file in CONFIGS.rglob('metafile.yml'))
    for file in files:
        index = yaml.safe_load((root / file).read_text())
        names = {collection['Name'] for collection in index['Collections']}
        for model in index['Models']:
            assert (root / model['Config']).is_file() and model['In Collection'] in names, model['Name']


@pytest.mark.parametrize('folder', ['modern', 'synthetic/modern'])
def test_every_method_since_2021_is_in_the_metafile_once(folder):
    index = yaml.safe_load((CONFIGS / folder / 'metafile.yml').read_text())
    found = sorted(model['Config'] for model in index['Models'])
    assert found == [f'configs/{name}' for name in NAMES if name.startswith(f'{folder}/')]


PRINTED = {  # data set of a figure: what docs/leaderboard.yml calls it, and the convention that it alone has
    'SYSU-MM01 (all-search, single-shot)': ('sysu_all', 'gallery'),
    'SYSU-MM01 (indoor-search, single-shot)': ('sysu_indoor', 'gallery'),
    'RegDB (RGB to IR)': ('regdb_rgb_to_ir', None),
    'RegDB (IR to RGB)': ('regdb_ir_to_rgb', None),
    'LLCM (RGB to IR)': ('llcm_rgb_to_ir', 'roles'),
    'LLCM (IR to RGB)': ('llcm_ir_to_rgb', 'roles'),
}


def test_figures_of_methods_since_2021_are_the_leaderboards_with_source_and_convention():
    index = yaml.safe_load((CONFIGS / 'modern/metafile.yml').read_text())
    rows = yaml.safe_load((CONFIGS.parent / 'docs/leaderboard.yml').read_text())['rows']
    assert all(collection['Metadata']['Reconstruction'] for collection in index['Collections'])
    found, expected, there = [], [], set()
    for model in index['Models']:
        folder = Path(model['Config']).parent.name
        there.add((model['In Collection'], {'modern': 'SYSU-MM01'}.get(folder, folder).lower()))
        for result in model.get('Results', []):
            assert result['Dataset'].lower().startswith({'modern': 'SYSU-MM01'}.get(folder, folder).lower())
            figure = {key.removesuffix(' (paper)'): value for key, value in result['Metrics'].items()}
            figure['source'] = result['Source']
            assert result['Convention'], model['Name']
            found.append((model['In Collection'], result['Dataset'], figure, result['Convention']))
    for row in rows:
        name = row['method'].split(', ')[0]  # of 'CAJ, trained by ...', too
        for data, (setting, own) in PRINTED.items():
            if setting in row['figures'] and (name, data.split(' (')[0].lower()) in there:
                read = row['conventions'].items()
                convention = {k: v['value'] for k, v in read if k not in ('gallery', 'roles') or k == own}
                expected.append((name, data, row['figures'][setting], convention))
    assert expected and sorted(found, key=repr_of) == sorted(expected, key=repr_of)


def test_methods_since_2021_compare_what_their_figures_compare():
    index = yaml.safe_load((CONFIGS / 'modern/metafile.yml').read_text())
    known = [(model['Config'], found['Convention']) for model in index['Models'] for found in model.get('Results', [])]
    assert {convention.get('mirror') for _, convention in known} == {True, False, None}
    for config, convention in known:
        evaluator = load(config.removeprefix('configs/')).test_evaluator
        assert convention.get('mirror') in (None, evaluator.get('mirror', False)), config
        assert convention.get('branches') in (None, bool(evaluator.get('features'))), config


def repr_of(figure):
    name, data, numbers, convention = figure
    return repr((name, data, sorted(numbers.items()), sorted(convention.items())))


@pytest.mark.parametrize('data', OTHER)
def test_data_sets_without_published_or_measured_figures_have_no_results(data):
    index = yaml.safe_load((CONFIGS / data / 'metafile.yml').read_text())
    assert {model['Config'] for model in index['Models']} == {
        f'configs/{name}' for name in NAMES if name.startswith(f'{data}/')
    }
    assert not any('Results' in model for model in index['Models'])
