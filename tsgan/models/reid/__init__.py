from .baseline import ReIDBaseline
from .encoder import Encoder
from .head import ReIDHead
from .net import ReIDNet, map_channels
from .parts import StripeHeads
from .teacher import FrozenTeacher

__all__ = ['Encoder', 'FrozenTeacher', 'ReIDBaseline', 'ReIDHead', 'ReIDNet', 'StripeHeads', 'map_channels']
