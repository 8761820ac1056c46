from .checkpoint_hooks import ResumeHook, TrainedIdentitiesHook
from .finite_loss_hook import FiniteLossHook
from .hooks import (
    AlternatingPhasesHook,
    EpochSeedHook,
    FirstRankLoggerHook,
    FitMetricHook,
    GradientNormHook,
    IdentityCountHook,
    MirrorFeaturesHook,
)
from .optim_wrapper_constructor import PerModuleOptimWrapperConstructor
from .quiet_runner import QuietRunner
from .same_ranks_hook import SameRanksHook

__all__ = [
    'MirrorFeaturesHook',
    'AlternatingPhasesHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FirstRankLoggerHook',
    'FitMetricHook',
    'GradientNormHook',
    'IdentityCountHook',
    'PerModuleOptimWrapperConstructor',
    'QuietRunner',
    'ResumeHook',
    'SameRanksHook',
    'TrainedIdentitiesHook',
]
