"""open_set.py, run as a user runs it on a file of anybody's features."""

import json
import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_lines import run

from tsgan.evaluation import OPEN_SET_NAMES, OpenSetProtocol, SYSUMM01Protocol, evaluate_open_set, load_features
from tsgan.evaluation.command_line import read_identities

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/open_set.py'
SYSU = ['--protocol', 'sysu-mm01', '--gallery-sampling', 'agw', '--modes', 'all', '--trials', 2, '--resamples', 20]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A.npz, of 12 people in SYSU-MM01's cameras; RegDB.npz is A.npz under RegDB's."""
    folder, draws = tmp_path_factory.mktemp('features'), np.random.default_rng(0)
    centres, arrays = draws.normal(size=(13, 16)), {}
    for side, cameras, frames in (('query', (3, 6), 9), ('gallery', (1, 2, 4, 5), 2)):
        labels = [(pid, cam, f) for cam in cameras for pid in range(1, 13) for f in range(1, frames + 1)]
        pids, arrays[f'{side}_camids'], arrays[f'{side}_frames'] = np.array(labels).T
        arrays[f'{side}_pids'], arrays[f'{side}_feats'] = pids, centres[pids] + draws.normal(size=(len(pids), 16))
    np.savez(folder / 'A.npz', **arrays)
    cameras = {'query_camids': 0 * arrays['query_camids'] + 2, 'gallery_camids': 0 * arrays['gallery_camids'] + 1}
    np.savez(folder / 'RegDB.npz', **arrays | cameras)
    (folder / 'ids.txt').write_text('3,7, 11\n2\n')
    return folder


@pytest.fixture
def tool(folder):
    def start(*args, fails=False, anew=False):
        done = run([sys.executable, TOOL, *args], folder, fails, anew)
        assert 'Traceback' not in done.text and 'Warning' not in done.text.replace('UserWarning: RegDB', '')
        return done

    return start


def test_json_table_and_picture_say_the_same(tool, folder):
    said = tool('A.npz', *SYSU, '--repeats', 3, '--seed', 4, '--json', 'o/o.json', '--plot', 'o/o.png', anew=True).text
    out = json.loads((folder / 'o/o.json').read_text())
    about, row = out.pop('about'), out['all_single']
    assert list(out) == ['all_single'] and list(row)[:5] == list(OPEN_SET_NAMES)
    protocol = OpenSetProtocol(
        SYSUMM01Protocol(modes=['all'], shots=[1], gallery_sampling='agw', num_trials=2), repeats=3, seed=4
    )
    found = evaluate_open_set(load_features(folder / 'A.npz'), protocol, num_resamples=20, seed=4)
    assert out == json.loads(json.dumps(found))
    assert about['protocol'] == 'open set' and about['closed']['protocol'] == 'SYSU-MM01'
    assert (about['unknown'], about['repeats'], about['seed'], about['resamples']) == (0.5, 3, 4, 20)
    assert (about['score'], about['confidence'], about['features']) == ('cosine', 95, 'A.npz')
    for name in OPEN_SET_NAMES:
        assert f'{row[name]:.2f} [' in said
    assert row['counts']['searches_unenrolled'] == 6 * 18 and '3 -> 4' in row['camera_pairs']
    assert cv2.imread(str(folder / 'o/o.png')).shape[1] > 1000


def test_named_people_are_left_out_and_regdb_has_its_name(tool, folder):
    tool('RegDB.npz', '--protocol', 'regdb', '--swap', '--unknown-ids', 'ids.txt', '--resamples', 5, '--json', 'r.json')
    out = json.loads((folder / 'r.json').read_text())
    assert list(out) == ['regdb', 'about'] and out['about']['unknown_ids'] == [2, 3, 7, 11]
    assert out['regdb']['counts']['people_unenrolled'] == 4 and out['regdb']['repeats'] == 1
    assert out['about']['closed']['searched'] == 'query_* with gallery_*'
    assert list(out['regdb']['camera_pairs']) == ['1 -> 2']


def test_what_cannot_be_asked_for_is_said_in_a_sentence(tool, folder):
    (folder / 'words.txt').write_text('3, seven')
    (folder / 'none.txt').write_text(' \n')
    (folder / 'other.txt').write_text('3 77')
    for options, said in [
        (['--unknown', 1], 'unknown is the share of people left out of the gallery, above 0, below 1, not 1.0.'),
        (
            ['--unknown-ids', 'ids.txt', '--unknown', 0.5],
            '--unknown is of a draw: with --unknown-ids nothing is drawn.',
        ),
        (['--unknown-ids', 'ids.txt', '--repeats', 2], '--repeats is of a draw'),
        (['--unknown-ids', 'other.txt'], "unknown_ids: nobody searches for identity 77 in setting 'all_single'"),
        (['--unknown-ids', 'words.txt'], "words.txt is no list of identities: expected numbers separated .* 'seven'."),
        (['--unknown-ids', 'none.txt'], 'none.txt is no list of identities'),
        (['--unknown-ids', 'nowhere.txt'], 'nowhere.txt'),
        (['--plot', 'o.txt'], 'o.txt: expected a name that ends with one of .png .svg .pdf .jpg'),
        (['--memory-mb', 0], r'need 1 MiB to be sorted: expected a budget \(memory_mb, --memory-mb\)'),
    ]:
        done = tool('A.npz', *SYSU, *options, fails=True)
        assert done.code == 2
        assert re.search(said, done.error), done.error


def test_identities_may_be_separated_by_anything_usual(tmp_path):
    file = tmp_path / 'ids.txt'
    file.write_text('6,10,17,\r\n 21 24\n\n25,')
    assert read_identities(file) == [6, 10, 17, 21, 24, 25]
