from . import backbones, gan, losses, rivals
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
    'backbones',
    'gan',
    'losses',
    'rivals',
]
