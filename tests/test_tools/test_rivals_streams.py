"""One-Stream, Two-Stream and Zero-Padding: how their configs differ, and their training in several processes."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / 'configs'
ROWS = ['one_stream', 'zero_padding', 'two_stream']
PRESETS = [f'{row}_resnet50' for row in ROWS]


@pytest.mark.parametrize(
    'options',
    [pytest.param([], marks=pytest.mark.slow), ['train_dataloader.dataset.modality=ir']],
    ids=['both', 'ir alone'],
)
def test_two_ranks_train_the_two_streams_even_if_one_of_them_has_no_image(
    options, pretrained, train, tmp_path, free_port
):
    train('rivals/two_stream', '--work-dir', tmp_path, ranks=2, options=['train_dataloader.batch_size=4', *options])
    trained = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['state_dict']
    begun = torch.load(pretrained / 'epoch_1.pth', weights_only=False)['state_dict']
    prefix, mean = 'reid.encoder.backbone.', 'bn1.running_mean'
    moved = {s: not torch.equal(trained[f'{prefix}{s}.{mean}'], begun[f'{prefix}{mean}']) for s in ('rgb', 'ir')}
    assert moved == {'rgb': not options, 'ir': True}
    assert all(tensor.isfinite().all() for tensor in trained.values())


def test_a_checkpoint_of_one_stream_is_not_tested_as_two(pretrained, test, tmp_path):
    with pytest.raises(AssertionError, match='does not hold the network of .*two_stream.py'):
        test('rivals/two_stream', pretrained / 'epoch_1.pth', '--work-dir', tmp_path)


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('folder', ['rivals', 'synthetic/rivals'])
def test_the_three_arrangements_differ_by_the_network_alone(folder):
    for suffix in ['', '_resnet50'] if folder == 'rivals' else ['']:
        one, zero, two = (load(f'{folder}/{row}{suffix}')._cfg_dict.to_dict() for row in ROWS)
        for other, kind in ((zero, 'ZeroPaddingResNet'), (two, 'TwoStreamResNet')):
            backbone = other['model']['reid']['encoder']['backbone']
            assert backbone['type'] == kind
            backbone['type'] = 'OneStreamResNet'
            assert other == one


def test_the_papers_rows_have_its_data_and_optimiser():
    cfg = load('rivals/one_stream')
    kinds = [transform['type'] for transform in cfg.train_pipeline]
    assert kinds == ['LoadReIDImage', 'Resize', 'mmpretrain.RandomCrop', 'mmpretrain.PackInputs']  # no flip
    assert cfg.train_dataloader.dataset.pipeline == cfg.train_pipeline
    assert cfg.test_dataloader.dataset.pipeline == cfg.test_pipeline
    assert cfg.train_pipeline[1].scale == cfg.test_pipeline[1].scale == cfg.train_pipeline[2].crop_size == (224, 224)
    assert cfg.train_pipeline[2].padding == int(0.1 * 224)
    assert cfg.optim_wrapper.reid.optimizer == dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4)
    assert cfg.train_dataloader.batch_size == 64
    assert 'init_cfg' not in cfg.model.reid.encoder.backbone and cfg.model.reid.encoder.backbone.depth == 6


@pytest.mark.parametrize('row', PRESETS)
def test_a_preset_is_its_row_with_another_network(row):
    small, large = (load(f'rivals/{name}')._cfg_dict.to_dict() for name in (row.removesuffix('_resnet50'), row))
    assert large['model'].pop('reid') != small['model'].pop('reid')
    assert large == small
