"""From configs to trained rows and tables: for people who experiment."""

from .building import parts_named
from .campaign import Campaign, duration
from .cost import image_costs, make_run, operations, parameters_that_run, test_size
from .curves import curves, curves_markdown, draw_curves
from .equal_time import EqualTime
from .estimate import estimate
from .finished import is_tested, last_checkpoint
from .options import (
    add_cfg_options,
    add_run_arguments,
    default_work_dir,
    load_config,
    taken_options,
)
from .publish import publish
from .row_names import RERANKED, network, own_length
from .rows import CONFIGS, Rows
from .runs import build_runner, check_data, continue_from, describe_tested, use_amp
from .selection import audit_checkpoints, checkpoints_table
from .splits import average_splits
from .step_times import StepTimes
from .steps import Steps
from .tables import (
    PRINTED,
    SETTINGS,
    TABLES,
    draw_tables,
    markdown_table,
    mean_and_std,
    over_seeds,
    papers_numbers,
    spread,
    tables_markdown,
)

__all__ = [
    'CONFIGS',
    'PRINTED',
    'RERANKED',
    'Campaign',
    'EqualTime',
    'Rows',
    'StepTimes',
    'Steps',
    'SETTINGS',
    'TABLES',
    'add_cfg_options',
    'add_run_arguments',
    'audit_checkpoints',
    'average_splits',
    'build_runner',
    'check_data',
    'checkpoints_table',
    'continue_from',
    'curves',
    'curves_markdown',
    'default_work_dir',
    'describe_tested',
    'draw_curves',
    'draw_tables',
    'duration',
    'estimate',
    'image_costs',
    'is_tested',
    'last_checkpoint',
    'load_config',
    'make_run',
    'markdown_table',
    'mean_and_std',
    'network',
    'operations',
    'over_seeds',
    'own_length',
    'papers_numbers',
    'parts_named',
    'parameters_that_run',
    'publish',
    'spread',
    'tables_markdown',
    'taken_options',
    'test_size',
    'use_amp',
]
