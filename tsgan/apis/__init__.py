"""For people with images: models by name, embeddings, galleries, export."""

import importlib

from tsgan.apis.hub import get_model, list_models

_PLACES = {'Gallery': 'gallery', 'ReIDInferencer': 'inferencer', 'export_onnx': 'export'}
__all__ = ['get_model', 'list_models', *_PLACES]


def __getattr__(name: str) -> object:
    """The others are imported when they are asked for: to search a gallery takes no torch."""
    if name not in _PLACES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)


def __dir__() -> list[str]:
    return __all__
