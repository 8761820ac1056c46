"""TS-GAN from nothing to a table and two figures, on synthetic images: ``python tools/demo.py``.

Renders the data set, trains what student and teacher begin with, the IR teacher and TS-GAN, tests without and with
re-ranking. Results come to lie in ``work_dirs/demo``. What is there from an earlier run is used again; an interrupted
training goes on after its last finished epoch.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tsgan.evaluation import METRIC_NAMES
from tsgan.experiments import PRINTED, SETTINGS, papers_numbers

ROOT = Path(__file__).resolve().parents[1]
DATA = Path('data/synthetic')
OUT = Path('work_dirs/demo')
START = f'model.reid.encoder.checkpoint={OUT}/pretrain'
TEACHER = f'model.teacher.encoder.checkpoint={OUT}/teacher_ir'
TRAININGS = {  # config in configs/synthetic: what it trains, options
    'pretrain': ('identity pre-training (RGB; in place of ImageNet)', []),
    'teacher_ir': ('IR teacher', [START]),
    'tsgan_jd_sum': ('TS-GAN, joint discriminator, all teacher-student losses', [START, TEACHER]),
}
EPOCHS = 10  # of each, in configs/_base_/schedules/reid_synthetic.py
# one log line of a training: Epoch(train)  [3][20/50]  lr: ...  eta: 0:01:23
PROGRESS = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].*?eta: ([\d:]+)')

console = Console()


def run(command: list[str], log: Path, bar: tuple[str, int] | None = None) -> None:
    """Run a command, its output going to ``log``; with ``bar`` = (label, epochs), show a training's progress."""
    with (
        log.open('a') as file,
        Progress(
            TextColumn('{task.description}'),
            BarColumn(),
            TextColumn('{task.percentage:>3.0f} %'),
            TimeElapsedColumn(),
            TextColumn('left {task.fields[left]}'),
            console=console,
            disable=bar is None,
        ) as progress,
    ):
        task = progress.add_task(bar[0] if bar else '', total=1, left='-')
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            for line in process.stdout:
                file.write(line)
                if bar and (match := PROGRESS.search(line)):
                    epoch, iteration, iterations = (int(match[i]) for i in (1, 2, 3))
                    done = (epoch - 1 + iteration / iterations) / bar[1]
                    progress.update(task, completed=done, left=match[4])
        finally:
            if process.poll() is None and sys.exc_info()[0]:
                process.terminate()
            process.wait()
    if process.returncode:
        tail = ''.join(log.read_text().splitlines(keepends=True)[-15:])
        sys.exit(f'{tail}\n{" ".join(command[1:])} failed; all that it said is in {log}')


def train(name: str, log: Path) -> Path:
    """Train ``configs/synthetic/<name>.py``, or go on where an earlier run stopped; the last checkpoint."""
    label, options = TRAININGS[name]
    config = f'configs/synthetic/{name}.py'
    checkpoint = OUT / name / f'epoch_{EPOCHS}.pth'
    if (ROOT / checkpoint).exists():
        console.print(f'{label}: {checkpoint} is there')
    else:
        options = [*options, 'default_hooks.logger.interval=10']
        work_dir = ['--work-dir', str(OUT / name)]
        command = [sys.executable, 'tools/train.py', config, '--resume', *work_dir, '--cfg-options', *options]
        run(command, log, (label, EPOCHS))
    return checkpoint


def table(results: dict[str, dict]) -> str:
    """Table I for the synthetic set, with the paper's figures on SYSU-MM01 beside it."""
    head = f'{"":<40}{"measured here, synthetic data, %":^44}   {"the paper, SYSU-MM01, %":^28}'
    lines = [
        head,
        f'{"":<40}' + ''.join(f'{m:>7}' for m in METRIC_NAMES) + '     ' + ''.join(f'{m:>7}' for m in PRINTED),
    ]
    paper = papers_numbers(ROOT / 'configs/metafile.yml')
    for suffix, label in (('', ''), ('_rerank', ', re-ranked')):
        for key, printed_row in paper[f'tsgan_jd{suffix}'].items():
            row = ''.join(f'{results[key + suffix][m]:7.1f}' for m in METRIC_NAMES)
            beside = ''.join(f'{printed_row[m]:7.1f}' for m in PRINTED)
            lines.append(f'{SETTINGS[key] + label:<40}{row}     {beside}')
    return '\n'.join(lines)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start = time.time()
    (ROOT / OUT).mkdir(parents=True, exist_ok=True)
    log = ROOT / OUT / 'demo.log'
    render = [sys.executable, 'tools/dataset_tools/render_synthetic.py', str(DATA)]
    sheet = ['--contact-sheet', str(OUT / 'data.jpg')]
    if subprocess.run(render + sheet, cwd=ROOT).returncode:  # shows its own progress
        sys.exit(1)
    for name in TRAININGS:
        checkpoint = train(name, log)
    console.print('test, without and with re-ranking')
    results_file = OUT / 'results.json'
    test = ['tools/test.py', f'configs/synthetic/{name}.py', str(checkpoint), '--rerank', '--json', str(results_file)]
    run([sys.executable, *test, '--work-dir', str(checkpoint.parent)], log)
    rankers = [sys.executable, 'tools/analysis_tools/trivial_rankers.py', str(DATA)]
    trivial = subprocess.run(rankers, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for picture in ('ranked_list.jpg', 'translation_grid.jpg'):
        shutil.copy(ROOT / checkpoint.parent / picture, ROOT / OUT / picture)
    text = table(json.loads((ROOT / results_file).read_text()))
    text += f'\n\nRankers that learned nothing, all-search single-shot, %:\n{trivial}'
    (ROOT / OUT / 'table.txt').write_text(text)
    console.print(f'\n{text}', highlight=False, soft_wrap=True)
    console.print(f'{OUT}: table.txt, results.json, ranked_list.jpg, translation_grid.jpg, data.jpg, demo.log')
    console.print(f'{(time.time() - start) / 60:.1f} minutes')


if __name__ == '__main__':
    main()
