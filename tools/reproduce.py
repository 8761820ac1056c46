"""The paper's tables, measured: ``python tools/reproduce.py [--data synthetic] [--rows ...] [--seeds 3]``.

Trains what is missing, tests it without and with re-ranking, and prints Tables I, II and III with mean and standard
deviation over seeds beside the paper's numbers. What is there is used again, so the same command goes on where it
stopped. A row that fails is reported, and the others go on. ``tables.md``, ``tables.json`` and ``tables.png`` come to
lie in the work dir, each training and test in a folder of its own below it, with all that it said. Nothing compares
what is there with a config that has changed since: remove the row's folders to have it made again.
"""

import argparse
import json
import sys
import time
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout
from mmengine.logging import MMLogger

from tsgan.command_line import run
from tsgan.experiments import (
    CONFIGS,
    TABLES,
    Campaign,
    Rows,
    add_cfg_options,
    draw_tables,
    duration,
    estimate,
    network,
    papers_numbers,
    tables_markdown,
)
from tsgan.machine import num_cores
from tsgan.places import ROOT


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


def write_tables(data: str, out: Path, measured: dict[str, dict], failed: dict[tuple[str, int], str]) -> None:
    """Prints the tables, and writes them as Markdown, JSON and a plot."""
    paper = papers_numbers(*(ROOT / 'configs' / folder / 'metafile.yml' for folder in ('.', 'rivals', 'modern')))
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
    parser.add_argument('--jobs', type=int, default=1, help='rows at a time, which share the cores; default: 1')
    parser.add_argument('--work-dir', type=Path, help='default: work_dirs/reproduce/<data>')
    parser.add_argument('--dry-run', action='store_true', help='only list what would run, and how long and large it is')
    add_cfg_options(parser, '; each row takes those that its config has')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    out = args.work_dir or Path('work_dirs/reproduce') / args.data
    rows = Rows(args.data, out, args.cfg_options)
    if min(args.seeds, args.jobs, *args.epochs) < 1:
        raise ValueError(f'expected seeds, jobs and epochs from 1: not {args.seeds}, {args.jobs} and {args.epochs}.')
    papers = [row for row in dict.fromkeys(chain(*TABLES.values())) if network(row) in rows.names()]
    wanted = rows.named(args.rows or papers)
    try:
        if args.epochs:
            wanted = list(dict.fromkeys(rows.at_length(row, epochs) for row in wanted for epochs in args.epochs))
        trained = list(dict.fromkeys(network(row) for row in wanted))
        seeds, tested = list(range(args.seeds)), set(trained)
        all_rows = rows.with_all_before(trained)
        rows.check_options(all_rows)
    except Exception as error:  # whatever an option makes of a config
        raise ValueError(': '.join([*([' '.join(args.cfg_options)] * bool(args.cfg_options)), str(error)])) from error
    tasks = []
    for seed in seeds:  # what is there needs nothing any more that it began with
        needed = rows.with_all_before([row for row in trained if rows.state(row, seed, tested=False) == 'to train'])
        tasks += [(row, seed) for row in all_rows if row in needed or row in trained]
    data_root = Path(rows.config(trained[0]).data_root)
    if not data_root.is_dir() and any(rows.state(row, seed, row in tested) != 'there' for row, seed in tasks):
        how = 'docs/data.md says what belongs there; if it lies elsewhere, give --cfg-options data_root=DIR.'
        if args.data == 'synthetic':
            how = f'render it, python tools/dataset_tools/render_synthetic.py {data_root}'
        raise FileNotFoundError(f'{data_root} is not there: {how}')
    if args.dry_run:
        return print_plan(rows, tasks, tested)

    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / '.lock', timeout=0):
            rows.note_options()
            campaign = Campaign(rows, tested, min(args.jobs, len(tasks)))
            campaign.run(tasks)
    except Timeout as error:
        raise RuntimeError(
            f'another reproduce.py is at work in {out}: wait for it, or give another --work-dir.'
        ) from error
    taken = duration(time.time() - campaign.start)
    print(f'{len(tasks)} trainings and their tests, {args.jobs} at a time on {num_cores()} cores: {taken}')
    # somebody's own data in that layout go by their folder's name
    own = any(option.startswith('data_root=') for option in args.cfg_options)
    write_tables(str(data_root) if own else args.data, out, rows.measured(wanted, seeds), campaign.failed)
    sys.exit(bool(campaign.failed))


if __name__ == '__main__':
    run(main, lambda: 'stopped; the same command goes on from here.')
