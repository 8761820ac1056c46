from .runs import build_runner, check_data, default_work_dir, load_config, use_amp

__all__ = ['build_runner', 'check_data', 'default_work_dir', 'load_config', 'use_amp']
