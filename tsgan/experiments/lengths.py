"""A training of another length: what its schedule counts in epochs, in proportion."""

from collections.abc import Iterator
from math import floor

from mmengine.config import Config

from .arguments import typed_parts

SCHEDULES = {  # of mmengine: what they count beside begin and end, from begin on
    'LinearLR': (),
    'ConstantLR': (),
    'PolyLR': (),
    'CosineAnnealingLR': ('T_max',),
    'MultiStepLR': ('milestones',),
    'StepLR': ('step_size',),
}
WARM_UPS = ('LinearLR', 'ConstantLR')
HOOK_EPOCHS = {'PseudoLabelHook': ('matching_from',)}  # arguments of hooks that are epochs


def options_of_length(cfg: Config, epochs: int) -> list[str]:
    """The options that make a training ``epochs`` epochs long.

    Learning rates, and the epochs in which phases, loss terms and stages begin and end, keep their place in the whole,
    to the nearest epoch, the later one of two. A warm-up that counts iterations stays.

    Raises:
        ValueError: Below one epoch, and on a schedule of a kind that has no length, or that counts iterations.
    """
    if epochs < 1:
        raise ValueError(f'a training is at least 1 epoch long, not {epochs}.')
    changed = {'train_cfg.max_epochs': epochs}
    for key, part in typed_parts(cfg.get('param_scheduler') or [], 'param_scheduler'):
        changed |= {f'{key}.{name}': value for name, value in schedule(key, part, epochs, cfg.train_cfg.max_epochs)}
    for key, part in typed_parts(cfg.get('custom_hooks') or [], 'custom_hooks'):
        found = [(name, part[name]) for name in HOOK_EPOCHS.get(part.type, ())]
        found += phase_epochs(part) if part.type == 'AlternatingPhasesHook' else []
        changed |= {f'{key}.{name}': place(epoch, epochs, cfg.train_cfg.max_epochs) for name, epoch in found}
    return [f'{key}={value}' for key, value in changed.items()]


def place(epoch: int, new: int, old: int) -> int:
    """The epoch of a training of ``new`` epochs that lies where this one does in one of ``old``."""
    return floor(epoch * new / old + 0.5)


def schedule(key: str, part: dict, new: int, old: int) -> Iterator[tuple[str, int | list[int]]]:
    """What changes in a scheduler of learning rates: argument, value."""
    if part.type not in SCHEDULES:
        raise ValueError(f'{key}: a {part.type} has no length to stretch; expected one of {", ".join(SCHEDULES)}.')
    if not part.get('by_epoch', True):
        if part.type not in WARM_UPS:
            raise ValueError(
                f'{key}: a {part.type} that counts iterations is as long as it is; expected by_epoch=True.'
            )
        return
    begin = place(part.get('begin', 0), new, old)
    if 'begin' in part:
        yield 'begin', begin
    if 'end' in part:
        shortest = 2 if part.type in WARM_UPS else 1  # of one epoch, a warm-up would never leave where it starts
        yield 'end', max(place(part.end, new, old), begin + shortest)

    def from_begin(epoch: int) -> int:
        return max(place(part.get('begin', 0) + epoch, new, old) - begin, 1)

    for name in SCHEDULES[part.type]:
        value = part[name]
        yield name, [from_begin(epoch) for epoch in value] if name == 'milestones' else from_begin(value)


def phase_epochs(hook: dict) -> Iterator[tuple[str, int]]:
    """The epochs that an ``AlternatingPhasesHook`` names, each with its place in the hook's config."""
    timed = {f'phases.{nth}': phase for nth, phase in enumerate(hook.phases)}
    timed |= {f'terms.{term}': times for term, times in (hook.get('terms') or {}).items()}
    for name, times in timed.items():
        if isinstance(times, int):
            yield name, times
        elif isinstance(times, dict):
            for edge in ('begin', 'end'):
                if times.get(edge) is not None:
                    yield f'{name}.{edge}', times[edge]
