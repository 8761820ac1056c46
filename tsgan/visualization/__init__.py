import importlib

_PLACES = {
    'RankedListHook': 'hooks',
    'TranslationGridHook': 'hooks',
    'choose': 'rankings',
    'choose_people': 'tsne',
    'draw_batches': 'batches',
    'draw_ranked_lists': 'rankings',
    'draw_translated': 'translations',
    'draw_translations': 'translations',
    'embed': 'tsne',
    'plot_curves': 'curves',
    'plot_tsne': 'tsne',
    'rank': 'rankings',
    'ranked_list': 'grids',
    'read_curves': 'curves',
    'translation_grid': 'grids',
    'with_files': 'rankings',
    'write_report': 'report',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Each is imported when it is asked for: to draw pictures takes neither MMEngine nor torch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return __all__
