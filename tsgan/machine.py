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


def let_threads_sleep() -> None:
    """Have OpenMP's threads sleep while they wait for each other, where the environment does not say otherwise.

    As they come they spin, on cores that other processes could use: ``benchmarks/busy_machine.py``. torch's OpenMP
    looks when torch is imported; processes that this one starts inherit it. GNU's heeds ``GOMP_SPINCOUNT`` first.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')


def is_first_rank() -> bool:
    """Whether this process is the one of a distributed job that speaks for all, or of none."""
    return os.environ.get('RANK', os.environ.get('SLURM_PROCID', '0')) == '0'
