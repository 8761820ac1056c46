from .align_gan import AlignGAN, AlignGANHead, AlignGANNet
from .cmgan import CMGAN, ModalityDiscriminator
from .distance_head import DistanceHead
from .handcrafted import HandcraftedNet, HandcraftedReID
from .hog import HOG
from .lomo import LOMO
from .xqda import XQDA

__all__ = [
    'AlignGAN',
    'AlignGANHead',
    'AlignGANNet',
    'CMGAN',
    'DistanceHead',
    'HandcraftedNet',
    'HandcraftedReID',
    'HOG',
    'LOMO',
    'ModalityDiscriminator',
    'XQDA',
]
