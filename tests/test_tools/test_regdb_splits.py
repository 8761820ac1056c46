"""tools/regdb_splits.py: for real with two splits of the small RegDB, and its decisions with trainings made up."""

import json
import os
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from scripts import load

from tsgan.datasets import RegDB

REPO = Path(__file__).parents[2]
METRICS = ('R1', 'R5', 'R10', 'R20', 'mAP', 'mINP')


@pytest.fixture(scope='module')
def done(regdb_splits, regdb_shop):
    """What the first call says; its work dirs are in the shop."""
    return regdb_splits('tsgan_jd', anew=True).text


@pytest.fixture
def work_dirs(regdb_shop):
    return regdb_shop / 'work_dirs/regdb'


def read(file):
    return json.loads(file.read_text())


def checkpoints(work_dirs):
    return {path: path.stat().st_mtime_ns for path in work_dirs.rglob('*.pth')}


def test_each_split_trains_on_its_own_people_after_its_own_teacher(done, work_dirs, regdb_shop, regdb_people):
    for split in (1, 2):
        for name in ('teacher_ir', 'tsgan_jd'):
            cfg = Config.fromfile(work_dirs / name / f'split_{split}' / f'{name}.py')
            for loader, subset in (('train_dataloader', 'train'), ('test_dataloader', 'test')):
                dataset = cfg[loader].dataset
                dataset = RegDB(regdb_shop / dataset.data_root, dataset.split, dataset.subset, test_mode=True)
                people = {int(Path(path).parent.name) for path in dataset.column('img_path')}
                assert people == set(regdb_people[split][subset])
        assert f'encoder of work_dirs/regdb/teacher_ir/split_{split}/epoch_1.pth' in done
    assert len(checkpoints(work_dirs)) == 4


def test_it_says_which_split_it_is_at_and_how_long_the_rest_takes(done):
    lines = done.splitlines()
    assert 'configs/regdb/tsgan_jd.py: 0 of 2 splits are there' in lines
    assert 'split 1: 1 of 2 to do' in lines
    assert any(line.startswith('split 2: 2 of 2 to do, ETA 0:0') for line in lines)


def test_the_result_is_the_mean_of_the_splits_results(done, work_dirs):
    means = read(work_dirs / 'tsgan_jd/results.json')
    splits = [read(work_dirs / f'tsgan_jd/split_{split}/results.json') for split in (1, 2)]
    assert [split['about']['split'] for split in splits] == means['about']['split'] == [1, 2]
    assert [split['about']['checkpoint'] for split in splits] == means['about']['checkpoint']
    assert {'ir_to_rgb', 'rgb_to_ir'} <= set(means)
    for name in ('ir_to_rgb', 'rgb_to_ir'):
        for key in METRICS:
            a, b = (split[name][key] for split in splits)
            assert means[name][key] == pytest.approx((a + b) / 2)
            assert means[name][f'{key}_std'] == pytest.approx(abs(a - b) / 2)
        assert (means[name]['num_trials'], means[name]['sampling']) == (2, 'splits')
        printed = [line for line in done.splitlines() if line.startswith(name) and 'splits x2' in line]
        assert len(printed) == 1 and f'{means[name]["mAP"]:8.2f}' in printed[0]


@pytest.mark.slow
def test_a_second_call_trains_and_tests_nothing_and_reranking_is_tested_once_more(
    done, regdb_splits, work_dirs, tmp_path
):
    before, means = checkpoints(work_dirs), read(work_dirs / 'tsgan_jd/results.json')
    again = regdb_splits('tsgan_jd', '--json', tmp_path / 'again.json').text
    assert '2 of 2 splits are there' in again and 'Epoch(' not in again
    assert read(tmp_path / 'again.json') == means
    reranked = regdb_splits('tsgan_jd', '--rerank').text
    assert 'Epoch(train)' not in reranked and reranked.count('Epoch(test) [1/1]    ir_to_rgb') == 2
    found = read(work_dirs / 'tsgan_jd/results.json')
    assert set(found) == {'ir_to_rgb', 'rgb_to_ir', 'ir_to_rgb_rerank', 'rgb_to_ir_rerank', 'about'}
    assert found['ir_to_rgb'] == means['ir_to_rgb'] and found['about']['rerank'] is True
    assert checkpoints(work_dirs) == before


def test_a_training_that_fails_ends_it_with_its_own_words(regdb_splits):
    failed = regdb_splits('backbone', options=['data_root=nowhere'], fails=True)
    assert 'nowhere is no folder: expected the root of a RegDB' in failed.text
    assert 'split=1 failed, as said above; the same command goes on from here.' in failed.error


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The tool as a module, whose trainings and tests only leave the files of real ones; `tool.calls` lists them."""
    module = load('tools/regdb_splits.py')
    module.calls = []

    def call(name, config, *arguments):
        arguments = [str(argument) for argument in arguments]
        work_dir = Path(arguments[arguments.index('--work-dir') + 1])
        options = arguments[arguments.index('--cfg-options') + 1 :]
        module.calls.append((name, config, str(work_dir), '--resume' in arguments, options))
        if name == 'train.py':
            finish(work_dir)
        else:
            row = {key: 50.0 for metric in METRICS for key in (metric, f'{metric}_std')}
            row |= {'num_queries': 1, 'num_gallery': 1, 'num_trials': 1, 'sampling': 'all images', 'reranked': False}
            about = {'rerank': '--rerank' in arguments, 'checkpoint': arguments[0]}
            (work_dir / 'results.json').write_text(json.dumps({'ir_to_rgb': row, 'about': about}))

    def main(*arguments):
        module.calls.clear()
        monkeypatch.setattr(sys, 'argv', ['regdb_splits.py', *arguments])
        module.main()
        return [(name, config, work_dir) for name, config, work_dir, *_ in module.calls]

    monkeypatch.setattr(module, 'call', call)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').symlink_to(REPO / 'configs')
    module.start = main
    return module


def finish(work_dir, epoch=120):
    """Leave what a training leaves that has come to this epoch."""
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    for old in work_dir.glob('*.pth'):
        old.unlink()
    (work_dir / f'epoch_{epoch}.pth').touch()
    (work_dir / 'last_checkpoint').write_text(f'/where/it/was/trained/epoch_{epoch}.pth')


BACKBONE, TSGAN, TEACHER = (f'configs/regdb/{name}.py' for name in ('backbone', 'tsgan_jd', 'teacher_ir'))


def test_all_ten_splits_are_the_default(tool):
    expected = []
    for split in range(1, 11):
        where = f'work_dirs/regdb/backbone/split_{split}'
        expected += [('train.py', BACKBONE, where), ('test.py', BACKBONE, where)]
    assert tool.start(BACKBONE) == expected
    assert read(Path('work_dirs/regdb/backbone/results.json'))['ir_to_rgb']['num_trials'] == 10
    assert tool.start(BACKBONE) == []


def test_a_split_is_taken_up_where_it_was_left(tool):
    finish('work_dirs/regdb/tsgan_jd/split_1')
    finish('work_dirs/regdb/teacher_ir/split_2')
    finish('work_dirs/regdb/tsgan_jd/split_2', epoch=7)
    finish('work_dirs/regdb/teacher_ir/split_3', epoch=7)
    where = 'work_dirs/regdb/{}/split_{}'.format
    assert tool.start(TSGAN, '--splits', '1', '2', '3') == [
        ('test.py', TSGAN, where('tsgan_jd', 1)),
        ('train.py', TSGAN, where('tsgan_jd', 2)),
        ('test.py', TSGAN, where('tsgan_jd', 2)),
        ('train.py', TEACHER, where('teacher_ir', 3)),
        ('train.py', TSGAN, where('tsgan_jd', 3)),
        ('test.py', TSGAN, where('tsgan_jd', 3)),
    ]
    assert all(resumed for name, *_, resumed, _ in tool.calls if name == 'train.py')
    assert [options for *_, options in tool.calls[-3:]] == [['split=3', 'split=3'], ['split=3'], ['split=3']]


def test_a_checkpoint_that_was_cut_off_while_it_was_written_is_no_finished_training(tool):
    finish('work_dirs/regdb/backbone/split_1')
    Path('work_dirs/regdb/backbone/split_1/last_checkpoint').write_text('epoch_119.pth')
    assert [name for name, *_ in tool.start(BACKBONE, '--splits', '1')] == ['train.py', 'test.py']


def test_results_older_than_the_checkpoint_and_those_of_another_are_made_anew(tool):
    tool.start(BACKBONE, '--splits', '1')
    results = Path('work_dirs/regdb/backbone/split_1/results.json')
    os.utime(results.with_name('epoch_120.pth'), (results.stat().st_mtime + 1,) * 2)
    assert [name for name, *_ in tool.start(BACKBONE, '--splits', '1')] == ['test.py']
    os.utime(results.with_name('epoch_120.pth'), (0, 0))
    assert tool.start(BACKBONE, '--splits', '1') == []
    results.write_text(results.read_text().replace('epoch_120', 'epoch_60'))
    assert [name for name, *_ in tool.start(BACKBONE, '--splits', '1')] == ['test.py']


def test_a_teacher_that_is_named_as_a_file_is_not_trained(tool):
    options = ['--cfg-options', 'model.teacher.encoder.checkpoint=mine.pth']
    assert [config for _, config, _ in tool.start(TSGAN, '--splits', '4', *options)] == [TSGAN, TSGAN]


def test_work_dir_json_and_options_go_where_they_belong(tool):
    options = ['data_root=DIR', 'model.reid.head.bn_neck=True', 'model.gan_weight=1']
    options += ['optim_wrapper.generators.accumulative_counts=2', 'optim_wrapper.reid.accumulative_counts=2']
    options += ['model.teacher.encoder.checkpoint=teachers']
    tool.start(TSGAN, '--splits', '2', '--work-dir', 'mine', '--json', 'means.json', '--cfg-options', *options)
    teacher, *own = tool.calls
    common = [option for option in options if not any(part in option for part in ('gan_', 'generators', 'teacher'))]
    assert teacher == ('train.py', TEACHER, 'teachers', True, ['split=2', *common, 'split=2'])
    assert [(work_dir, options) for _, _, work_dir, _, options in own] == [('mine/split_2', [*options, 'split=2'])] * 2
    assert read(Path('means.json'))['about']['checkpoint'] == ['mine/split_2/epoch_120.pth']


def test_a_training_of_another_length_is_refused_in_one_sentence(tool):
    with pytest.raises(
        SystemExit, match='backbone/split_1 has no epoch_60.pth as its last checkpoint: expected a train'
    ):
        tool.start(BACKBONE, '--splits', '1', '--cfg-options', 'train_cfg.max_epochs=60')


@pytest.mark.parametrize('config', ['configs/backbone.py', 'configs/llcm/backbone.py'])
def test_a_config_without_splits_is_refused_in_one_sentence(tool, config):
    with pytest.raises(ValueError, match=f'^{config} has no `split`: expected a config on RegDB, such as'):
        tool.start(config)


def test_an_eleventh_split_is_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.start(BACKBONE, '--splits', '11')
    assert 'invalid choice: 11' in capsys.readouterr().err
