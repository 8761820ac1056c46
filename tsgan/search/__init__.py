"""Engines that find the nearest of many vectors, behind one interface; needs neither torch nor MMEngine.

Vectors are float32, (N, D), of unit length; a row is known by its id, int64, from 1. Each engine has ``add(ids,
vectors)``, ``remove(ids)``, ``replace(ids, vectors)``, ``vectors(ids)``, ``search(queries, topk, allowed) -> (scores,
ids)``, ``save(folder) -> state`` and ``load(folder, state)``, as :class:`Flat` describes them, and ``settings``: what
:func:`make_engine` makes the like of it from.
"""

import inspect

from .flat import Flat
from .rows import Rows

ENGINES = {engine.name: engine for engine in (Flat,)}

__all__ = ['ENGINES', 'Flat', 'Rows', 'make_engine']


def make_engine(settings: str | dict, dim: int) -> Flat:
    """Make an engine without rows.

    Args:
        settings (str | dict): Its name, or ``dict(type=NAME, ...)`` with arguments of its class.
        dim (int): D of its vectors.

    Raises:
        ValueError: When there is no such engine, or it has no such argument.
        ImportError: When a package that it needs is not installed.
    """
    settings = {'type': settings} if isinstance(settings, str) else dict(settings)
    name = settings.pop('type', None)
    if name not in ENGINES:
        raise ValueError(f'{name!r} is no search engine: expected one of {", ".join(ENGINES)}.')
    known = [argument for argument in inspect.signature(ENGINES[name]).parameters if argument != 'dim']
    if unknown := settings.keys() - set(known):
        raise ValueError(f'{name} has no argument {sorted(unknown)[0]!r}: expected one of {", ".join(known)}.')
    return ENGINES[name](dim, **settings)


def exact_of(engine: Flat) -> Flat:
    """The exact search of the same rows."""
    if isinstance(engine, Flat):
        return engine
    return engine.exact


def switched(engine: Flat, settings: str | dict) -> Flat:
    """An engine of other settings over the same rows; the same one, where they do not differ."""
    new = make_engine(settings, engine.dim)
    if new.settings == engine.settings:
        return engine
    new.exact = exact_of(engine)
    return new
