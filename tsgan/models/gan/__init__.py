from .discriminator import Discriminators, JointDiscriminator, PatchDiscriminator
from .generator import CycleGenerators, ResnetGenerator, varieties
from .pairs import check_pairs, check_two_identities, fake_pairs, has_view, pair_step, same_index_pairs

__all__ = [
    'CycleGenerators',
    'Discriminators',
    'JointDiscriminator',
    'PatchDiscriminator',
    'ResnetGenerator',
    'check_pairs',
    'check_two_identities',
    'fake_pairs',
    'has_view',
    'pair_step',
    'same_index_pairs',
    'varieties',
]
