"""From a config to a runner: what `tools/train.py` and `tools/test.py` share."""

import logging
import os
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from tsgan.checkpoints import (
    checkpoints_of,
    config_of,
    find_checkpoint,
    lacking_to_test,
    meta_of,
    noted_checkpoint,
    weights_of,
)
from tsgan.datasets import check_images
from tsgan.engine import MirrorFeaturesHook, QuietRunner
from tsgan.machine import is_first_rank
from tsgan.registry import DATASETS, MODELS

from .arguments import LOADERS


def continue_from(cfg: Config, place: str | None = None) -> str | None:
    """Set a config to go on with a training, without asking for the weights that it once began with.

    In a work dir, a last checkpoint that is damaged or lost gives way to the one before it, and it is said.

    Args:
        cfg (Config): The config.
        place (str, optional): A checkpoint, or the work dir of a training. Defaults to None: the last checkpoint in the
            config's work dir, if there is one; else the training begins.

    Returns:
        str | None: That the training has reached its end, where nothing is left to do.

    Raises:
        FileNotFoundError: When there is no such checkpoint.
        RuntimeError: When the file is no checkpoint of a training.
    """
    if place is None and noted_checkpoint(Path(cfg.work_dir)) is None and not checkpoints_of(Path(cfg.work_dir)):
        cfg.resume = False
        return None
    checkpoint, content = last_whole(place or cfg.work_dir)
    meta = meta_of(content)
    lacking = [key for key in ('epoch', 'iter') if key not in meta]
    lacking += [key for key in ('optimizer', 'message_hub') if key not in content]
    if lacking:
        raise RuntimeError(
            f'{checkpoint} holds weights, and no training to go on with ({" and ".join(lacking)} not there): begin one '
            f'with them, `--cfg-options load_from={checkpoint}` without --resume.'
        )
    for unit in ('epoch', 'iter'):
        end = cfg.train_cfg.get(f'max_{unit}s')
        if end and meta[unit] >= end:
            return (
                f'the training in {Path(checkpoint).parent} has reached its end, {unit} {meta[unit]} of {end}: for a '
                f'longer one, give `--cfg-options train_cfg.max_{unit}s=N`.'
            )
    cfg.resume, cfg.load_from = True, checkpoint
    forget_first_weights(cfg.model)
    return None


def last_whole(place: str) -> tuple[str, dict]:
    """A checkpoint, and its content without tensors; of a work dir, the last one that can be read.

    Raises:
        FileNotFoundError: When there is no checkpoint.
        RuntimeError: When it cannot be read, nor any before it.
    """
    try:
        checkpoint = find_checkpoint(place)
        return checkpoint, CheckpointLoader.load_checkpoint(checkpoint, map_location='meta')
    except (OSError, RuntimeError, ValueError) as error:
        for earlier in reversed(checkpoints_of(Path(place))):
            try:
                content = CheckpointLoader.load_checkpoint(str(earlier), map_location='meta')
            except (OSError, RuntimeError, ValueError):
                continue
            print_log(f'{error} The training goes on from {earlier}.', 'current', logging.WARNING)
            return str(earlier), content
        raise


def forget_first_weights(part: dict | list) -> None:
    for value in part.values() if isinstance(part, dict) else part:
        if isinstance(value, (dict, list)):
            forget_first_weights(value)
    if isinstance(part, dict):
        if part.get('type') == 'Encoder':
            part['checkpoint'] = None
        if isinstance(part.get('init_cfg'), dict) and part['init_cfg'].get('type') == 'Pretrained':
            part['init_cfg'] = None


def describe_tested(cfg: Config, checkpoint: str) -> None:
    """Put into the JSON of a test which model it is about.

    Raises:
        RuntimeError: When the checkpoint does not hold the network that the config tests, or was trained on
            another split: identities of this one's test are among those that it was trained on.
    """
    init_default_scope(cfg.default_scope)
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='meta')
    children = getattr(MODELS.get(cfg.model.type), 'TESTED', ('reid',))
    states = {child: MODELS.build(cfg.model[child]).state_dict() for child in children}
    wanted = {f'{child}.{name}': tensor for child, state in states.items() for name, tensor in state.items()}
    wrong = lacking_to_test(weights_of(content), wanted)
    if wrong:
        raise RuntimeError(
            f'{checkpoint} does not hold the network of {cfg.filename}: {len(wrong)} of its tensors are not '
            f'there or have another shape, {wrong[0]} first.'
        )
    meta = meta_of(content)
    cfg.test_evaluator.tested = dict(config=cfg.filename, checkpoint=checkpoint, epoch=meta.get('epoch'))
    if 'split' in cfg:
        trained = config_of(content).get('split', cfg.split)
        if trained != cfg.split:
            raise RuntimeError(
                f'{checkpoint} was trained on split {trained}, and would be tested on split {cfg.split}, with people '
                f'that it knows: test it with `--cfg-options split={trained}`.'
            )
        cfg.test_evaluator.tested.split = cfg.split


def use_amp(cfg: Config) -> None:
    """Mixed precision in every phase.

    Raises:
        RuntimeError: Without a GPU.
    """
    if not torch.cuda.is_available():
        raise RuntimeError('--amp needs a GPU, and torch sees none: train without it.')
    for name, wrapper in cfg.optim_wrapper.items():
        if name != 'constructor':
            wrapper.type = 'AmpOptimWrapper'
            wrapper.setdefault('loss_scale', 'dynamic')


def build_runner(cfg: Config, launcher: str = 'none', local_rank: int = 0) -> Runner:
    """Build the runner that the config describes, on GPUs (nccl) or on a machine without one (gloo).

    Args:
        cfg (Config): From :func:`load_config`.
        launcher (str): 'none', 'pytorch', 'slurm' or 'mpi'. Defaults to 'none'.
        local_rank (int): For launchers that do not set ``LOCAL_RANK``. Defaults to 0.
    """
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
    cfg.launcher = launcher
    if launcher == 'pytorch' and not torch.cuda.is_available():  # MMEngine would ask for a GPU in both places
        if not dist.is_initialized():
            seconds = cfg.env_cfg.dist_cfg.get('timeout')
            dist.init_process_group('gloo', timeout=seconds and timedelta(seconds=seconds))
        cfg.model_wrapper_cfg.device_ids = None
    runner = QuietRunner.from_cfg(cfg)
    runner.register_hook(MirrorFeaturesHook())
    return runner


def check_data(cfg: Config) -> None:
    """Decode every image that the config trains, validates and tests on; in a distributed job, once.

    Raises:
        ValueError: Naming the files that are no images.
    """
    if not is_first_rank():
        return
    init_default_scope(cfg.default_scope)
    for loader in LOADERS:
        if cfg.get(loader):
            check_images(DATASETS.build(cfg[loader].dataset))
