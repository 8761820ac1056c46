from .runs import build_runner, check_data, continue_from, default_work_dir, describe_tested, load_config, use_amp

__all__ = [
    'build_runner',
    'check_data',
    'continue_from',
    'default_work_dir',
    'describe_tested',
    'load_config',
    'use_amp',
]
