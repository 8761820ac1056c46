"""Calibration.fit and its groups, as they are used, saved and refused."""

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tsgan.evaluation.calibration import Calibration, calibration_table, held_out_reliability
from tsgan.evaluation.calibration.calibration import checked_images, pairs_of

ROOT = Path(__file__).parents[2]
CAMERAS = {1: 'rgb', 2: 'rgb', 3: 'ir'}


def labelled(num_ids=120, frames=2, cameras=CAMERAS, dim=24, noise=1.2, seed=0):
    """Features around one centre a person, with labels: feats, pids, camids, modalities."""
    draws = np.random.default_rng(seed)
    rows = [(pid, cam) for pid, cam, _ in product(range(num_ids), cameras, range(frames))]
    pids, camids = np.array(rows).T
    centres = draws.normal(size=(num_ids, dim))
    feats = centres[pids] + noise * draws.normal(size=(len(pids), dim))
    return feats.astype(np.float32), pids, camids, np.array([cameras[cam] for cam in camids.tolist()])


@pytest.fixture(scope='module')
def calibration():
    return Calibration.fit(*labelled(), model='a model', fingerprint='0123456789abcdef', data='drawn')


def brute_force_pairs(feats, pids, camids, modalities, kind):
    """Cosines of all pairs of one person that count, by person."""
    feats = feats / np.linalg.norm(feats, axis=1, keepdims=True)
    found = {}
    for q, g in product(range(len(feats)), repeat=2):
        if (modalities[q], modalities[g]) != kind[:2] or q == g or pids[q] != pids[g]:
            continue
        if any(cam >= 0 and camids[row] != cam for row, cam in ((q, kind[2]), (g, kind[3]))):
            continue
        if modalities[q] == modalities[g] and camids[q] == camids[g] >= 0:
            continue
        found.setdefault(pids[q], []).append(float(feats[q] @ feats[g]))
    return {pid: sorted(scores) for pid, scores in found.items()}


@pytest.mark.parametrize(
    'kind', [('ir', 'rgb', -1, -1), ('rgb', 'rgb', -1, -1), ('rgb', 'rgb', 1, 2), ('ir', 'ir', -1, -1)]
)
def test_pairs_are_all_that_not_one_camera_took_in_one_modality(kind):
    feats, pids, camids, modalities = labelled(num_ids=6, frames=2)
    camids[-3:] = -1  # of the last person's IR images, and one RGB image, the camera is not known
    pairs = pairs_of(checked_images(feats, pids, camids, modalities)[0], kind, 0)
    expected = brute_force_pairs(feats, pids, camids, modalities, kind)
    assert pairs.num_ids == len(expected)
    for number, scores in enumerate(expected.values()):
        np.testing.assert_allclose(np.sort(pairs.same[pairs.same_people == number]), scores, atol=1e-6)
    assert pairs.weights.sum() == pytest.approx(1)


def test_in_a_round_everybody_is_compared_with_everybody_else_by_one_image_each():
    feats, pids, camids, modalities = labelled(num_ids=7, frames=3)
    pairs = pairs_of(checked_images(feats, pids, camids, modalities)[0], ('ir', 'rgb', -1, -1), 0)
    unit = feats / np.linalg.norm(feats, axis=1, keepdims=True)
    for table in pairs.different:
        assert np.isneginf(table.diagonal()).all()
        queries, members = [], []
        for person in range(7):
            ir, rgb = (np.flatnonzero((pids == person) & (modalities == m)) for m in ('ir', 'rgb'))
            others = np.delete(np.arange(7), person)
            row = [
                q for q in ir if all(np.isclose(unit[q] @ unit.T, table[person, o], atol=1e-6).any() for o in others)
            ]
            column = [
                g for g in rgb if all(np.isclose(unit @ unit[g], table[o, person], atol=1e-6).any() for o in others)
            ]
            queries.append(row[0]), members.append(column[0])
        expected = unit[queries] @ unit[members].T
        off = ~np.eye(7, dtype=bool)
        np.testing.assert_allclose(table[off], expected[off], atol=1e-6)
    assert len(pairs.different) == 6  # as many rounds as the most images of a person


def test_groups_are_pairs_of_modalities_and_of_cameras_where_there_are_enough_people(calibration):
    names = [group.name for group in calibration.groups]
    assert 'IR -> RGB' in names and 'IR camera 3 -> RGB camera 2' in names
    assert 'IR -> IR' not in names  # of one camera, whose images of a person are not paired
    assert calibration.group('ir', 'rgb', 3, 2).gallery_camera == 2
    assert calibration.group('ir', 'rgb', 3, 9).gallery_camera == calibration.group('ir', 'rgb').gallery_camera == -1
    few = Calibration.fit(*labelled(num_ids=60))
    assert few.group('ir', 'rgb', 3, 2).query_camera == -1
    with pytest.raises(
        ValueError, match='IR queries in a gallery of IR images were not calibrated: there is RGB -> RGB'
    ):
        calibration.group('ir', 'ir')


def test_one_camera_of_each_modality_makes_one_group_each():
    groups = Calibration.fit(*labelled(cameras={1: 'rgb', 2: 'ir'})).groups
    assert [group.name for group in groups] == ['RGB -> IR', 'IR -> RGB']


def test_ratio_rises_with_the_score_and_probability_is_bayes_rule(calibration):
    group, scores = calibration.group('ir', 'rgb'), np.linspace(-1, 1, 101)
    ratios = group.ratio(scores)
    assert (np.diff(ratios) >= 0).all() and 1 / 121 <= ratios[0] < 0.5 and ratios[-1] > 20
    np.testing.assert_allclose(group.probability(scores, 0.1), 0.1 * ratios / (0.1 * ratios + 0.9))
    assert group.probability(0.3, 0) == 0 and group.probability(0.3, 1) == 1
    with pytest.raises(ValueError, match='prior is the share of pairs'):
        group.probability(scores, 1.5)


def test_unseen_is_the_mean_ratio_of_lower_scores(calibration):
    """E[ratio | two people, score below s], by the pairs of the fit themselves."""
    feats, pids, camids, modalities = labelled()
    pairs = pairs_of(checked_images(feats, pids, camids, modalities)[0], ('ir', 'rgb', -1, -1), 0)
    group = calibration.group('ir', 'rgb')
    different = pairs.different[np.isfinite(pairs.different)]
    for score in (0.1, 0.2, 0.4):
        expected = group.ratio(different[different < score]).mean()
        assert group.unseen(score) == pytest.approx(expected, abs=0.02)
    apart = Calibration.fit(*labelled(num_ids=50, noise=0.01)).group('ir', 'rgb')  # all of one person score about 1
    assert apart.unseen(0.95) == pytest.approx(1 / 50, rel=0.01)  # as if it had happened to one of them
    assert group.unseen(1) == pytest.approx(1, abs=0.01)
    assert group.unseen(-1) == group.ratio(-1)


def test_levels_and_rates_in_between_take_the_careful_side(calibration):
    group = calibration.group('ir', 'rgb')
    assert group.candidates(0.93) == group.candidates(0.95) < group.candidates(0.9)
    between = group.threshold(0.07, 7)
    assert between == group.threshold(0.05, 10) and between.false_alarm_rate == 0.05 and between.gallery_size == 10
    assert group.threshold(0.1, 60).gallery_size == 60  # half of 120, all that there are


@pytest.mark.parametrize(
    ('ask', 'said'),
    [
        (lambda group: group.candidates(0.999), 'needs 999 identities, IR -> RGB has 120'),
        (lambda group: group.candidates(0.995), 'needs 199 identities'),
        (lambda group: group.candidates(1), 'between 0 and 1, not 1'),
        (lambda group: group.threshold(0.001), 'needs 999 identities, IR -> RGB has 120'),
        (lambda group: group.threshold(0.1, 61), 'among 61 people needs 122 identities'),
        (lambda group: group.threshold(0, 1), 'between 0 and 1, not 0'),
        (lambda group: group.threshold(0.1, 0), 'at least 1, not 0'),
        (lambda group: group.check([np.zeros(5)] * 3), 'needs 20 queries, got 3'),
        (lambda group: group.check([np.zeros(5)] * 20 + [[np.nan]]), 'scores of query 20 must be finite'),
    ],
)
def test_what_the_identities_do_not_suffice_for_gives_their_number_and_no_other(calibration, ask, said):
    with pytest.raises(ValueError, match=said):
        ask(calibration.group('ir', 'rgb'))


def test_of_very_many_people_some_are_searched_for_and_all_of_them_have_pairs(monkeypatch):
    monkeypatch.setattr('tsgan.evaluation.calibration.pairs.MOST_PEOPLE', 40)
    monkeypatch.setattr('tsgan.evaluation.calibration.pairs.MOST_SAME', 3)
    group = Calibration.fit(*labelled(num_ids=90)).group('ir', 'rgb')
    assert group.num_ids == 90 and group.num_pairs[0] == 270 and group.candidates(0.95)
    assert group.threshold(0.05, 20).num_ids == 40
    with pytest.raises(ValueError, match='needs 99 identities, IR -> RGB has 40 that were searched for'):
        group.threshold(0.01)


def test_neither_scikit_learn_nor_torch_is_needed_to_use_one(calibration, tmp_path):
    calibration.save(tmp_path / 'c.json')
    code = (
        'import sys; from tsgan.evaluation.calibration import Calibration as C; '
        f'g = C.load({str(tmp_path / "c.json")!r}).groups[0]; g.ratio(0.1), g.threshold(0.1), g.candidates(0.9); '
        'sys.exit(", ".join({"sklearn", "torch", "mmengine", "matplotlib"} & set(sys.modules)) or 0)'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr.strip() == '', done.stderr


def test_what_was_not_asked_for_in_the_fit_is_refused():
    calibration = Calibration.fit(
        *labelled(num_ids=60), levels=np.array([0.8]), false_alarm_rates=[0.1], gallery_sizes=np.array([3, 100])
    )
    group = calibration.group('ir', 'rgb')
    assert group.candidates(0.5) == group.candidates(0.8) and group.threshold(0.2, 2).gallery_size == 3
    for ask in (lambda: group.candidates(0.9), lambda: group.threshold(0.05), lambda: group.threshold(0.1, 4)):
        with pytest.raises(ValueError, match='was not calibrated'):
            ask()


@pytest.mark.parametrize('method', ['isotonic', 'platt'])
def test_a_saved_calibration_answers_as_before(method, tmp_path):
    saved = Calibration.fit(*labelled(), method=method, model='m', fingerprint='ff', data='é', seed=3)
    saved.save(tmp_path / 'new/c.json')
    loaded = Calibration.load(tmp_path / 'new/c.json')
    about = [name for name in vars(saved) if name != 'groups']
    assert [getattr(loaded, name) for name in about] == [getattr(saved, name) for name in about]
    scores, draws = np.linspace(-1, 1, 201), np.random.default_rng(0)
    asked = [draws.uniform(-0.5, 0.5, 50) for _ in range(30)]
    for one, other in zip(saved.groups, loaded.groups, strict=True):
        assert one.name == other.name and one.thresholds == other.thresholds and one.num_pairs == other.num_pairs
        assert (one.ratio(scores) == other.ratio(scores)).all()
        assert [one.unseen(score) for score in scores] == [other.unseen(score) for score in scores]
        assert one.candidate_scores == other.candidate_scores and one.check(asked) == other.check(asked)
    text = json.loads((tmp_path / 'new/c.json').read_text(encoding='utf-8'))
    assert text['fingerprint'] == 'ff' and text['groups'][0]['num_ids'] == 120
    arrays = dict(
        levels=np.array([0.8]), false_alarm_rates=np.array([0.1]), gallery_sizes=np.array([3]), seed=np.int64(3)
    )
    Calibration.fit(*labelled(num_ids=30), **arrays).save(tmp_path / 'arrays.json')
    assert Calibration.load(tmp_path / 'arrays.json').group('ir', 'rgb').threshold(0.1).gallery_size == 3
    loaded.save(tmp_path / 'again.json')
    assert (tmp_path / 'again.json').read_bytes() == (tmp_path / 'new/c.json').read_bytes()


def damaged(text):
    group = text['groups'][0]
    yield 'no calibration, or a damaged one', json.dumps(text)[:-20]
    yield (
        'no calibration, or a damaged one .*NaN is no number',
        json.dumps(text).replace('"num_ids": 120', '"num_ids": NaN'),
    )
    yield 'no calibration', '[' * 100_000
    yield 'no calibration', '\0\1'
    yield 'JSON, but no calibration', '[]'
    yield 'JSON, but no calibration', '{"format": "other"}'
    yield 'of version 9: expected 1', json.dumps({**text, 'version': 9})
    yield 'KeyError', json.dumps({name: value for name, value in text.items() if name != 'model'})
    yield 'no groups', json.dumps({**text, 'groups': []})
    for name, value in (
        ('num_ids', '120'),
        ('num_ids', True),
        ('scores', group['scores'][:-1]),
        ('scores', group['scores'][::-1]),
        ('same_below', [2 * share for share in group['same_below']]),
        ('curve', {'kind': 'spline'}),
        ('curve', {**group['curve'], 'probabilities': [0.0, *group['curve']['probabilities'][1:]]}),
        ('curve', {**group['curve'], 'probabilities': [1e999]}),
        ('thresholds', [{'score': 1}]),
        ('candidate_scores', [{'level': 0.9, 'score': 'high'}]),
        ('num_ids', 0),
        ('num_pairs', [1, 2, 3]),
        ('gallery_modality', 'x'),
        ('scores', [10**400] * len(group['scores'])),
        ('thresholds', [{**group['thresholds'][0], 'gallery_size': 2.5}]),
        ('drift', {**group['drift'], 'mean': [0, 0]}),
        ('drift', {**group['drift'], 'num_ids': 3}),
        ('drift', {**group['drift'], 'query_covariance': [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]}),
        ('drift', None),
    ):
        yield 'damaged', json.dumps({**text, 'groups': [{**group, name: value}]})


def test_anything_else_than_a_calibration_is_one_sentence(calibration, tmp_path):
    file = tmp_path / 'c.json'
    calibration.save(file)
    for said, content in damaged(json.loads(file.read_text(encoding='utf-8'))):
        file.write_text(content, encoding='utf-8')
        with pytest.raises(ValueError, match=said) as error:
            Calibration.load(file)
        assert str(error.value).startswith(str(file)) and '\n' not in str(error.value)
    with pytest.raises(FileNotFoundError):
        Calibration.load(tmp_path / 'nothing.json')


def test_features_of_another_model_are_refused_by_both_names(calibration):
    calibration.check_model('0123456789abcdef')
    with pytest.raises(ValueError, match=r'is of a model \(0123456789ab\), not of other \(fff\)'):
        calibration.check_model('fff', 'other')


def test_a_seed_gives_the_same_again_whatever_else_is_calibrated():
    feats, pids, camids, modalities = labelled(num_ids=110)
    one, other = (Calibration.fit(feats, pids, camids, modalities, seed=seed) for seed in (0, 1))
    rgb = modalities == 'rgb'
    alone = Calibration.fit(feats[rgb], pids[rgb], camids[rgb], modalities[rgb])
    assert alone.group('rgb', 'rgb').thresholds == one.group('rgb', 'rgb').thresholds
    assert other.group('rgb', 'rgb').thresholds != one.group('rgb', 'rgb').thresholds


@pytest.mark.parametrize('method', ['isotonic', 'platt'])
def test_the_file_is_the_same_however_many_threads_there_are(method, tmp_path):
    threadpoolctl = pytest.importorskip('threadpoolctl')  # comes with scikit-learn
    people = labelled(num_ids=300, cameras={1: 'rgb', 3: 'ir'}, dim=256)
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads):
            Calibration.fit(*people, method=method).save(tmp_path / f'{threads}.json')
    assert (tmp_path / '1.json').read_bytes() == (tmp_path / '2.json').read_bytes()


def test_the_norm_of_features_does_not_count():
    feats, *labels = labelled(num_ids=30)
    one = Calibration.fit(feats, *labels).group('ir', 'rgb')
    longer = feats * np.random.default_rng(0).uniform(0.1, 9, (len(feats), 1)).astype(np.float32)
    np.testing.assert_allclose(
        Calibration.fit(longer, *labels).group('ir', 'rgb').candidates(0.9), one.candidates(0.9), atol=1e-6
    )


def spoiled(change):
    feats, pids, camids, modalities = labelled(num_ids=8)
    return change(feats, pids, camids, modalities)


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda f, p, c, m: (f, 0 * p, c, m), '1 identities are too few'),
        (lambda f, p, c, m: (f, p % 4, c, m), '4 identities are too few to calibrate on: expected 5'),
        (lambda f, p, c, m: (np.ones_like(f), p, c, m), 'all scores are 1'),
        (lambda f, p, c, m: (0 * f, p, c, m), 'features are zero'),
        (lambda f, p, c, m: (f * np.nan, p, c, m), 'must be finite'),
        (lambda f, p, c, m: (f, p - 1, c, m), 'of nobody known'),
        (lambda f, p, c, m: (f, p, c, np.where(m == 'ir', 'x', m)), "must be 'rgb' or 'ir'"),
        (lambda f, p, c, m: (f[c == 1], p[c == 1], c[c == 1], m[c == 1]), r'not one camera took.*\(RGB -> RGB: 0\)'),
        (lambda f, p, c, m: (f, np.where(m == 'ir', p + 8, p), np.where(m == 'ir', 3, 1), m), 'not one camera took'),
        (lambda f, p, c, m: (f[:0], p[:0], c[:0], m[:0]), 'neither of them 0'),
    ],
)  # fmt: skip
def test_images_that_tell_nothing_are_one_sentence(change, said, recwarn):
    with pytest.raises(ValueError, match=said) as error:
        Calibration.fit(*spoiled(change))
    assert '\n' not in str(error.value) and not len(recwarn)


@pytest.mark.parametrize(
    ('wrong', 'said'),
    [
        (dict(method='beta'), 'method is one of isotonic, platt'),
        (dict(levels=[]), 'levels must be probabilities'),
        (dict(levels=[1.0]), 'levels must be probabilities'),
        (dict(false_alarm_rates=[0.0]), 'false_alarm_rates must be probabilities'),
        (dict(gallery_sizes=[0]), 'gallery_sizes must be numbers of people'),
        (dict(seed=-1), 'seed is a number, at least 0'),
    ],
)
def test_arguments_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        Calibration.fit(*labelled(num_ids=8), **wrong)


@pytest.mark.parametrize('method', ['isotonic', 'platt'])
def test_five_people_and_people_who_are_never_confused_give_finite_numbers(method, recwarn):
    for noise, num_ids in ((1.2, 5), (0.01, 12), (0.0, 12)):
        calibration = Calibration.fit(*labelled(num_ids=num_ids, noise=noise), method=method)
        for group in calibration.groups:
            ratios = group.ratio(np.linspace(-1, 1, 99))
            assert np.isfinite(ratios).all() and (ratios > 0).all() and ratios[0] >= 1 / (num_ids + 1) - 1e-12
            assert np.isfinite([group.unseen(score) for score in (-1, 0, 1)]).all()
            scores = np.random.default_rng(0).uniform(-1, 1, (25, 40))
            assert np.isfinite(group.check(list(scores)).p_value)
        assert 'nan' not in calibration_table(calibration)
    assert not len(recwarn)


def test_pictures_of_which_everybody_has_copies_are_candidates_however_products_are_rounded():
    feats, pids, camids, modalities = labelled(frames=1, noise=0)
    group = Calibration.fit(feats, pids, camids, modalities).group('ir', 'rgb')
    feats = feats / np.linalg.norm(feats, axis=1, keepdims=True)
    ir, rgb = feats[camids == 3], feats[camids == 1]
    for scores in (np.diag(ir @ rgb.T), (ir[:, ::-1].astype(float) * rgb[:, ::-1]).sum(axis=1).astype(np.float32)):
        assert (scores >= group.candidates(0.8)).all()


@pytest.mark.parametrize('sign', [1, -1])
def test_where_any_two_people_score_alike_the_check_is_finite(sign, recwarn):
    """Any two people score 0, so nothing of that varied in the calibration; one person scores 1, or -1."""
    people, cameras = np.repeat(np.arange(9), 2), np.tile([1, 3], 9)
    feats = np.eye(9, dtype=np.float32)[people]
    feats[cameras == 3] *= sign
    group = Calibration.fit(feats, people, cameras, np.where(cameras == 3, 'ir', 'rgb')).group('ir', 'rgb')
    for scores, drifted in ((np.zeros(9), False), (np.full(9, 0.5), sign > 0)):  # it knows no share between 0 and -1
        found = group.check([scores] * 20)
        assert found.drifted == drifted and 0 <= found.p_value <= 1 and np.isfinite(found.statistic)
    assert not len(recwarn)


def test_the_table_says_what_is_there_and_what_is_not(calibration):
    text = calibration_table(calibration)
    group = calibration.group('ir', 'rgb')
    assert 'a model (0123456789ab), isotonic, on drawn: 120 identities, 720 images, 3 cameras' in text
    assert f'| 95 % | {group.candidates(0.95):.3f} |' in text
    assert f'| 10 | {group.threshold(0.01, 10).score:.3f} (' in text and '| IR camera 3 -> RGB camera 1 | 120 |' in text
    few = calibration_table(Calibration.fit(*labelled(num_ids=20), levels=[0.99], gallery_sizes=[11]))
    assert few.startswith('a model without a name (no fingerprint)')
    for what in ('candidate set', 'threshold'):
        assert f'no {what}: those that were asked for need more than 20 identities' in few


def test_half_of_the_people_tell_whether_probabilities_hold():
    found = held_out_reliability(*labelled(num_ids=80))
    assert set(found) == {'IR -> RGB', 'RGB -> IR', 'RGB -> RGB'}
    for each in found.values():
        assert each.weight.sum() == pytest.approx(1) and each.error < 0.1
    assert held_out_reliability(*labelled(num_ids=8)) == {}
