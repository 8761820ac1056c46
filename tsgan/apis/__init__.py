from .runs import (
    add_run_arguments,
    build_runner,
    check_data,
    continue_from,
    default_work_dir,
    describe_tested,
    load_config,
    use_amp,
)
from .splits import average_splits

__all__ = [
    'add_run_arguments',
    'average_splits',
    'build_runner',
    'check_data',
    'continue_from',
    'default_work_dir',
    'describe_tested',
    'load_config',
    'use_amp',
]
