"""Trainings of two epochs, in this process, on a small rendered set."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsgan.datasets import SYSUMM01
from tsgan.datasets.synthetic import render_dataset
from tsgan.engine import EpochSeedHook
from tsgan.registry import DATASETS, HOOKS
from tsgan.stopping import SavedAndStopped
from tsgan.unsupervised import pseudo_label_hook

CONFIGS = Path(__file__).parents[2] / 'configs' / 'synthetic' / 'modern'


@pytest.fixture(scope='module')
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp('synthetic')
    render_dataset(root, num_train=8, num_val=1, num_test=2, num_pretrain=1, frames=3, size=(64, 32), workers=1)
    return root


@DATASETS.register_module()
class Misnamed(SYSUMM01):
    """Everybody is called by the name of somebody, image by image."""

    def load_records(self):
        records = super().load_records()
        pids = np.random.default_rng(0).permutation([record['pid'] for record in records])
        return [record | {'pid': int(pid)} for record, pid in zip(records, pids, strict=True)]


@pytest.fixture
def make(rendered, tmp_path):
    """Builds a training of the config, two epochs of two batches: the second one has the matching."""

    def build(name, work_dir='run', hook=(), loader=(), dataset=(), **options):
        cfg = Config.fromfile(CONFIGS / f'{name}.py')
        cfg.merge_from_dict(
            {
                'model.reid.encoder.checkpoint': None,
                'model.reid.encoder.backbone.stem_channels': 16,
                'model.reid.encoder.backbone.base_channels': 16,
                'model.reid.head.in_channels': 128,
                'train_dataloader.batch_size': 16,
                'train_dataloader.num_workers': 0,
                'train_dataloader.batch_sampler.num_instances': 2,
                'train_dataloader.batch_sampler.num_batches': 2,
                'train_dataloader.dataset.data_root': str(rendered),
                'train_cfg.max_epochs': 2,
                'default_hooks.checkpoint.max_keep_ckpts': 9,
                'default_hooks.logger.interval': 1,
                'work_dir': str(tmp_path / work_dir),
                'experiment_name': f'{tmp_path.name}_{work_dir}',
                **options,
            }
        )
        cfg.custom_hooks[0].update(dict(k1=8, k2=2, min_samples=2, matching_from=1, batch_size=50) | dict(hook))
        cfg.merge_from_dict({'train_dataloader': dict(loader)})
        given = cfg.train_dataloader.dataset.to_dict() | dict(dataset)
        cfg.train_dataloader.dataset = {key: value for key, value in given.items() if value is not None}
        for key in ('test_dataloader', 'test_evaluator', 'test_cfg'):
            cfg[key] = None
        return Runner.from_cfg(cfg)

    return build


def scalars(tmp_path, work_dir='run'):
    (file,) = (tmp_path / work_dir).glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in file.read_text().splitlines()]


def weights(tmp_path, work_dir, epoch=2):
    return torch.load(tmp_path / work_dir / f'epoch_{epoch}.pth', weights_only=False)['state_dict']


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize('name', ['adca', 'pgm'])
def test_two_epochs_train_on_clusters_and_say_how_good_they_are(name, make, tmp_path):
    runner = make(name)
    seen = []
    step = runner.model.train_step

    def train_step(data, optim_wrapper):
        seen.append(data['data_samples'])
        return step(data, optim_wrapper)

    runner.model.train_step = train_step
    runner.train()
    rows = scalars(tmp_path)
    first, second = (row for row in rows if 'clusters/rgb_count' in row)
    for modality in ('rgb', 'ir'):
        assert first[f'clusters/{modality}_count'] >= 2
        for key in ('clustered', 'purity', 'ari'):
            assert first[f'clusters/{modality}_{key}'] <= 1
    assert 'matching/precision' not in first
    assert 0 <= second['matching/precision'] <= 1 <= second['matching/pairs']
    steps = [row for row in rows if 'reid/loss_memory' in row]
    assert len(steps) == 4 and all(np.isfinite(row['reid/loss_memory']) for row in steps)
    assert ['reid/memory_cross' in row for row in steps] == [False, False, *[name == 'pgm'] * 2]
    for samples in seen:  # V, V', IR, two clusters each of two images; of IR twice as many
        assert [s.modality for s in samples] == ['rgb'] * 8 + ['ir'] * 8
        assert min(int(s.gt_label) for s in samples) >= 0
    changed = weights(tmp_path, 'run', 1)
    assert any(not torch.equal(t, changed[n]) for n, t in weights(tmp_path, 'run', 2).items())
    assert not any('memory' in n for n in changed)


def filled(runner):
    """What the memories are filled with before each epoch of a training."""
    loss, found = runner.model.losses['loss_memory'], []
    fill = loss.fill
    loss.fill = lambda **memory: found.append(memory) or fill(**memory)
    runner.train()
    return found


def test_pgm_compares_rgb_images_with_the_ir_memory_first_and_then_the_two_by_turns(make):
    epochs = filled(make('pgm', **{'train_cfg.max_epochs': 4, 'train_dataloader.batch_sampler.num_batches': 1}))
    partners = [sorted(memory.keys() - {'rgb', 'ir'}) for memory in epochs]
    assert partners == [[], ['rgb_to_ir'], ['ir_to_rgb'], ['rgb_to_ir']]
    assert len(epochs[1]['rgb_to_ir']) == len(epochs[1]['rgb']) and len(epochs[2]['ir_to_rgb']) == len(epochs[2]['ir'])


def test_adca_draws_the_rgb_memory_alone_to_its_partners_once_clusters_are_matched(make, monkeypatch):
    seen = []
    monkeypatch.setattr(pseudo_label_hook, 'aggregated', lambda rgb, ir, matching: seen.append((rgb, ir)) or -rgb)
    first, second = filled(make('adca', **{'train_dataloader.batch_sampler.num_batches': 1}))
    ((rgb, ir),) = seen  # not before
    assert first.keys() == second.keys() == {'rgb', 'ir'}
    assert np.array_equal(second['rgb'], -rgb) and np.array_equal(second['ir'], ir)


def test_labels_of_the_data_set_are_in_no_weight(make, tmp_path):
    key = 'clusters/ir_ari'
    make('pgm', 'true').train()
    make('pgm', 'false', dataset=dict(type='Misnamed')).train()
    assert_same(weights(tmp_path, 'true'), weights(tmp_path, 'false'))
    agreement = [next(row[key] for row in scalars(tmp_path, run) if key in row) for run in ('true', 'false')]
    assert agreement[0] > agreement[1]


@pytest.mark.slow
@pytest.mark.parametrize('name', ['adca', 'pgm'])
def test_a_training_resumed_after_an_epoch_ends_as_if_it_had_never_stopped(name, make, tmp_path):
    make(name, 'whole').train()
    resumed = make(name, 'resumed', load_from=str(tmp_path / 'whole/epoch_1.pth'), resume=True)
    resumed.train()
    assert_same(weights(tmp_path, 'whole'), weights(tmp_path, 'resumed'))


def stop_within_second_epoch(runner):
    stop = Hook()
    stop.after_train_iter = lambda runner, **_: runner.iter == 2 and signal.raise_signal(signal.SIGINT)
    runner.register_hook(stop)
    with pytest.raises(SavedAndStopped):
        runner.train()


@pytest.mark.parametrize('name', ['adca', pytest.param('pgm', marks=pytest.mark.slow)])
def test_a_training_stopped_within_an_epoch_goes_on_with_its_clusters_and_memories(name, make, tmp_path):
    make(name, 'whole').train()
    stop_within_second_epoch(make(name, 'stopped'))
    resumed = make(name, 'resumed', load_from=str(tmp_path / 'stopped/epoch_1_iter_1.pth'), resume=True)
    memories = resumed.model.losses['loss_memory']
    assert len(filled(resumed)) == 1  # for the rest of the epoch
    assert_same(weights(tmp_path, 'whole'), weights(tmp_path, 'resumed'))
    assert (memories.partner_rgb is not None) == (name == 'pgm')


@pytest.mark.slow
def test_clusters_of_other_images_are_refused(make, tmp_path):
    stop_within_second_epoch(make('adca', 'stopped'))
    file = tmp_path / 'stopped/epoch_1_iter_1.pth'
    checkpoint = torch.load(file, weights_only=False)
    checkpoint['clusters']['clusters'] = checkpoint['clusters']['clusters'][1:]
    torch.save(checkpoint, file)
    with pytest.raises(RuntimeError, match=r'epoch_1_iter_1.pth .* on 143 images, and there are 144 now: go on from'):
        make('adca', 'resumed', load_from=str(file), resume=True).train()


@pytest.mark.slow
def test_images_without_names_are_trained_on(make, rendered, tmp_path):
    for modality, cameras in (('rgb', 'cam1'), ('ir', 'cam3')):
        (tmp_path / 'unlabelled' / modality).mkdir(parents=True)
        for i, path in enumerate(sorted((rendered / cameras).glob('*/*.jpg'))):
            (tmp_path / 'unlabelled' / modality / f'{i}.jpg').symlink_to(path)
    make('adca', dataset=dict(type='UnlabelledFolder', data_root=str(tmp_path / 'unlabelled'), split=None)).train()
    assert any('clusters/rgb_count' in row for row in scalars(tmp_path))
    assert not any('clusters/rgb_purity' in row or 'matching/precision' in row for row in scalars(tmp_path))


def test_features_are_those_of_a_test_and_leave_randomness_and_modes_alone(make):
    runner = make('adca')
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'PseudoLabelHook')
    model, dataset = runner.model.train(), runner.train_loop.dataloader.dataset
    state = torch.get_rng_state()
    feats = hook.features(runner)
    assert torch.equal(torch.get_rng_state(), state) and all(module.training for module in model.modules())
    np.testing.assert_allclose(np.linalg.norm(feats, axis=1), 1, rtol=1e-5)
    model.eval()
    plain = SYSUMM01(dataset.data_root, split='train', pipeline=hook.pipeline)
    for row in (0, 60, len(plain) - 1):  # RGB, and IR
        data = plain[row]
        (sample,) = model.test_step(dict(inputs=data['inputs'][None], data_samples=[data['data_samples']]))
        np.testing.assert_allclose(feats[row], (sample.feature / sample.feature.norm()).detach(), atol=1e-5)


@pytest.mark.slow
def test_one_cluster_or_none_is_refused_and_fewer_than_a_batch_needs_are_told(make, tmp_path):
    with pytest.raises(RuntimeError, match=r'epoch 1: [01] clusters of \d+ rgb images with eps=0.001.*set eps'):
        make('adca', hook=dict(eps=0.001, min_samples=70)).train()
    make('adca', 'few', **{'train_dataloader.batch_size': 16 * 8}).train()
    (log,) = (tmp_path / 'few').glob('*/*.log')
    assert 'clusters of 48 ir images are fewer than the 32 of a batch' in log.read_text()


@pytest.mark.slow
def test_what_the_hook_cannot_work_with_is_refused(make, monkeypatch):
    with pytest.raises(ValueError, match=r"one of \('adca', 'pgm'\), not 'otla'"):
        HOOKS.build(dict(type='PseudoLabelHook', pipeline=[], method='otla', matching_from=0))
    with pytest.raises(ValueError, match='fills the memories of model.losses.loss_other, and the model has no such'):
        make('adca', 'loss', hook=dict(loss='loss_other')).train()
    sampler = dict(_delete_=True, type='IdentityPairBatchSampler', num_pairs=2)
    with pytest.raises(ValueError, match='for a ClusterBatchSampler, and .*is a IdentityPairBatchSampler'):
        make('adca', 'sampler', loader=dict(batch_sampler=sampler)).train()
    runner = make('adca', 'workers', loader=dict(num_workers=1, persistent_workers=True))
    # which EpochSeedHook would refuse first
    runner._hooks = [hook for hook in runner._hooks if not isinstance(hook, EpochSeedHook)]
    with pytest.raises(ValueError, match='persistent_workers would keep the clusters of the first epoch'):
        runner.train()
    monkeypatch.setattr(pseudo_label_hook, 'get_world_size', lambda: 2)
    with pytest.raises(RuntimeError, match='clusters in one process, and this training has 2'):
        make('adca', 'ranks').train()
