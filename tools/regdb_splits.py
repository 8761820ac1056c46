"""RegDB's published number, the mean over its ten splits: ``python tools/regdb_splits.py CONFIG [--rerank]``.

Trains and tests a model for each split, and before it the split's IR teacher where the config has one. What is there is
used again: an interrupted training goes on after its last finished epoch, a tested split is only read.
"""

import argparse
import json
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from tsgan.command_line import out_file, run
from tsgan.config_files import read_config
from tsgan.evaluation import results_table, write_results
from tsgan.experiments import (
    add_cfg_options,
    average_splits,
    default_work_dir,
    is_tested,
    last_checkpoint,
    load_config,
    taken_options,
)

ALL = range(1, 11)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train and test a model for each split of RegDB, and average')
    parser.add_argument('config', help='config file, one with a `split`')
    parser.add_argument('--splits', nargs='+', type=int, choices=ALL, default=ALL, metavar='N', help='default: all ten')
    parser.add_argument('--rerank', action='store_true', help='also rank with k-reciprocal re-ranking')
    parser.add_argument('--work-dir', help='folder of the folders split_<N>; default: work_dirs/<path of the config>')
    parser.add_argument(
        '--json', type=out_file, metavar='FILE', help='where the means go; default: results.json in the work dir'
    )
    add_cfg_options(parser, '; those of the teacher too, but for what it does not have')
    return parser.parse_args()


def call(tool: str, *arguments: object) -> None:
    """Run a command line of this folder."""
    command = [sys.executable, str(Path(__file__).with_name(tool)), *map(str, arguments)]
    if subprocess.run(command).returncode:
        sys.exit(f'{" ".join(command[1:])} failed, as said above; the same command goes on from here.')


def train(config: str, work_dir: Path, options: list[str]) -> Path:
    """Train a config, and its teacher first, or go on where an earlier call stopped; the last checkpoint."""
    cfg = load_config(config, cfg_options=options)
    if not last_checkpoint(work_dir, cfg):
        teacher = cfg.model.get('teacher', {}).get('encoder', {})
        if teacher.get('trained_by') and not teacher.checkpoint.endswith('.pth'):  # a file: somebody has trained it
            trainer, *own = teacher.trained_by.split()  # config, and perhaps `--cfg-options split=1`
            train(trainer, Path(teacher.checkpoint), own[1:] + taken_options(options, read_config(trainer)))
        call('train.py', config, '--resume', '--work-dir', work_dir, '--cfg-options', *options)
    return last_checkpoint(work_dir, cfg) or sys.exit(
        f'{work_dir} has no epoch_{cfg.train_cfg.max_epochs}.pth as its last checkpoint: expected a training of '
        f'{cfg.train_cfg.max_epochs} epochs there (remove one of another length).'
    )


def main() -> None:
    args = parse_args()
    if 'split' not in load_config(args.config):
        raise ValueError(
            f'{args.config} has no `split`: expected a config on RegDB, such as configs/regdb/backbone.py.'
        )
    if any(option.startswith('split=') for option in args.cfg_options):
        raise ValueError('split: expected as --splits, not as an option of the config.')
    base = Path(args.work_dir or default_work_dir(args.config))
    options = {split: [*args.cfg_options, f'split={split}'] for split in args.splits}
    work_dirs = {split: base / f'split_{split}' for split in options}
    todo = [
        s for s in options if not is_tested(work_dirs[s], load_config(args.config, cfg_options=options[s]), args.rerank)
    ]
    print(f'{args.config}: {len(options) - len(todo)} of {len(options)} splits are there', flush=True)
    start = time.time()
    for done, split in enumerate(todo):
        left = f', ETA {timedelta(seconds=round((time.time() - start) / done * (len(todo) - done)))}' if done else ''
        print(f'split {split}: {done + 1} of {len(todo)} to do{left}', flush=True)
        checkpoint = train(args.config, work_dirs[split], options[split])
        where = ['--work-dir', work_dirs[split], '--json', work_dirs[split] / 'results.json']
        rerank = ['--rerank'] if args.rerank else []
        call('test.py', args.config, checkpoint, *where, *rerank, '--cfg-options', *options[split])

    found = [json.loads((work_dir / 'results.json').read_text()) for work_dir in work_dirs.values()]
    means = average_splits(found)
    about = {
        **found[0]['about'],
        'split': list(options),
        'checkpoint': [split['about']['checkpoint'] for split in found],
        'rerank': any(row['reranked'] for row in means.values()),
    }
    file = args.json or str(base / 'results.json')
    write_results(file, means, **about)
    print(f'mean and standard deviation over {len(found)} splits\n{results_table(means)}\n{file}')


if __name__ == '__main__':
    run(main, lambda: 'stopped; the same command goes on from here.')
