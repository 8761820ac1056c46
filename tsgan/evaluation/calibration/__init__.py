"""Calibration: what a score means, and how far it can be trusted; scikit-learn is needed to fit one, not to use it."""

from .calibration import Calibration
from .conformal import coverage_range, identities_needed
from .drift import Drift
from .group import Group, searches_needed
from .probability import person_probabilities
from .threshold import Threshold

__all__ = [
    'Calibration',
    'Drift',
    'Group',
    'Threshold',
    'coverage_range',
    'identities_needed',
    'person_probabilities',
    'searches_needed',
]
