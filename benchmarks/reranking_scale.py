"""Time and memory of re-ranking as images grow in number: ``python benchmarks/reranking_scale.py [N ...]``.

2048-d float32 features, one query to seven gallery images as in MSMT17 (11,659 and 82,161), re-ranked block by block
and scored as `evaluate` does it. Each N runs in a process of its own, whose peak resident memory is printed.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from common import clustered_features, machine

from tsgan.command_line import run
from tsgan.evaluation import FeatureDistances, KReciprocalReranker, score_queries

SIZES = (10_000, 20_000, 50_000, 93_820)  # the last: MSMT17
IMAGES_A_PERSON = 30


def measure(count: int, memory_mb: int) -> None:
    """Prints seconds until the neighbours are known and in all, R1, and peak resident memory in MiB."""
    pids = np.random.default_rng(0).integers(0, count // IMAGES_A_PERSON, count)
    num_queries = count // 8
    feats = clustered_features(pids, 2048)
    start = time.perf_counter()
    reranker = KReciprocalReranker(FeatureDistances(feats, 'cpu'), num_queries, memory_mb=memory_mb)
    made = time.perf_counter() - start
    found = 0
    for first, dist in reranker.blocks():
        scores = score_queries(dist, pids[first : first + len(dist)], pids[num_queries:])
        found += int((scores.valid & (scores.first_match == 0)).sum())
    taken = time.perf_counter() - start
    print(made, taken, found / num_queries, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('sizes', nargs='*', type=int, default=SIZES, metavar='N')
    parser.add_argument('--memory-mb', type=int, default=1024)
    parser.add_argument('--one', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        return measure(args.one, args.memory_mb)
    print(machine())
    columns = ['N', 'neighbours and sets, s', 'in all, s', 'features, MiB', 'peak resident, MiB', 'R1, %']
    print(f'| {" | ".join(columns)} |\n{"|---" * len(columns)}|')
    times = []
    for count in args.sizes:
        command = [sys.executable, __file__, '--one', str(count), '--memory-mb', str(args.memory_mb)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        made, taken, r1, peak = map(float, output.split())
        times.append(taken)
        features = count * 2048 * 4 / 2**20
        print(f'| {count:,} | {made:.1f} | {taken:.1f} | {features:.0f} | {peak:.0f} | {100 * r1:.1f} |', flush=True)
    if len(times) > 1:
        exponent = np.polyfit(np.log(args.sizes), np.log(times), 1)[0]
        print(f'\ntime grows as N^{exponent:.2f}')


if __name__ == '__main__':
    run(main)
