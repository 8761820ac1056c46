"""From a config file and options to a config: what every command line reads a config with."""

import ast
import os
import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from mmengine.config import Config, ConfigDict

from tsgan.command_line import add_trust
from tsgan.config_files import read_config
from tsgan.machine import num_cores

from .arguments import (
    LOADERS,
    UNTYPED,
    annotation,
    arguments,
    check_arguments,
    check_entries,
    check_phases,
    dict_in,
    get_close,
    kind,
    nearest,
    suggestion,
)

# variables that base configs have copied into text and numbers, too: the parts that have them
MOVED = {'data_root': (*LOADERS, 'val_evaluator', 'test_evaluator'), 'split': (*LOADERS, 'model')}

# what an argument that has no value yet is, where its class takes this type alone
STAND_INS = {'str': '', 'bool': False, 'int': 0, 'float': 0.0, 'Sequence': (), 'tuple': (), 'list': []}


def add_run_arguments(parser: ArgumentParser) -> None:
    """The arguments that training and testing have in common."""
    parser.add_argument('--work-dir', help='folder for what the run writes; default: work_dirs/<path of the config>')
    add_cfg_options(parser)
    add_trust(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by the launcher')


def add_cfg_options(parser: ArgumentParser, more: str = '') -> None:
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        default=[],
        metavar='KEY=VALUE',
        help='override config entries: a.b=3, a.0.c=[1,2], a.b=None; +KEY=VALUE sets without any check' + more,
    )


def load_config(path: str, work_dir: str | None = None, cfg_options: dict | list[str] | None = None) -> Config:
    """Read a config file, put the options over it, and settle where its results go.

    Args:
        path (str): The config file, found as by :func:`tsgan.config_files.read_config`.
        work_dir (str, optional): Folder of log and checkpoints. Defaults to None: the config's own ``work_dir``, else
            ``work_dirs/`` and the path of the config inside the folder ``configs``, and ``split_<number>`` below it
            where the config has a ``split``.
        cfg_options (dict | list[str], optional): Dotted key -> value, or ``key=value`` each as on a command line, see
            :func:`parse_value`. An option takes effect or is refused: its key is one of the config's, or an argument
            that the class of its part takes, and its value is of the type that it replaces; a ``+`` before the key
            leaves out both checks, but not that of classes below. ``data_root``, ``split``, and variables of the file
            that hold a sequence, such as ``img_scale``, reach all entries that the file has made from them. Defaults to
            None.

    The ``num_workers`` of the file's loaders are at most the cores of this process; an option is taken as it is.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: On a file that is no config, on an option that would have no effect, on a part of the config whose
            class is not registered, or does not take one of its keys, or its value; on a phase that the model has not,
            or that has no optimizer; and on views that nothing collates.
    """
    cfg = read_config(path)
    limit_workers(cfg)
    if 'split' in cfg:
        set_split([cfg.get(part) for part in MOVED['split']], cfg.split)
    check_entries(cfg)
    options = split_options(cfg_options) if isinstance(cfg_options, list) else cfg_options or {}
    for key in in_order(options, cfg):
        set_option(cfg, key, options[key], is_text=isinstance(cfg_options, list))
    check_arguments(cfg)
    check_phases(cfg)
    check_collation(cfg)
    if 'launcher' in options:
        raise ValueError('launcher: expected as --launcher, not as an option of the config.')
    if work_dir and work_dir != options.get('work_dir', work_dir):
        raise ValueError(f'work_dir={options["work_dir"]}: --work-dir says {work_dir}; give one of them.')
    cfg.work_dir = work_dir or cfg.get('work_dir') or default_work_dir(path, cfg.get('split'))
    return cfg


def check_collation(cfg: Config) -> None:
    """Raises ValueError where a pipeline makes views in a test, or such as its loader does not collate, and where it
    makes none and its loader collates some."""
    for name in LOADERS:
        loader = dict_in(cfg, name)
        pipeline = loader.get('dataset', {}).get('pipeline') or [{}]
        makes = str(pipeline[-1].get('type')).endswith('ModalityViews')
        found = (loader.get('collate_fn') or {}).get('type')
        takes = str(found).endswith('collate_views')
        if makes and name != 'train_dataloader':
            raise ValueError(
                f'{name} makes views: a test compares images as they are; expected a pipeline without ModalityViews.'
            )
        if makes and not takes:
            raise ValueError(
                f"{name}.collate_fn is {found}: expected dict(type='tsgan.collate_views'), as its pipeline ends in "
                'ModalityViews.'
            )
        if takes and not makes:
            raise ValueError(f'{name}.collate_fn is {found}: expected a pipeline that ends in ModalityViews.')


def split_options(options: list[str]) -> dict[str, str]:
    """``['a.b=3']`` -> ``{'a.b': '3'}``; of two for one key the last one counts."""
    for option in options:
        if not re.match(r'\+?[^=\s]+=', option):
            raise ValueError(f'{option}: expected an option as KEY=VALUE.')
    return dict(option.split('=', 1) for option in options)


def in_order(options: dict, cfg: Config) -> list[str]:
    """Their keys: first what reaches many entries, then types, then what those types take."""
    return sorted(options, key=lambda key: (key.lstrip('+') not in cfg, not key.endswith('.type')))


def set_option(cfg: Config, option: str, value: object, is_text: bool = False) -> None:
    """Put one option into the config, in place.

    Args:
        cfg (Config): The config.
        option (str): Dotted key, perhaps behind a ``+``.
        value (object): Its value, or with ``is_text`` what stands on a command line for it.
        is_text (bool): Whether to parse the value. Defaults to False.

    Raises:
        NoSuchEntry: On a key that would have no effect.
        ValueError: On a value of another type than the one that it replaces.
    """
    key = option.removeprefix('+')
    checked = key == option
    *path, last = key.split('.')
    if checked and key.split('.')[0] not in UNTYPED['']:
        return set_variable(cfg, key, parse_value(value, cfg.get(key)) if is_text else value)
    node, is_new = cfg._cfg_dict, False
    for depth, name in enumerate(path):
        name = entry(cfg, node, key, depth, checked, is_new)
        if isinstance(node, dict) and name not in node:
            node[name], is_new = ConfigDict(), True
        elif node[name] is None:
            if checked and last != 'type':
                raise NoSuchEntry(f'{key}: {".".join(path[: depth + 1])} is None; give its type, too.')
            node[name] = ConfigDict()
        node = node[name]
    name = entry(cfg, node, key, len(path), checked, is_new)
    old = node[name] if isinstance(node, list) else node.get(name)
    types = annotation('.'.join(path), node, name) if checked else set()
    if checked and old is None:
        old = STAND_INS.get('/'.join(types - {'None'}))
    if is_text:
        value = parse_value(value, old if checked else None)
    if checked:
        whole = 'int' in types and 'float' not in types
        value = fitting(key, value, old, whole, none='None' in types or not types)
    if isinstance(value, dict):
        if isinstance(old, dict) and not value.get('_delete_'):
            for inner in value:
                set_option(cfg, f'{option}.{inner}', value[inner])
            return
        value = ConfigDict({k: v for k, v in value.items() if k != '_delete_'})
    node[name] = value


class NoSuchEntry(ValueError):
    """An option whose key a config neither has nor takes."""


def entry(cfg: Config, node: object, key: str, depth: int, checked: bool, is_new: bool) -> str | int:
    """The name at this depth of a dotted key, as an index where ``node`` is a list."""
    parts = key.split('.')
    prefix, name = '.'.join(parts[:depth]), parts[depth]
    if isinstance(node, list):
        if not name.isdecimal() or int(name) >= len(node):
            raise NoSuchEntry(f'{key}: {prefix} is a list of {len(node)}, from 0; there is no {name} in it.')
        return int(name)
    if not isinstance(node, dict):
        raise NoSuchEntry(f'{key}: {prefix} is {node!r}, which has no entries.')
    # what is in a part that an option has made, and that has no type yet, is known to its class alone
    if name not in node and checked and not (is_new and prefix not in UNTYPED and 'type' not in node):
        check_new_key(cfg, key, depth, node)
    return name


def check_new_key(cfg: Config, key: str, depth: int, node: dict) -> None:
    """Raises NoSuchEntry on a key that the part ``node``, at ``depth`` of the key, does not take."""
    parts = key.split('.')
    prefix, name = '.'.join(parts[:depth]), parts[depth]
    if prefix == 'default_hooks' and parts[depth + 1 :] == ['type']:  # a new hook, of any name
        return
    known = arguments(prefix, node)
    if known and (name in known or ('**' in known and not get_close(name, known))):
        return
    if prefix == 'optim_wrapper' and 'type' not in node:  # one for each phase, and no others: not with a + either
        phases = [phase for phase in node if isinstance(node[phase], dict)]
        near = [f'{prefix}.{phase}' for phase in get_close(name, set(phases))]
        otherwise = f'; it has optimizers of {", ".join(phases)}.'
        raise NoSuchEntry(f'{key}: the model has no phase {name}{suggestion(near, otherwise)}')
    inside = f'{prefix}.' if prefix else ''
    near = nearest(cfg, '.'.join(parts[: depth + 1]), {f'{inside}{k}' for k in (known or set()) - {'**'}})
    where = f'{prefix} ({node["type"]})' if 'type' in node else prefix
    otherwise = '.' if 'type' in node else f'; +{key}=... sets it all the same.'  # a class is asked anyhow
    raise NoSuchEntry(f'{key}: {where} has no {name}{suggestion(near, otherwise)}')


def set_variable(cfg: Config, key: str, value: object) -> None:
    """Give a variable of the config file, which has been copied into entries by now, another value there.

    Raises:
        NoSuchEntry: When there is no such variable, or which entries were made from it is not sure.
    """
    name, *rest = key.split('.')
    if name not in cfg:
        near = nearest(cfg, key, UNTYPED[''])
        raise NoSuchEntry(f'{key}: the config has no such entry{suggestion(near)}')
    if key in MOVED:
        value = fitting(key, value, cfg[key], whole=True, none=False)
        parts = [cfg.get(part) for part in MOVED[key]]
        move_root(parts, cfg.data_root, value) if key == 'data_root' else set_split(parts, value)
        cfg[key] = value
        return
    old = cfg[name]
    variables = [k for k in cfg if k not in UNTYPED['']]
    found = [(k, part, last) for k, part, last in holders(cfg._cfg_dict, old) if k not in variables]
    entries = [(k, part, last) for k, part, last in found if k.split('.')[0] not in variables]
    # `img_scale` and `crop_size` may be equal: entries go by a variable's own name where they have it
    own = [entry for entry in entries if entry[2] == name]
    entries = own or [entry for entry in entries if entry[2] not in variables]
    if rest or not isinstance(old, (list, tuple)) or any(isinstance(v, (dict, list)) for v in old):
        instead = ', '.join('.'.join([k, *rest]) for k, *_ in entries[:4])
        instead = f'set {instead} instead' if entries else 'no entry is as it says any more'
        raise NoSuchEntry(f'{key}: {name} is a variable of the config file, which nothing reads any more: {instead}.')
    if not entries:
        raise NoSuchEntry(f'{key}: no entry of the config has its value, {old}, any more: set the entries themselves.')
    value = fitting(key, value, old, none=False)
    if len(value) != len(old):
        raise ValueError(f'{key}: expected {len(old)} values, as the {old!r} that it replaces, not {value!r}.')
    names = {last for _, _, last in entries}
    for _, part, last in found:
        if last in names:
            part[last] = value
    cfg[name] = value


def holders(node: dict | list, value: object, prefix: str = '') -> Iterator[tuple[str, dict | list, str | int]]:
    """Yield (dotted key, container, key) of all entries that hold a value; of a dict, with perhaps more in it."""
    for name, child in node.items() if isinstance(node, dict) else enumerate(node):
        if covers(child, value):
            yield f'{prefix}{name}', node, name
        elif isinstance(child, (dict, list)):
            yield from holders(child, value, f'{prefix}{name}.')


def covers(found: object, value: object) -> bool:
    if isinstance(value, dict) and value and isinstance(found, dict):
        return all(k in found and covers(found[k], v) for k, v in value.items())
    return type(found) is type(value) and found == value


def parse_value(text: str, old: object = None) -> object:
    """What a value on a command line means, in place of ``old``.

    Python's own values, ``true`` and ``false``, and bare words in brackets, ``[a,b]`` or ``(a,[b,c])``, and without
    brackets where ``old`` is a sequence; everything else is text, exactly as typed. So is everything but None in place
    of text: ``split=0001``, ``data_root=/a,b/[c]``. Quotes make text of anything: ``"'None'"``.
    """
    value = literal(text)
    if isinstance(old, str):
        return value if value is None or (isinstance(value, str) and text[:1] in '\'"') else text
    if isinstance(value, str) and (text[:1] + text[-1:] in ('[]', '()')):
        items = [parse_value(item.strip()) for item in split_commas(text[1:-1])]
        return tuple(items) if text[0] == '(' else items
    if isinstance(value, str) and isinstance(old, (list, tuple)) and ',' in text:
        return [parse_value(item.strip()) for item in split_commas(text)]
    return value


def literal(text: str) -> object:
    if text.lower() in ('true', 'false'):
        return text.lower() == 'true'
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def split_commas(text: str) -> list[str]:
    """Split at the commas outside of brackets; nothing after a last one."""
    items, depth = [''], 0
    for char in text:
        depth += (char in '[(') - (char in ')]')
        if char == ',' and depth == 0:
            items.append('')
        else:
            items[-1] += char
    return items if items[-1].strip() else items[:-1]


def fitting(key: str, value: object, old: object, whole: bool = False, none: bool = True) -> object:
    """The value, as the kind of sequence that it replaces.

    Raises:
        ValueError: Where it is of another type altogether, no whole number where only ``whole`` ones are taken, or
            None where ``none`` is not.
    """
    if old is None or (value is None and none):
        return value
    both = isinstance(old, (list, tuple)) and isinstance(value, (list, tuple))
    if both and ({kind(v) for v in old} != {'a number'} or {kind(v) for v in value} <= {'a number'}):
        return type(old)(value)
    if both or kind(value) != kind(old) or (whole and isinstance(value, float)):
        expected = 'numbers' if both else 'a whole number' if whole and kind(old) == 'a number' else kind(old)
        as_now = '' if isinstance(old, dict) or not old else f', as the {old!r} that it replaces'
        raise ValueError(f'{key}: expected {expected}{as_now}, not {value!r}; +{key}=... sets it all the same.')
    return value


def limit_workers(cfg: Config) -> None:
    """No more loading processes than this one's share of the machine's cores has, in place; at least one.

    Augmentation draws from a generator of each worker: another number of them crops and flips otherwise.
    """
    share = max(1, num_cores() // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))
    for name in LOADERS:
        if cfg.get(name) and cfg[name].get('num_workers'):
            cfg[name].num_workers = min(cfg[name].num_workers, share)


def taken_options(options: list[str], cfg: Config) -> list[str]:
    """Those options, ``key=value`` each, that have an entry or an argument to set in this config.

    Raises:
        ValueError: On a value of another type than the one that it replaces.
    """
    cfg, by_key = cfg.copy(), split_options(options)
    taken = set()
    for key in in_order(by_key, cfg):
        try:
            set_option(cfg, key, by_key[key], is_text=True)
        except NoSuchEntry:
            continue
        taken.add(key)
    return [option for option in options if option.split('=')[0] in taken]


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
