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
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from torch.nn import Module
from torch.utils.data import DataLoader

import tsgan.registry  # noqa: F401  makes the scope `tsgan` known to MMEngine's registries

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def parameters(function: Callable) -> set[str]:
    """Names of the parameters of a function or class; '**' among them where it takes any others, too, and those of the
    classes that it is one of, to which it may hand these."""
    if getattr(function, '__init__', None) is Module.__init__:  # which takes any, and then refuses them
        return set()
    found = inspect.signature(function).parameters
    names = {'**' if p.kind is p.VAR_KEYWORD else name for name, p in found.items() if p.kind is not p.VAR_POSITIONAL}
    if '**' in names and isinstance(function, type):
        for base in function.__mro__[1:-1]:
            names |= parameters(base.__init__) if '__init__' in vars(base) else set()
    return names - {'self'}


LOADER = parameters(DataLoader) | {'num_batch_per_epoch', 'disable_subprocess_warning'}
# what MMEngine itself reads, of the parts that name no type
UNTYPED = {
    '': parameters(Runner) - {'cfg'}
    | {'model_wrapper_cfg', 'custom_imports'}
    | {'sync_bn', 'find_unused_parameters', 'activation_checkpointing', 'efficient_conv_bn_eval', 'compile'},
    **dict.fromkeys(LOADERS, LOADER),
    'train_cfg': parameters(EpochBasedTrainLoop) | parameters(IterBasedTrainLoop) | {'type', 'by_epoch'},
    'val_cfg': parameters(ValLoop) | {'type'},
    'test_cfg': parameters(TestLoop) | {'type'},
    'randomness': parameters(Runner.set_randomness),
    'auto_scale_lr': {'base_batch_size', 'enable'},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    'log_processor': parameters(LogProcessor) | {'type'},
}

# what a value is said to be, and of which types an argument takes it
KINDS = {'True or False': bool, 'a number': (int, float), 'text': str, 'a list or a dict': (dict, list, tuple)}
TAKEN = {
    **dict.fromkeys(('int', 'float', 'bool'), {'a number', 'True or False'}),
    'str': {'text'},
    **dict.fromkeys(('Sequence', 'tuple', 'Tuple', 'list', 'List', 'dict', 'Dict', 'ConfigDict'), {'a list or a dict'}),
    'None': set(),
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
    if not name:  # which a registry takes for an error of its own
        return ()
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
    untyped |= {'randomness': Runner.set_randomness, 'log_processor': LogProcessor}
    kind = part.get('type', untyped.get(key)) if isinstance(part, dict) else None
    found = registered(kind) if isinstance(kind, str) else (kind,) if kind else ()
    types = set()
    for one in found:
        argument = inspect.signature(one).parameters.get(name)
        if argument is not None and argument.annotation is not argument.empty:
            text = re.sub(
                r'(Sequence|list|tuple|dict)\[[^\[\]]*\]', r'\1', str(argument.annotation), flags=re.IGNORECASE
            )
            types |= set(re.findall(r'\w+', text)) - {
                'class',
                'typing',
                'collections',
                'abc',
                'Union',
                'torch',
                'Tensor',
            }
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


def check_entries(cfg: Config) -> None:
    """Raises ValueError on what a file says and nothing takes: a name that is nearly one of the config's parts, a key
    that MMEngine does not read, a value of another type than an argument has."""
    for name in cfg:
        near = [] if name in UNTYPED[''] else get_close(name, UNTYPED[''], 0.8)
        if near:
            raise ValueError(f'{name}: nothing reads an entry of this name; did you mean {near[0]}? (Or rename it.)')
    for name in sorted(UNTYPED[''] & set(cfg)):
        part = cfg[name]
        without_type = [(name, part)] if isinstance(part, dict) and part.get('type') is None else []
        if without_type and name in UNTYPED:
            refuse_unknown(cfg, name, part, UNTYPED[name], name)
        for key, part in (*without_type, *typed_parts(cfg[name], name)):
            for argument, value in part.items():
                check_type(f'{key}.{argument}', value, annotation(key, part, argument))


def check_arguments(cfg: Config) -> None:
    """Raises ValueError on a part of a type that is not registered, or with a key that its type does not take."""
    for name in sorted(UNTYPED[''] & set(cfg)):
        for key, part in typed_parts(cfg[name], name):
            known = arguments(key, part)
            if known is None:
                names = {n for registry in registries() for n in registry.module_dict}
                raise ValueError(f'{key}.type: no {part.type!r} is registered{suggestion(get_close(part.type, names))}')
            refuse_unknown(cfg, key, part, known, part.type)


def refuse_unknown(cfg: Config, key: str, part: dict, known: set[str], owner: str) -> None:
    """Raises ValueError on a key of a part that its owner does not take."""
    unknown = [name for name in part if name not in known and name != '_delete_']
    if '**' in known:  # others are taken, but hardly one that is nearly a known one
        unknown = [name for name in unknown if get_close(name, known, 0.85)]
    if unknown:
        near = nearest(cfg, f'{key}.{unknown[0]}', {f'{key}.{name}' for name in known})
        raise ValueError(f'{key}.{unknown[0]}: {owner} takes no such argument{suggestion(near)}')


def check_type(key: str, value: object, types: set[str]) -> None:
    """Raises ValueError on a value that is of none of the types that a class says to take, where it says so in full."""
    if value is None or not types or not types <= set(TAKEN):
        return
    taken = set().union(*(TAKEN[name] for name in types))
    whole = 'int' in types and not types & {'float', 'str'}
    if kind(value) not in taken or (whole and isinstance(value, float) and not value.is_integer()):
        numbers = 'a whole number' if whole else 'a number'
        found = {'int': numbers, 'float': numbers, 'bool': 'True or False', 'str': 'text'}
        expected = sorted({found.get(name, 'a list or a dict') for name in types - {'None'}})
        raise ValueError(f'{key}: expected {" or ".join(expected)}, not {value!r}.')


def kind(value: object) -> str:
    return next((name for name, types in KINDS.items() if isinstance(value, types)), type(value).__name__)


def dict_in(cfg: Config, key: str) -> dict:
    """An entry of the config, {} where there is none. Raises ValueError where it is no dict."""
    value = cfg.get(key) or {}
    if not isinstance(value, dict):
        raise ValueError(f'{key}: expected a dict, not {value!r}.')
    return value


def check_phases(cfg: Config) -> None:
    """Raises ValueError where a phase or an optimizer is named that the model has not, or a phase has no optimizer."""
    if 'model' in cfg and not isinstance(dict_in(cfg, 'model').get('type'), str):
        raise ValueError('model.type: expected the name of a registered model.')
    found = registered(cfg.model.type) if 'model' in cfg else ()
    phases = next((tuple(one.PHASES) for one in found if getattr(one, 'PHASES', ())), ())
    run = []
    hooks = cfg.get('custom_hooks') or ()
    if not isinstance(hooks, (list, tuple)):
        raise ValueError(f'custom_hooks: expected a list of hooks, not {hooks!r}.')
    for i, hook in enumerate(hooks if phases else ()):
        if isinstance(hook, Hook):
            continue
        if not isinstance(hook, dict):
            raise ValueError(f'custom_hooks.{i}: expected a dict with the type of a hook, not {hook!r}.')
        if not str(hook.get('type')).endswith('AlternatingPhasesHook'):
            continue
        for k, phase in enumerate(hook.get('phases') or ()):
            if not isinstance(phase, (str, dict)):
                raise ValueError(f'custom_hooks.{i}.phases.{k}: expected a name or a dict with one, not {phase!r}.')
        if not isinstance(hook.get('terms') or {}, dict):
            raise ValueError(f'custom_hooks.{i}.terms: expected a dict by the names of terms, not {hook.terms!r}.')
        names = [phase if isinstance(phase, str) else phase.get('name') for phase in hook.phases]
        run += names
        named = {f'custom_hooks.{i}.phases.{k}': name for k, name in enumerate(names)}
        named |= {f'custom_hooks.{i}.terms.{term}': term.partition('/')[0] for term in hook.get('terms') or ()}
        check_names(cfg, named, phases)
    wrappers = dict_in(cfg, 'optim_wrapper')
    if phases and str(wrappers.get('constructor')).endswith('PerModuleOptimWrapperConstructor'):
        named = set(wrappers) - {'constructor', 'type', 'paramwise_cfg', '_delete_'}
        check_names(cfg, {f'optim_wrapper.{name}': name for name in named}, phases)
        for phase in run or phases:
            if not wrappers.get(phase):
                raise ValueError(
                    f'optim_wrapper.{phase}: {cfg.model.type} trains in this phase, which has no optimizer; expected '
                    "dict(type='OptimWrapper', optimizer=dict(type=..., lr=...))."
                )


def check_names(cfg: Config, named: dict[str, str], phases: tuple[str, ...]) -> None:
    """Raises ValueError on the first key that names another phase than the model has."""
    for key, name in named.items():
        if name not in phases:
            otherwise = f'; it has {", ".join(phases)}.'
            near = get_close(str(name), set(phases))
            raise ValueError(f'{key}: {cfg.model.type} has no phase {name!r}{suggestion(near, otherwise)}')


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


def get_close(name: str, names: set[str], cutoff: float = 0.7) -> list[str]:
    return get_close_matches(name, names, n=1, cutoff=cutoff)


def suggestion(near: list[str], otherwise: str = '.') -> str:
    """The end of a sentence that refuses a name."""
    return f'; did you mean {near[0]}?' if near else otherwise
