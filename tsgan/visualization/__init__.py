from tsgan.lazy import lazily

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
    'plot_ledger': 'ledger',
    'plot_tsne': 'tsne',
    'rank': 'rankings',
    'ranked_list': 'grids',
    'read_curves': 'curves',
    'translation_grid': 'grids',
    'with_files': 'rankings',
    'write_report': 'report',
}
__all__ = list(_PLACES)
__getattr__ = lazily(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
