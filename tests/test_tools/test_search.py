"""tools/search.py with a network that is made of pixels: folders in, a table, a file and pictures out."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tsgan import command_line
from tsgan.apis import Gallery, inferencer
from tsgan.evaluation.calibration import Calibration

REPO = Path(__file__).parents[2]


class Pixels:
    """A network: an image's pixels, gray, so that the infrared picture of a scene is like its colour picture."""

    name, fingerprint, dim, size, needs_modality, value_range = 'pixels', 'c3' * 32, 32, (8, 4), False, {}
    images = 0

    def __call__(self, images, is_rgb):
        Pixels.images += len(images)
        return images.mean(axis=3).reshape(len(images), -1).astype(np.float32) - 120


@pytest.fixture
def search(monkeypatch, tmp_path, capsys):
    """Runs the tool in this process: ``search('query/', '--gallery', 'photos')`` gives its code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(inferencer, 'make_network', lambda *_: Pixels())
    monkeypatch.setattr(command_line.signal, 'signal', lambda *_: None)
    Pixels.images = 0

    def start(*arguments):
        monkeypatch.setattr(sys, 'argv', ['search.py', *map(str, arguments)])
        code = 0
        try:
            runpy.run_path(str(REPO / 'tools/search.py'), run_name='__main__')
        except SystemExit as stop:
            code = stop.code
        return code, *capsys.readouterr()

    return start


@pytest.fixture
def loose(search):
    """Loose infrared pictures in dark/, colour pictures of the same six scenes in day/, no identities anywhere."""
    draws = np.random.default_rng(0)
    for folder in ('dark', 'day'):
        Path(folder).mkdir()
    for number in range(6):
        scene = draws.integers(30, 220, (16, 8, 1))
        cv2.imwrite(
            f'dark/{number}.png', np.clip(scene + draws.normal(0, 4, scene.shape), 0, 255)[..., 0].astype(np.uint8)
        )
        colour = scene + np.array([-20, 0, 20])
        cv2.imwrite(f'day/{number}.png', np.clip(colour, 0, 255).astype(np.uint8))


def test_loose_infrared_pictures_are_searched_in_loose_colour_pictures(search, loose):
    code, out, err = search('dark', '--gallery', 'day', '--topk', 3, '--json', 'out/hits.json', '--show-dir', 'shown')
    assert code == 0, err
    found = json.loads(Path('out/hits.json').read_text())
    assert [entry['query'] for entry in found] == [f'dark/{number}.png' for number in range(6)]
    for number, entry in enumerate(found):
        best = entry['hits'][0]
        assert list(best) == ['path', 'score', 'identity', 'camera', 'modality'] and len(entry['hits']) == 3
        assert best['path'] == f'day/{number}.png' and best['score'] > 0.9
        assert (best['identity'], best['camera'], best['modality']) == (None, None, 'rgb')
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ['query', 'rank', 'score', 'path'] and len(lines) == 1 + 18 + 1
    assert lines[1][:2] == ['dark/0.png', '1'] and lines[1][3] == 'day/0.png'
    pictures = sorted(Path('shown').iterdir())
    assert len(pictures) == 6 and (cv2.imread(str(pictures[0])) == 170).all(axis=2).any(), 'gray borders: unknown'


def test_the_same_gallery_is_not_made_twice(search, loose):
    _, first, err = search('dark', '--gallery', 'day')
    assert 'gallery: day.c3c3c3c3.gallery, 6 images' in err and Pixels.images == 12
    _, again, err = search('dark', '--gallery', 'day')
    assert again == first and Pixels.images == 18
    shutil.copy('day/0.png', 'day/7.png')
    assert search('dark/0.png', '--gallery', 'day')[0] == 0 and Pixels.images == 20
    assert (
        search('dark/0.png', '--gallery', 'day', '--cache', 'kept')[0] == 0 and len(list(Path('kept').iterdir())) == 1
    )


def test_options_are_those_of_a_gallery(search, loose):
    for number in range(6):
        folder = Path(f'people/rgb/cam{1 + number % 2}/p{number // 2}')
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(f'day/{number}.png', folder)
    reid = inferencer.ReIDInferencer()
    gallery = Gallery.build(reid, 'people')
    gallery.save('my.gallery')
    feats = reid.extract('dark')
    for options, asked in [
        ([], {}),
        (['--topk', 2, '--camera', 'cam2'], dict(topk=2, camera='cam2')),
        (['--group-by', 'identity'], dict(group_by='identity')),
        (['--rerank', '--threshold', '0.4'], dict(rerank=True, threshold=0.4)),
        (['--modality', 'rgb', '--engine', 'hnsw'], dict(modality='rgb')),
    ]:
        code, out, err = search('dark', '--gallery', 'my.gallery', '--json', 'hits.json', *options)
        assert code == 0, err
        assert ('recall' in out) == ('hnsw' in options)
        found = [[hit['path'] for hit in entry['hits']] for entry in json.loads(Path('hits.json').read_text())]
        assert found == [[hit['path'] for hit in hits] for hits in gallery.search(feats, **asked)]
    assert out.startswith('recall@10 of hnsw against flat, 6 queries: 1.0000\n') and '(p0, cam1)' in out
    code, out, _ = search('dark', '--gallery', 'my.gallery', '--pool', 'best', '--json', 'hits.json')
    (entry,) = json.loads(Path('hits.json').read_text())
    assert [hit['path'] for hit in entry['hits']] == [hit['path'] for hit in gallery.search(feats, pool='best')]
    assert len(entry['query']) == 6 and '6 images' in out
    _, out, _ = search('dark/0.png', '--gallery', 'my.gallery', '--modality', 'ir')
    assert 'nothing found' in out
    code, _, err = search('dark/0.png', '--gallery', 'my.gallery', '--camera', 'cam1', 'cam7')
    assert code == 2 and err.endswith(
        '--camera cam7: no image of the gallery is of that camera; expected one of cam1, cam2.\n'
    )
    code, _, err = search('dark/0.png', '--gallery', 'day', '--camera', 'cam1')
    assert code == 2 and err.endswith('is of that camera; of none is the camera known.\n')


@pytest.fixture(scope='module')
def calibration(tmp_path_factory):
    """A file, of this network's scores of 40 people: two pictures of each in either modality."""
    draws = np.random.default_rng(0)
    people = np.repeat(draws.standard_normal((40, 32)), 4, axis=0)
    feats, pids = people + 0.6 * draws.standard_normal(people.shape), np.repeat(np.arange(40), 4)
    modalities, camids = np.tile(['rgb', 'ir', 'rgb', 'ir'], 40), np.tile([1, 3, 2, 4], 40)
    file = tmp_path_factory.mktemp('calibration') / 'pixels.json'
    Calibration.fit(feats, pids, camids, modalities, model='pixels', fingerprint='c3' * 32).save(file)
    return file


def test_with_a_calibration_hits_have_probabilities_and_each_list_ends_with_nobody(search, loose, calibration):
    arguments = [
        'dark',
        '--gallery',
        'day',
        '--topk',
        3,
        '--calibration',
        calibration,
        '--level',
        0.9,
        '--enrolled',
        0.8,
    ]
    code, out, err = search(*arguments, '--json', 'hits.json', '--show-dir', 'shown')
    assert code == 0, err
    reid = inferencer.ReIDInferencer()
    how = dict(queries=[{'modality': 'ir'}] * 6, calibration=calibration, level=0.9, enrolled=0.8)
    lists = Gallery.build(reid, 'day').search(reid.extract('dark'), 3, **how)
    lines = out.splitlines()
    assert lines[0].split() == ['query', 'rank', 'score', 'probability', 'path'] and len(lines) == 1 + 6 * 4 + 4
    for number, entry in enumerate(json.loads(Path('hits.json').read_text())):
        *hits, nobody = lists[number]
        assert entry['hits'] == [{name: hit[name] for name in entry['hits'][0]} for hit in hits]
        assert list(entry['hits'][0])[-2:] == ['probability', 'candidate'] and entry['hits'][0]['candidate']
        assert entry['nobody'] == {name: nobody[name] for name in ('probability', 'enrolled', 'level', 'candidates')}
        best, last = lines[1 + 4 * number].split(), lines[4 + 4 * number]
        assert best[:2] == [f'dark/{number}.png', '1'] and best[4:] == ['%', '*', f'day/{number}.png']
        assert last.split()[:3] == [f'dark/{number}.png', '-', '-'] and '%    nobody; ' in last
        words = 'the marked one' if nobody['candidates'] == 1 else f'among these {nobody["candidates"]}'
        assert last.endswith(f'nobody; the person is {words} with 90 %, or not enrolled') or nobody['candidates'] > 3
    assert 'candidates with 90 %' in lines[-3] and 'where 80 % of searches' in lines[-2]
    assert len(list(Path('shown').iterdir())) == 6
    without = json.loads(search(*arguments[:5], '--json', 'hits.json') and Path('hits.json').read_text())
    assert 'nobody' not in without[0] and 'probability' not in without[0]['hits'][0]


def test_where_nothing_passes_nobody_is_sure(search, loose, calibration):
    _, out, _ = search('dark/0.png', '--gallery', 'day', '--modality', 'ir', '--calibration', calibration)
    assert 'nothing found' in out and '>99 %    nobody; the person is not among these' in out


def test_scores_unlike_those_of_the_calibration_are_warned_of(search, loose, calibration):
    for number in range(4):
        for picture in sorted(Path('dark').glob('?.png')):
            shutil.copy(picture, f'dark/{picture.stem}-{number}.png')
    code, out, err = search('dark', '--gallery', 'day', '--calibration', calibration)
    assert code == 0 and 'warning: Scores of 30 queries are not distributed as in the calibration of IR -> RGB' in err


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['--rerank'], 're-ranking gives scores of another kind'),
        (['--pool', 'mean'], "pool='mean' gives scores of another kind"),
        (['--level', '0.99'], 'needs 99 identities'),
        (['--level', '1.5'], 'level is a probability'),
        (['--enrolled', '0'], 'enrolled is a probability'),
        (['--calibration', ''], 'Is a directory'),
        (['--calibration', 'day/0.png'], 'day/0.png is no calibration'),
        (['--calibration', 'nothing.json'], 'nothing.json'),
        (['--calibration', 'other.json'], 'the calibration is of another (d4d4d4d4d4d4), not of pixels'),
    ],
)
def test_what_a_calibration_cannot_say_is_refused_before_a_gallery_is_made(search, loose, calibration, options, said):
    Path('other.json').write_text(calibration.read_text().replace('c3' * 32, 'd4' * 32).replace('pixels', 'another'))
    code, out, err = search('dark', '--gallery', 'day', '--calibration', calibration, *options)
    assert code == 2 and err.startswith('error: ') and said in err and len(err.splitlines()) == 1 and not out
    assert Pixels.images == 0 and not list(Path().glob('*.gallery'))


@pytest.mark.parametrize(
    'arguments',
    [['dark', '--topk', '0'], ['nothing.png'], ['dark', '--json', 'day'], ['dark', '--show-dir', 'day/0.png']],
)
def test_arguments_are_refused_before_a_gallery_is_made(search, loose, arguments):
    code, out, err = search(*arguments, '--gallery', 'day')
    assert code == 2 and err.startswith('error: ') and not out
    assert Pixels.images == 0 and not list(Path().glob('*.gallery')) and not list(Path().glob('*.unfinished'))


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['dark', '--gallery', 'nothing'], 'error: nothing is no folder: expected a gallery, or a folder of images.'),
        (['nothing.png', '--gallery', 'day'], 'error: no image at nothing.png'),
        (['dark', '--gallery', 'empty'], 'error: empty holds no image'),
        (['dark', '--gallery', 'other.gallery'], 'error: the gallery in other.gallery was made by another'),
        (['dark', '--gallery', 'broken.gallery'], 'error: broken.gallery'),
        (['dark', '--gallery', 'day', '--topk', '0'], 'error: topk is a number of rows'),
    ],
)
def test_bad_input_is_one_sentence(search, loose, arguments, said):
    Path('empty').mkdir()
    for name in ('other', 'broken'):
        other = Gallery('another', 'd4' * 32, 8)
        other.add(np.ones(8))
        other.save(f'{name}.gallery')
    Path('broken.gallery/gallery.json').write_text('{')
    code, _, err = search(*arguments)
    assert code == 2 and err.splitlines()[-1].startswith(said)


@pytest.mark.parametrize('option', ['--enrolled', '--level'])
def test_what_is_of_probabilities_is_refused_without_a_calibration(search, loose, option):
    code, out, err = search('dark', '--gallery', 'day', option, 0.5)
    assert (code, out) == (2, '') and err.startswith(f'error: {option} is of probabilities, of which there are none')
    assert Pixels.images == 0
