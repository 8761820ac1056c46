"""From a config file to a runner: what `tools/train.py` and `tools/test.py` share."""

import os
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader

from tsgan.checkpoints import config_of, find_checkpoint, meta_of, noted_checkpoint, weights_of
from tsgan.datasets import check_images
from tsgan.registry import DATASETS, MODELS

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
EVALUATORS = ('val_evaluator', 'test_evaluator')


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
            ``work_dirs/`` and the path of the config inside the folder ``configs``, and ``split_<number>`` below it
            where the config has a ``split``.
        cfg_options (dict, optional): Dotted key -> value. Defaults to None. ``data_root`` and ``split`` reach all
            parts of the config.

    Raises:
        FileNotFoundError: When there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'no config file at {path}.')
    cfg = Config.fromfile(path)
    options = cfg_options or {}
    # base configs have copied both into their parts by now
    if 'data_root' in options and 'data_root' in cfg:
        move_root([cfg.get(part) for part in LOADERS + EVALUATORS], cfg.data_root, options['data_root'])
    if 'split' in cfg:
        set_split([cfg.get(part) for part in (*LOADERS, 'model')], options.get('split', cfg.split))
    cfg.merge_from_dict(options)
    cfg.work_dir = work_dir or cfg.get('work_dir') or default_work_dir(path, cfg.get('split'))
    return cfg


def read_config(path: str, options: list[str]) -> Config:
    """:func:`load_config` with options as they stand on a command line, ``key=value`` each."""
    parser = ArgumentParser()
    add_run_arguments(parser)
    return load_config(path, cfg_options=parser.parse_args(['--cfg-options', *options] if options else []).cfg_options)


def common_options(options: list[str], cfg: Config) -> list[str]:
    """Those options that are not about a child of the model, or its optimizer, that the config does not have."""

    def common(option: str) -> bool:
        part, *path = option.split('=')[0].split('.')
        return part not in ('model', 'optim_wrapper') or not path or path[0] in cfg[part]

    return [option for option in options if common(option)]


def default_work_dir(config: str, split: int | None = None) -> str:
    """``configs/synthetic/backbone.py`` -> ``work_dirs/synthetic/backbone``; outside ``configs``, by file name."""
    parts = Path(config).absolute().with_suffix('').parts
    inside = parts[len(parts) - parts[::-1].index('configs') :] if 'configs' in parts else parts[-1:]
    return str(Path('work_dirs', *inside, *([] if split is None else [f'split_{split}'])))


def move_root(parts: list, old: str, new: str) -> None:
    """Replace the folder ``old`` by ``new`` in all paths below parts of a config, in place."""
    for part, key, value in leaves(parts):
        if isinstance(value, str) and (value == old or value.startswith(f'{old}/')):
            part[key] = new + value[len(old) :]


def set_split(parts: list, split: int) -> None:
    """Write the number of the split into data sets, and into text that ends with one as ``split_1`` does, in place."""
    for part, key, value in leaves(parts):
        if key == 'split' and isinstance(value, int):
            part[key] = split
        elif isinstance(value, str):
            part[key] = re.sub(r'(?<=\bsplit[_=])\d+$', str(split), value)


def leaves(node: dict | list) -> Iterator[tuple[dict | list, str | int, object]]:
    """Yield (container, key, value) of all values below a part of a config that hold no others."""
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        if isinstance(value, (dict, list)):
            yield from leaves(value)
        else:
            yield node, key, value


def continue_from(cfg: Config, place: str | None = None) -> str | None:
    """Set a config to go on with a training, without asking for the weights that it once began with.

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
    if place is None and noted_checkpoint(Path(cfg.work_dir)) is None:
        cfg.resume = False
        return None
    checkpoint = find_checkpoint(place or cfg.work_dir)
    content = CheckpointLoader.load_checkpoint(checkpoint, map_location='meta')
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
    found = {name: tensor.shape for name, tensor in weights_of(content).items()}
    children = getattr(MODELS.get(cfg.model.type), 'TESTED', ('reid',))
    states = {child: MODELS.build(cfg.model[child]).state_dict() for child in children}
    wanted = {f'{child}.{name}': tensor.shape for child, state in states.items() for name, tensor in state.items()}

    def fits(name: str, shape: torch.Size) -> bool:
        # the classifier has no say in a test, and may be of other identities; a tensor without elements takes any shape
        return name in found and (found[name] == shape or 'classifier' in name or 0 in shape)

    wrong = [name for name, shape in wanted.items() if not fits(name, shape)]
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
    for loader in LOADERS:
        if cfg.get(loader):
            check_images(DATASETS.build(cfg[loader].dataset))
