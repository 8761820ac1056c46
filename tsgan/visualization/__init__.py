from tsgan.visualization.grids import ranked_list, translation_grid
from tsgan.visualization.hooks import RankedListHook, TranslationGridHook

__all__ = ['RankedListHook', 'TranslationGridHook', 'ranked_list', 'translation_grid']
