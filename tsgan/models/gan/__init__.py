from .discriminator import Discriminators, JointDiscriminator, PatchDiscriminator
from .generator import CycleGenerators, ResnetGenerator

__all__ = ['CycleGenerators', 'Discriminators', 'JointDiscriminator', 'PatchDiscriminator', 'ResnetGenerator']
