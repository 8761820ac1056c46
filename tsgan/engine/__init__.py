from .hooks import AlternatingPhasesHook, EpochSeedHook, GradientNormHook, IdentityCountHook
from .optim_wrapper_constructor import PerModuleOptimWrapperConstructor

__all__ = [
    'AlternatingPhasesHook',
    'EpochSeedHook',
    'GradientNormHook',
    'IdentityCountHook',
    'PerModuleOptimWrapperConstructor',
]
