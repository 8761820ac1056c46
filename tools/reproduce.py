"""The papers' tables, measured: ``python tools/reproduce.py [--data synthetic] [--rows ...] [--seeds 3]``.

Trains what is missing, tests it without and with re-ranking, and prints Tables I, II and III, and one of the methods
since, with mean and standard deviation over seeds beside the papers' numbers. What is there is used again, so the same
command goes on where it stopped. A row that fails is reported, and the others go on. ``tables.md``, ``tables.json`` and
``tables.png`` come to lie in the work dir, each training and test in a folder of its own below it, with all that it
said. Nothing compares what is there with a config that has changed since: remove the row's folders to have it made
again.

``--epochs 10 40 160`` trains each row once for each length, into folders ``<row>_<N>e`` beside those of its own length,
and writes learning curves, ``curves.md``, ``.json`` and ``.png``. ``--equal-time ROW`` trains each row for as many
images as ROW sees at its own length, and for the time that ROW takes, and writes ``equal_time.md`` and ``.json``. The
time of a step is measured once, and kept in ``step_times.json``: let nothing else run then.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.logging import MMLogger

from tsgan.command_line import run
from tsgan.experiments import (
    CONFIGS,
    TABLES,
    Campaign,
    EqualTime,
    Rows,
    StepTimes,
    add_cfg_options,
    curves,
    curves_markdown,
    draw_curves,
    draw_tables,
    duration,
    estimate,
    network,
    own_length,
    papers_numbers,
    tables_markdown,
)
from tsgan.machine import num_cores
from tsgan.places import ROOT
from tsgan.whole_files import write_whole


def print_plan(rows: Rows, tasks: list[tuple[str, int]], tested: set[str]) -> None:
    """What would run, and how long and large it would be."""
    MMLogger.get_current_instance().setLevel('ERROR')  # building models and optimizers says much
    states = {(row, seed): rows.state(row, seed, row in tested) for row, seed in tasks}
    to_train = list(dict.fromkeys(row for (row, _), state in states.items() if state == 'to train'))
    known = {}
    for own in dict.fromkeys(map(own_length, to_train)):
        print(f'looking at {own}', file=sys.stderr)
        try:
            known[own] = estimate(rows.config(own))
        except Exception as error:  # no plan fails for one row
            print(f'{own}: no estimate ({type(error).__name__}: {error})', file=sys.stderr)

    print('| seed | row | state | time, about | checkpoints |\n|---|---|---|---|---|')
    seconds = mib = 0.0
    for (row, seed), state in states.items():
        text, found = '- | -', known.get(own_length(row))
        if state == 'to train' and found:
            own = found.epoch * rows.config(row).train_cfg.max_epochs + found.test
            text, seconds, mib = f'{duration(own)} | {found.mib:.0f} MiB', seconds + own, mib + found.mib
        elif state == 'to train':
            text = '? | ?'
        print(f'| {seed} | {row} | {state} | {text} |')
    unknown = [row for row in to_train if own_length(row) not in known]
    left_out = f'; without {", ".join(unknown)}, of which nothing is known' if unknown else ''
    print(f'\none after the other about {duration(seconds)}, and {mib:.0f} MiB{left_out}')
    print('from three batches of each on this machine; starting, fitting a metric and ranking come on top')


def write_tables(data: str, out: Path, measured: dict[str, dict], failed: dict[tuple[str, int], str]) -> None:
    """Prints the tables, and writes them as Markdown, JSON and a plot."""
    paper = papers_numbers(*(ROOT / 'configs' / folder / 'metafile.yml' for folder in ('.', 'rivals', 'modern')))
    text = tables_markdown(data, measured, paper)
    if failed:
        text += '\nFailed:\n\n' + ''.join(f'- seed {seed}, {row}: {why}\n' for (row, seed), why in failed.items())
    content = {'data': data, 'measured': measured, 'paper': paper}
    content['failed'] = [{'row': row, 'seed': seed, 'error': why} for (row, seed), why in failed.items()]
    write_both(out / 'tables', text, content)
    (out / 'tables.png').unlink(missing_ok=True)
    if any('all_single' in settings for settings in measured.values()):
        draw_tables(data, measured, paper, out / 'tables.png')


def write_both(stem: Path, text: str, content: dict) -> None:
    """Prints a text, and writes it as Markdown and its content as JSON."""
    write_whole(f'{stem}.md', text)
    write_whole(f'{stem}.json', json.dumps(content, indent=2) + '\n')
    print(f'\n{text}\n{stem.parent}: {", ".join(sorted(file.name for file in stem.parent.glob(f"{stem.name}.*")))}')


def write_curves(data: str, out: Path, rows: Rows, measured: dict[str, dict]) -> None:
    """Prints the learning curves, and writes them as Markdown, JSON and a plot."""
    found = curves(rows, measured)
    (out / 'curves.png').unlink(missing_ok=True)
    if found:
        draw_curves(data, found, out / 'curves.png')
    write_both(out / 'curves', curves_markdown(data, found), {'data': data, 'curves': found})


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """While this process alone is at work in a folder. Raises RuntimeError where another one is."""
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / '.lock')
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RuntimeError(
            f'another reproduce.py is at work in {out}: wait for it, or give another --work-dir.'
        ) from error
    try:
        yield
    finally:
        lock.release()


def check_data(data: str, root: Path) -> None:
    """Raises FileNotFoundError where there is no such folder, saying what belongs there."""
    if root.is_dir():
        return
    how = 'docs/data.md says what belongs there; if it lies elsewhere, give --cfg-options data_root=DIR.'
    if data == 'synthetic':
        how = f'render it, python tools/dataset_tools/render_synthetic.py {root}'
    raise FileNotFoundError(f'{root} is not there: {how}')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train, test and print the paper's tables")
    parser.add_argument('--data', choices=list(CONFIGS), default='synthetic')
    parser.add_argument(
        '--rows',
        nargs='+',
        metavar='ROW',
        help="as in the tables, or patterns: tsgan_jd 'modern/*' ...; default: the paper's",
    )
    parser.add_argument('--seeds', type=int, default=3, help='how many, from 0; default: 3')
    parser.add_argument(
        '--epochs',
        nargs='+',
        type=int,
        default=[],
        metavar='N',
        help="train the rows, not what they begin with, for N epochs, schedules in proportion; default: each row's own",
    )
    parser.add_argument(
        '--equal-time',
        metavar='ROW',
        help='train the rows for as many images as ROW sees at its own length, and for the time that it takes',
    )
    parser.add_argument('--jobs', type=int, default=1, help='rows at a time, which share the cores; default: 1')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/reproduce/<data>')
    parser.add_argument('--dry-run', action='store_true', help='only list what would run, and how long and large it is')
    add_cfg_options(parser, '; each row takes those that its config has')
    args = parser.parse_args()
    if args.epochs and args.equal_time:
        parser.error('--epochs and --equal-time both say how long to train: expected one of them.')
    return args


def main() -> None:
    args = parse_args()
    out = args.work_dir or Path('work_dirs/reproduce') / args.data
    rows = Rows(args.data, out, args.cfg_options)
    if min(args.seeds, args.jobs, *args.epochs) < 1:
        raise ValueError(f'expected seeds, jobs and epochs from 1: not {args.seeds}, {args.jobs} and {args.epochs}.')
    papers = [row for row in dict.fromkeys(chain(*TABLES.values())) if network(row) in rows.names()]
    wanted, equal = rows.named(args.rows or papers), None
    try:
        references = rows.named([args.equal_time] if args.equal_time else [])
        rows.check_options(rows.with_all_before([network(own_length(row)) for row in [*wanted, *references]]))
        wanted = [rows.at_length(row, epochs) for row in wanted for epochs in args.epochs] or wanted
    except Exception as error:  # whatever an option makes of a config
        raise ValueError(': '.join([*([' '.join(args.cfg_options)] * bool(args.cfg_options)), str(error)])) from error
    data_root = Path(rows.config(network(wanted[0])).data_root)
    if args.equal_time:
        if len(references) > 1:
            raise ValueError(f'--equal-time takes one row, and {args.equal_time} means {", ".join(references)}.')
        times = StepTimes(rows, out / 'step_times.json', args.jobs, keep=not args.dry_run)
        equal = EqualTime(rows, references[0], times)
        check_data(args.data, data_root)
        with nullcontext() if args.dry_run else locked(out):
            lengths = equal.lengths(wanted)
        wanted = [row for row in chain(*lengths.values()) if row]
    wanted = list(dict.fromkeys(wanted))
    trained = list(dict.fromkeys(map(network, wanted)))
    seeds, tested, all_rows = list(range(args.seeds)), set(trained), rows.with_all_before(trained)
    tasks = []
    for seed in seeds:  # what is there needs nothing any more that it began with
        needed = rows.with_all_before([row for row in trained if rows.state(row, seed, tested=False) == 'to train'])
        tasks += [(row, seed) for row in all_rows if row in needed or row in trained]
    if any(rows.state(row, seed, row in tested) != 'there' for row, seed in tasks):
        check_data(args.data, data_root)
    if args.dry_run:
        return print_plan(rows, tasks, tested)

    with locked(out):
        rows.note_options()
        campaign = Campaign(rows, tested, min(args.jobs, len(tasks)))
        campaign.run(tasks)
    taken = duration(time.time() - campaign.start)
    print(f'{len(tasks)} trainings and their tests, {args.jobs} at a time on {num_cores()} cores: {taken}')
    # somebody's own data in that layout go by their folder's name
    data = str(data_root) if any(option.startswith('data_root=') for option in args.cfg_options) else args.data
    measured = rows.measured(wanted, seeds)
    write_tables(data, out, measured, campaign.failed)
    if len(args.epochs) > 1:
        write_curves(data, out, rows, measured)
    if equal:
        entries = equal.entries(lengths, measured)
        content = {'data': data, 'machine': equal.times.measured_on, 'reference': equal.reference, 'rows': entries}
        write_both(out / 'equal_time', equal.markdown(data, entries), content)
    sys.exit(bool(campaign.failed))


if __name__ == '__main__':
    run(main, lambda: 'stopped; the same command goes on from here.')
