"""A synthetic visible-infrared data set, rendered in SYSU-MM01's own layout."""

from .dataset import identity, image_rng, render_dataset
from .hard import PARTS
from .render import render_image
from .sheet import contact_sheet

__all__ = ['PARTS', 'contact_sheet', 'identity', 'image_rng', 'render_dataset', 'render_image']
