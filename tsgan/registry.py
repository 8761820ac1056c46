"""Registries of the toolbox: children of MMEngine's, in the scope ``tsgan``.

A config names a part by its registered name; ``locations`` are the modules that MMEngine imports the first time that a
name of theirs is asked for. A name of another toolbox takes its scope as prefix: ``dict(type='mmpretrain.ResNet')``.
"""

import mmpretrain.registry  # noqa: F401  makes the scope `mmpretrain` known to MMEngine's root registries
from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import FUNCTIONS as MMENGINE_FUNCTIONS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import Registry

MODELS = Registry('model', parent=MMENGINE_MODELS, scope='tsgan', locations=['tsgan.models'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope='tsgan', locations=['tsgan.datasets'])
TRANSFORMS = Registry('transform', parent=MMENGINE_TRANSFORMS, scope='tsgan', locations=['tsgan.datasets'])
DATA_SAMPLERS = Registry('data sampler', parent=MMENGINE_DATA_SAMPLERS, scope='tsgan', locations=['tsgan.datasets'])
FUNCTIONS = Registry('function', parent=MMENGINE_FUNCTIONS, scope='tsgan', locations=['tsgan.datasets'])
METRICS = Registry('metric', parent=MMENGINE_METRICS, scope='tsgan', locations=['tsgan.evaluation.metric'])
TASK_UTILS = Registry('task util', parent=MMENGINE_TASK_UTILS, scope='tsgan', locations=['tsgan.evaluation.metric'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope='tsgan', locations=['tsgan.engine', 'tsgan.visualization'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    scope='tsgan',
    locations=['tsgan.engine'],
)
VISUALIZERS = Registry('visualizer', parent=MMENGINE_VISUALIZERS, scope='tsgan', locations=['tsgan.visualization'])
