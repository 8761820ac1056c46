"""A small training of a TS-GAN, in this process or in forks of it."""

import copy
import logging
import multiprocessing
import os
import random
import signal
import sys
from itertools import count
from pathlib import Path

import numpy as np
import torch
from command_lines import forget_the_end
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.runner import runner as mmengine_runner
from PIL import Image
from small_models import HEIGHT, NUM_IDS, TEACHER, TSGAN, WIDTH

from tsgan.command_line import run
from tsgan.experiments import build_runner, continue_from
from tsgan.registry import HOOKS, METRICS, TRANSFORMS
from tsgan.structures import unwrapped

REPO = Path(__file__).parents[1]
RUNS = count()
LENGTH = 3  # iterations of an epoch


@METRICS.register_module()
class MeanFeature(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [sample['feature'].sum().item() for sample in data_samples]

    def compute_metrics(self, results):
        return {'mean': sum(results) / len(results)}


@TRANSFORMS.register_module()
class Darken(BaseTransform):
    """Draws from each of the three generators."""

    def transform(self, results):
        kept = (random.random() + np.random.rand() + torch.rand(()).item()) / 3  # noqa: NPY002
        return dict(results, img=(kept * results['img']).astype(np.uint8))


@HOOKS.register_module()
class ShakeHook(Hook):
    """Draws in a step, too, as dropout does."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        drawn = random.random() + np.random.rand()  # noqa: NPY002
        with torch.no_grad():
            for parameter in unwrapped(runner.model).reid.parameters():
                parameter += 1e-4 * drawn * torch.randn(parameter.shape)


def draw_images(root):
    """Noise of NUM_IDS people to train on and one more, two images in each modality."""
    rng = np.random.default_rng(0)
    for modality in ('rgb', 'ir'):
        for person in range(NUM_IDS + 1):
            folder = root / modality / f'p{person}'
            folder.mkdir(parents=True)
            for frame in range(2):
                pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f'{frame}.png')


def config(images, work_dir, max_epochs=2, num_workers=0, options=()):
    """A config of three phases with schedules by epoch and by iteration, and a validation after every other epoch."""
    base = Config.fromfile(REPO / 'configs/_base_/default_runtime.py').to_dict()
    hooks = {
        name: hook for name, hook in base['default_hooks'].items() if name not in ('translation_grid', 'ranked_list')
    }
    load = [dict(type='LoadReIDImage'), dict(type='mmpretrain.PackInputs', meta_keys=('modality', 'pid', 'camid'))]
    augment = [
        dict(type='mmpretrain.RandomCrop', crop_size=(HEIGHT, WIDTH), padding=4),  # of NumPy's generator
        dict(type='RandomFlip', prob=0.5),
        dict(type='Darken'),
    ]
    data = dict(type='ImageFolderReID', data_root=str(images), train_ratio=0.9)
    loader = dict(batch_size=8, num_workers=num_workers, persistent_workers=False)
    loader['worker_init_fn'] = dict(type='tsgan.seed_worker')
    adam = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3))
    sgd = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3, momentum=0.9))
    cfg = dict(
        base,
        model=dict(TSGAN, teacher=dict(TSGAN['teacher'], encoder=dict(type='Encoder', backbone=TEACHER))),
        default_hooks=hooks,
        custom_hooks=[
            dict(type='AlternatingPhasesHook', phases=['generators', 'reid', 'discriminators']),
            dict(type='ShakeHook'),
        ],
        train_dataloader=dict(
            loader,
            dataset=dict(data, pipeline=[load[0], *augment, load[1]]),
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='IdentityPairBatchSampler', num_pairs=2, num_batches=LENGTH),
        ),
        val_dataloader=dict(
            loader,
            dataset=dict(data, pipeline=load, test_mode=True),
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_cfg=dict(type='ValLoop'),
        val_evaluator=dict(type='MeanFeature'),
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=2),
        optim_wrapper=dict(
            constructor='PerModuleOptimWrapperConstructor', generators=adam, reid=sgd, discriminators=adam
        ),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=5),
            dict(type='MultiStepLR', by_epoch=True, milestones=[1], gamma=0.5),
        ],
        visualizer=dict(type='Visualizer'),
        work_dir=str(work_dir),
        experiment_name=f'small{os.getpid()}_{next(RUNS)}',
    )
    cfg = Config(copy.deepcopy(cfg))
    cfg.merge_from_dict(dict(options))
    return cfg


def train(cfg, launcher='none'):
    """Go on with a training, or begin it, as `tools/train.py --resume` does; its runner."""
    mmengine_runner.collect_env = dict  # takes a second, for the log
    assert continue_from(cfg) is None
    runner = build_runner(cfg, launcher)
    runner.train()
    return runner


def forked(body, *args):
    """What becomes of a function in a fork of this process, as a command line: its exit code and its stderr."""
    return fork(body, *args)()


def fork(body, *args):
    """The same, begun; what this gives waits for the end."""
    reader, writer = os.pipe()

    def child():
        forget_the_end()
        os.dup2(writer, 2)
        sys.stderr = open(2, 'w', closefd=False)  # rather than pytest's  # noqa: SIM115
        sys.stdout = open(os.devnull, 'w')  # noqa: SIM115
        logging.raiseExceptions = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        run(lambda: body(*args))

    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    os.close(writer)

    def wait():
        with open(reader) as pipe:
            said = pipe.read()
        process.join()
        return process.exitcode, said

    return wait


def checkpoint(work_dir, name):
    return torch.load(Path(work_dir) / name, weights_only=False)


def assert_same_training(one, other):
    """That two checkpoints have the same parameters, optimizers and schedules, bit by bit."""
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(one[part], other[part], part)


def assert_equal(a, b, where=''):
    """Of nested dicts and lists with tensors, bit by bit."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_equal(a[key], b[key], f'{where}/{key}')
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f'{where}/{i}')
    else:
        assert a == b, where
