"""tools/extract.py, and that its features are those of tools/test.py."""

import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import run

from tsgan.apis import ReIDInferencer

TOOL = Path(__file__).parents[2] / 'tools/extract.py'


@pytest.fixture(scope='module')
def trained(pretrained, workshop, test):
    """The config and the work dir of a training, and the features that a test of it writes."""
    work_dir = workshop / 'work_dirs/synthetic/pretrain'
    test('pretrain', work_dir, '--out', 'tested.npz')
    return work_dir / 'pretrain.py', work_dir, dict(np.load(workshop / 'tested.npz'))


def extract(*arguments, cwd, fails=False, anew=False):
    return run([sys.executable, TOOL, *arguments], cwd, fails, anew)


def test_features_are_those_that_a_test_of_the_same_images_writes(trained, workshop):
    config, work_dir, tested = trained
    said = extract(
        *('data/synthetic/cam?', '--model', config, '--weights', work_dir, '--out', 'new/all.npz', '--batch-size', 7),
        cwd=workshop,
        anew=True,
    )
    found = np.load(workshop / 'new/all.npz')
    at = {path.removeprefix('data/synthetic/'): row for row, path in enumerate(found['paths'].tolist())}
    sides = [side for side in ('query', 'gallery') if len(tested[f'{side}_feats'])]
    assert sides and sum(len(tested[f'{side}_feats']) for side in sides) > 10
    for side in sides:
        rows = [at[path] for path in tested[f'{side}_paths'].tolist()]
        feats = tested[f'{side}_feats'] / np.linalg.norm(tested[f'{side}_feats'], axis=1, keepdims=True)
        assert np.abs(found['feats'][rows] - feats).max() < 1e-6
        for key in ('pids', 'camids'):
            assert found[key][rows].tolist() == tested[f'{side}_{key}'].tolist()
        assert set(found['modalities'][rows]) == {'ir' if side == 'query' else 'rgb'}
    assert found['identities'][0] == '0001' and not list(workshop.glob('new/*.unfinished'))
    assert f'{len(found["feats"])} features of length 128 in new/all.npz' in said.text
    reid = ReIDInferencer(config, work_dir, 'cpu')
    assert (found['model'], found['fingerprint']) == (str(config), reid.fingerprint)


def test_what_is_not_known_is_minus_one_or_nothing(trained, workshop, tmp_path):
    config, work_dir, _ = trained
    image = sorted(workshop.glob('data/synthetic/cam1/*/*.jpg'))[0].read_bytes()
    for name in ('1.jpg', 'Zoe/1.jpg', 'anna/1.jpg', 'rgb/camera 12/anna/1.jpg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(image)
    (tmp_path / 'text.png').write_text('no image')
    arguments = ('--model', config, '--weights', work_dir, '--modality', 'ir', '--out', 'a.npz')
    said = extract('.', *arguments, cwd=tmp_path, anew=True)  # as pytest catches what is logged in a fork of it
    found = np.load(tmp_path / 'a.npz')
    assert found['paths'].tolist() == ['./1.jpg', './Zoe/1.jpg', './anna/1.jpg', './rgb/camera 12/anna/1.jpg']
    assert found['identities'].tolist() == ['', 'Zoe', 'anna', 'anna']
    assert found['pids'].tolist() == [-1, 0, 1, 1]
    assert found['camids'].tolist() == [-1, -1, -1, 12]
    assert found['modalities'].tolist() == ['ir'] * 4
    assert '1 of 5 images could not be read' in said.text and './text.png: it is no image' in said.text


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['nothing/'], 'error: no image at nothing/: expected a folder'),
        (['empty'], 'error: empty holds no image: expected files such as .jpg'),
        (['text.png'], 'error: none of 1 images can be read; the first one, text.png: it is no image'),
        (['text.png', '--model', 'tsgan_jd'], 'error: no model is called tsgan_jd: there is '),
        (
            ['text.png', '--model', 'hog_sysu-mm01', '--weights', 'text.png'],
            'error: text.png cannot be read as weights',
        ),
        (['text.png', '--out', 'text.png/a.npz'], 'error: '),
        (['text.png', '--out', 'empty'], 'error: empty is a folder: expected the name of a file to write.'),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(tmp_path, arguments, said):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.png').write_text('no image')
    model = [] if '--model' in arguments else ['--model', 'hog_sysu-mm01']
    out = [] if '--out' in arguments else ['--out', 'a.npz']
    assert extract(*arguments, *model, *out, cwd=tmp_path, fails=True).error.startswith(said)
    assert sorted(file.name for file in tmp_path.iterdir()) == ['empty', 'text.png']
