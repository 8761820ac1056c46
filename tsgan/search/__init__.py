"""Engines that find the nearest of many vectors, behind one interface; needs neither torch nor MMEngine.

Vectors are float32, (N, D), of unit length; a row is known by its id, int64, from 1. Each engine has ``add(ids,
vectors)``, ``remove(ids)``, ``replace(ids, vectors)``, ``vectors(ids)``, ``search(queries, topk, allowed) -> (scores,
ids)``, ``prepare()``, ``save(folder) -> state`` and ``load(folder, state)``, as :class:`Flat` describes them,
``settings``, from which :func:`make_engine` makes its like, and ``max_topk``, the most rows of a query that it gives.
"""

import inspect

import numpy as np

from .flat import Flat
from .hnsw import HNSW
from .indexed import Indexed
from .ivfpq import IVFPQ
from .milvus import Milvus
from .rows import Rows

Engine = Flat | Indexed | Milvus
ENGINES = {engine.name: engine for engine in (Flat, HNSW, IVFPQ, Milvus)}
COPIED = 8192  # rows at a time, from one engine to another

__all__ = ['ENGINES', 'HNSW', 'IVFPQ', 'Engine', 'Flat', 'Milvus', 'Rows', 'exact_of', 'make_engine', 'switched']


def make_engine(settings: str | dict, dim: int) -> Engine:
    """Make an engine without rows.

    Args:
        settings (str | dict): Its name, or ``dict(type=NAME, ...)`` with arguments of its class.
        dim (int): D of its vectors.

    Raises:
        ValueError: When there is no such engine, or it has other arguments.
        ImportError: When a package that it needs is not installed.
    """
    settings = {'type': settings} if isinstance(settings, str) else dict(settings)
    name = settings.pop('type', None)
    if not isinstance(name, str) or name not in ENGINES:
        raise ValueError(f'{name!r} is no search engine: expected one of {", ".join(ENGINES)}.')
    arguments = {key: value for key, value in inspect.signature(ENGINES[name]).parameters.items() if key != 'dim'}
    if unknown := settings.keys() - arguments.keys():
        raise ValueError(f'{name} has no argument {min(unknown)!r}: expected some of {", ".join(arguments)}.')
    for key, argument in arguments.items():
        if argument.default is argument.empty and key not in settings:
            raise ValueError(f'{name} needs {key}: expected dict(type={name!r}, {key}=...).')
    for key, value in settings.items():
        least = 0 if key == 'exact_below' else 1
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= least
        if key != 'uri' and value != arguments[key].default and not is_count:
            raise ValueError(f'{name}: {key} is a whole number, at least {least}, not {value!r}.')
    return ENGINES[name](dim, **settings)


def exact_of(engine: Engine, ids: np.ndarray) -> Flat:
    """The exact search of all rows of an engine."""
    if isinstance(engine, Flat):
        return engine
    return engine.exact if isinstance(engine, Indexed) else copied(engine, Flat(engine.dim), ids)


def switched(engine: Engine, settings: str | dict, ids: np.ndarray) -> Engine:
    """An engine of other settings over all rows of one; the same one, where they do not differ."""
    new = make_engine(settings, engine.dim)
    if new.settings == engine.settings:
        return engine
    if isinstance(new, Milvus):
        return copied(engine, new, ids)
    exact = exact_of(engine, ids)
    if isinstance(new, Flat):
        return exact
    new.exact = exact
    return new


def copied(engine: Engine, new: Engine, ids: np.ndarray) -> Engine:
    for start in range(0, len(ids), COPIED):
        block = ids[start : start + COPIED]
        new.add(block, engine.vectors(block))
    return new
