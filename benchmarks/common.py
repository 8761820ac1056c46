"""What the benchmarks share: features that cluster by person, and the time and the machine they are measured on."""

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import torch

from tsgan.machine import num_cores


def clustered_features(pids: np.ndarray, dim: int, spread: float = 4.0, seed: int = 0) -> np.ndarray:
    """Unit features around one centre a person, (N, dim) float32, made 4,096 rows at a time."""
    draws = np.random.default_rng(seed)
    people, person = np.unique(pids, return_inverse=True)
    centres = draws.standard_normal((len(people), dim), np.float32)
    feats = np.empty((len(pids), dim), np.float32)
    for start in range(0, len(pids), 4096):
        block = centres[person[start : start + 4096]]
        block += spread * draws.standard_normal(block.shape, np.float32)
        feats[start : start + 4096] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return feats


def seconds(call: Callable[[], object], repeats: int) -> tuple[list[float], object]:
    """Wall time of each repeat, ascending, and what the call returned last."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return sorted(times), result


def machine() -> str:
    """One line: processor, cores, libraries."""
    model = platform.processor() or platform.machine()
    if os.path.exists('/proc/cpuinfo'):
        with open('/proc/cpuinfo') as file:
            model = next((line.split(':')[1].strip() for line in file if line.startswith('model name')), model)
    versions = f'Python {platform.python_version()}, numpy {np.__version__}, torch {torch.__version__}'
    return f'{model}, {num_cores()} cores; {versions}'
