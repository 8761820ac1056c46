"""Calibration: what a score means, and how far it can be trusted; scikit-learn is needed to fit one, not to use it."""

from .calibration import Calibration, held_out_reliability
from .conformal import coverage_range, identities_needed
from .drift import Drift
from .group import Group, searches_needed
from .probability import person_probabilities
from .reliability import Reliability, reliability
from .report import calibration_table
from .threshold import Threshold

__all__ = [
    'Calibration',
    'Drift',
    'Group',
    'Reliability',
    'Threshold',
    'calibration_table',
    'coverage_range',
    'held_out_reliability',
    'identities_needed',
    'person_probabilities',
    'reliability',
    'searches_needed',
]
