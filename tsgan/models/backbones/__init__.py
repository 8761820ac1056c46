from .non_local import NonLocalBlock
from .streams import OneStreamResNet, TwoStreamResNet, ZeroPaddingResNet

__all__ = ['NonLocalBlock', 'OneStreamResNet', 'TwoStreamResNet', 'ZeroPaddingResNet']
