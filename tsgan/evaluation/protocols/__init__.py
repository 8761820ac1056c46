"""Protocols: which test images are queries, which are gallery, and which pairs a query never sees.

A protocol turns a table of images into named settings. A setting is a list of trials (indices into the table), a rule
of exclusion and whether CMC counts identities. Another data set is another small class with `settings`, `describe`.
"""

import inspect
from collections.abc import Mapping

from .base import Setting, Trial
from .cross_modality import CrossModalityProtocol
from .llcm import LLCMProtocol
from .open_set import OpenSetProtocol
from .regdb import RegDBProtocol
from .single_modality import SingleModalityProtocol
from .sysu_mm01 import SYSUMM01Protocol

__all__ = [
    'CrossModalityProtocol',
    'LLCMProtocol',
    'OpenSetProtocol',
    'RegDBProtocol',
    'SYSUMM01Protocol',
    'Setting',
    'SingleModalityProtocol',
    'Trial',
    'described_protocol',
]

NAMED = {
    'SYSU-MM01': SYSUMM01Protocol,
    'RegDB': RegDBProtocol,
    'LLCM': LLCMProtocol,
    'single modality': SingleModalityProtocol,
    'cross modality': CrossModalityProtocol,
    'open set': OpenSetProtocol,
}


def described_protocol(about: Mapping):
    """The protocol that a result was published with: made anew from what its `describe` gave.

    Args:
        about (Mapping): That, with whatever else is said of the result.

    Raises:
        ValueError: It describes no protocol.
        FileNotFoundError: A file that it names is not there.
    """
    protocol = NAMED.get(about.get('protocol'))
    wanted = inspect.signature(protocol).parameters if protocol else ['protocol']
    lacking = [name for name in wanted if name not in about]
    if protocol is None or lacking:
        raise ValueError(
            f'a result of protocol {about.get("protocol")!r} without {", ".join(lacking) or "a class of that name"}: '
            f'expected what describe() gives of one of {", ".join(NAMED)}.'
        )
    made = {'closed': described_protocol(about['closed'])} if 'closed' in wanted else {}
    return protocol(**{name: about[name] for name in wanted} | made)
