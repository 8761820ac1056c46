from . import gan, losses, rivals
from .alternating import AlternatingModel
from .reid import Encoder, FrozenTeacher, ReIDBaseline, ReIDHead, ReIDNet
from .tsgan import TSGAN

__all__ = [
    'AlternatingModel',
    'Encoder',
    'FrozenTeacher',
    'ReIDBaseline',
    'ReIDHead',
    'ReIDNet',
    'TSGAN',
    'gan',
    'losses',
    'rivals',
]
