"""Registries of the toolbox: children of MMEngine's, in the scope ``tsgan``.

A config names a part by its registered name; ``locations`` are the modules that MMEngine imports the first time that a
name of theirs is asked for. A name of another toolbox takes its scope as prefix: ``dict(type='mmpretrain.ResNet')``.
"""

# ruff: noqa: E402  the check comes before the imports that it is about

from tsgan._dependencies import require_mm

require_mm()

import warnings

# mmpretrain asks mmcv for compiled operators that no part of this toolbox uses
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

import mmpretrain.registry  # noqa: F401  makes the scope `mmpretrain` known to MMEngine's root registries
from mmengine import registry as root
from mmengine.registry import Registry

DATA_SETS = [f'tsgan.datasets.{name}' for name in ('sysu_mm01', 'regdb', 'llcm', 'image_folder', 'unlabelled')]

MODELS = Registry('model', parent=root.MODELS, scope='tsgan', locations=['tsgan.models'])
DATASETS = Registry('dataset', parent=root.DATASETS, scope='tsgan', locations=DATA_SETS)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=root.DATA_SAMPLERS,
    scope='tsgan',
    locations=['tsgan.datasets.sampler', 'tsgan.datasets.cluster_sampler'],
)
TRANSFORMS = Registry('transform', parent=root.TRANSFORMS, scope='tsgan', locations=['tsgan.datasets.transforms'])
FUNCTIONS = Registry(
    'function',
    parent=root.FUNCTIONS,
    scope='tsgan',
    locations=['tsgan.datasets.sampler', 'tsgan.datasets.transforms'],
)
METRICS = Registry('metric', parent=root.METRICS, scope='tsgan', locations=['tsgan.evaluation.metric'])
TASK_UTILS = Registry('task util', parent=root.TASK_UTILS, scope='tsgan', locations=['tsgan.evaluation.metric'])
HOOKS = Registry(
    'hook',
    parent=root.HOOKS,
    scope='tsgan',
    locations=['tsgan.engine', 'tsgan.visualization.hooks', 'tsgan.unsupervised.pseudo_label_hook'],
)
LOOPS = Registry('loop', parent=root.LOOPS, scope='tsgan', locations=['tsgan.engine'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=root.OPTIM_WRAPPER_CONSTRUCTORS,
    scope='tsgan',
    locations=['tsgan.engine'],
)

# Nothing of ours is in these: they exist so that MMEngine finds its own parts by way of the scope `tsgan`, silently.
for _parent in (
    root.EVALUATOR,
    root.INFERENCERS,
    root.LOG_PROCESSORS,
    root.MODEL_WRAPPERS,
    root.OPTIMIZERS,
    root.OPTIM_WRAPPERS,
    root.PARAM_SCHEDULERS,
    root.RUNNERS,
    root.RUNNER_CONSTRUCTORS,
    root.VISBACKENDS,
    root.VISUALIZERS,
    root.WEIGHT_INITIALIZERS,
):
    Registry(_parent.name, parent=_parent, scope='tsgan')
