import importlib

_PLACES = {
    'IdentityPairBatchSampler': 'sampler',
    'ImageFolderReID': 'image_folder',
    'LLCM': 'llcm',
    'LoadReIDImage': 'transforms',
    'RegDB': 'regdb',
    'ReIDDataset': 'reid_dataset',
    'SYSUMM01': 'sysu_mm01',
    'check_images': 'checks',
    'seed_worker': 'sampler',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Each is imported when it is asked for: to list somebody's images takes neither MMEngine nor torch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return __all__
