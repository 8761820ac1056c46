import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tsgan.evaluation import (
    OPEN_SET_NAMES,
    CrossModalityProtocol,
    FeatureTable,
    LLCMProtocol,
    OpenSetProtocol,
    RegDBProtocol,
    SingleModalityProtocol,
    SYSUMM01Protocol,
    evaluate,
    evaluate_open_set,
    fpir_tpir,
    open_set_table,
    search,
)
from tsgan.evaluation.open_set import LEVELS, Searches, resample_searches

pytestmark = pytest.mark.filterwarnings('error')


def test_five_people_by_hand():
    # 1, 2, 3 are in the gallery, an image each; 4 and 5 are not.
    gallery = np.array([1, 2, 3])
    queries = np.array([1, 2, 2, 3, 4, 5])
    scores = np.array([
        [0.9, 0.3, 0.2],  # 1: right, at 0.9
        [0.4, 0.7, 0.1],  # 2: right, at 0.7
        [0.6, 0.5, 0.1],  # 2: wrong; its own image is a candidate, but not the best
        [0.2, 0.1, 0.35],  # 3: right, at 0.35
        [0.5, 0.4, 0.3],  # 4: nobody, but 0.5
        [0.1, 0.8, 0.8],  # 5: nobody, but 0.8
    ])  # fmt: skip
    found = search(scores, queries, gallery)
    assert found.valid.all() and found.enrolled.tolist() == [True] * 4 + [False] * 2
    assert found.best.tolist() == [0.9, 0.7, 0.6, 0.35, 0.5, 0.8]
    assert found.hit.tolist() == [True, True, False, True, False, False]
    curve = fpir_tpir(found.best, found.hit, found.enrolled)
    #  t      FPIR   TPIR
    #  0.9    0/2    1/4
    #  0.8    1/2    1/4
    #  0.7    1/2    2/4
    #  0.5    2/2    2/4
    #  0.35   2/2    3/4   <- no threshold finds the other search for 2
    fpir, tpir = curve.rates(np.array([0.9, 0.8, 0.7, 0.5, 0.35]))
    assert fpir.tolist() == [0, 0.5, 0.5, 1, 1] and tpir.tolist() == [0.25, 0.25, 0.5, 0.5, 0.75]
    assert (curve.true_rate_at(0.5), curve.true_rate_at(1)) == (0.5, 0.75)
    assert curve.true_rate_at(0.1) is None  # 2 searches cannot tell a tenth


def test_a_score_at_the_threshold_of_an_unenrolled_search_is_not_accepted():
    best, enrolled = np.array([0.8, 0.7, *[0.8, 0.8, *[0.1] * 18]]), np.arange(22) < 2
    curve = fpir_tpir(best, enrolled, enrolled)
    assert curve.true_rate_at(0.05) == 0  # 0.8 would let two of 20 in
    assert curve.true_rate_at(0.10) == 1


def test_who_is_only_as_good_as_another_is_not_found_and_what_is_hidden_is_no_candidate():
    scores = np.array([[0.5, 0.5, 0.1], [-np.inf, 0.4, 0.9], [-np.inf] * 3, [0.2, -np.inf, -np.inf]])
    found = search(scores, np.array([1, 1, 4, 4]), np.array([1, 2, 3]))
    assert found.hit.tolist() == [False] * 4 and found.enrolled.tolist() == [True, True, False, False]
    assert found.valid.tolist() == [True, False, False, True]  # its own image hidden; nobody to see
    assert search(np.zeros((2, 0)), np.array([1, 2]), np.array([], int)).valid.tolist() == [False, False]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_tpir_grows_with_fpir_and_ends_at_the_share_of_right_candidates(searches):
    best, hit, enrolled = map(np.array, zip(*searches, strict=True))
    if enrolled.all() or not enrolled.any():
        with pytest.raises(ValueError, match=r'There is no search for an (un)?enrolled person'):
            fpir_tpir(best, hit, enrolled)
        return
    curve = fpir_tpir(best, hit, enrolled)
    rates = [curve.true_rate_at(level) for level in np.linspace(1 / (~enrolled).sum(), 1, 20)]
    assert rates == sorted(rates) and rates[-1] == pytest.approx((hit & enrolled).sum() / enrolled.sum())
    other = fpir_tpir(np.exp(best), hit, enrolled)
    assert [other.true_rate_at(level) for level in (0.1, 0.3)] == [curve.true_rate_at(level) for level in (0.1, 0.3)]


PEOPLE = 14


@pytest.fixture(scope='module')
def crowd():
    """SYSU-MM01's cameras: 14 people, of whom camera 1 and 2 never saw the last two."""
    labels = [
        (pid, cam, frame)
        for pid in range(1, PEOPLE + 1)
        for cam in range(1, 7)
        for frame in range(1, 9 if cam in (3, 6) else 4)
        if cam > 2 or pid <= PEOPLE - 2
    ]
    draws = np.random.default_rng(0)
    pids, camids, frames = draws.permutation(np.array(labels)).T
    feats = draws.normal(size=(PEOPLE + 1, 12))[pids] + 1.3 * draws.normal(size=(len(pids), 12))
    return FeatureTable(feats, pids, camids, frames, np.where(np.isin(camids, (3, 6)), 'ir', 'rgb'))


@pytest.fixture
def protocol():
    return OpenSetProtocol(SYSUMM01Protocol(gallery_sampling='agw', shots=(1,), num_trials=2), repeats=3, seed=5)


def hidden(table, q, g):
    """SYSU-MM01's rule, in words: camera 3 never sees camera 2."""
    return table.camids[q] == 3 and table.camids[g] == 2


def cosine(table, q, g):
    a, b = table.feats[q], table.feats[g]
    return float(np.float32(a @ b / np.sqrt((a @ a) * (b @ b))))


def slow_searches(table, trial, cameras):
    """(identity, enrolled, whether right, best score) of each search of an open trial, one after the other."""
    found = []
    queries = [q for q in trial.query if cameras is None or table.camids[q] == cameras[0]]
    gallery = [g for g in trial.gallery if cameras is None or table.camids[g] == cameras[1]]
    for q in queries:
        seen = [g for g in gallery if not hidden(table, q, g)]
        enrolled = any(table.pids[g] == table.pids[q] for g in gallery)
        if not seen or (enrolled and not any(table.pids[g] == table.pids[q] for g in seen)):
            continue
        best = max(seen, key=lambda g: cosine(table, q, g))
        found.append((table.pids[q], enrolled, table.pids[best] == table.pids[q], cosine(table, q, best)))
    return found


def slow_pairs(table, trial, cameras):
    """(query identity, gallery identity, score) of each pair of a closed trial that may be seen."""
    return [
        (table.pids[q], table.pids[g], cosine(table, q, g))
        for q in trial.query
        for g in trial.gallery
        if not hidden(table, q, g) and (cameras is None or (table.camids[q], table.camids[g]) == cameras)
    ]


def slow_at(true, false, num_true, level, few=None):
    """TPIR or TAR at a level, by every threshold; `few` where the level cannot be told."""
    true, false = np.array(true), np.array(false)
    if not num_true or not len(false) or (len(false) * level < 1 - 1e-9 and few is None):
        return np.nan
    thresholds = [*np.unique(np.concatenate([true, false])), np.inf]
    allowed = [t for t in thresholds if (false >= t).sum() <= level * len(false) + 1e-9]
    return (true >= min(allowed)).sum() / num_true


def slow_eer(true, false):
    true, false = np.array(true), np.array(false)
    if not len(true) or not len(false):
        return np.nan
    errors = [((false >= t).mean(), (true < t).mean()) for t in [*np.unique(np.concatenate([true, false])), np.inf]]
    return min((round(abs(far - frr), 12), -(far + frr) / 2) for far, frr in errors)[1] * -1


def slow_measures(searches, pairs, times=None):
    """The five rates of lists of searches and of pairs; with `times`, by how often each identity was drawn."""
    few = None if times is None else 'no matter'
    times = times or dict.fromkeys(range(PEOPLE + 1), 1)
    searched = []
    for found in searches:
        found = [s for s in found for _ in range(times[s[0]])]
        true, false = [s[3] for s in found if s[1] and s[2]], [s[3] for s in found if not s[1]]
        num_true = sum(s[1] for s in found)
        searched.append([slow_at(true, false, num_true, level, few) for level in (0.01, 0.1)])
    verified = []
    for found in pairs:
        true = [score for a, b, score in found if a == b for _ in range(times[a])]
        false = [score for a, b, score in found if a != b for _ in range(times[a] * times[b])]
        tars = [slow_at(true, false, len(true), level, few) for level in (0.001, 0.01)]
        verified.append([*tars, slow_eer(true, false)])
    return np.concatenate([100 * np.mean(searched, axis=0), 100 * np.mean(verified, axis=0)])


PAIRS = [None, (3, 1), (3, 4), (6, 2)]


@pytest.mark.parametrize('cameras', PAIRS)
def test_rates_are_those_of_looking_at_every_search_and_pair(crowd, protocol, cameras):
    result = evaluate_open_set(crowd, protocol, num_resamples=2)
    closed, opened = protocol.closed.settings(crowd), protocol.settings(crowd)
    assert list(result) == ['all_single', 'indoor_single'] == list(opened)
    for name, whole in result.items():
        if cameras and cameras[1] > 2 and name == 'indoor_single':
            assert '3 -> 4' not in whole['camera_pairs']
            continue
        row = whole if cameras is None else whole['camera_pairs'][f'{cameras[0]} -> {cameras[1]}']
        searches = [slow_searches(crowd, trial, cameras) for trial in opened[name].trials]
        pairs = [slow_pairs(crowd, trial, cameras) for trial in closed[name].trials]
        expected = slow_measures(searches, pairs)
        found = np.array([row[metric] for metric in OPEN_SET_NAMES], float)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert list(row['not_measured']) == [m for m in OPEN_SET_NAMES if row[m] is None]
        counts = {
            'searches_enrolled': [sum(s[1] for s in found) for found in searches],
            'searches_unenrolled': [sum(not s[1] for s in found) for found in searches],
            'people_unenrolled': [len({s[0] for s in found if not s[1]}) for found in searches],
            'pairs_genuine': [sum(a == b for a, b, _ in found) for found in pairs],
            'pairs_impostor': [sum(a != b for a, b, _ in found) for found in pairs],
        }
        assert {key: row['counts'][key] for key in counts} == {key: np.mean(count) for key, count in counts.items()}


def test_some_levels_can_be_measured_in_these_tests(crowd, protocol):
    rows = evaluate_open_set(crowd, protocol, num_resamples=2)
    assert all(rows['all_single'][name] > 0 for name in OPEN_SET_NAMES)
    pair = rows['all_single']['camera_pairs']['3 -> 4']
    assert pair['TPIR@FPIR=0.01'] is None and pair['intervals']['TPIR@FPIR=0.01'] is None
    assert pair['not_measured'] == {
        'TPIR@FPIR=0.01': 'FPIR=0.01 takes at least 100 searches for unenrolled people; there are 56.',
    }
    assert '3 -> 2' not in rows['all_single']['camera_pairs']


def test_intervals_are_of_people_drawn_anew_with_all_their_searches_and_pairs(crowd, protocol, monkeypatch):
    monkeypatch.setattr(
        sys.modules['tsgan.evaluation.verification'], 'MOST_THRESHOLDS', 10**6
    )  # as the loop: every one
    closed, opened = protocol.closed.settings(crowd), protocol.settings(crowd)
    result = evaluate_open_set(crowd, protocol, num_resamples=6, confidence=80, seed=3)
    draws = np.random.default_rng(3)
    for name in closed:
        weights = draws.multinomial(PEOPLE, np.full(PEOPLE, 1 / PEOPLE), 6)  # all are searched for, so all are drawn
        searches = [slow_searches(crowd, trial, None) for trial in opened[name].trials]
        pairs = [slow_pairs(crowd, trial, None) for trial in closed[name].trials]
        rates = [slow_measures(searches, pairs, dict(enumerate(drawn.tolist(), start=1))) for drawn in weights]
        expected = np.percentile(rates, [10, 90], axis=0).T
        np.testing.assert_allclose([result[name]['intervals'][m] for m in OPEN_SET_NAMES], expected, atol=1e-9)


def test_a_resample_without_searches_of_a_kind_has_no_rate_and_little_memory_changes_nothing():
    searches = Searches(
        np.ones(4, bool), np.array([True, True, False, False]), np.array([0.9, 0.3, 0.4, 0.2]),
        np.array([True, True, False, False]),
    )  # fmt: skip
    drawn = np.array([[1, 2, 0, 1], [1, 1, 0, 0], [2, 0, 1, 1], [1, 1, 0, 1]])  # (people, resamples)
    rates = resample_searches(searches, np.arange(4), drawn)
    np.testing.assert_allclose(rates[1], [1 / 2, 1, np.nan, 1])
    np.testing.assert_array_equal(rates, resample_searches(searches, np.arange(4), drawn, memory_mb=1e-4))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 4)), min_size=2, max_size=60),
    st.integers(0, 99),
)
def test_searches_that_score_alike_are_accepted_together_in_resamples_too(searches, seed):
    best, hit, enrolled, person = map(np.array, zip(*searches, strict=True))
    if enrolled.all() or not enrolled.any():
        return
    drawn = np.random.default_rng(seed).multinomial(5, np.full(5, 0.2), 6).T  # (people, resamples)
    rates = resample_searches(Searches(enrolled | True, enrolled, best / 7, hit & enrolled), person, drawn)
    for times, rate in zip(drawn.T, rates.T, strict=True):
        searched = [[(s[0], s[2], s[1])] * times[s[3]] for s in searches]
        searched = [s for copies in searched for s in copies]
        true, false = [s[0] for s in searched if s[1] and s[2]], [s[0] for s in searched if not s[1]]
        expected = [slow_at(true, false, sum(s[1] for s in searched), level, 'no matter') for level in (0.01, 0.1)]
        np.testing.assert_allclose(rate, expected)


def test_the_curves_pass_through_the_rates_of_the_table_and_end_at_rank_one(crowd, protocol):
    closed = evaluate(crowd, protocol)  # of enrolled people alone: their galleries are those of the open protocol
    for name, row in evaluate_open_set(crowd, protocol, num_resamples=1).items():
        curves = row['curves']
        assert curves['TPIR'][curves['FPIR'].index(1)] == row['TPIR@FPIR=0.01']
        assert curves['TAR'][curves['FAR'].index(0.1)] == pytest.approx(row['TAR@FAR=0.001'])
        assert curves['TPIR'] == sorted(curves['TPIR']) and curves['TAR'] == sorted(curves['TAR'])
        assert curves['TPIR'][-1] == pytest.approx(closed[name]['R1'])
        assert len(curves['FPIR']) < len(LEVELS)  # only as far down as can be told
        for kinds in (('genuine', 'impostor'), ('right', 'wrong', 'unenrolled')):
            total = sum(sum(row['distributions'][kind]) for kind in kinds)
            sides = ['pairs_genuine', 'pairs_impostor'] if 'genuine' in kinds else [
                'searches_enrolled', 'searches_unenrolled'
            ]  # fmt: skip
            assert total == pytest.approx(sum(row['counts'][side] for side in sides))


def test_each_closed_protocol_is_measured_by_its_own_settings(crowd):
    llcm = replace(crowd, camids=np.array([0, 1, 2, 4, 4, 5, 5])[crowd.camids])  # 4 and 5 take both modalities
    llcm = replace(llcm, frames=np.arange(1, len(llcm) + 1))
    regdb = replace(crowd, camids=np.where(crowd.modalities == 'ir', 2, 1))
    both = ['ir_to_rgb', 'rgb_to_ir']
    for table, closed, names in [
        (llcm, LLCMProtocol(num_trials=2), both),
        (regdb, RegDBProtocol(), both),
        (crowd, CrossModalityProtocol(num_trials=2), both),
        (crowd, SingleModalityProtocol('ir', num_trials=2), ['single_modality']),
    ]:
        with np.errstate(all='raise'), pytest.MonkeyPatch.context() as patch:
            patch.setattr('warnings.warn', lambda *_, **__: None)  # other numbers of people than the data sets'
            result = evaluate_open_set(table, OpenSetProtocol(closed, repeats=2), num_resamples=5)
        assert list(result) == names
        for row in result.values():
            assert 0 < row['EER'] < 50 and row['repeats'] == 2
            assert row['intervals']['EER'][0] <= row['intervals']['EER'][1]


def test_a_person_hidden_by_the_protocol_is_no_candidate_and_no_pair(crowd, protocol):
    closer = crowd.feats.copy()
    twin = (crowd.camids == 2) & (crowd.pids == 1)
    closer[twin] = 50 * crowd.feats[(crowd.camids == 3) & (crowd.pids == 2)].mean(axis=0)  # of camera 3's person 2
    before, after = (
        evaluate_open_set(replace(crowd, feats=feats), protocol, num_resamples=1)['all_single']['camera_pairs']
        for feats in (crowd.feats, closer)
    )
    assert {pair for pair in before if before[pair] != after[pair]} == {'6 -> 2'}


def test_the_same_in_any_order_of_rows_and_any_block(crowd, protocol, monkeypatch):
    order = np.random.default_rng(9).permutation(len(crowd))
    columns = ('feats', 'pids', 'camids', 'frames', 'modalities')
    shuffled = FeatureTable(*(getattr(crowd, name)[order] for name in columns))
    assert evaluate_open_set(crowd, protocol, 20) == evaluate_open_set(shuffled, protocol, 20)


def test_what_cannot_be_measured_is_refused_in_a_sentence(crowd, protocol):
    with pytest.raises(ValueError, match=r'All \d+ features are equal: they tell nobody apart.'):
        evaluate_open_set(replace(crowd, feats=np.ones_like(crowd.feats)), protocol)
    with pytest.raises(ValueError, match=r'The 224 x 52 pairs of setting .all_single. need 1 MiB.*not 0.1'):
        evaluate_open_set(crowd, protocol, memory_mb=0.1)
    with pytest.raises(ValueError, match='num_resamples >= 1 and 0 < confidence < 100'):
        evaluate_open_set(crowd, protocol, num_resamples=0)
    with pytest.raises(ValueError, match='Seeds start at 0'):
        evaluate_open_set(crowd, protocol, seed=-1)
    rows = np.flatnonzero((crowd.pids == 1) | (crowd.camids > 2))
    lonely = replace(crowd, **{n: getattr(crowd, n)[rows] for n in ('feats', 'pids', 'camids', 'frames', 'modalities')})
    indoor = SYSUMM01Protocol(modes=['indoor'], shots=(1,), gallery_sampling='agw', num_trials=1)
    with pytest.raises(ValueError, match="'indoor_single' has 1 people .* all of them are left out of it"):
        evaluate_open_set(lonely, OpenSetProtocol(indoor))
    hidden = replace(lonely, camids=np.where(lonely.camids == 1, 2, np.where(lonely.camids == 6, 3, lonely.camids)))
    hidden = replace(hidden, frames=np.arange(1, len(hidden) + 1))
    with pytest.raises(
        ValueError, match="Setting 'indoor_single' is empty: a trial has no searches for enrolled people"
    ):
        evaluate_open_set(hidden, OpenSetProtocol(indoor, unknown_ids=[3]), num_resamples=1)


def test_a_camera_pair_that_lacks_people_says_so_and_has_no_number(crowd):
    rows = np.flatnonzero(~((crowd.camids == 1) & (crowd.pids != 1)))  # camera 1 saw one person
    table = replace(crowd, **{n: getattr(crowd, n)[rows] for n in ('feats', 'pids', 'camids', 'frames', 'modalities')})
    closed = SYSUMM01Protocol(modes=['all'], shots=(1,), gallery_sampling='agw', num_trials=1)
    row = evaluate_open_set(table, OpenSetProtocol(closed, unknown_ids=[1, 2]), 10)['all_single']['camera_pairs'][
        '6 -> 1'
    ]
    assert (
        row['TPIR@FPIR=0.1'] is None
        and row['not_measured']['TPIR@FPIR=0.1'] == 'there are no searches for enrolled people.'
    )
    assert row['EER'] is not None and row['intervals']['EER'] is None  # one person has a genuine pair there


def test_the_table_has_a_line_a_setting_and_pair_and_says_what_is_missing(crowd, protocol):
    result = evaluate_open_set(crowd, protocol, num_resamples=5)
    lines = open_set_table(result, 95).splitlines()
    assert lines[0] == 'Percent, with 95 % intervals over identities.'
    assert lines[1].split() == ['setting', *OPEN_SET_NAMES]
    row = result['all_single']
    shown = next(line for line in lines if line.startswith('all_single  ')).split()
    assert shown[1] == f'{row["TPIR@FPIR=0.01"]:.2f}' and shown[-1] == f'{row["intervals"]["EER"][1]:.2f}]'
    pair = next(line for line in lines if line.startswith('all_single, 3 -> 4'))
    assert pair.split()[4] == '-'
    assert any(
        line.startswith('all_single: 2 trials (agw) x 3 repeats, each of 112 searches for 7 en') for line in lines
    )
    assert 'all_single, 3 -> 4: FPIR=0.01 takes at least 100 searches for unenrolled people; there are 56.' in lines


@pytest.mark.slow
def test_intervals_hold_the_mean_of_many_samples_of_people_about_as_often_as_they_say():
    rates, intervals = [], []
    for seed in range(120):
        draws, pids = np.random.default_rng(seed), np.repeat(np.arange(60), 8)
        spread = draws.gamma(4, 1 / 3, 60)[pids, None]  # some people are harder than others
        feats = draws.normal(size=(60, 16))[pids] + spread * draws.normal(size=(480, 16))
        modalities = np.tile(np.repeat(['ir', 'rgb'], 4), 60)
        table = FeatureTable(feats, pids, np.where(modalities == 'ir', 2, 1), None, modalities)
        protocol = OpenSetProtocol(CrossModalityProtocol(9, ['ir_to_rgb'], num_trials=1), repeats=5, seed=seed)
        row = evaluate_open_set(table, protocol, num_resamples=400, seed=seed)['ir_to_rgb']
        rates.append([row[name] for name in OPEN_SET_NAMES])
        intervals.append([row['intervals'][name] for name in OPEN_SET_NAMES])
    low, high = np.moveaxis(intervals, 2, 0)  # (120, 5) each
    held = ((low <= np.mean(rates, axis=0)) & (np.mean(rates, axis=0) <= high)).mean(axis=0)
    assert (held > 0.88).all() and ((high - low).mean(axis=0) < 25).all(), held
