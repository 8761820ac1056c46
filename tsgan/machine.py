"""What this process may use of the machine that it runs on, and which of several it is."""

import os


def num_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def is_first_rank() -> bool:
    """Whether this process is the one of a distributed job that speaks for all, or of none."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'
