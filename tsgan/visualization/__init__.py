import importlib

_PLACES = {
    'RankedListHook': 'hooks',
    'TranslationGridHook': 'hooks',
    'ranked_list': 'grids',
    'translation_grid': 'grids',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Each is imported when it is asked for: to draw pictures takes neither MMEngine nor torch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return __all__
