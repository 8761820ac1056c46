"""From a config file and options to a config: what every command line reads a config with."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, DictAction

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
