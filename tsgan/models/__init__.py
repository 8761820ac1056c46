from . import backbones, gan, losses, modern, rivals
from .alternating import AlternatingModel
from .reid import Encoder, FrozenTeacher, ReIDBaseline, ReIDHead, ReIDNet, StripeHeads
from .teacher_student import TeacherStudent
from .tsgan import TSGAN

__all__ = [
    'AlternatingModel',
    'Encoder',
    'FrozenTeacher',
    'ReIDBaseline',
    'ReIDHead',
    'ReIDNet',
    'StripeHeads',
    'TSGAN',
    'TeacherStudent',
    'backbones',
    'gan',
    'losses',
    'modern',
    'rivals',
]
