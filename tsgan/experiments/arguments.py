"""Which keys a part of a config may have: those that the class which it builds takes."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from io import StringIO

from mmengine import registry as root
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import EpochBasedTrainLoop, LogProcessor, Runner
from torch.utils.data import DataLoader

import tsgan.registry  # noqa: F401  makes the scope `tsgan` known to MMEngine's registries

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def parameters(function: Callable) -> set[str]:
    """Names of the parameters of a function or class; '**' among them where it takes any others, too."""
    found = inspect.signature(function).parameters
    return {'**' if p.kind is p.VAR_KEYWORD else name for name, p in found.items()} - {'self'}


LOADER = parameters(DataLoader) | {'num_batch_per_epoch', 'disable_subprocess_warning'}
# what MMEngine itself reads, of the parts that name no type
UNTYPED = {
    '': parameters(Runner) - {'cfg'}
    | {'model_wrapper_cfg', 'custom_imports'}
    | {'sync_bn', 'find_unused_parameters', 'activation_checkpointing', 'efficient_conv_bn_eval', 'compile'},
    **dict.fromkeys(LOADERS, LOADER),
    'train_cfg': parameters(EpochBasedTrainLoop) | {'type', 'by_epoch'},
    'randomness': parameters(Runner.set_randomness),
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'log_processor': parameters(LogProcessor) | {'type'},
}


@cache
def registries() -> tuple[Registry, ...]:
    """MMEngine's registries as the scope ``tsgan`` sees them."""
    with redirect_stdout(StringIO()):  # it prints what it could not import, and nobody asked for
        import mmpretrain.datasets  # noqa: F401
    roots = [r for name, r in vars(root).items() if isinstance(r, Registry) and name != 'INFERENCERS']
    return tuple(r.children.get('tsgan', r) for r in roots)


@cache
def registered(name: str) -> tuple[Callable, ...]:
    """All classes and functions of this name; two registries may each have one."""
    return tuple(found for registry in registries() if (found := registry.get(name)) is not None)


def arguments(key: str, part: dict) -> set[str] | None:
    """Names that this part of a config may have, with '**' where its class takes any; None where that is not known."""
    if part.get('type') is None:
        return UNTYPED.get(key)
    found = registered(part['type']) if isinstance(part['type'], str) else (part['type'],)
    if not found:
        return None
    return {'type', '_scope_'}.union(*(parameters(one) | taken_by_the_builder(one) for one in found))


def annotation(key: str, part: object, name: str | int) -> set[str]:
    """Names of the types that an argument may have, as the class of a part says; none where it says nothing."""
    untyped = {'': Runner, **dict.fromkeys(LOADERS, DataLoader), 'train_cfg': EpochBasedTrainLoop}
    kind = part.get('type', untyped.get(key)) if isinstance(part, dict) else None
    found = registered(kind) if isinstance(kind, str) else (kind,) if kind else ()
    types = set()
    for one in found:
        argument = inspect.signature(one).parameters.get(name)
        if argument is not None and argument.annotation is not argument.empty:
            text = re.sub(
                r'(Sequence|list|tuple|dict)\[[^\[\]]*\]', r'\1', str(argument.annotation), flags=re.IGNORECASE
            )
            types |= set(re.findall(r'\w+', text)) - {'class', 'typing', 'collections', 'abc', 'Union'}
            types |= {'None'} if argument.default is None or 'Optional' in types else set()
    return types - {'Optional'}


def taken_by_the_builder(one: Callable) -> set[str]:
    """What MMEngine takes out of a part's dict before it builds the part."""
    if not isinstance(one, type):
        return set()
    if issubclass(one, Hook):
        return {'priority'}
    if issubclass(one, OptimWrapper):
        return {'paramwise_cfg', 'constructor'}
    if hasattr(one, 'build_iter_from_epoch'):
        return {'convert_to_iter_based'}
    if one.__module__.startswith('mmengine.model.weight_init'):
        return {'override', 'layer'}
    return set()


def check_arguments(cfg: Config) -> None:
    """Raises ValueError on a part of a type that is not registered, or with a key that its type does not take."""
    for name in sorted(UNTYPED[''] & set(cfg)):
        for key, part in typed_parts(cfg[name], name):
            known = arguments(key, part)
            if known is None:
                names = {n for registry in registries() for n in registry.module_dict}
                raise ValueError(f'{key}.type: no {part.type!r} is registered{suggestion(get_close(part.type, names))}')
            unknown = [] if '**' in known else [k for k in part if k not in known and k != '_delete_']
            if unknown:
                near = nearest(cfg, f'{key}.{unknown[0]}', {f'{key}.{name}' for name in known})
                raise ValueError(f'{key}.{unknown[0]}: {part.type} takes no such argument{suggestion(near)}')


def typed_parts(node: object, key: str) -> Iterator[tuple[str, dict]]:
    """Yield (dotted key, part) of all dicts with a type below a part of a config, itself included."""
    if isinstance(node, dict):
        if isinstance(node.get('type'), str):
            yield key, node
        children = node.items()
    elif isinstance(node, (list, tuple)):
        children = enumerate(node)
    else:
        return
    for name, child in children:
        yield from typed_parts(child, f'{key}.{name}')


def all_keys(node: object, prefix: str = '') -> Iterator[str]:
    """Dotted keys of all that a config holds."""
    children = node.items() if isinstance(node, (dict, Config)) else enumerate(node)
    for name, child in children:
        yield f'{prefix}{name}'
        if isinstance(child, (dict, list)):
            yield from all_keys(child, f'{prefix}{name}.')


def nearest(cfg: Config, key: str, siblings: set[str]) -> list[str]:
    """The entries that a key was perhaps meant to be: the most alike, which may lie deeper than it says."""
    parts = key.split('.')
    likeness = {}
    for candidate in {*all_keys({k: cfg[k] for k in UNTYPED[''] & set(cfg)}), *cfg, *siblings}:
        if f'{key}.'.startswith(f'{candidate}.') or candidate.startswith(f'{key}.'):  # right or wrong already
            continue
        names = candidate.split('.')
        likeness[candidate] = SequenceMatcher(None, key, '.'.join(names[-len(parts) :])).ratio()
        rest = iter(names)
        if all(part in rest for part in parts):  # the same, with steps between
            likeness[candidate] = max(likeness[candidate], 0.95)
    best = min(likeness, key=lambda candidate: (-likeness[candidate], len(candidate), candidate))
    return [best] if likeness[best] > 0.75 else []


def get_close(name: str, names: set[str]) -> list[str]:
    return get_close_matches(name, names, n=1, cutoff=0.7)


def suggestion(near: list[str], otherwise: str = '.') -> str:
    """The end of a sentence that refuses a name."""
    return f'; did you mean {near[0]}?' if near else otherwise
