from .checkpoint_hooks import ResumeHook, TrainedIdentitiesHook
from .collapse_hook import CollapseHook
from .finite_loss_hook import FiniteLossHook
from .hooks import (
    AlternatingPhasesHook,
    EpochSeedHook,
    FitMetricHook,
    GradientNormHook,
    IdentityCountHook,
    MirrorFeaturesHook,
)
from .optim_wrapper_constructor import PerModuleOptimWrapperConstructor
from .quiet_runner import QuietRunner

__all__ = [
    'MirrorFeaturesHook',
    'AlternatingPhasesHook',
    'CollapseHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FitMetricHook',
    'GradientNormHook',
    'IdentityCountHook',
    'PerModuleOptimWrapperConstructor',
    'QuietRunner',
    'ResumeHook',
    'TrainedIdentitiesHook',
]
