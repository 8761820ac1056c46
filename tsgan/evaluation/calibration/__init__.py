"""Calibration: what a score means, and how far it can be trusted; scikit-learn is needed to fit one, not to use it."""

from .calibration import FALSE_ALARM_RATES, LEVELS, Calibration, held_out_reliability
from .conformal import coverage_range, identities_needed
from .drift import LEAST_QUERIES, Drift
from .group import Group, searches_needed
from .probability import person_probabilities
from .reliability import Reliability, reliability
from .report import calibration_table
from .threshold import Threshold

__all__ = [
    'FALSE_ALARM_RATES',
    'LEAST_QUERIES',
    'LEVELS',
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
