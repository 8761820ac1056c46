"""Protocols: which test images are queries, which are gallery, and which pairs a query never sees.

A protocol turns a table of images into named settings. A setting is a list of trials (indices into the table), a rule
of exclusion and whether CMC counts identities. Another data set is another small class with `settings`, `describe`.
"""

from .base import Setting, Trial
from .cross_modality import CrossModalityProtocol
from .llcm import LLCMProtocol
from .regdb import RegDBProtocol
from .single_modality import SingleModalityProtocol
from .sysu_mm01 import SYSUMM01Protocol

__all__ = [
    'CrossModalityProtocol',
    'LLCMProtocol',
    'RegDBProtocol',
    'SYSUMM01Protocol',
    'Setting',
    'SingleModalityProtocol',
    'Trial',
]
