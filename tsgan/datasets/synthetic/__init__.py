"""A synthetic visible-infrared data set, rendered in SYSU-MM01's own layout."""

from .dataset import heading, identity, image_rng, render_dataset
from .hard import PARTS
from .render import outline, render_image
from .sheet import contact_sheet

__all__ = [
    'PARTS',
    'contact_sheet',
    'heading',
    'identity',
    'image_rng',
    'outline',
    'render_dataset',
    'render_image',
]
