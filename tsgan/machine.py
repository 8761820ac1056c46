"""What this process may use of the machine that it runs on, and which of several it is."""

import os
import platform
from pathlib import Path


def num_cores() -> int:
    """Cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def machine_name() -> str:
    """The processor, by its own name where the system says it, and the cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace').splitlines()
        name = next((line.split(':', 1)[1].strip() for line in lines if line.startswith('model name')), name)
    except OSError:  # no Linux
        pass
    return f'{name}, {num_cores()} cores'


def rank() -> int:
    """Which process of a distributed job this is, by the launcher's own variable; 0 where there is none."""
    names = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
    return next((int(os.environ[name]) for name in names if name in os.environ), 0)


def is_first_rank() -> bool:
    """Whether this process is the one of a distributed job that speaks for all, or of none."""
    return rank() == 0
