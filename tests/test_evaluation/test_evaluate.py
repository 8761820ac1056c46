import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_references import slow_scores

from tsgan.evaluation import (
    METRIC_NAMES,
    CrossModalityProtocol,
    FeatureTable,
    LLCMProtocol,
    RegDBProtocol,
    SingleModalityProtocol,
    SYSUMM01Protocol,
    evaluate,
    k_reciprocal_rerank,
    results_table,
    write_results,
)


def slow_sysu(table, trial, dist):
    """R1 ... mINP of one trial as the field's code has it: a Python loop over probes; `dist` is (Q, G)."""
    cmc, aps, inps = [], [], []
    for q, probe in enumerate(trial.query):
        order = np.argsort(dist[q], kind='stable')
        if table.camids[probe] == 3:
            order = order[table.camids[trial.gallery[order]] != 2]
        pids = table.pids[trial.gallery[order]].tolist()
        hits = np.flatnonzero(np.array(pids) == table.pids[probe])
        if not len(hits):
            continue
        place = list(dict.fromkeys(pids)).index(table.pids[probe])
        cmc.append([place < rank for rank in (1, 5, 10, 20)])
        aps.append(np.mean([(n + 1) / (hit + 1) for n, hit in enumerate(hits)]))
        inps.append(len(hits) / (hits[-1] + 1))
    return 100 * np.array([*np.mean(cmc, axis=0), np.mean(aps), np.mean(inps)]), len(cmc)


@pytest.mark.parametrize('scale', [1, 1000])
def test_sysu_numbers_agree_with_a_loop_over_probes(table, perm_file, scale):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    results = evaluate(replace(table, feats=table.feats * scale), protocol, rerank=True)
    assert list(results) == [*protocol.settings(table), *(f'{name}_rerank' for name in protocol.settings(table))]
    feats = table.feats / np.linalg.norm(table.feats, axis=1, keepdims=True)
    for name, setting in protocol.settings(table).items():
        plain, reranked = [], []
        for trial in setting.trials:
            query, gallery = feats[trial.query], feats[trial.gallery]
            plain.append(slow_sysu(table, trial, np.linalg.norm(query[:, None] - gallery, axis=-1)))
            reranked.append(slow_sysu(table, trial, k_reciprocal_rerank(query, gallery)))
        for row, slow in ((results[name], plain), (results[f'{name}_rerank'], reranked)):
            values = np.stack([value for value, _ in slow])
            np.testing.assert_allclose([row[key] for key in METRIC_NAMES], values.mean(0))
            np.testing.assert_allclose([row[f'{key}_std'] for key in METRIC_NAMES], values.std(0), atol=1e-9)
            assert row['num_queries'] == np.mean([count for _, count in slow])
            assert row['num_gallery'] == len(setting.trials[0].gallery)
            assert (row['sampling'], row['num_trials']) == ('official', 10)
        assert (results[name]['reranked'], results[f'{name}_rerank']['reranked']) == (False, True)


def test_identities_that_the_gallery_lacks_are_left_out_of_the_means(table, perm_file):
    results = evaluate(table, SYSUMM01Protocol(perm_file=perm_file))
    count = {pid: int(((table.pids == pid) & (table.modalities == 'ir')).sum()) for pid in range(8)}
    assert results['all_single']['num_queries'] == count[1] + count[2] + count[4]  # identity 5 is in no RGB camera
    assert results['indoor_single']['num_queries'] == count[1] + count[4]  # 2 is in camera 4 and 5 only


def test_the_block_size_and_the_shared_matrix_change_nothing(table, perm_file, monkeypatch):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    expected = evaluate(table, protocol, rerank=True)
    for module in ('tsgan.evaluation.evaluate', 'tsgan.evaluation.rerank'):
        monkeypatch.setattr(sys.modules[module], 'MIB', 8)  # 8 KiB in all: blocks of a few queries, no shared matrix
    monkeypatch.setattr('tsgan.evaluation.ranking.CHUNK', 1)
    results = evaluate(table, protocol, rerank=True)
    for name, row in expected.items():
        assert results[name] == pytest.approx(row), name


@pytest.mark.parametrize('protocol', [SingleModalityProtocol('rgb', 3), CrossModalityProtocol(num_trials=3)])
def test_perfect_features_reach_100_in_the_other_protocols(table, protocol):
    perfect = replace(table, feats=np.eye(8)[table.pids])
    for row in evaluate(perfect, protocol, rerank=True).values():
        assert {key: row[key] for key in ('R1', 'mAP', 'mINP')} == {'R1': 100, 'mAP': 100, 'mINP': 100}
        assert row['sampling'] == 'seeded'


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_float_types_give_the_same_numbers(table, perm_file, dtype):
    protocol = SYSUMM01Protocol(perm_file=perm_file, num_trials=2)
    halves = replace(table, feats=table.feats.astype(np.float16))  # exact in all three types
    expected = evaluate(halves, protocol)
    assert evaluate(replace(table, feats=halves.feats.astype(dtype)), protocol) == expected


def seen_by_sysu(query, image):
    return not (query['camid'] == 3 and image['camid'] == 2)


def seen_across_cameras(query, image):
    return query['pid'] != image['pid'] or query['camid'] != image['camid']


def seen_always(query, image):
    return True


# protocol, RGB and IR cameras, whether CMC counts identities, and what a query sees
RULES = [
    (SYSUMM01Protocol(shots=(1,), num_trials=2), (1, 2, 4, 5), (3, 6), True, seen_by_sysu),
    (LLCMProtocol(num_trials=2), (1, 2, 9), (1, 2, 4), True, seen_across_cameras),
    (RegDBProtocol(), (1,), (2,), False, seen_always),
    (SingleModalityProtocol('rgb', num_trials=2), (1, 2, 3), (4,), False, seen_across_cameras),
    (SingleModalityProtocol('ir', num_trials=2, across_cameras=False), (1,), (2, 3), False, seen_always),
    (CrossModalityProtocol(shots=2, num_trials=2), (1, 2), (3,), False, seen_always),
]


@st.composite
def searches(draw):
    """A table in which many images have one feature, so that many distances are equal, and a protocol."""
    rule = draw(st.sampled_from(RULES))
    # pids 0 to 5: many are in one modality alone, as those that nobody searches for
    image = st.tuples(st.integers(0, 5), st.sampled_from(['rgb', 'ir']), st.integers(0, 3), st.integers(0, 4))
    images = draw(st.lists(image, min_size=6, max_size=40))
    return rule, images, draw(st.integers(0, 999))


@pytest.mark.filterwarnings('ignore:(RegDB|LLCM) has .* test identities')
@pytest.mark.parametrize('examples', [60, pytest.param(500, marks=pytest.mark.slow)])
def test_numbers_of_any_images_are_those_of_looking_at_each_query(examples):
    measured = []

    @settings(max_examples=examples, deadline=None)
    @given(searches())
    def holds(case):
        (protocol, rgb, ir, by_identity, sees), images, seed = case
        pool = np.random.default_rng(seed).normal(size=(5, 3))  # of different vectors, all distances differ
        rows, folders = [], {}
        for pid, modality, place, feat in images:
            camid = (cameras := {'rgb': rgb, 'ir': ir}[modality])[place % len(cameras)]
            folders[pid, camid, modality] = frame = folders.get((pid, camid, modality), 0) + 1
            rows.append(dict(pid=pid, camid=camid, modality=modality, frame=frame, feat=pool[feat]))
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        table = FeatureTable(*(columns[name] for name in ('feat', 'pid', 'camid', 'frame', 'modality')))
        expected = {}
        try:
            of_protocol = protocol.settings(table)
        except ValueError:  # a modality, or LLCM's camera that takes both, is not there
            with pytest.raises(ValueError):
                evaluate(table, protocol, normalize=False)
            return
        for name, setting in of_protocol.items():
            trials = []
            for query, gallery in setting.trials:
                each = [of_query(rows, q, sorted(gallery), by_identity, sees) for q in query]
                trials.append([one for one in each if one is not None])
            expected[name] = [np.mean(trial, axis=0) if trial else None for trial in trials]
        everything = [trial for trials in expected.values() for trial in trials]
        if any(trial is None for trial in everything) or len({feat for *_, feat in images}) == 1:
            with pytest.raises(ValueError, match='is empty: no query has|tell nobody apart'):
                evaluate(table, protocol, normalize=False)
            return
        results = evaluate(table, protocol, normalize=False)
        assert list(results) == list(expected)
        for name, trials in expected.items():
            found = [results[name][key] for key in METRIC_NAMES]
            np.testing.assert_allclose(found, 100 * np.mean(trials, axis=0), atol=1e-9)
        measured.append(protocol)

    holds()
    assert len(measured) > examples / 4


def of_query(rows, q, gallery, by_identity, sees):
    """R1 R5 R10 R20 AP INP of one query as their definitions read; None where no match is to be seen."""
    query = rows[q]
    far = [round(float(np.linalg.norm(query['feat'] - rows[g]['feat'])), 6) for g in gallery]
    ranked = [rows[g] for _, g in sorted(zip(far, gallery, strict=True)) if sees(query, rows[g])]
    people = [row['pid'] for row in ranked]
    places = [place for place, pid in enumerate(people, start=1) if pid == query['pid']]
    if not places:
        return None
    walked = list(dict.fromkeys(people)) if by_identity else people
    first = walked.index(query['pid']) + 1
    precision = sum(number / place for number, place in enumerate(places, start=1)) / len(places)
    return [*(float(first <= rank) for rank in (1, 5, 10, 20)), precision, len(places) / places[-1]]


@pytest.mark.parametrize(('data', 'protocol'), [('regdb', RegDBProtocol()), ('llcm', LLCMProtocol(num_trials=3))])
def test_regdb_and_llcm_numbers_agree_with_a_loop_over_queries(data, protocol, request):
    table = request.getfixturevalue(f'{data}_table')
    results = evaluate(table, protocol, rerank=True)
    feats = table.feats / np.linalg.norm(table.feats, axis=1, keepdims=True)
    llcm = isinstance(protocol, LLCMProtocol)
    for direction, setting in protocol.settings(table).items():
        for name, rerank in ((direction, False), (f'{direction}_rerank', True)):
            trials = []
            for query, gallery in setting.trials:
                if rerank:
                    dist = k_reciprocal_rerank(feats[query], feats[gallery])
                else:
                    dist = np.linalg.norm(feats[query][:, None] - feats[gallery], axis=-1)
                same_camera = table.camids[query][:, None] == table.camids[gallery]
                same_pid = table.pids[query][:, None] == table.pids[gallery]
                scores = slow_scores(
                    dist, table.pids[query], table.pids[gallery], same_camera & same_pid if llcm else None, dedupe=llcm
                )
                valid, first, ap, inp = map(np.array, scores)
                cmc = [(first[valid] < rank).mean() for rank in (1, 5, 10, 20)]
                trials.append([*cmc, ap[valid].mean(), inp[valid].mean()])
            np.testing.assert_allclose([results[name][key] for key in METRIC_NAMES], 100 * np.mean(trials, axis=0))


def test_a_gallery_of_fewer_than_20_identities_gives_r20_of_100(table, perm_file):
    results = evaluate(table, SYSUMM01Protocol(perm_file=perm_file), rerank=True)  # 4 identities
    assert all(row['R20'] == row['R5'] == 100 for row in results.values())
    assert results['all_single']['R1'] < 100


@pytest.mark.parametrize('rows', [[4], [2, 9]])
def test_a_feature_of_zeros_has_no_direction_to_be_compared_by(table, perm_file, rows):
    protocol, feats = SYSUMM01Protocol(perm_file=perm_file), table.feats.copy()
    feats[rows] = 0
    zeros = replace(table, feats=feats, paths=[f'cam1/{row}.jpg' for row in range(len(table))])
    first = (
        f'{(table.modalities[: rows[0]] == table.modalities[rows[0]]).sum()} of the {table.modalities[rows[0]]} images'
    )
    said = rf'(?i){len(rows)} of 76 features are all zeros, the first is row {first} \(cam1/{rows[0]}.jpg\)'
    with pytest.raises(ValueError, match=said):
        evaluate(zeros, protocol)
    # as they are, features of zeros are points like others
    for row in evaluate(zeros, protocol, rerank=True, normalize=False).values():
        assert 0 < row['mAP'] < 100


@pytest.mark.parametrize('normalize', [True, False])
def test_features_that_are_all_equal_are_no_result(table, normalize):
    equal = replace(table, feats=np.ones((len(table), 6)))
    with pytest.raises(ValueError, match='All 76 features are equal'):
        evaluate(equal, CrossModalityProtocol(), normalize=normalize)


def test_positive_features_of_one_number_are_equal_once_brought_to_unit_length(table):
    lengths = replace(table, feats=np.arange(1.0, 77)[:, None])
    with pytest.raises(ValueError, match='All 76 features are equal'):
        evaluate(lengths, CrossModalityProtocol())
    assert evaluate(lengths, CrossModalityProtocol(), normalize=False)


@pytest.mark.parametrize('memory_mb', [0.001, 1024])
@pytest.mark.parametrize('dim', [64, 2048])
def test_equal_features_tie_and_rank_by_row(dim, memory_mb):
    # 301 gallery images with one feature, the match last: its rank is 301 whatever a matrix product makes of equals
    draws = np.random.default_rng(dim)
    feats = np.concatenate([draws.normal(size=(50, dim)), np.tile(draws.normal(size=dim), (301, 1))]).astype(np.float32)
    pids = np.concatenate([np.full(50, 1), np.arange(301) + 2])
    pids[-1] = 1
    table = FeatureTable(feats, pids, pids * 0, modalities=['ir'] * 50 + ['rgb'] * 301)
    row = evaluate(table, RegDBProtocol(['ir_to_rgb']), memory_mb=memory_mb)['ir_to_rgb']
    assert row['mAP'] == pytest.approx(100 / 301)


@pytest.mark.parametrize('offset', [0, 3, 1000])
def test_what_all_raw_features_have_in_common_changes_no_number(table, perm_file, offset):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    moved = replace(table, feats=table.feats.astype(np.float64) + offset)
    expected = evaluate(table, protocol, rerank=True, normalize=False)
    for name, row in evaluate(moved, protocol, rerank=True, normalize=False).items():
        assert row == pytest.approx(expected[name]), name


@pytest.mark.parametrize('scale', [1e-60, 1e60])
def test_features_beyond_float32_are_measured_all_the_same(table, perm_file, scale):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    expected = evaluate(table, protocol)
    for name, row in evaluate(replace(table, feats=table.feats.astype(np.float64) * scale), protocol).items():
        assert row == pytest.approx(expected[name]), name


def test_a_single_trial_has_no_spread_to_print(regdb_table):
    assert '±' not in results_table(evaluate(regdb_table, RegDBProtocol()))


def test_a_small_budget_is_shared_out_without_vanishing(table, perm_file):
    protocol = SYSUMM01Protocol(perm_file=perm_file)
    for name, row in evaluate(table, protocol, rerank=True, memory_mb=1).items():
        assert row['num_trials'] == 10, name


def test_an_empty_setting_is_an_error_that_names_it(table):
    lonely = replace(table, pids=np.where(table.modalities == 'ir', table.pids, table.pids + 100))
    with pytest.raises(ValueError, match="Setting 'all_single' is empty"):
        evaluate(lonely, SYSUMM01Protocol(shots=(1,)))


def test_people_with_one_image_leave_no_gallery_which_is_an_error_that_names_the_setting():
    labels = dict(pids=[1, 2, 3], camids=[1, 1, 1], modalities=['rgb'] * 3)
    table = FeatureTable(np.eye(3), **{name: np.array(column) for name, column in labels.items()})
    with pytest.raises(ValueError, match="Setting 'single_modality' is empty: no query has an image"):
        evaluate(table, SingleModalityProtocol('rgb'))


def test_results_name_the_sampling_and_whether_re_ranked(table, perm_file, tmp_path):
    protocol = SYSUMM01Protocol(perm_file=perm_file, modes=['all'], num_trials=2)
    results = evaluate(table, protocol, rerank=True)
    lines = results_table(results).splitlines()
    assert [line.split()[0] for line in lines] == ['setting', *results]
    assert all(f'{metric} %' in lines[0] for metric in METRIC_NAMES)
    assert all('official x2' in line for line in lines[1:])
    assert [line.split()[-1] for line in lines[1:]] == ['no', 'no', 'yes', 'yes']
    assert f'{results["all_single"]["mAP"]:.2f}' in lines[1]
    write_results(tmp_path / 'out' / 'results.json', results, **protocol.describe())
    written = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert written.pop('about') == protocol.describe()
    assert written == results


def test_evaluation_needs_no_mmengine():
    code = 'import sys, tsgan.evaluation; assert not {"mmengine", "mmpretrain", "torch"} & set(sys.modules)'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_long_work_shows_how_much_time_is_left(capsys):
    from tsgan.evaluation.progress import progress

    assert list(progress(range(3), 'Work', quiet_seconds=-1)) == [0, 1, 2]
    assert 'Work: 1/3, 0 s, ETA 0 s' in capsys.readouterr().err
    assert list(progress(range(3), 'Work')) == [0, 1, 2]
    assert capsys.readouterr().err == ''


def test_raw_features_are_compared_by_their_length_too():
    # identity 1 points where the query points, identity 2 is nearer
    feats = np.array([[1.0, 0.0], [3.0, 0.0], [1.0, 0.5]])
    table = FeatureTable(feats, pids=[1, 1, 2], camids=[2, 1, 1], modalities=['ir', 'rgb', 'rgb'])
    protocol = CrossModalityProtocol(directions=('ir_to_rgb',), num_trials=1)
    assert evaluate(table, protocol)['ir_to_rgb']['R1'] == 100
    assert evaluate(table, protocol, normalize=False)['ir_to_rgb']['R1'] == 0
