from .checkpoint_hooks import ResumeHook, TrainedIdentitiesHook
from .collapse_hook import CollapseHook
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
from .train_loop import ResumableTrainLoop
from .whole_checkpoint_hook import WholeCheckpointHook

__all__ = [
    'MirrorFeaturesHook',
    'AlternatingPhasesHook',
    'CollapseHook',
    'EpochSeedHook',
    'FiniteLossHook',
    'FirstRankLoggerHook',
    'FitMetricHook',
    'GradientNormHook',
    'IdentityCountHook',
    'PerModuleOptimWrapperConstructor',
    'QuietRunner',
    'ResumableTrainLoop',
    'ResumeHook',
    'SameRanksHook',
    'TrainedIdentitiesHook',
    'WholeCheckpointHook',
]
