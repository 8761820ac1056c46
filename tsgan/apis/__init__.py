from .finished import is_tested, last_checkpoint
from .runs import (
    add_run_arguments,
    build_runner,
    check_data,
    common_options,
    continue_from,
    default_work_dir,
    describe_tested,
    load_config,
    read_config,
    use_amp,
)
from .splits import average_splits

__all__ = [
    'add_run_arguments',
    'average_splits',
    'build_runner',
    'check_data',
    'common_options',
    'continue_from',
    'default_work_dir',
    'describe_tested',
    'is_tested',
    'last_checkpoint',
    'load_config',
    'read_config',
    'use_amp',
]
