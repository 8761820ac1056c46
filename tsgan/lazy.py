"""Packages whose names are imported when they are asked for: to use some of them takes neither MMEngine nor torch."""

import importlib
from collections.abc import Callable, Mapping


def lazily(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """``__getattr__`` of a package.

    Args:
        package (str): Its name.
        places (Mapping[str, str]): Name -> the module of the package that it is in.
    """

    def __getattr__(name: str) -> object:
        if name not in places:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(importlib.import_module(f'{package}.{places[name]}'), name)

    return __getattr__
