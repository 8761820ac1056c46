"""Calibration: what a score means, and how far it can be trusted. Needs scikit-learn to fit, and NumPy and SciPy to use."""

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
