"""From a config file to a runner: what `tools/train.py` and `tools/test.py` share."""

import os
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.runner import Runner

from tsgan.datasets import check_images
from tsgan.registry import DATASETS


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
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    cfg.work_dir = work_dir or cfg.get('work_dir') or default_work_dir(path)
    return cfg


def default_work_dir(config: str) -> str:
    """``configs/synthetic/backbone.py`` -> ``work_dirs/synthetic/backbone``; outside ``configs``, by file name."""
    parts = Path(config).absolute().with_suffix('').parts
    inside = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else parts[-1:]
    return str(Path('work_dirs', *inside))


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
    """Decode every image that the config trains, validates and tests on.

    Raises:
        ValueError: Naming the files that are no images.
    """
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(loader):
            check_images(DATASETS.build(cfg[loader].dataset))
