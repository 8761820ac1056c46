"""Packages that only some of the toolbox needs."""

import importlib
from types import ModuleType


def need(module: str, extra: str) -> ModuleType:
    """Import a module that ``pip install tsgan[extra]`` brings.

    Raises:
        ImportError: When it is not there; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split('.')[0]
        missing = error.name is None or error.name.split('.')[0] == package
        problem = f'{package} is not installed' if missing else f'{package} cannot be imported ({error})'
        raise ImportError(f'{problem}: pip install "tsgan[{extra}]"') from error
