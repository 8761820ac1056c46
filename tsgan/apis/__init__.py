"""For people with images: models by name, embeddings, galleries, export."""

import importlib

_PLACES = {
    'ReIDInferencer': 'inferencer',
    'get_model': 'hub',
    'list_models': 'hub',
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    """Each is imported when it is asked for: to search a gallery takes no torch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__} has no attribute {name}')
    return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return __all__
