"""tools/reproduce.py, with trainings and tests made up."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scripts import load

from tsgan.experiments import TABLES, campaign, load_config
from tsgan.experiments.cost import ImageCost
from tsgan.experiments.estimate import Estimate, seconds_a_step

ROOT = Path(__file__).parents[2]
METRICS = ('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP')


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The module in an empty folder; `start(...)` is a command line, `calls` are the trainings and tests it makes."""
    module = load('tools/reproduce.py')
    module.calls, module.broken = [], ()

    def call(self, log, name, config, *arguments):
        row, seed = Path(config).stem, int(options(arguments)['randomness.seed'])
        epochs = options(arguments).get('train_cfg.max_epochs', 1 if row == 'hog' else 10)
        module.calls.append((name, row, seed, options(arguments)))
        if (name, row) in module.broken:
            return f'{name} ended with 1: no such thing'
        log.parent.mkdir(parents=True, exist_ok=True)
        if name == 'train.py':
            assert '--resume' in arguments
            (log.parent / f'epoch_{epochs}.pth').touch()
            (log.parent / 'last_checkpoint').write_text(str(log.parent / f'epoch_{epochs}.pth'))
        else:
            assert '--rerank' in arguments
            one = row in ('teacher_ir', 'baseline_rgb')
            names = ['single_modality'] if one else ['all_single', 'all_multi', 'indoor_single', 'indoor_multi']
            names = [name for setting in names for name in (setting, f'{setting}_rerank')]
            results = {name: numbers_of(seed, i) for i, name in enumerate(names)}
            results['about'] = {'checkpoint': str(log.parent / f'epoch_{epochs}.pth'), 'rerank': True}
            (log.parent / 'results.json').write_text(json.dumps(results))
        return None

    def numbers_of(seed, setting):
        return {metric: 10.0 * seed + place + setting / 10 for place, metric in enumerate(METRICS)}

    def options(arguments):
        return dict(option.split('=', 1) for option in arguments[arguments.index('--cfg-options') + 1 :])

    def start(*arguments):
        module.calls.clear()
        monkeypatch.setattr(sys, 'argv', ['reproduce.py', *arguments])
        try:
            module.main()
        except SystemExit as stop:
            return stop.code
        except (ValueError, OSError, RuntimeError) as refused:
            return str(refused)

    monkeypatch.setattr(module.Campaign, 'call', call)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data/synthetic').mkdir(parents=True)
    module.start = start
    return module


ROWS = ['--rows', 'backbone', 'tsgan_jd', 'tsgan_jd_rerank', 'baseline_rgb', '--seeds', '2']
OUT = Path('work_dirs/reproduce/synthetic')


def test_each_row_trains_after_what_it_begins_with_of_its_own_seed(tool):
    assert not tool.start(*ROWS)
    trained = [(row, seed) for name, row, seed, _ in tool.calls if name == 'train.py']
    rows = ['pretrain', 'backbone', 'teacher_ir', 'tsgan_jd', 'baseline_rgb']
    assert trained == [(row, seed) for seed in (0, 1) for row in rows]
    for name, row, seed, options in tool.calls:
        if (name, row) == ('train.py', 'tsgan_jd'):
            assert options['model.teacher.encoder.checkpoint'] == str(OUT / f'{seed}/teacher_ir')
            assert options['model.reid.encoder.checkpoint'] == str(OUT / f'{seed}/pretrain')
    tested = [row for name, row, seed, _ in tool.calls if name == 'test.py' and seed == 0]
    assert tested == ['backbone', 'tsgan_jd', 'baseline_rgb']  # what only others begin with is not


def test_tables_are_mean_and_deviation_beside_the_papers_figures(tool):
    tool.start(*ROWS)
    text = (OUT / 'tables.md').read_text()
    row = '| tsgan_jd | 2 | 5.0 ± 7.1 | 7.0 ± 7.1 | 8.0 ± 7.1 | 9.0 ± 7.1 | 49.8 / 87.3 / 93.8 / 47.4 |'
    table_ii = text.split('**Table II,')[1].split('**')[1]
    assert row in table_ii
    reranked = '| tsgan_jd_rerank | 2 | 5.1 ± 7.1 | 7.1 ± 7.1 | 8.1 ± 7.1 | 9.1 ± 7.1 | 58.3 / 87.8 / 94.1 / 55.1 |'
    assert reranked in table_ii
    indoor = '| tsgan_jd | 2 | 5.6 ± 7.1 | 7.6 ± 7.1 | 8.6 ± 7.1 | 9.6 ± 7.1 | 59.3 / 91.2 / 97.8 / 50.2 |'
    assert indoor in text.split('**Table I, systems: indoor-search, multi-shot**')[1]
    titles = [line.split(':')[0] for line in text.splitlines() if line.startswith('**')]
    assert titles == ['**Table I, systems'] * 4 + ['**Table II, settings of TS-GAN', '**Table III, one modality']
    assert '| baseline_rgb | 2 | 5.0 ± 7.1 |' in text.split('**Table III')[1]
    assert 'indoor-search, multi-shot' in text
    content = json.loads((OUT / 'tables.json').read_text())
    assert content['measured']['backbone']['all_single']['R5'] == [pytest.approx(6), pytest.approx(50**0.5)]
    assert (OUT / 'tables.png').stat().st_size > 5000


def test_a_second_call_makes_nothing_again_and_another_seed_only_that(tool):
    tool.start(*ROWS)
    assert not tool.start(*ROWS)
    assert tool.calls == []
    tool.start(*ROWS[:-1], '3')
    assert {seed for _, _, seed, _ in tool.calls} == {2}


def test_a_row_that_fails_is_reported_and_the_others_go_on(tool, capsys):
    tool.broken = (('train.py', 'teacher_ir'), ('test.py', 'backbone'))
    assert tool.start(*ROWS) == 1
    text = (OUT / 'tables.md').read_text()
    assert '- seed 0, teacher_ir: train.py ended with 1: no such thing' in text
    assert '- seed 0, tsgan_jd: not run: teacher_ir failed' in text
    assert '- seed 1, backbone: test.py ended with 1' in text
    assert '| baseline_rgb | 2 |' in text
    assert 'FAILED' in capsys.readouterr().out
    tool.broken = ()
    assert tool.start(*ROWS) == 0
    assert ('train.py', 'backbone') not in {call[:2] for call in tool.calls}  # only its test was missing
    assert ('train.py', 'tsgan_jd') in {call[:2] for call in tool.calls}


def test_rows_side_by_side_keep_their_order_of_dependence(tool):
    assert not tool.start(*ROWS, '--jobs', '4')
    trained = [(row, seed) for name, row, seed, _ in tool.calls if name == 'train.py']
    for seed in (0, 1):
        assert (
            trained.index(('pretrain', seed)) < trained.index(('teacher_ir', seed)) < trained.index(('tsgan_jd', seed))
        )


def test_options_reach_the_rows_that_have_such_a_part(tool):
    options = ['model.gan_weight=1', 'optim_wrapper.reid.optimizer.lr=2', 'param_scheduler.0.end=9']
    tool.start('--rows', 'tsgan_jd', '--seeds', '1', '--cfg-options', *options)
    for name, row, _, options in tool.calls:
        assert ('model.gan_weight' in options) == (row == 'tsgan_jd'), (name, row)
        assert options['optim_wrapper.reid.optimizer.lr'] == '2'
        assert options['param_scheduler.0.end'] == '9'


@pytest.mark.parametrize(
    ('option', 'said'),
    [
        ('model.gan_wieght=1', 'no config of pretrain, teacher_ir, tsgan_jd has such an entry'),
        ('train_dataloader.batch_sampler.num_pairs.x=1', 'no config of'),
        ('randomness.seed=7', 'each row has its own'),
        ('train_cfg', 'expected an option as KEY=VALUE'),
        ('train_cfg.max_epochs=two', "expected a whole number, as the 10 that it replaces, not 'two'"),
        ('model=3', 'model=3: '),
        ('model.teacher.encoder.checkpoint=x.pth', 'each row has its own'),
    ],
)
def test_an_option_that_no_row_takes_is_refused(tool, option, said):
    assert said in tool.start('--rows', 'tsgan_jd', '--cfg-options', option)
    assert tool.calls == []


def test_other_options_do_not_take_over_what_is_there(tool):
    tool.start(*ROWS, '--cfg-options', 'optim_wrapper.reid.optimizer.lr=2')
    said = tool.start(*ROWS, '--cfg-options', 'optim_wrapper.reid.optimizer.lr=3')
    assert "holds runs with the options ['optim_wrapper.reid.optimizer.lr=2']: give another --work-dir" in said
    assert tool.calls == []


def test_results_of_an_older_checkpoint_are_not_taken_for_the_new_ones(tool):
    tool.start(*ROWS)
    checkpoint = OUT / '0/backbone/epoch_10.pth'
    os.utime(checkpoint, (time.time() + 60,) * 2)
    tool.broken = (('test.py', 'backbone'),)
    assert tool.start(*ROWS) == 1
    assert '| backbone | 1 | 10.0 |' in (OUT / 'tables.md').read_text()  # seed 1's alone


def test_a_file_cut_short_is_made_again(tool):
    tool.start(*ROWS)
    file = OUT / '1/backbone/results.json'
    file.write_text(file.read_text()[:50])
    assert tool.start(*ROWS) == 0
    assert [call[:3] for call in tool.calls] == [('test.py', 'backbone', 1)]


def test_whatever_happens_in_a_row_is_reported(tool, monkeypatch):
    call = tool.Campaign.call

    def full(self, log, name, config, *arguments):
        if Path(config).stem == 'baseline_rgb':
            raise OSError('disk full')
        return call(self, log, name, config, *arguments)

    monkeypatch.setattr(tool.Campaign, 'call', full)
    assert tool.start(*ROWS) == 1
    assert '- seed 0, baseline_rgb: OSError: disk full' in (OUT / 'tables.md').read_text()


def test_what_is_there_needs_nothing_that_it_began_with(tool):
    tool.start(*ROWS)
    shutil.rmtree(OUT / '0/pretrain')
    assert tool.start(*ROWS) == 0
    assert tool.calls == []


def test_rows_that_the_paper_does_not_have_are_shown_too(tool):
    assert tool.start('--rows', 'tsgan_jd_sum', '--seeds', '1') == 0
    assert '**rows that the paper does not have: all-search, single-shot**' in (OUT / 'tables.md').read_text()


def test_rows_that_are_not_there_are_refused_by_name(tool):
    assert 'not rivals/nothing' in tool.start('--rows', 'rivals/nothing')
    assert tool.calls == []


def test_a_plan_lists_what_would_run_with_time_and_disk_and_runs_nothing(tool, monkeypatch, capsys):
    tool.start(*ROWS[:-1], '1')
    tool.calls.clear()
    shutil.rmtree(OUT / '0/baseline_rgb')

    def estimate(cfg):
        if Path(cfg.filename).stem == 'teacher_ir':
            raise OSError('no data')
        return Estimate(epoch=8.0, test=10.0, mib=12.0)

    monkeypatch.setattr(tool, 'estimate', estimate)
    monkeypatch.setattr(sys, 'argv', ['reproduce.py', *ROWS, '--dry-run'])
    tool.main()
    assert not tool.calls and not (OUT / '1').exists()
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert '| 0 | backbone | there | - | - |' in lines
    assert '| 0 | baseline_rgb | to train | 0:01:30 | 12 MiB |' in lines
    assert '| 1 | teacher_ir | to train | ? | ? |' in lines and 'teacher_ir: no estimate (OSError: no data)' in said.err
    # of seed 0 one row, of seed 1 four
    assert 'about 0:07:30, and 60 MiB; without teacher_ir, of which nothing is known' in said.out


@pytest.mark.parametrize('row', ['backbone', 'rivals/hog', 'rivals/lomo_xqda'])
def test_every_kind_of_row_is_estimated_from_a_few_of_its_batches(tool, workshop, monkeypatch, row):
    monkeypatch.chdir(workshop)
    size = ['model.reid.encoder.backbone.base_channels=16', 'model.reid.head.in_channels=128']
    cfg = load_config(str(ROOT / f'configs/synthetic/{row}.py'), cfg_options=size if row == 'backbone' else [])
    if row == 'backbone':
        cfg.model.reid.encoder.checkpoint = None
        cfg.train_dataloader.batch_size = 8
    found = tool.estimate(cfg)
    assert found.epoch > 0 and found.test > 0 and (found.mib > 1) == (row == 'backbone')
    if row == 'backbone':
        assert 0 < seconds_a_step([cfg, cfg], steps=1)[1] < 60


def test_an_interruption_ends_what_runs_begins_nothing_more_and_goes_on_from_there(workshop, tmp_path):
    command = [sys.executable, ROOT / 'tools/reproduce.py', '--seeds', '1', '--work-dir', tmp_path]
    command += ['--rows', 'rivals/hog', 'rivals/lomo_xqda']
    env = dict(os.environ, CUDA_VISIBLE_DEVICES='', OMP_NUM_THREADS='1', PYTHONUNBUFFERED='1')
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    process = subprocess.Popen(command, cwd=workshop, env=env, **pipes)
    log = tmp_path / '0/rivals/hog/train.txt'
    while not log.is_file():  # the first row begins
        assert process.poll() is None
        time.sleep(0.1)
    second = subprocess.run(command, cwd=workshop, env=env, capture_output=True, text=True)
    assert f'another reproduce.py is at work in {tmp_path}' in second.stderr
    process.send_signal(signal.SIGTERM)  # to it alone; Ctrl-C does the same
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 143 and said.splitlines()[-1] == 'stopped; the same command goes on from here.'
    assert 'FAILED' not in said and 'Traceback' not in said
    assert not (tmp_path / '0/rivals/lomo_xqda').exists()
    assert not list(tmp_path.glob('tables.*'))
    with pytest.raises(ProcessLookupError):  # nobody is left; a loader's workers look for their parent now and then
        for _ in range(300):
            os.killpg(process.pid, 0)
            time.sleep(0.1)


def test_data_that_are_not_there_are_one_sentence_before_anything_runs(tool):
    said = tool.start('--data', 'sysu-mm01', '--rows', 'backbone')
    assert said.startswith('data/SYSU-MM01 is not there: docs/data.md') and not tool.calls
    assert tool.start('--rows', 'backbone', '--cfg-options', 'data_root=mine').startswith('mine is not there')


def test_tables_name_the_folder_of_other_data(tool, tmp_path):
    (tmp_path / 'mine').mkdir()
    assert not tool.start('--rows', 'backbone', '--seeds', '1', '--cfg-options', 'data_root=mine')
    assert (OUT / 'tables.md').read_text().startswith('Measured here on mine, ')
    assert tool.calls[-1][-1]['data_root'] == 'mine'


def test_a_row_whose_test_alone_fails_is_begun_with_all_the_same(tool):
    tool.broken = (('test.py', 'teacher_ir'),)
    assert tool.start('--rows', 'teacher_ir', 'tsgan_jd', '--seeds', '1') == 1
    assert ('test.py', 'tsgan_jd') in {call[:2] for call in tool.calls}


@pytest.mark.parametrize('row', ['../synthetic/backbone', './backbone', 'rivals/../backbone'])
def test_rows_go_by_one_name_and_are_of_this_data_set(tool, row):
    assert f'not {row}' in tool.start('--rows', row)


@pytest.mark.parametrize('folder', ['a b', 'a,b', '[a]', "a'b", '0001', 'a=b'])
def test_a_work_dir_of_any_name_reaches_the_rows_that_begin_with_what_is_there(tool, folder):
    assert not tool.start('--rows', 'teacher_ir', '--seeds', '1', '--work-dir', folder)
    options = [f'{key}={value}' for key, value in tool.calls[1][-1].items()]
    cfg = load_config(str(ROOT / 'configs/synthetic/teacher_ir.py'), cfg_options=options)
    assert cfg.model.reid.encoder.checkpoint == f'{folder}/0/pretrain'


def test_options_may_be_mended_while_nothing_has_been_trained(tool):
    tool.broken = (('train.py', 'pretrain'),)
    assert tool.start('--rows', 'backbone', '--seeds', '1', '--cfg-options', 'train_cfg.max_epochs=9') == 1
    tool.broken = ()
    assert tool.start('--rows', 'backbone', '--seeds', '1', '--cfg-options', 'train_cfg.max_epochs=10') == 0


def test_the_time_that_is_left_counts_what_is_to_be_made_alone(tool, capsys, monkeypatch):
    tool.start(*ROWS[:-1], '1')
    capsys.readouterr()
    call = tool.Campaign.call

    def slow(self, *args):
        time.sleep(0.3)
        return call(self, *args)

    monkeypatch.setattr(tool.Campaign, 'call', slow)
    monkeypatch.setattr(campaign, 'duration', lambda seconds: f'{seconds:.1f}')
    tool.start(*ROWS)  # seed 0's five are there; seed 1's take 0.3 + 0.6 + 0.3 + 0.6 + 0.6 s
    etas = [float(line.rsplit(' ', 1)[1]) for line in capsys.readouterr().out.splitlines() if 'ETA' in line]
    assert etas[5] == pytest.approx(4 * 0.3, abs=0.5) and etas[-1] == 0


def test_every_system_of_the_papers_tables_is_a_row():
    rivals = {f'rivals/{file.stem}' for file in (ROOT / 'configs/synthetic/rivals').glob('*.py')}
    assert set(TABLES['I']) == rivals | {'tsgan_jd', 'tsgan_jd_rerank'}
    assert len(rivals) == 8 and len(TABLES['II']) == 5 and len(TABLES['III']) == 2


LENGTHS = ['--rows', 'backbone', 'tsgan_jd', 'tsgan_jd_rerank', 'rivals/hog', '--seeds', '1', '--epochs', '10', '40']


def test_another_length_lies_beside_the_rows_own_and_begins_with_what_is_there(tool):
    assert not tool.start(*LENGTHS)
    trained = [(row, opts.get('train_cfg.max_epochs')) for name, row, _, opts in tool.calls if name == 'train.py']
    assert trained == [
        ('pretrain', None),
        *[('backbone', None), ('backbone', '40'), ('teacher_ir', None)],
        *[('tsgan_jd', None), ('tsgan_jd', '40'), ('hog', None)],  # HOG learns nothing, and is as long as it is
    ]
    for name, row, _, options in tool.calls:
        assert options.get('param_scheduler.1.T_max') == options.get('train_cfg.max_epochs'), (name, row)
        assert 'param_scheduler.0.end' not in options  # of iterations
    folders = {file.parent.name for file in OUT.glob('0/**/results.json')}
    assert folders == {'backbone', 'backbone_40e', 'tsgan_jd', 'tsgan_jd_40e', 'hog'}
    begun = [options['model.teacher.encoder.checkpoint'] for _, row, _, options in tool.calls if row == 'tsgan_jd']
    assert set(begun) == {str(OUT / '0/teacher_ir')}
    table = (OUT / 'tables.md').read_text().split('**Table II,')[1].split('**')[1]
    rows = [line.split(' | ')[0] for line in table.splitlines() if line.startswith('| ') and '| row' not in line]
    assert rows == ['| ' + row for row in ('backbone', 'backbone_40e', 'tsgan_jd', 'tsgan_jd_40e')] + [
        '| tsgan_jd_rerank',
        '| tsgan_jd_40e_rerank',
    ]
    assert '| tsgan_jd_40e | 1 | 0.0 | 2.0 | 3.0 | 4.0 | 49.8 / 87.3 / 93.8 / 47.4 |' in table
    assert not tool.start(*LENGTHS) and tool.calls == []
    assert not tool.start('--rows', 'tsgan_jd_40e', '--seeds', '1') and tool.calls == []  # by its name alone


def test_a_training_made_by_hand_with_the_same_options_counts(tool):
    folder = OUT / '0/backbone_40e'
    folder.mkdir(parents=True)
    (folder / 'epoch_40.pth').touch()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_40.pth'))
    assert not tool.start('--rows', 'backbone', '--seeds', '1', '--epochs', '40')
    assert [call[:2] for call in tool.calls] == [('test.py', 'backbone')]


def test_a_length_is_refused_below_one_epoch(tool):
    assert 'expected seeds, jobs and epochs from 1: not 3, 1 and [10, 0].' in tool.start('--epochs', '10', '0')


def test_several_lengths_are_a_curve_of_every_row(tool):
    tool.start(*LENGTHS[:-2], '--epochs', '40')
    assert not (OUT / 'curves.md').exists()
    tool.start(*LENGTHS)
    curves = json.loads((OUT / 'curves.json').read_text())['curves']
    assert {row: [point['iterations'] for point in points] for row, points in curves.items()} == {
        'backbone': [500, 2000],
        'tsgan_jd': [500, 2000],
        'tsgan_jd_rerank': [500, 2000],
        'rivals/hog': [1],
    }
    lines = (OUT / 'curves.md').read_text().splitlines()
    assert '| backbone | 40 | 2,000 | 1 | 0.0 / 4.0 | 0.2 / 4.2 |' in lines
    assert (OUT / 'curves.png').stat().st_size > 5000


STEPS = {'backbone': 0.1, 'tsgan_jd': 0.4, 'baseline_rgb': 0.1, 'align_gan': 1.0, 'zero_padding': 0.12}
EQUAL = ['--rows', 'backbone', 'rivals/align_gan', 'rivals/hog', '--seeds', '1', '--equal-time', 'tsgan_jd']


@pytest.fixture
def timed(tool, monkeypatch):
    """The tool, with made-up times; `timed.rows` are the rows that were timed, `timed.speed` is the machine's."""
    tool.rows, tool.speed = [], 1.0

    def steps(self, rows):
        tool.rows.append(list(rows))
        return [STEPS[Path(row).name] / tool.speed for row in rows]

    def costs(self, rows):
        images = {'rgb': ImageCost((96, 48), 2_880_000, 10**9, 40.0), 'ir': ImageCost((96, 48), 2_880_000, 10**9, 41.0)}
        return {(row, modality): cost for row in rows for modality, cost in images.items()}

    monkeypatch.setattr(tool.StepTimes, 'steps', steps)
    monkeypatch.setattr(tool.StepTimes, 'costs', costs)
    return tool


def test_each_row_is_trained_for_as_many_images_and_for_as_long_as_one_of_them(timed):
    assert not timed.start(*EQUAL)
    # tsgan_jd: 10 x 50 steps of 32 images and 0.4 s: 200 s. AlignGAN reads 64 images a step, 1 s each
    folders = {file.parent.name for file in OUT.glob('0/**/results.json')}
    assert folders == {'backbone', 'backbone_40e', 'align_gan_5e', 'align_gan_4e', 'hog', 'tsgan_jd'}
    content = json.loads((OUT / 'equal_time.json').read_text())
    entries = {entry['row']: entry for entry in content['rows']}
    assert entries['rivals/align_gan']['equal_images']['images'] == 5 * 50 * 64
    assert entries['rivals/align_gan']['equal_time']['seconds'] == 4 * 50
    assert entries['backbone']['equal_time']['iterations'] == 2000
    lines = (OUT / 'equal_time.md').read_text().splitlines()
    assert 'the 16,000 that tsgan_jd reads in 10 epochs' in lines[0] and '0:03:20 that its 500 steps' in lines[0]
    one = '1 | 0.0 / 4.0 | 0.2 / 4.2'
    assert f'| backbone | 0.100 | 10 | 500 | {one} | 40 | 2,000 | {one} | 2.88 | 1.000 | 40 / 41 |' in lines
    assert f'| rivals/hog | - | 1 | 1 | {one} | 1 | 1 | {one} | 2.88 | 1.000 | 40 / 41 |' in lines
    assert lines[3].startswith('| row | s a step | equal images: epochs | steps | seeds | all-search, single-shot |')
    assert '| rivals/align_gan_4e |' in (OUT / 'tables.md').read_text()


def test_lengths_once_measured_stay_whatever_the_machine_does_then(timed):
    timed.start(*EQUAL)
    timed.speed = 0.5
    assert not timed.start(*EQUAL) and timed.calls == [] and len(timed.rows) == 1
    timed.start(*EQUAL[:2], 'rivals/zero_padding', *EQUAL[4:])
    assert timed.rows[1] == ['tsgan_jd', 'rivals/zero_padding']  # beside one that is known
    kept = json.loads((OUT / 'step_times.json').read_text())['rows']
    assert kept['rivals/zero_padding']['seconds'] == pytest.approx(0.12)
    assert (OUT / '0/rivals/zero_padding_33e').is_dir()  # 200 s / (50 x 0.12 s)


def test_times_of_another_machine_are_not_mixed_with_this_ones(timed, monkeypatch):
    timed.start(*EQUAL)
    monkeypatch.setattr('tsgan.experiments.step_times.machine_name', lambda: 'another')
    assert not timed.start(*EQUAL)  # resumed: nothing is to be timed
    said = timed.start(*EQUAL[:2], 'baseline_rgb', *EQUAL[4:])
    assert 'step_times.json was measured on ' in said and 'and baseline_rgb would be on another, 1 threads' in said
    (OUT / 'step_times.json').write_text('[]')
    assert 'holds no times of steps: remove it' in timed.start(*EQUAL)


def test_a_plan_at_equal_time_keeps_no_times(timed, monkeypatch, capsys):
    monkeypatch.setattr(timed, 'estimate', lambda cfg: Estimate(epoch=6.0, test=20.0, mib=12.0))
    assert not timed.start(*EQUAL, '--dry-run')
    assert not OUT.exists() and timed.calls == []
    lines = capsys.readouterr().out.splitlines()
    assert '| 0 | backbone_40e | to train | 0:04:20 | 12 MiB |' in lines


def test_a_row_whose_time_its_steps_do_not_tell_is_compared_at_equal_images_alone(timed):
    assert not timed.start('--rows', 'modern/adca', '--seeds', '1', '--equal-time', 'tsgan_jd')
    assert {file.parent.name for file in OUT.glob('0/**/results.json')} == {'adca_5e', 'tsgan_jd'}
    assert timed.rows == [['tsgan_jd']]
    half = '5 | 250 | 1 | 0.0 / 4.0 | 0.2 / 4.2'
    text = (OUT / 'equal_time.md').read_text()
    assert f'| modern/adca | - | {half} | - | - | - | - | - | 2.88 | 1.000 | 40 / 41 |' in text
    assert '**Methods since 2021, and all before: all-search, single-shot**' in (OUT / 'tables.md').read_text()


def test_a_row_is_trained_for_one_epoch_at_least(timed):
    timed.start('--rows', 'rivals/align_gan', '--seeds', '1', '--equal-time', 'backbone')
    assert (OUT / '0/rivals/align_gan_1e').is_dir()


@pytest.mark.parametrize(
    ('row', 'said'),
    [
        ('rivals/hog', 'rivals/hog is not trained in steps alone'),
        ('modern/pgm', 'modern/pgm is not trained in steps alone'),
        ('rivals/*_stream', '--equal-time takes one row, and rivals/*_stream means rivals/one_stream, rivals/two_'),
        ('nobody', 'not nobody'),
    ],
)
def test_what_has_no_time_to_share_is_refused(timed, row, said):
    assert said in timed.start('--rows', 'backbone', '--equal-time', row) and not timed.calls


def test_patterns_mean_all_rows_that_they_match(tool):
    assert not tool.start('--rows', 'rivals/*_stream', 'backbone', '--seeds', '1')
    assert [row for name, row, *_ in tool.calls if name == 'test.py'] == ['one_stream', 'two_stream', 'backbone']
    assert 'not rivals/*_streams' in tool.start('--rows', 'rivals/*_streams')
