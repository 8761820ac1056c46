"""TS-GAN from the model that comes with the package to a table and two figures: ``python tools/demo.py``.

Renders the data set, has the package's model learn its people - first an IR teacher, then TS-GAN with it - and tests
it, without and with re-ranking; the people of the validation tell what scores mean, where there is scikit-learn.
Results come to lie in ``work_dirs/demo``. What is there from an earlier run is used again; an interrupted training goes
on after its last finished epoch.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from tsgan.command_line import run
from tsgan.evaluation import METRIC_NAMES
from tsgan.experiments import PRINTED, SETTINGS, Steps, papers_numbers
from tsgan.places import ROOT

DATA = Path('data/synthetic')
OUT = Path('work_dirs/demo')
MODEL = 'tsgan-jd_small_synthetic'
EPOCHS = 4  # of 50 iterations, of each training: what two cores without AVX-512 do in minutes
SHORT = [f'load_from={MODEL}', 'model.reid.encoder.checkpoint=None']
SHORT += [f'train_cfg.max_epochs={EPOCHS}', f'param_scheduler.1.T_max={EPOCHS}', 'optim_wrapper.reid.optimizer.lr=5e-4']


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


def held_out() -> list[str]:
    """Patterns of some images of the people whom neither the training nor the test has seen."""
    numbers = (DATA / 'exp/val_id.txt').read_text().split(',')
    return [f'{DATA}/cam*/{int(number):04d}/000[147].jpg' for number in numbers]


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start, steps = time.time(), Steps(OUT / 'demo.log')
    render = [sys.executable, str(ROOT / 'tools/dataset_tools/render_synthetic.py'), str(DATA)]
    if subprocess.run([*render, '--contact-sheet', str(OUT / 'data.jpg')]).returncode:  # shows its own progress
        sys.exit(2)
    steps.train('synthetic/teacher_ir.py', OUT / 'teacher_ir', 'IR teacher', SHORT)
    teacher = f'model.teacher.encoder.checkpoint={OUT}/teacher_ir'
    config = 'synthetic/tsgan_jd_sum.py'
    label = 'TS-GAN, joint discriminator, all teacher-student losses'
    checkpoint = steps.train(config, OUT / 'tsgan_jd_sum', label, [*SHORT, teacher])
    steps.say('test, without and with re-ranking')
    results = OUT / 'results.json'
    where = ['--json', results, '--work-dir', checkpoint.parent]
    steps.call('test.py', ROOT / 'configs' / config, checkpoint, '--rerank', *where)
    rankers = [sys.executable, str(ROOT / 'tools/analysis_tools/trivial_rankers.py'), str(DATA)]
    trivial = subprocess.run(rankers, capture_output=True, text=True, check=True).stdout

    calibration = OUT / 'calibration.json' if find_spec('sklearn') else None
    if calibration:
        steps.say('what its scores mean, of the people of the validation')
        model = ['--model', ROOT / 'configs' / config, '--weights', checkpoint]
        steps.call('analysis_tools/calibrate.py', *held_out(), *model, '--out', calibration)

    for picture in ('ranked_list.jpg', 'translation_grid.jpg'):
        shutil.copy(checkpoint.parent / picture, OUT / picture)
    text = table(json.loads(results.read_text()))
    text += f'\n\nRankers that learned nothing, all-search single-shot, %:\n{trivial}'
    (OUT / 'table.txt').write_text(text)
    steps.say(f'\n{text}')
    steps.say(f'{OUT}: table.txt, results.json, ranked_list.jpg, translation_grid.jpg, data.jpg, demo.log')
    steps.say(f'{(time.time() - start) / 60:.1f} minutes')
    page = f'{sys.executable} {ROOT}/demo/app.py --model {ROOT}/configs/{config} --weights {checkpoint}'
    page += f' --calibration {calibration}' if calibration else ''
    steps.say(f'\nlook at what it finds, in a browser:\n    {page} --gallery {DATA}/cam1 --examples {DATA}/cam3')


if __name__ == '__main__':
    run(main, lambda: 'stopped; the same command goes on from here.')
