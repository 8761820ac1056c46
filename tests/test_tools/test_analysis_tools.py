"""eval_features.py and compare.py, run as a user runs them on a file of anybody's features."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from command_lines import run
from scipy.io import savemat

from tsgan.evaluation import CrossModalityProtocol, evaluate, load_features

TOOLS = Path(__file__).parents[2] / 'tools/analysis_tools'
METRICS = ['R1', 'R5', 'R10', 'R20', 'mAP', 'mINP']
NUM_IDS = 25
SIZES = {1: 11, 2: 12, 3: 3, 4: 10, 5: 13, 6: 2}  # camera: images of each identity


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A.npz and B.npz, the better one, of 25 people in SYSU-MM01's cameras, and perm.mat.

    RegDB.npz and LLCM.npz are A.npz under cameras of these data sets.
    """
    folder, draws = tmp_path_factory.mktemp('features'), np.random.default_rng(0)
    centres = draws.normal(size=(NUM_IDS + 1, 16))
    arrays = {}
    for side, cameras in (('query', (3, 6)), ('gallery', (1, 2, 4, 5))):
        labels = [(pid, cam, f) for cam in cameras for pid in range(1, NUM_IDS + 1) for f in range(1, SIZES[cam] + 1)]
        pids, arrays[f'{side}_camids'], arrays[f'{side}_frames'] = np.array(labels).T
        arrays[f'{side}_pids'] = pids
        arrays[f'{side}_feats'] = 7 * (centres[pids] + 2 * draws.normal(size=(len(pids), 16)))
    del arrays['query_frames']
    np.savez(folder / 'A.npz', **arrays)
    ir, rgb = arrays['query_camids'], arrays['gallery_camids']
    np.savez(folder / 'RegDB.npz', **arrays | {'query_camids': 0 * ir + 2, 'gallery_camids': 0 * rgb + 1})
    np.savez(folder / 'LLCM.npz', **arrays | {'query_camids': np.where(ir == 3, 4, 6)})
    closer = {}
    for side in ('query', 'gallery'):
        closer[f'{side}_feats'] = arrays[f'{side}_feats'] + 5 * centres[arrays[f'{side}_pids']]
    np.savez(folder / 'B.npz', **arrays | closer)
    cameras = np.empty((6, 1), object)
    for cam in range(1, 7):
        cameras[cam - 1, 0] = identities = np.empty((1, NUM_IDS), object)
        for pid in range(NUM_IDS):
            identities[0, pid] = np.array([draws.permutation(SIZES[cam]) + 1 for _ in range(10)], np.uint8)
    savemat(folder / 'perm.mat', {'rand_perm_cam': cameras})
    return folder


@pytest.fixture
def tool(folder):
    """Runs a tool in the folder: its JSON, or with ``fails`` the one line that it says."""

    def start(name, *args, fails=False, anew=False):
        command = [sys.executable, TOOLS / f'{name}.py', *args, *([] if fails else ['--json', 'out/OUT.json'])]
        done = run(command, folder, fails, anew)
        if fails:
            assert 'Traceback' not in done.text
            return done.error
        return json.loads((folder / 'out/OUT.json').read_text())

    return start


def test_sysu_mm01_gives_all_settings_with_and_without_re_ranking(tool):
    out = tool('eval_features', 'A.npz', '--protocol', 'sysu-mm01', '--perm', 'perm.mat', '--rerank', anew=True)
    names = ['all_single', 'all_multi', 'indoor_single', 'indoor_multi']
    assert list(out) == [*names, *(f'{name}_rerank' for name in names)]
    for name, row in out.items():
        assert 0 < row['R1'] <= row['R5'] <= row['R10'] <= row['R20'] <= 100
        assert all(0 < row[metric] <= 100 for metric in METRICS)
        assert (row['num_trials'], row['sampling'], row['reranked']) == (10, 'official', name.endswith('_rerank'))
    assert out['all_multi']['num_gallery'] == NUM_IDS * 40
    assert out['all_single']['R1'] < 90  # not too easy to tell anything
    assert out['all_single']['protocol']['gallery_sampling'] == 'official'


def test_options_apply_as_given(tool):
    options = ['--protocol', 'sysu-mm01', '--modes', 'indoor', '--shots', '1', '--trials', '3']
    out = tool('eval_features', 'A.npz', *options, '--perm', 'perm.mat')
    assert list(out) == ['indoor_single']
    assert (out['indoor_single']['num_trials'], out['indoor_single']['sampling']) == (3, 'official')
    agw = tool('eval_features', 'A.npz', *options, '--gallery-sampling', 'agw', '--perm', 'perm.mat')
    assert agw['indoor_single']['sampling'] == 'agw'
    assert agw['indoor_single']['mAP'] != out['indoor_single']['mAP']
    assert list(tool('eval_features', 'A.npz', '--protocol', 'sysu-mm01', '--gallery-sampling', 'agw')) == [
        'all_single', 'indoor_single',
    ]  # fmt: skip


def test_official_sampling_without_its_file_is_refused_and_says_where_it_comes_from(tool):
    for options in ([], ['--gallery-sampling', 'official'], ['--perm', 'nowhere.mat']):
        said = tool('eval_features', 'A.npz', '--protocol', 'sysu-mm01', *options, fails=True)
        assert 'rand_perm_cam.mat, which comes with the official evaluation code' in said
    said = tool(
        'eval_features', 'A.npz', '--protocol', 'sysu-mm01', '--gallery-sampling', 'agw', '--shots', 10, fails=True
    )
    assert "'agw' sampling is single-shot only" in said


def test_regdb_and_llcm_search_the_gallery_of_the_file_or_swapped_its_queries(tool, folder):
    out = tool('eval_features', 'RegDB.npz', '--protocol', 'regdb', '--rerank')
    assert list(out) == ['regdb', 'regdb_rerank']
    table = load_features(folder / 'RegDB.npz')
    every = evaluate(table, CrossModalityProtocol(shots=1000, num_trials=1))  # the whole gallery, too
    for metric in METRICS:
        assert out['regdb'][metric] == pytest.approx(every['ir_to_rgb'][metric])
    swapped = tool('eval_features', 'RegDB.npz', '--protocol', 'regdb', '--swap')
    for metric in METRICS:
        assert swapped['regdb'][metric] == pytest.approx(every['rgb_to_ir'][metric])
    assert swapped['regdb']['protocol']['searched'] == 'query_* with gallery_*'
    llcm = tool('eval_features', 'LLCM.npz', '--protocol', 'llcm', '--trials', 4)
    assert list(llcm) == ['llcm']
    assert (llcm['llcm']['num_trials'], llcm['llcm']['num_gallery']) == (4, 4 * NUM_IDS)


def test_a_protocol_that_cannot_be_meant_is_refused_by_name(tool):
    for protocol in ('regdb', 'llcm'):
        said = tool('eval_features', 'A.npz', '--protocol', protocol, fails=True)
        assert 'the images are of RGB cameras 1, 2, 4, 5 and IR cameras 3, 6: such are those of SYSU-MM01' in said
    said = tool('eval_features', 'LLCM.npz', '--protocol', 'llcm', '--swap', fails=True)
    assert '(query_frames in a features file) are missing' in said


@pytest.mark.parametrize(
    ('options', 'said'),
    [
        (['regdb', '--shots', '1'], '--shots is for SYSU-MM01, not for regdb'),
        (['llcm', '--perm', 'perm.mat'], '--perm is for SYSU-MM01, not for llcm'),
        (['regdb', '--trials', '3'], '--trials is for SYSU-MM01 and LLCM'),
        (['sysu-mm01', '--swap', '--perm', 'perm.mat'], '--swap is for RegDB and LLCM'),
        (['sysu-mm01', '--perm', 'perm.mat', '--trials', '11'], 'holds 10 trials, fewer than num_trials=11'),
        (['sysu-mm01', '--perm', 'A.npz'], 'A.npz is no MATLAB 5 file'),
        (['sysu-mm01', '--gallery-sampling', 'agw', '--perm', 'nowhere.mat'], 'there is no file nowhere.mat'),
        (['sysu-mm01', '--perm', 'perm.mat', '--rerank', '--device', 'nonsense'], 'nonsense'),
        (['market1501'], "invalid choice: 'market1501'"),
    ],
)
def test_what_cannot_be_asked_for_is_said_in_a_sentence(tool, options, said):
    assert said in tool('eval_features', 'A.npz', '--protocol', *options, fails=True)


def spoilt(folder, **changes):
    with np.load(folder / 'A.npz') as arrays:
        arrays = dict(arrays)
    for key, change in changes.items():
        arrays[key] = change(arrays[key].copy())
    np.savez(folder / 'spoilt.npz', **arrays)


def nan(feats):
    feats[5, 3] = np.nan
    return feats


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        (
            {'gallery_feats': nan},
            'gallery_feats must be finite: 1 of 1150 rows hold NaN or infinity, the first is row 5',
        ),
        ({'gallery_pids': lambda pids: pids[:-1]}, 'spoilt.npz: gallery_pids has shape (1149,) beside 1150'),
        ({'query_feats': lambda feats: feats[:, :-1]}, 'query_feats (125, 15) and gallery_feats (1150, 16)'),
        (
            {'gallery_frames': lambda frames: frames - 1},
            '(gallery_frames in a features file) are counted from 0: add 1',
        ),
        ({'gallery_frames': lambda frames: 0 * frames}, '(gallery_frames in a features file) are missing'),
        ({'gallery_frames': lambda frames: frames + 1}, 'perm.mat is for other data: it knows 11 images of identity 1'),
        ({'gallery_pids': lambda pids: pids + 100}, 'perm.mat is for other data: it knows 0 images of identity 101'),
        ({'query_pids': lambda pids: pids + 100}, "Setting 'all_single' is empty"),
        ({'query_camids': lambda cams: cams - 1}, 'and IR cameras 2, 5: such are those of LLCM'),
        (
            {'gallery_camids': lambda cams: cams + 1},
            'of RGB cameras 2, 3, 5, 6 and IR cameras 3, 6: such are those of no',
        ),
        ({'gallery_pids': lambda pids: pids.astype(object)}, 'spoilt.npz: gallery_pids of Python objects'),
        (
            {'query_feats': lambda feats: feats * (np.arange(125) != 7)[:, None]},
            '1 of 1275 features are all zeros, the first is row 7 of the IR',
        ),
        ({'query_feats': lambda feats: feats[:0]}, 'query_feats must be a table of shape (N, D)'),
    ],
)
def test_a_spoilt_file_is_refused_in_a_sentence(tool, folder, changes, said):
    spoilt(folder, **changes)
    assert said in tool('eval_features', 'spoilt.npz', '--protocol', 'sysu-mm01', '--perm', 'perm.mat', fails=True)


def test_compare_prints_and_writes_the_difference(tool):
    out = tool(
        'compare', 'A.npz', 'B.npz', '--protocol', 'sysu-mm01', '--perm', 'perm.mat', '--resamples', 300, anew=True
    )
    about = out.pop('about')
    assert (about['gallery_sampling'], about['resamples'], about['a']) == ('official', 300, 'A.npz')
    assert list(out) == ['all_single', 'all_multi', 'indoor_single', 'indoor_multi']
    for row in (out['all_single']['R1'], out['indoor_multi']['mAP']):
        assert 0 < row['low'] < row['difference'] < row['high']
    said = tool('compare', 'A.npz', 'nowhere.npz', '--protocol', 'regdb', fails=True)
    assert 'nowhere.npz' in said


def test_an_audit_has_the_protocols_own_first_and_every_file_that_is_given(tool, folder):
    options = ['--protocol', 'sysu-mm01', '--perm', 'perm.mat', '--trials', '2', '--shots', '1']
    given = ['--mirror', 'B.npz', '--branches', 'A.npz', 'B.npz', '--plot', 'out/ledger.svg']
    out = tool('audit', 'A.npz', *options, *given, anew=True)
    keys = ['convention', 'setting', 'R1', 'mAP', 'mINP', 'source', 'sentence']
    assert all(list(row) == keys for row in out)
    own = tool('eval_features', 'A.npz', *options)
    for row, (setting, values) in zip(out, own.items(), strict=False):
        assert (row['convention'], row['setting']) == ("the protocol's own", setting)
        assert {metric: row[metric] for metric in ('R1', 'mAP', 'mINP')} == pytest.approx(
            {metric: values[metric] for metric in ('R1', 'mAP', 'mINP')}
        )
    better = {row['convention'] for row in out if row['setting'] == 'all_single' and row['R1'] > out[0]['R1']}
    assert {'mirror images averaged', 'sum of branches'} <= better
    assert (folder / 'out/ledger.svg').read_text().startswith('<?xml')


@pytest.mark.filterwarnings('ignore')
def test_an_audit_names_settings_as_the_other_tools_do(tool):
    for protocol, only in (('regdb', 'CMC by identity'), ('llcm', 'whole gallery, nothing hidden')):
        out = tool('audit', f'{"RegDB" if protocol == "regdb" else "LLCM"}.npz', '--protocol', protocol)
        assert {row['setting'] for row in out} == {protocol}
        assert only in {row['convention'] for row in out}


def test_an_audit_refuses_what_cannot_be_meant(tool, folder):
    spoilt(folder, gallery_pids=lambda pids: pids[::-1])
    options = ['--protocol', 'sysu-mm01', '--gallery-sampling', 'agw']
    said = tool('audit', 'A.npz', *options, '--mirror', 'spoilt.npz', fails=True)
    assert 'in pids the features file has 1 for row 0 of the RGB images and the mirror file has 25' in said
    assert 'expected a name that ends with' in tool('audit', 'A.npz', *options, '--plot', 'ledger.txt', fails=True)
    assert 'unrecognized arguments: --rerank' in tool('audit', 'A.npz', *options, '--rerank', fails=True)
