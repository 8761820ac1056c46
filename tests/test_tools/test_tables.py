"""The tables that the tools print, from numbers made up here."""

import json
import sys
from pathlib import Path

from command_lines import run
from scripts import load

from tsgan.experiments.steps import PROGRESS

ROOT = Path(__file__).parents[2]
METRICS = ('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP')


def test_the_demo_puts_its_numbers_beside_the_papers():
    demo = load('tools/demo.py')
    names = [setting + suffix for setting in demo.SETTINGS for suffix in ('', '_rerank')]
    results = {name: {metric: 10.0 * i + j for j, metric in enumerate(METRICS)} for i, name in enumerate(names)}
    rows = {line[:40].strip(): line[40:].split() for line in demo.table(results).splitlines()[2:]}
    assert ' '.join(rows['all-search, single-shot']) == '0.0 1.0 2.0 3.0 4.0 5.0 49.8 87.3 93.8 47.4'
    assert rows['all-search, single-shot, re-ranked'][-4:] == ['58.3', '87.8', '94.1', '55.1']
    assert rows['indoor-search, multi-shot, re-ranked'][0] == '70.0'
    assert len(rows) == 8


def test_the_demo_reads_progress_off_a_training_log():
    line = (
        '11/22 16:18:01 - mmengine - INFO - Epoch(train)  [4][20/50]  reid.lr: 1.3e-03 generators.lr: 6e-04  '
        'eta: 1 day, 0:00:35  time: 0.1258'
    )
    assert PROGRESS.search(line.replace('1 day, ', '')).groups() == ('4', '20', '50', '0:00:35')


def test_the_seeds_table_is_mean_and_deviation_over_folders(tmp_path):
    for seed, value in ((0, 10.0), (1, 14.0)):
        folder = tmp_path / str(seed) / 'rivals' / 'hog'
        (folder / 'run' / 'vis_data').mkdir(parents=True)
        row = dict.fromkeys(METRICS, value)
        (folder / 'results.json').write_text(json.dumps({'all_single': row, 'all_multi': row, 'about': {}}))
        scalars = [{'reid/loss_id': v, 'step': i} for i, v in enumerate((99, value, value, value))]
        scalars.append({'reid/grad_loss_id': value / 2, 'reid/loss_short': value, 'step': 4})  # of few steps
        (folder / 'run' / 'vis_data' / 'scalars.json').write_text('\n'.join(map(json.dumps, scalars)))
    tool = ROOT / 'tools/analysis_tools/seeds_table.py'
    lines = run(
        [sys.executable, tool, tmp_path / '0', tmp_path / '1', '--losses'], tmp_path, anew=True
    ).text.splitlines()
    assert lines[2] == '| rivals/hog | all_single | 2 | ' + ' | '.join(['12.0 ± 2.8'] * 6) + ' |'
    assert not any('all_multi' in line for line in lines)
    assert lines[-2:] == [
        '| reid/loss_id | 12.000 ± 2.828 | 6.000 ± 1.414 |',
        '| reid/loss_short | 12.000 ± 2.828 | - |',
    ]
