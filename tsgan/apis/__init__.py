"""For people with images: models by name, embeddings, galleries, export."""

from tsgan.apis.hub import get_model, list_models
from tsgan.lazy import lazily

_PLACES = {'Gallery': 'gallery', 'ReIDInferencer': 'inferencer', 'export_onnx': 'export'}
__all__ = ['get_model', 'list_models', *_PLACES]
__getattr__ = lazily(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
