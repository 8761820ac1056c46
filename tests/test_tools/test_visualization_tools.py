"""What draws, run as a user runs it: on a small test run, and on the small models of the workshop."""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_lines import run
from mmengine import Config
from small_options import STUDENT, TSGAN
from small_test_run import write_test_run

REPO = Path(__file__).parents[2]
CONFIGS = REPO / 'configs/synthetic'
PROTOCOL = ['--protocol', 'sysu-mm01', '--gallery-sampling', 'agw', '--trials', '2']


@pytest.fixture(scope='module')
def test_run(tmp_path_factory):
    return write_test_run(tmp_path_factory.mktemp('test_run'))


@pytest.fixture
def tool(tmp_path):
    """Runs ``tools/<name>.py`` in an empty folder."""

    def start(name, *args, fails=False, anew=False, cwd=None):
        done = run([sys.executable, REPO / f'tools/{name}.py', *args], cwd or tmp_path, fails, anew)
        if fails:
            assert 'Traceback' not in done.text and done.error.startswith('error: ')
            assert not list(tmp_path.iterdir())
        return done

    return start


def size(file):
    return cv2.imread(str(file)).shape[:2]


def test_ranked_lists_of_features(tool, test_run, tmp_path):
    features = [test_run.run / 'features.npz', *PROTOCOL, '--root', test_run.data]
    done = tool('visualization/vis_ranking', *features, '--topk', 3, anew=True)
    assert 'ranked_list.jpg: 4 queries of all_single, trial 1' in done.text
    tool('visualization/vis_ranking', *features, '--queries', 'random', '--number', 2, '--topk', 3, '--out', 'a/2.png')
    named = ['--queries', '0', 'cam6/0004/0001.png', '--topk', 5, '--rerank', '--modes', 'indoor']
    done = tool('visualization/vis_ranking', *features, *named, '--out', 'named.png')
    assert '2 queries of indoor_single, re-ranked' in done.text
    (four, three), (two, same), (again, five) = map(
        size, [tmp_path / n for n in ('ranked_list.jpg', 'a/2.png', 'named.png')]
    )
    assert two == again < four and same == three < five


def test_t_sne_of_features(tool, test_run, tmp_path):
    tool('visualization/vis_tsne', test_run.run / 'features.npz', '--identities', 4, '--out', 't.svg', anew=True)
    assert (tmp_path / 't.svg').read_text().startswith('<?xml')


def test_a_report_is_one_file(tool, test_run, tmp_path):
    done = tool('analysis_tools/report', test_run.run, '--queries', 3, '--out', 'deep/report.html', anew=True)
    assert 'deep/report.html: ' in done.text
    assert (tmp_path / 'deep/report.html').read_text().count('<article') == 3
    assert [file.name for file in (tmp_path / 'deep').iterdir()] == ['report.html']


def test_a_batch_is_drawn_as_the_sampler_gives_it(tool, workshop, tmp_path):
    data = ['--cfg-options', f'data_root={workshop}/data/synthetic', 'train_dataloader.batch_size=8']
    tool('visualization/browse_dataset', CONFIGS / 'tsgan_jd.py', '--out', 'one.jpg', *data, anew=True)
    tool('visualization/browse_dataset', CONFIGS / 'teacher_ir.py', '--batches', 2, '--out', 'some', *data)
    assert sorted(path.name for path in (tmp_path / 'some').iterdir()) == ['batch_1.jpg', 'batch_2.jpg']
    assert size(tmp_path / 'one.jpg')[0] > 1.8 * size(tmp_path / 'some/batch_1.jpg')[0]  # four rows, and two


def test_a_config_is_printed_whole(tool, tmp_path):
    option = ['--cfg-options', 'model.loss_cyc.loss_weight=3.5']
    printed = tool('misc/print_config', CONFIGS / 'tsgan_jd.py', *option, anew=True).text
    tool('misc/print_config', CONFIGS / 'tsgan_jd.py', *option, '--out', 'whole.py')
    whole = Config.fromfile(tmp_path / 'whole.py')
    assert printed.strip() == (tmp_path / 'whole.py').read_text().strip()
    assert whole.model.loss_cyc.loss_weight == 3.5 and whole.work_dir == 'work_dirs/synthetic/tsgan_jd'
    assert whole.model.type == 'TSGAN' and whole.train_cfg  # of its bases


@pytest.mark.slow
def test_trained_models_are_drawn(tool, tsgan, workshop, tmp_path):
    """Curves, translations of test images and of files, ranked lists of a config and a checkpoint."""
    curves = tool('visualization/plot_log', tsgan, workshop / 'work_dirs/synthetic/teacher_ir', anew=True)
    assert 'curves.png: tsgan_jd, teacher_ir' in curves.text
    tool('visualization/plot_log', tsgan, '--keys', 'reid/loss_*', '--out', 'reid.svg')
    assert size(tmp_path / 'curves.png')[0] > 800 and (tmp_path / 'reid.svg').stat().st_size

    options = ['--cfg-options', *STUDENT, *TSGAN]
    model = [CONFIGS / 'tsgan_jd.py', tsgan]
    drawn = ['--number', 2, '--out', tmp_path / 'pairs.png', *options]
    assert 'pairs.png: 4 images' in tool('visualization/vis_translation', *model, *drawn, cwd=workshop, anew=True).text
    image = workshop / 'data/synthetic/cam3/0010/0001.jpg'
    tool('visualization/vis_translation', *model, '--ir', image, '--out', 'one.png', *options)
    assert size(tmp_path / 'one.png')[0] < 0.6 * size(tmp_path / 'pairs.png')[0]

    options += [f'work_dir={tmp_path}/work', 'test_dataloader.num_workers=0']
    tool('visualization/vis_ranking', *model, '--number', 2, '--out', tmp_path / 'r.png', *options, cwd=workshop)
    assert size(tmp_path / 'r.png')


FEATURES, NPZ = 'visualization/vis_ranking', 'features.npz'


@pytest.mark.parametrize(
    ('name', 'arguments', 'said'),
    [
        (FEATURES, [NPZ], '--protocol: expected one of sysu-mm01'),
        (FEATURES, [NPZ, *PROTOCOL], 'there is no image cam3/'),
        (FEATURES, [NPZ, 'x.pth', *PROTOCOL], 'features.npz is no config file'),
        (FEATURES, [NPZ, *PROTOCOL, '--out', 'x.gif'], 'x.gif: expected a name that ends with one of .jpg'),
        (FEATURES, [NPZ, *PROTOCOL, '--topk', '0'], 'expected at least 1'),
        (FEATURES, ['nothing.npz', *PROTOCOL], 'nothing.npz'),
        (FEATURES, ['mine.py'], 'expected a checkpoint behind the config'),
        (FEATURES, ['mine.py', 'x.pth', *PROTOCOL], '--protocol is for a features file'),
        ('visualization/vis_tsne', [NPZ, '--out', 'x.txt'], 'x.txt: expected a name that ends with'),
        ('visualization/vis_tsne', ['mine.py'], 'mine.py is no NPZ file'),
        ('visualization/plot_log', ['.'], 'expected the work dir of a training'),
        ('visualization/browse_dataset', [CONFIGS / 'tsgan_jd.py', '--batches', '2'], 'batch.jpg is one file'),
        ('visualization/browse_dataset', [CONFIGS / 'tsgan_jd.py'], 'data/synthetic is no folder'),
        ('visualization/vis_translation', ['no-such-model'], 'no model is called no-such-model'),
        ('visualization/vis_translation', ['no-such-model', '--number', '0'], '--number 0: expected at least 1'),
        ('visualization/vis_translation', ['nothing.py', 'x.pth'], 'no config file at nothing.py'),
        ('analysis_tools/report', ['.', '--queries', '0'], 'expected at least one'),
        ('analysis_tools/report', ['nowhere'], 'test a model there first'),
        ('misc/print_config', [CONFIGS / 'tsgan_jd.py', '--cfg-options', 'modle.x=1'], 'modle.x: the config has no'),
        ('misc/print_config', [CONFIGS / 'tsgan_jd.py', '--out', 'x.txt'], 'x.txt: expected a name that ends with .py'),
    ],
)
def test_bad_input_is_one_sentence(tool, test_run, tmp_path_factory, name, arguments, said):
    folder = tmp_path_factory.mktemp('files')
    for file in (NPZ, 'mine.py'):
        shutil.copy(test_run.run / file, folder)
    assert said in tool(name, *arguments, fails=True, cwd=folder).error
    assert sorted(file.name for file in folder.iterdir()) == [NPZ, 'mine.py']


def test_keys_that_nothing_is_called_are_answered_with_what_is_there(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp('run') / '1/vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('{"reid/loss_id": 1.0, "step": 50}\n')
    done = tool('visualization/plot_log', folder.parents[1], '--keys', 'gan/*', fails=True)
    assert 'called gan/*; there are reid/loss_id.' in done.error


def test_a_picture_replaces_another_at_one_stroke(tmp_path):
    from tsgan.visualization.files import save_picture

    for value in (10, 250):
        save_picture(tmp_path / 'a.png', np.full((4, 4, 3), value, np.uint8))
        assert cv2.imread(str(tmp_path / 'a.png')).mean() == value
    assert [file.name for file in tmp_path.iterdir()] == ['a.png']
