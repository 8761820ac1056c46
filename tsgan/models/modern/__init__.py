from .deen import DEENNet, DEENResNet
from .mpanet import MAMResNet, MPANet

__all__ = ['DEENNet', 'DEENResNet', 'MAMResNet', 'MPANet']
