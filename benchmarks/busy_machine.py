"""What a training step takes alone, and beside other busy processes: ``python benchmarks/busy_machine.py``.

Each with threads that spin while they wait for each other, and with threads that sleep, which tsgan takes where others
run when it is imported. Whole steps on batches that were loaded before, ten to a process, the two kinds in turn.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from statistics import median

from common import machine, seconds  # takes torch before tsgan: its threads are as the environment says

from tsgan.command_line import run
from tsgan.experiments import load_config
from tsgan.experiments.estimate import training

CONFIG = 'configs/synthetic/tsgan_jd_sum.py'
WAITING = {'spin': {}, 'sleep': {'OMP_WAIT_POLICY': 'PASSIVE'}}


def main() -> None:
    parser = argparse.ArgumentParser(description='Time training steps on a busy machine, as a Markdown table')
    parser.add_argument('--data-root', default='data/synthetic', help='default: %(default)s')
    parser.add_argument('--busy', type=int, default=3, help='processes beside the training; default: %(default)s')
    parser.add_argument('--steps', type=int, default=10, help='of each process; default: %(default)s')
    parser.add_argument('--repeats', type=int, default=3, help='processes of each kind; default: %(default)s')
    parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)  # a process begun here
    args = parser.parse_args()
    if args.child:
        print(json.dumps(time_steps(args.data_root, args.steps)))
        return
    print('| | threads that spin, s a step | threads that sleep, s a step | ratio |\n|---|---|---|---|')
    rows = []
    for name, number in {'alone': 0, f'beside {args.busy} busy processes': args.busy}.items():
        with busy_processes(number):
            taken = {waiting: [] for waiting in WAITING}
            for _ in range(args.repeats):
                for waiting in WAITING:
                    taken[waiting] += steps_apart(args, waiting)
        rows.append([median(taken[waiting]) for waiting in WAITING])
        spin, sleep = rows[-1]
        print(f'| {name} | {spin:.3f} | {sleep:.3f} | {sleep / spin:.2f} |', flush=True)
    alone, beside = rows
    print('| ratio |', *(f'{b / a:.2f} |' for a, b in zip(alone, beside, strict=True)), '|')
    print(f'\n{CONFIG}, medians of {args.repeats} x {args.steps} steps after two; {machine()}')


@contextmanager
def busy_processes(number: int) -> Iterator[None]:
    """That many, each of which keeps a core busy."""
    begun = []
    try:
        for _ in range(number):
            begun.append(subprocess.Popen([sys.executable, '-c', 'while True: pass']))
        yield
    finally:
        for process in begun:
            process.kill()
            process.wait()


def steps_apart(args: argparse.Namespace, waiting: str) -> list[float]:
    """Seconds of each step, of a process whose threads wait in that way."""
    env = {name: value for name, value in os.environ.items() if name not in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT')}
    command = [sys.executable, __file__, '--child', '--data-root', args.data_root, '--steps', str(args.steps)]
    done = subprocess.run(command, env={**env, **WAITING[waiting]}, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_steps(data_root: str, steps: int) -> list[float]:
    model, wrapper, loader = training(load_config(CONFIG, cfg_options=[f'data_root={data_root}']))
    batches = cycle(list(islice(loader, 3)))

    def step() -> None:
        model.train_step(next(batches), wrapper)

    seconds(step, 2)  # to warm up
    return seconds(step, steps)[0]


if __name__ == '__main__':
    run(main)
