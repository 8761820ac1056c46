"""How others measure, each convention against a loop over queries."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from slow_references import dense_affinity, half_rerank, slow_scores

from tsgan.evaluation import (
    CrossModalityProtocol,
    FeatureDistances,
    FeatureTable,
    LLCMProtocol,
    RegDBProtocol,
    SYSUMM01Protocol,
    evaluate,
)
from tsgan.evaluation.conventions import CONVENTIONS, OWN, Case, Ledger, Row, audit, ledger_table
from tsgan.evaluation.conventions.affinity import affinity_blocks
from tsgan.evaluation.conventions.half import HalfReranker
from tsgan.evaluation.conventions.rules import by_identity, by_image

pytestmark = pytest.mark.filterwarnings('ignore:.* test identities', 'ignore:Multi-shot search is left out')
MEASURES = ('R1', 'mAP', 'mINP')


@pytest.fixture
def sysu(perm_file):
    return SYSUMM01Protocol(perm_file=perm_file, num_trials=3)


def unit(feats):
    return feats / np.linalg.norm(feats, axis=1, keepdims=True)


def cosine_distance(feats):
    """Of rows, (Q, G)."""
    return lambda query, gallery: -unit(feats)[query] @ unit(feats)[gallery].T


def hide_same_room(table, query, gallery):
    return (table.camids[query] == 3)[:, None] & (table.camids[gallery] == 2)


def hide_same_camera(table, query, gallery):
    same_pid = table.pids[query][:, None] == table.pids[gallery]
    return same_pid & (table.camids[query][:, None] == table.camids[gallery])


def slow_row(table, trials, dist, hidden=None, dedupe=False):
    """R1, mAP, mINP in percent: means over queries, then over trials; `dist` is of rows of the table."""
    means = []
    for query, gallery in trials:
        exclude = hidden(table, query, gallery) if hidden else None
        scores = slow_scores(dist(query, gallery), table.pids[query], table.pids[gallery], exclude, dedupe)
        valid, first, ap, inp = map(np.array, scores)
        means.append([(first[valid] < 1).mean(), ap[valid].mean(), inp[valid].mean()])
    return 100 * np.mean(means, axis=0)


def found(ledger, convention):
    """By setting, (3,): R1, mAP, mINP under a convention."""
    rows = {
        row.setting: [getattr(row, name) for name in MEASURES] for row in ledger.rows if row.convention == convention
    }
    assert rows, f'{convention} is not among {ledger.left_out}'
    return rows


def check(ledger, convention, expected):
    rows = found(ledger, convention)
    assert list(rows) == list(expected)
    for setting, values in rows.items():
        np.testing.assert_allclose(values, expected[setting], err_msg=f'{convention}, {setting}', atol=1e-6)


def test_the_protocols_own_comes_first_and_is_what_evaluate_gives(table, sysu):
    ledger = audit(table, sysu)
    own = evaluate(table, sysu)
    assert [row.setting for row in ledger.rows[: len(own)]] == list(own)
    check(ledger, OWN, {name: [row[key] for key in MEASURES] for name, row in own.items()})
    assert [row.convention for row in ledger.rows[: len(own)]] == [OWN] * len(own)
    assert all(row.source and row.sentence.endswith('.') for row in ledger.rows)
    assert ledger.rows[0]._fields == ('convention', 'setting', *MEASURES, 'source', 'sentence')


def test_every_convention_is_measured_or_said_to_be_left_out_and_what_it_needs(table, sysu, llcm_table, regdb_table):
    names = [convention.name for convention in CONVENTIONS]
    assert len(set(names)) == len(names) and OWN not in names
    for features, protocol in (
        (table, sysu),
        (table, SYSUMM01Protocol(['val'], [1], 'agw')),
        (llcm_table, LLCMProtocol(num_trials=2)),
        (regdb_table, RegDBProtocol()),
        (table, CrossModalityProtocol(num_trials=2)),
    ):
        ledger = audit(features, protocol)
        measured = list(dict.fromkeys(row.convention for row in ledger.rows))
        assert [name for name in names if name in measured] == measured[1:]
        assert set(measured[1:]) | set(ledger.left_out) == set(names)
        assert not set(measured) & set(ledger.left_out) and all(ledger.left_out.values())
        text = ledger_table(ledger)
        assert all(f'{name} (needs {lack})' in text for name, lack in ledger.left_out.items())
        assert all(row.sentence in text and row.source in text for row in ledger.rows)
    assert ledger.left_out['turned round'] == 'LLCM' and ledger.left_out['sum of branches'].startswith('--branches')


def test_a_table_has_the_differences_and_what_must_be_said():
    rows = [
        Row(OWN, 'all', 50, 40, 30, 'Wu', 'As it is.'),
        Row(OWN, 'in', 60, 50, 40, 'Wu', 'As it is.'),
        Row('kinder', 'all', 54.256, 39.5, 29.999, 'Ye', 'Kindly.'),
    ]
    assert ledger_table(Ledger(rows, {'other': 'a file', 'third': 'LLCM'})).splitlines() == [
        'all                   R1 %           mAP %          mINP %',
        "the protocol's own   50.00           40.00           30.00",
        'kinder               54.26   +4.26   39.50   -0.50   30.00   +0.00',
        '',
        'in                    R1 %           mAP %          mINP %',
        "the protocol's own   60.00           50.00           40.00",
        '',
        'What a paper must state:',
        "the protocol's own  As it is.",
        'kinder              Kindly.',
        '',
        'Read in:',
        "the protocol's own  Wu",
        'kinder              Ye',
        '',
        'Left out: other (needs a file); third (needs LLCM).',
    ]


def test_the_docs_have_every_convention_as_it_is():
    docs = (Path(__file__).parents[2] / 'docs/ledger.md').read_text()
    for convention in CONVENTIONS:
        assert f'| {convention.name} |' in docs
        assert f'| {convention.sentence} | {convention.source} |' in docs


def test_galleries_as_agw_draws_them(table, sysu):
    files = {}  # as folders of a disk list them: (identity, camera) -> rows by name
    for row in np.argsort(table.frames):
        files.setdefault((int(table.pids[row]), int(table.camids[row])), []).append(int(row))
    query = np.flatnonzero(np.isin(table.camids, (3, 6)))
    expected = {}
    for mode, cameras in (('all', (1, 2, 4, 5)), ('indoor', (1, 2))):
        folders = [files[pid, cam] for pid in range(8) for cam in cameras if (pid, cam) in files]
        single, multi = [], []
        for trial in range(3):
            random.seed(trial)
            single.append((query, np.array([random.choice(folder) for folder in folders])))
            np.random.seed(trial)
            drawn = [np.random.choice(folder, min(10, len(folder)), replace=False) for folder in folders]
            multi.append((query, np.concatenate(drawn)))
        for shot, trials in (('single', single), ('multi', multi)):
            row = slow_row(table, trials, cosine_distance(table.feats), hide_same_room, dedupe=True)
            expected[f'{mode}_{shot}'] = row
    check(audit(table, sysu), "AGW's gallery draws", expected)


def test_official_galleries_where_the_protocol_draws_at_random(table, perm_file):
    agw = SYSUMM01Protocol(shots=(1,), gallery_sampling='agw', num_trials=12)
    official = evaluate(table, SYSUMM01Protocol(shots=(1,), perm_file=perm_file))
    ledger = audit(table, agw, perm_file=perm_file)
    check(ledger, 'official gallery draws', {name: [row[key] for key in MEASURES] for name, row in official.items()})
    assert ledger.left_out["AGW's gallery draws"] == 'a protocol with official draws'
    assert audit(table, agw).left_out['official gallery draws'].startswith('--perm')


def test_one_gallery_is_the_first(table, sysu):
    expected = {
        name: slow_row(table, setting.trials[:1], cosine_distance(table.feats), hide_same_room)
        for name, setting in sysu.settings(table).items()
    }
    check(audit(table, sysu), 'one gallery', expected)
    assert audit(replace(table, camids=0 * table.camids), RegDBProtocol()).left_out['one gallery'] == 'several draws'


def test_features_as_they_are(table, sysu):
    def dist(query, gallery):
        return np.linalg.norm(table.feats[query][:, None].astype(float) - table.feats[gallery], axis=-1)

    expected = {
        name: slow_row(table, setting.trials, dist, hide_same_room) for name, setting in sysu.settings(table).items()
    }
    ledger = audit(table, sysu)
    check(ledger, 'Euclidean, features as they are', expected)
    assert found(ledger, 'Euclidean, features as they are') != found(ledger, OWN)
    of_one_length = audit(replace(table, feats=unit(table.feats)), sysu)
    check(of_one_length, 'Euclidean, features as they are', found(of_one_length, OWN))


def test_mirror_images_are_averaged_at_unit_length(table, sysu):
    mirror = replace(table, feats=3 * table.feats + np.random.default_rng(1).normal(size=table.feats.shape))
    means = (unit(table.feats) + unit(mirror.feats)) / 2
    expected = {
        name: slow_row(table, setting.trials, cosine_distance(means), hide_same_room)
        for name, setting in sysu.settings(table).items()
    }
    check(audit(table, sysu, mirror), 'mirror images averaged', expected)


def test_cosines_of_branches_are_summed(table, sysu):
    draws = np.random.default_rng(2)
    branches = [replace(table, feats=size * draws.normal(size=(len(table), dim))) for size, dim in ((9, 3), (1, 7))]
    branches.append(table)

    def dist(query, gallery):
        return sum(cosine_distance(branch.feats)(query, gallery) for branch in branches)

    expected = {
        name: slow_row(table, setting.trials, dist, hide_same_room) for name, setting in sysu.settings(table).items()
    }
    check(audit(table, sysu, branches=branches), 'sum of branches', expected)
    check(audit(table, sysu, branches=[table]), 'sum of branches', found(audit(table, sysu), OWN))


def test_other_images_are_neither_mirror_nor_branch(table, sysu):
    turned = np.arange(len(table))[::-1]
    columns = ('feats', 'pids', 'camids', 'frames', 'modalities')
    other = replace(table, **{name: getattr(table, name)[turned] for name in columns})
    with pytest.raises(
        ValueError, match='same order can be compared: in .* the features file has .* the mirror file has'
    ):
        audit(table, sysu, mirror=other)
    with pytest.raises(ValueError, match='and branch 2 has'):
        audit(table, sysu, branches=[table, other])
    with pytest.raises(ValueError, match='must be of one length, not 6 and 3'):
        audit(table, sysu, mirror=replace(table, feats=table.feats[:, :3]))


def test_regdb_by_identity_changes_neither_r1_nor_map(regdb_table):
    ledger = audit(regdb_table, RegDBProtocol())
    settings = RegDBProtocol().settings(regdb_table)
    dist = cosine_distance(regdb_table.feats)
    expected = {name: slow_row(regdb_table, own.trials, dist, dedupe=True) for name, own in settings.items()}
    check(ledger, 'CMC by identity', expected)
    check(ledger, OWN, expected)


@pytest.mark.parametrize(('measured_by', 'dedupe'), [(by_identity, True), (by_image, False)])
def test_what_cmc_counts_changes_the_rank_of_the_first_match(table, sysu, regdb_table, measured_by, dedupe):
    case = Case(table, sysu) if measured_by is by_image else Case(regdb_table, RegDBProtocol())
    hidden = hide_same_room if measured_by is by_image else None
    differ = 0
    for name, scored in measured_by.measure(case).items():
        own = case.score()[name]
        for trial, scores, usual in zip(own.setting.trials, scored.scores, own.scores, strict=True):
            query, gallery = trial
            dist = cosine_distance(case.features.feats)(query, gallery)
            exclude = hidden(case.features, query, gallery) if hidden else None
            valid, first, *_ = slow_scores(
                dist, case.features.pids[query], case.features.pids[gallery], exclude, dedupe
            )
            valid = np.array(valid)
            np.testing.assert_array_equal(scores.first_match[valid], np.array(first)[valid])
            differ += (scores.first_match != usual.first_match).sum()
    assert differ


def test_camera_2_is_seen_by_camera_3(table, sysu):
    expected = {
        name: slow_row(table, setting.trials, cosine_distance(table.feats))
        for name, setting in sysu.settings(table).items()
    }
    ledger = audit(table, sysu)
    check(ledger, 'camera 2 not hidden', expected)
    assert found(ledger, 'camera 2 not hidden') != found(ledger, OWN)


def test_llcm_turned_round_has_the_drawn_infrared_images_search_all_visible_ones(llcm_table):
    protocol = LLCMProtocol(num_trials=3)
    files = {}
    for row in np.argsort(llcm_table.frames):
        if llcm_table.modalities[row] == 'ir':
            files.setdefault((int(llcm_table.pids[row]), int(llcm_table.camids[row])), []).append(int(row))
    trials = []
    for trial in range(3):
        random.seed(trial)
        drawn = np.array([random.choice(files[folder]) for folder in sorted(files)])
        trials.append((drawn, np.flatnonzero(llcm_table.modalities == 'rgb')))
    dist = cosine_distance(llcm_table.feats)
    expected = {'rgb_to_ir': slow_row(llcm_table, trials, dist, hide_same_camera, dedupe=True)}
    check(audit(llcm_table, protocol), 'turned round', expected)
    assert audit(llcm_table, LLCMProtocol(['ir_to_rgb'])).left_out['turned round'].startswith('--swap')


def test_llcm_with_its_whole_gallery_hides_nothing(llcm_table):
    ir, rgb = (np.flatnonzero(llcm_table.modalities == modality) for modality in ('ir', 'rgb'))
    dist = cosine_distance(llcm_table.feats)
    expected = {
        'ir_to_rgb': slow_row(llcm_table, [(ir, rgb)], dist),
        'rgb_to_ir': slow_row(llcm_table, [(rgb, ir)], dist),
    }
    check(audit(llcm_table, LLCMProtocol(num_trials=2)), 'whole gallery, nothing hidden', expected)


def test_ties_by_best_and_worst_order_enclose_the_protocols_own(table, perm_file):
    coarse = replace(table, feats=np.eye(3)[table.frames % 3])  # three features, whoever it is
    ledger = audit(coarse, SYSUMM01Protocol(perm_file=perm_file, num_trials=3))
    own, best, worst = (found(ledger, name) for name in (OWN, 'ties, best order', 'ties, worst order'))
    for setting in own:
        assert np.all(np.less(worst[setting], own[setting])) and np.all(np.less(own[setting], best[setting]))


def test_k_reciprocal_is_the_houses(table, sysu):
    reranked = evaluate(table, sysu, rerank=True)
    expected = {
        name.removesuffix('_rerank'): [row[key] for key in MEASURES]
        for name, row in reranked.items()
        if name.endswith('_rerank')
    }
    check(audit(table, sysu), 'k-reciprocal re-ranking', expected)


@pytest.fixture
def crowd():
    """Features of 9 people, unit length: 34 queries, then 38 gallery images."""
    draws = np.random.default_rng(3)
    people = np.concatenate([draws.integers(0, 9, 34), np.arange(38) % 9])
    return unit(draws.normal(size=(9, 12))[people] + 0.6 * draws.normal(size=(72, 12))).astype(np.float32), 34


def reranked(feats, num_queries, **options):
    blocks = HalfReranker(FeatureDistances(feats, 'cpu'), num_queries, **options).blocks()
    return np.concatenate([block for _, block in blocks])


@pytest.mark.parametrize('probes_only', [True, False])
def test_the_half_reranker_agrees_with_dense_loops_in_float16(crowd, probes_only):
    dist, slow = reranked(*crowd, probes_only=probes_only), half_rerank(*crowd, probes_only)
    assert np.abs(dist - slow).max() < 2e-3  # two units of float16: a weight may round to the other side
    assert (np.abs(dist - slow) < 1e-6).mean() > 0.9
    assert np.abs(reranked(*crowd, probes_only=not probes_only) - slow).max() > 0.05


def test_among_probes_alone_the_other_gallery_images_change_nothing(crowd):
    feats, num_queries = crowd
    few = np.r_[np.arange(num_queries), num_queries + 3, num_queries + 8]
    farthest = np.linalg.norm(feats[:num_queries, None] - feats, axis=-1).argmax(1)
    few = np.unique(np.concatenate([few, farthest]))  # D is divided by its rows' maxima
    kept = few[num_queries:] - num_queries
    np.testing.assert_allclose(
        reranked(feats[few], num_queries, probes_only=True),
        reranked(feats, num_queries, probes_only=True)[:, kept],
        atol=1e-6,
    )


def test_the_half_reranker_does_not_hang_on_the_size_of_its_blocks(crowd, monkeypatch):
    whole = reranked(*crowd, probes_only=True)
    monkeypatch.setattr('tsgan.evaluation.rerank.MAX_ROWS', 5)
    np.testing.assert_array_equal(reranked(*crowd, probes_only=True), whole)


@pytest.mark.parametrize(('k1', 'k2'), [(30, 6), (4, 1), (2, 2), (3, 5), (99, 99)])
def test_gallery_affinity_agrees_with_loops_over_images(crowd, k1, k2):
    feats, num_queries = crowd
    query, gallery = feats[:num_queries], feats[num_queries:]
    dist = np.concatenate([block for _, block in affinity_blocks(query, gallery, k1, k2)])
    np.testing.assert_allclose(dist, dense_affinity(query, gallery, min(k1, 38), min(k2, 38)), atol=1e-5)


def test_gallery_affinity_in_small_blocks_and_with_equal_images(crowd, monkeypatch):
    feats, num_queries = crowd
    query, gallery = feats[:num_queries], np.concatenate([feats[num_queries:], feats[num_queries : num_queries + 9]])
    whole = np.concatenate([block for _, block in affinity_blocks(query, gallery, 12, 4)])
    np.testing.assert_array_equal(whole[:, :9], whole[:, 38:])
    np.testing.assert_allclose(whole, dense_affinity(query, gallery, 12, 4), atol=1e-5)
    monkeypatch.setattr('tsgan.evaluation.conventions.affinity.MAX_ROWS', 4)
    starts, blocks = zip(*affinity_blocks(query, gallery, 12, 4), strict=True)
    assert starts == tuple(range(0, num_queries, 4))
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-6)


def test_gallery_affinity_in_the_ledger_is_of_each_drawn_gallery(table, sysu, regdb_table):
    settings = sysu.settings(table)

    def rows(features, of, hidden, **neighbours):
        unit_feats = unit(features.feats)

        def dist(name):
            k1, k2 = neighbours[name]
            return lambda query, gallery: dense_affinity(
                unit_feats[query], unit_feats[gallery], min(k1, len(gallery)), min(k2, len(gallery))
            )

        return {name: slow_row(features, own.trials, dist(name), hidden) for name, own in of.items()}

    ledger = audit(table, sysu)
    default = dict.fromkeys(settings, (30, 6))
    check(ledger, 'mean gallery affinity, k1 = 30, k2 = 6', rows(table, settings, hide_same_room, **default))
    chosen = {'all_single': (4, 1), 'all_multi': (20, 6), 'indoor_single': (2, 2), 'indoor_multi': (20, 6)}
    name = 'mean gallery affinity, k1, k2 by setting'
    check(ledger, name, rows(table, settings, hide_same_room, **chosen))
    settings = RegDBProtocol().settings(regdb_table)
    chosen = {'ir_to_rgb': (8, 2), 'rgb_to_ir': (8, 2)}
    check(audit(regdb_table, RegDBProtocol()), name, rows(regdb_table, settings, None, **chosen))


def one_person(count=6):
    draws = np.random.default_rng(4)
    frames = np.tile(np.arange(1, count + 1), 4)
    camids = np.repeat([1, 2, 3, 6], count)
    return FeatureTable(
        draws.normal(size=(4 * count, 5)), np.ones(4 * count, int), camids, frames, np.where(camids < 3, 'rgb', 'ir')
    )


@pytest.mark.filterwarnings('error')
def test_one_person_is_always_found():
    ledger = audit(one_person(), SYSUMM01Protocol(shots=(1,), gallery_sampling='agw'), mirror=one_person())
    for row in ledger.rows:
        assert [getattr(row, name) for name in MEASURES] == [100, 100, 100], row.convention


def test_features_that_tell_nobody_apart_are_refused_once(sysu, table):
    with pytest.raises(ValueError, match='All 76 features are equal'):
        audit(replace(table, feats=np.ones((76, 3))), sysu)
    with pytest.raises(ValueError, match="Setting 'all_single' is empty"):
        audit(replace(table, pids=np.where(table.modalities == 'ir', 90, table.pids)), sysu)
