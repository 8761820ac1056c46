"""From a config file to a runner: what `tools/train.py` and `tools/test.py` share."""

import os
from argparse import ArgumentParser
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from tsgan.datasets import check_images
from tsgan.registry import DATASETS, MODELS


def add_run_arguments(parser: ArgumentParser) -> None:
    """The arguments that training and testing have in common."""
    parser.add_argument('--work-dir', help='folder for what the run writes; default: work_dirs/<path of the config>')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override config entries: key=value, key="[a,b]"'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')


def load_config(path: str, work_dir: str | None = None, cfg_options: dict | None = None) -> Config:
    """Read a config file, put the options over it, and settle where its results go.

    Args:
        path (str): The config file.
        work_dir (str, optional): Folder of log and checkpoints. Defaults to None: the config's own ``work_dir``, else
            ``work_dirs/`` and the path of the config inside the folder ``configs``.
        cfg_options (dict, optional): Dotted key -> value. Defaults to None.

    Raises:
        FileNotFoundError: When there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no config file at {path}.')
    cfg = Config.fromfile(path)
    root = cfg.get('data_root')
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    if cfg.get('data_root') != root:  # a base config has copied it into its data sets and protocols by now
        for part in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'val_evaluator', 'test_evaluator'):
            move_root(cfg.get(part), root, cfg.data_root)
    cfg.work_dir = work_dir or cfg.get('work_dir') or default_work_dir(path)
    return cfg


def default_work_dir(config: str) -> str:
    """``configs/synthetic/backbone.py`` -> ``work_dirs/synthetic/backbone``; outside ``configs``, by file name."""
    parts = Path(config).absolute().with_suffix('').parts
    inside = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else parts[-1:]
    return str(Path('work_dirs', *inside))


def move_root(part: dict | list | None, old: str, new: str) -> None:
    """Replace the folder ``old`` by ``new`` in all paths below a part of a config, in place."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part or ()):
        if isinstance(value, (dict, list)):
            move_root(value, old, new)
        elif isinstance(value, str) and (value == old or value.startswith(f'{old}/')):
            part[key] = new + value[len(old) :]


def continue_from(cfg: Config, checkpoint: str) -> None:
    """Resume a training, without asking for the weights that it once began with: the checkpoint holds them all."""
    cfg.resume, cfg.load_from = True, checkpoint
    forget_first_weights(cfg.model)


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
        RuntimeError: When the checkpoint does not hold the ReID network that the config describes.
    """
    init_default_scope(cfg.default_scope)
    state = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    names = {name.removeprefix('module.') for name in state.get('state_dict', state)}
    missing = [name for name in MODELS.build(cfg.model.reid).state_dict() if f'reid.{name}' not in names]
    if missing:
        raise RuntimeError(
            f'{checkpoint} does not hold the ReID network of {cfg.filename}: {len(missing)} of its tensors are not '
            f'there, reid.{missing[0]} first.'
        )
    epoch = state.get('meta', {}).get('epoch')
    cfg.test_evaluator.tested = dict(config=cfg.filename, checkpoint=checkpoint, epoch=epoch)


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
            dist.init_process_group('gloo')
        cfg.model_wrapper_cfg.device_ids = None
    return Runner.from_cfg(cfg)


def check_data(cfg: Config) -> None:
    """Decode every image that the config trains, validates and tests on; in a distributed job, once.

    Raises:
        ValueError: Naming the files that are no images.
    """
    if os.environ.get('RANK', '0') != '0':
        return
    init_default_scope(cfg.default_scope)
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            check_images(DATASETS.build(cfg[loader].dataset))
