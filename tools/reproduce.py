"""The paper's tables, measured: ``python tools/reproduce.py [--data synthetic] [--rows ...] [--seeds 3]``.

Trains what is missing, tests it without and with re-ranking, and prints Tables I, II and III with mean and standard
deviation over seeds beside the paper's numbers. What is there is used again, so the same command goes on where it
stopped. A row that fails is reported, and the others go on. ``tables.md``, ``tables.json`` and ``tables.png`` come to
lie in the work dir, each training and test in a folder of its own below it, with all that it said. Nothing compares
what is there with a config that has changed since: remove the row's folders to have it made again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.config import Config
from mmengine.logging import MMLogger

from tsgan.apis import (
    SETTINGS,
    TABLES,
    add_cfg_options,
    draw_tables,
    estimate,
    is_tested,
    last_checkpoint,
    load_config,
    over_seeds,
    papers_numbers,
    tables_markdown,
    taken_options,
)

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {'sysu-mm01': '.', 'synthetic': 'synthetic', 'llcm': 'llcm'}  # below configs/
RERANKED = '_rerank'  # such a row is the network of the row without it, re-ranked


class Rows:
    """The rows of one data set: their configs, what they begin with, and where their runs lie.

    Args:
        data (str): Key of ``CONFIGS``.
        out (Path): Folder of the runs, ``out/<seed>/<row>``.
        options (list[str]): Overrides of every config, ``key=value``.
    """

    def __init__(self, data: str, out: Path, options: list[str]):
        self.folder, self.out, self.options = ROOT / 'configs' / CONFIGS[data], out, options
        self.configs: dict[str, tuple[list[str], Config]] = {}  # read once

    def path(self, row: str) -> Path:
        return self.folder / f'{row}.py'

    def work_dir(self, row: str, seed: int) -> Path:
        return self.out / str(seed) / row

    def names(self) -> set[str]:
        """All rows of this data set."""
        files = [*self.folder.glob('*.py'), *self.folder.glob('rivals/*.py')]
        return {file.relative_to(self.folder).with_suffix('').as_posix() for file in files}

    def taken(self, row: str) -> list[str]:
        """The options that this row's config takes."""
        return self._read(row)[0]

    def config(self, row: str) -> Config:
        return self._read(row)[1]

    def _read(self, row: str) -> tuple[list[str], Config]:
        if row not in self.configs:
            taken = taken_options(self.options, Config.fromfile(self.path(row)))
            self.configs[row] = taken, load_config(str(self.path(row)), cfg_options=taken)
        return self.configs[row]

    def check_options(self, rows: list[str]) -> None:
        """Raises ValueError on an option that no row takes, that is set here, or that the runs there do not have."""
        own = {'randomness.seed', *(key for row in rows for key in self.begins_with(row))}
        for option in self.options:
            if option.lstrip('+').split('=')[0] in own:
                raise ValueError(f'{option}: each row has its own, which is set here.')
            if not any(option in self.taken(row) for row in rows):
                raise ValueError(f'{option}: no config of {", ".join(rows)} has such an entry; write a config for it.')

    def note_options(self) -> None:
        """Say beside the runs which options they have. Raises ValueError where there are runs with others."""
        note = self.out / 'options.json'
        if any(self.out.glob('*/**/last_checkpoint')) and note.is_file():
            noted = json.loads(note.read_text(encoding='utf-8'))
            if sorted(noted) != sorted(self.options):
                raise ValueError(f'{self.out} holds runs with the options {noted}: give another --work-dir.')
        note.write_text(json.dumps(self.options), encoding='utf-8')

    def begins_with(self, row: str) -> dict[str, str]:
        """The rows whose networks this one begins with, by the option that takes their work dir."""
        found = {}
        for child in ('reid', 'teacher'):
            encoder = self.config(row).model.get(child, {}).get('encoder', {})
            if encoder.get('checkpoint') and encoder.get('trained_by'):
                trainer = (ROOT / encoder.trained_by.split()[0]).with_suffix('')
                found[f'model.{child}.encoder.checkpoint'] = str(trainer.relative_to(self.folder.resolve()))
        return found

    def with_all_before(self, rows: list[str]) -> list[str]:
        """The rows to train, each after those that it begins with."""
        ordered = {}
        for row in rows:
            ordered |= dict.fromkeys([*self.with_all_before(list(self.begins_with(row).values())), row])
        return list(ordered)

    def options_of(self, row: str, seed: int) -> list[str]:
        before = [f'{key}={self.work_dir(other, seed)}' for key, other in self.begins_with(row).items()]
        return [f'randomness.seed={seed}', *before, *self.taken(row)]

    def state(self, row: str, seed: int, tested: bool) -> str:
        """'there', 'to test' or 'to train'."""
        cfg, work_dir = self.config(row), self.work_dir(row, seed)
        if not last_checkpoint(work_dir, cfg):
            return 'to train'
        return 'to test' if tested and not is_tested(work_dir, cfg, rerank=True) else 'there'


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
        """Run a command line of this folder, what it says going to ``log``; its last line if it fails."""
        log.parent.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ)
        if self.jobs > 1:
            env.setdefault('OMP_NUM_THREADS', str(max(1, num_cores() // self.jobs)))
        with log.open('a', encoding='utf-8') as file:
            command = [sys.executable, str(Path(__file__).with_name(tool)), *arguments]
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


def num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def print_plan(rows: Rows, tasks: list[tuple[str, int]], tested: set[str]) -> None:
    """What would run, and how long and large it would be."""
    MMLogger.get_instance('mmengine', log_level='WARNING')  # building models says much
    states = {(row, seed): rows.state(row, seed, row in tested) for row, seed in tasks}
    to_train = list(dict.fromkeys(row for (row, _), state in states.items() if state == 'to train'))
    known: dict[str, tuple[float, float]] = {}
    for row in to_train:
        print(f'looking at {row}', file=sys.stderr)
        try:
            known[row] = estimate(rows.config(row))
        except Exception as error:  # no plan fails for one row
            print(f'{row}: no estimate ({type(error).__name__}: {error})', file=sys.stderr)

    print('| seed | row | state | time, about | checkpoints |\n|---|---|---|---|---|')
    seconds = mib = 0.0
    for (row, seed), state in states.items():
        text = '- | -'
        if state == 'to train':
            text = f'{duration(known[row][0])} | {known[row][1]:.0f} MiB' if row in known else '? | ?'
            seconds, mib = (total + own for total, own in zip((seconds, mib), known.get(row, (0, 0)), strict=True))
        print(f'| {seed} | {row} | {state} | {text} |')
    unknown = [row for row in to_train if row not in known]
    left_out = f'; without {", ".join(unknown)}, of which nothing is known' if unknown else ''
    print(f'\none after the other about {duration(seconds)}, and {mib:.0f} MiB{left_out}')
    print('from three batches of each on this machine; starting, fitting a metric and ranking come on top')


def measured_numbers(rows: Rows, wanted: list[str], seeds: list[int]) -> dict[str, dict[str, dict]]:
    """Row -> mean and standard deviation of the seeds that have results; a re-ranked row has those of its network."""
    numbers = {}
    for row in wanted:
        network = row.removesuffix(RERANKED)
        there = [rows.work_dir(network, seed) for seed in seeds if rows.state(network, seed, tested=True) == 'there']
        found = over_seeds([json.loads((work_dir / 'results.json').read_text()) for work_dir in there])
        suffix = RERANKED if row.endswith(RERANKED) else ''
        numbers[row] = {setting: found[setting + suffix] for setting in SETTINGS if setting + suffix in found}
    return numbers


def write_tables(data: str, out: Path, measured: dict[str, dict], failed: dict[tuple[str, int], str]) -> None:
    """Prints the tables, and writes them as Markdown, JSON and a plot."""
    paper = papers_numbers(ROOT / 'configs/metafile.yml', ROOT / 'configs/rivals/metafile.yml')
    text = tables_markdown(data, measured, paper)
    if failed:
        text += '\nFailed:\n\n' + ''.join(f'- seed {seed}, {row}: {why}\n' for (row, seed), why in failed.items())
    (out / 'tables.md').write_text(text, encoding='utf-8')
    content = {'data': data, 'measured': measured, 'paper': paper}
    content['failed'] = [{'row': row, 'seed': seed, 'error': why} for (row, seed), why in failed.items()]
    (out / 'tables.json').write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
    (out / 'tables.png').unlink(missing_ok=True)
    if any('all_single' in settings for settings in measured.values()):
        draw_tables(data, measured, paper, out / 'tables.png')
    print(f'\n{text}\n{out}: {", ".join(sorted(file.name for file in out.glob("tables.*")))}')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train, test and print the paper's tables")
    parser.add_argument('--data', choices=list(CONFIGS), default='synthetic')
    parser.add_argument(
        '--rows', nargs='+', metavar='ROW', help='as in the tables: rivals/hog tsgan_jd ...; default: all'
    )
    parser.add_argument('--seeds', type=int, default=3, help='how many, from 0; default: 3')
    parser.add_argument('--jobs', type=int, default=1, help='rows at a time, which share the cores; default: 1')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/reproduce/<data>')
    parser.add_argument('--dry-run', action='store_true', help='only list what would run, and how long and large it is')
    add_cfg_options(parser, '; each row takes those that its config has')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = args.work_dir or Path('work_dirs/reproduce') / args.data
    rows = Rows(args.data, out, args.cfg_options)
    known = [row for names in TABLES.values() for row in names if row.removesuffix(RERANKED) in rows.names()]
    wanted = list(dict.fromkeys(args.rows or known))
    missing = [row for row in wanted if row.removesuffix(RERANKED) not in rows.names()]
    if missing:
        there = ', '.join(dict.fromkeys(known))
        sys.exit(f'expected rows that {args.data} has ({there} ...): not {", ".join(missing)}.')
    if args.seeds < 1 or args.jobs < 1:
        sys.exit(f'expected seeds and jobs from 1: not {args.seeds} and {args.jobs}.')
    trained = list(dict.fromkeys(row.removesuffix(RERANKED) for row in wanted))
    seeds, tested = list(range(args.seeds)), set(trained)
    try:
        all_rows = rows.with_all_before(trained)
        rows.check_options(all_rows)
    except Exception as error:  # whatever an option makes of a config
        sys.exit(f'{" ".join(args.cfg_options)}: {error}')
    tasks = []
    for seed in seeds:  # what is there needs nothing any more that it began with
        needed = rows.with_all_before([row for row in trained if rows.state(row, seed, tested=False) == 'to train'])
        tasks += [(row, seed) for row in all_rows if row in needed or row in trained]
    data_root = Path(rows.config(trained[0]).data_root)
    if not data_root.is_dir() and any(rows.state(row, seed, row in tested) != 'there' for row, seed in tasks):
        how = 'docs/data.md says what belongs there; if it lies elsewhere, give --cfg-options data_root=DIR.'
        if args.data == 'synthetic':
            how = f'render it, python tools/dataset_tools/render_synthetic.py {data_root}'
        sys.exit(f'{data_root} is not there: {how}')
    if args.dry_run:
        return print_plan(rows, tasks, tested)

    for name in ('SIGTERM', 'SIGHUP'):  # as Ctrl-C: nobody is left behind
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / '.lock', timeout=0):
            rows.note_options()
            campaign = Campaign(rows, tested, min(args.jobs, len(tasks)))
            campaign.run(tasks)
    except Timeout:
        sys.exit(f'another reproduce.py is at work in {out}: wait for it, or give another --work-dir.')
    except KeyboardInterrupt:
        sys.exit('stopped; the same command goes on from here.')
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    taken = duration(time.time() - campaign.start)
    print(f'{len(tasks)} trainings and their tests, {args.jobs} at a time on {num_cores()} cores: {taken}')
    # somebody's own data in that layout go by their folder's name
    own = any(option.startswith('data_root=') for option in args.cfg_options)
    write_tables(str(data_root) if own else args.data, out, measured_numbers(rows, wanted, seeds), campaign.failed)
    sys.exit(bool(campaign.failed))


if __name__ == '__main__':
    main()
