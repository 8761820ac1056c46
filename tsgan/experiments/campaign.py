"""Many rows, trained and tested side by side."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path

from tsgan.machine import num_cores
from tsgan.places import ROOT

from .finished import last_checkpoint
from .rows import Rows


class Campaign:
    """Runs rows side by side, each after those that it begins with, and keeps what failed.

    Args:
        rows (Rows): The data set's rows.
        tested (set[str]): Rows to test too; the others are trained only.
        jobs (int): How many at a time; they share the machine's cores evenly.
    """

    def __init__(self, rows: Rows, tested: set[str], jobs: int):
        self.rows, self.tested, self.jobs = rows, tested, jobs
        self.failed: dict[tuple[str, int], str] = {}
        self.done, self.made, self.lock, self.start = 0, 0, threading.Lock(), time.time()
        self.running: set[subprocess.Popen] = set()
        self.stopped = False

    def run(self, tasks: list[tuple[str, int]]) -> None:
        """Run (row, seed) of each task; those that a row to train begins with come before it."""
        self.total = len(tasks)
        self.to_make = {task for task in tasks if self.rows.state(*task, task[0] in self.tested) != 'there'}
        futures: dict[tuple[str, int], Future] = {}
        pool = ThreadPoolExecutor(self.jobs)  # takes tasks in order: what a task waits for has begun before it
        try:
            for row, seed in tasks:
                begun = [(other, seed) for other in self.rows.begins_with(row).values()]
                before = [futures[task] for task in begun if task in futures]
                futures[row, seed] = pool.submit(self.one, row, seed, before)
            wait(futures.values())
        finally:  # an interruption, or all is done
            with self.lock:
                self.stopped = True
                for process in list(self.running):
                    process.terminate()
            pool.shutdown(cancel_futures=True)

    def one(self, row: str, seed: int, before: list[Future]) -> None:
        """Train and test one row once those that it begins with are through, and report it."""
        wait(before)
        start = time.time()
        try:
            error = self.make(row, seed)
        except Exception as exception:  # whatever it is, the other rows go on
            error = f'{type(exception).__name__}: {exception}'
        self.say(row, seed, time.time() - start, error)

    def make(self, row: str, seed: int) -> str | None:
        """Train and test one row as far as it is not there; what went wrong."""
        state = self.rows.state(row, seed, row in self.tested)
        if state == 'there':
            return None
        work_dir, config = self.rows.work_dir(row, seed), str(self.rows.path(row))
        options = ['--work-dir', str(work_dir), '--cfg-options', *self.rows.options_of(row, seed)]
        if state == 'to train':
            begun = self.rows.begins_with(row).values()
            missing = [name for name in begun if self.rows.state(name, seed, tested=False) == 'to train']
            if missing:
                return f'not run: {" and ".join(missing)} failed'
            error = self.call(work_dir / 'train.txt', 'train.py', config, '--resume', *options)
            if error or row not in self.tested:
                return error
        checkpoint = last_checkpoint(work_dir, self.rows.config(row))
        if not checkpoint:
            return (
                f'{work_dir} does not hold a training of {self.rows.config(row).train_cfg.max_epochs} epochs: remove it'
            )
        results = ['--rerank', '--json', str(work_dir / 'results.json')]
        return self.call(work_dir / 'test.txt', 'test.py', config, str(checkpoint), *results, *options)

    def call(self, log: Path, tool: str, *arguments: str) -> str | None:
        """Run a command line of ``tools/``, what it says going to ``log``; its last line if it fails."""
        log.parent.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ)
        if self.jobs > 1:
            env.setdefault('OMP_NUM_THREADS', str(max(1, num_cores() // self.jobs)))
        with log.open('a', encoding='utf-8') as file:
            command = [sys.executable, str(ROOT / 'tools' / tool), *arguments]
            with self.lock:
                if self.stopped:
                    return 'stopped'
                process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=env)
                self.running.add(process)
            code = process.wait()
            self.running.discard(process)
        if code:
            lines = log.read_text(encoding='utf-8', errors='replace').strip().splitlines() or ['it said nothing']
            return f'{tool} ended with {code}: {lines[-1]} (all in {log})'
        return None

    def say(self, row: str, seed: int, taken: float, failed: str | None) -> None:
        with self.lock:
            if self.stopped:  # that it failed then says nothing
                return
            made = (row, seed) in self.to_make
            self.done += 1
            self.made += made
            if failed:
                self.failed[row, seed] = failed
            left = (time.time() - self.start) / max(self.made, 1) * (len(self.to_make) - self.made)
            what = f'FAILED, {failed}' if failed else duration(taken) if made else 'there'
            print(f'[{self.done}/{self.total}] seed {seed}, {row}: {what}; ETA {duration(left)}', flush=True)


def duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
