"""What this process may use of the machine that it runs on, and which of several it is."""

import os
import platform
import sys
import time
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


def share_cores() -> None:
    """Have OpenMP's threads sleep while they wait for each other, if others run on cores that they would spin on.

    To spin is the faster way alone, and the slower one beside busy processes: ``benchmarks/busy_machine.py``.
    torch's OpenMP looks once, when torch is imported, and GNU's heeds ``GOMP_SPINCOUNT`` first; processes that this one
    starts inherit the variable. One that is set stays.
    """
    if 'torch' in sys.modules or {'OMP_WAIT_POLICY', 'GOMP_SPINCOUNT'} & os.environ.keys():
        return
    asked = os.environ.get('OMP_NUM_THREADS', '')
    threads = int(asked) if asked.isdigit() else num_cores()
    if threads > 1 and threads + others_running() > (os.cpu_count() or 1):
        os.environ['OMP_WAIT_POLICY'] = 'PASSIVE'


def others_running() -> int:
    """Threads on the whole machine that run or would like to, beside this one; 0 where the system does not say it."""
    seen = []
    try:
        for _ in range(5):  # the median: one that runs for a moment does not count
            seen.append(int(Path('/proc/loadavg').read_text(encoding='utf-8').split()[3].split('/')[0]) - 1)
            time.sleep(0.005)
    except OSError:  # no Linux
        return 0
    return sorted(seen)[2]


def is_first_rank() -> bool:
    """Whether this process is the one of a distributed job that speaks for all, or of none."""
    return rank() == 0
