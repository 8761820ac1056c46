"""MMEngine's hub and mmpretrain's are told of this package when they are imported: to import them here takes seconds.

After ``import tsgan``: ``mmengine.hub.get_config('tsgan::tsgan_jd.py')``, ``_base_ = 'tsgan::tsgan_jd.py'`` in configs,
``mmpretrain.list_models('tsgan*')``, ``mmpretrain.get_model('tsgan-jd_small_synthetic', pretrained=True)``.
"""

import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PREFIX = 'tsgan::'


def know_package(utils: ModuleType) -> None:
    """Have MMEngine take ``tsgan::FILE``: it has a list of packages, and knows no config outside of a folder."""
    parse = utils._get_package_and_cfg_path

    def parse_ours(path: str) -> tuple[str, str]:
        return ('tsgan', path.removeprefix(PREFIX)) if path.startswith(PREFIX) else parse(path)

    for module in (utils, *map(sys.modules.get, ('mmengine.config.config', 'mmengine.hub.hub'))):
        if module is not None:
            module._get_package_and_cfg_path = parse_ours


def know_models(hub: ModuleType) -> None:
    from tsgan.apis.hub import register

    register(hub)


TOLD = {'mmengine.config.utils': know_package, 'mmpretrain.apis.model': know_models}


class TellWhenImported(MetaPathFinder):
    def __init__(self, waiting: dict[str, Callable[[ModuleType], None]]):
        self.waiting = waiting

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        tell = self.waiting.pop(name, None)
        if tell is None:
            return None
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def run_and_tell(module: ModuleType) -> None:
            run(module)
            tell(module)

        spec.loader.exec_module = run_and_tell
        return spec


def tell() -> None:
    for name in TOLD.keys() & sys.modules.keys():
        TOLD[name](sys.modules[name])
    sys.meta_path.insert(0, TellWhenImported({name: TOLD[name] for name in TOLD.keys() - sys.modules.keys()}))
