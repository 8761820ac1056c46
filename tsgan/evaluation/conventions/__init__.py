"""How others measure: conventions in print, each a small function with its source and what a paper must state."""

from .base import Case, Convention, convention
from .ledger import CONVENTIONS, Ledger, Row, audit, ledger_table
from .own import OWN, own_definition

__all__ = [
    'CONVENTIONS',
    'OWN',
    'Case',
    'Convention',
    'Ledger',
    'Row',
    'audit',
    'convention',
    'ledger_table',
    'own_definition',
]
