"""Searches with a calibration: against loops over all rows, with ratios that are a formula of the score."""

import math
import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tsgan.apis import Gallery
from tsgan.apis import gallery as gallery_module
from tsgan.apis.calibrated import in_words, percent, without_nobody
from tsgan.datasets.loose_images import ImageRow
from tsgan.evaluation.calibration import Calibration as Fitted
from tsgan.evaluation.features import l2_normalize

DIM = 12


class Group:
    """Ratio e^(a s), a of its own for each pair of cameras; its candidates score at least b."""

    def __init__(self, query_modality, gallery_modality, query_camera, gallery_camera, least):
        self.pair, self.cameras = (query_modality, gallery_modality), (query_camera, gallery_camera)
        self.slope = 3 + (query_modality == gallery_modality) + 0.5 * query_camera + 0.25 * gallery_camera
        self.least = least - 0.02 * gallery_camera

    def ratio(self, scores):
        return np.exp(self.slope * np.asarray(scores, float))

    def candidates(self, level):
        if self.cameras != (-1, -1) and level > 0.99:
            raise ValueError('two cameras have too few identities.')
        return self.least + 0.3 * (0.95 - level)

    def unseen(self, score):
        return math.exp(self.slope * score) / 2

    def check(self, scores, num_persons):
        drifted = np.mean(scores) > 0.5
        said = f'{" to ".join(self.pair)}: {len(scores)} queries of {len(scores[0])} rows, {num_persons} people.'
        return SimpleNamespace(drifted=drifted, sentence=said)


class Calibration:
    """Stands for one that was fitted."""

    def __init__(
        self, fingerprint='f' * 64, pairs=(('ir', 'rgb'), ('rgb', 'ir'), ('ir', 'ir'), ('rgb', 'rgb')), least=0.2
    ):
        self.fingerprint, self.pairs, self.least = fingerprint, pairs, least

    @property
    def groups(self):
        return [self.group(*pair) for pair in self.pairs]

    def check_model(self, fingerprint, name=''):
        if fingerprint != self.fingerprint:
            raise ValueError(f'this calibration is of another model than {name}.')

    def group(self, query_modality, gallery_modality, query_camera=-1, gallery_camera=-1):
        if (query_modality, gallery_modality) not in self.pairs:
            raise ValueError(f'queries of {query_modality} and a gallery of {gallery_modality} were not calibrated.')
        return Group(query_modality, gallery_modality, query_camera, gallery_camera, self.least)


def unit(count, seed=0, dim=DIM):
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def small(count=30, engine='flat', seed=0):
    """Some people, some rows of whom nobody knows whom they show, two modalities, three cameras and none."""
    gallery, draws = Gallery('model', 'f' * 64, DIM, engine), np.random.default_rng(seed)
    people, cameras = [None, 'ann', 'bob', 'cy', 'di', 'ed'], [None, 'cam1', 'cam2', 'camera 3']
    fields = [
        {
            'identity': draws.choice(people),
            'camera': draws.choice(cameras),
            'modality': draws.choice(['rgb', 'ir']),
            'n': i,
        }
        for i in range(count)
    ]
    gallery.add(unit(count, seed), fields, keys=[f'k{i}' for i in range(count)])
    return gallery


def slowly(gallery, query, about, enrolled=0.5, level=0.95, fits=lambda row: True, grouped=False, least=0.2):
    """Hits of all rows and the last row, by the equations, person by person."""
    numbers = {None: -1, 'cam1': 1, 'cam2': 2, 'camera 3': 3}
    rows = []
    for row in filter(fits, gallery.rows()):
        score = float(
            np.float32(
                sum(map(float.__mul__, *(v.astype(float).tolist() for v in (query, gallery.features([row['key']])[0]))))
            )
        )
        group = Group(about['modality'], row['modality'], numbers[about.get('camera')], numbers[row['camera']], least)
        rows.append(
            {**row, 'score': score, 'ratio': float(group.ratio(score)), 'candidate': score >= group.candidates(level)}
        )
    named = {row['identity'] for row in rows} - {None}
    unnamed = [row for row in rows if row['identity'] is None]
    n = len(named) + len(unnamed)
    mean = {name: np.mean([row['ratio'] for row in rows if row['identity'] == name]) for name in named}
    whole = (1 - enrolled) + sum(enrolled / n * ratio for ratio in mean.values())
    whole += sum(enrolled / n * row['ratio'] for row in unnamed)
    for row in rows:
        ratio = row['ratio'] if row['identity'] is None else mean[row['identity']]
        row['probability'] = enrolled / n * ratio / whole
    rows.sort(key=lambda row: -row['score'])
    if grouped:
        for row in rows:
            mates = [other for other in rows if other['identity'] == row['identity'] is not None]
            row['in'] = row['candidate'] or any(other['candidate'] for other in mates)
        rows = [
            r
            for i, r in enumerate(rows)
            if r['identity'] is None or r['identity'] not in [o['identity'] for o in rows[:i]]
        ]
        for row in rows:
            row['candidate'] = row.pop('in')
    nobody = (1 - enrolled) / whole if n else 1.0
    return (
        [{k: v for k, v in row.items() if k != 'ratio'} for row in rows],
        nobody,
        sum(row['candidate'] for row in rows),
    )


def assert_as_slowly(found, expected, topk, level=0.95, enrolled=0.5):
    rows, nobody, candidates = expected
    *hits, last = found
    assert [hit['key'] for hit in hits] == [row['key'] for row in rows[:topk]]
    for hit, row in zip(hits, rows, strict=False):
        assert hit['score'] == row['score'] and hit['candidate'] is row['candidate']
        assert hit['probability'] == pytest.approx(row['probability'], rel=1e-9)
    told = dict.fromkeys(('key', 'path', 'identity', 'camera', 'modality', 'score'))
    told |= {'nobody': True, 'probability': pytest.approx(nobody, rel=1e-9), 'enrolled': enrolled}
    assert last == {**told, 'level': level, 'candidates': candidates}


FILTERS = {
    'all': ({}, lambda row: True),
    'a modality': ({'modality': 'rgb'}, lambda row: row['modality'] == 'rgb'),
    'cameras': ({'camera': ['cam1', 'camera 3']}, lambda row: row['camera'] in ('cam1', 'camera 3')),
    'a person': ({'identity': 'bob'}, lambda row: row['identity'] == 'bob'),
    'not known': ({'identity': [None]}, lambda row: row['identity'] is None),
    'a function': ({'where': lambda row: row['n'] % 3 == 0}, lambda row: row['n'] % 3 == 0),
    'one row': ({'where': {'n': 4}}, lambda row: row['n'] == 4),
}


@pytest.mark.parametrize('group_by', [None, 'identity'])
@pytest.mark.parametrize('asked', FILTERS)
def test_probabilities_are_those_of_loops_over_all_rows(asked, group_by):
    gallery, (filters, fits) = small(40), FILTERS[asked]
    abouts = [{'modality': 'ir', 'camera': 'cam1'}, ImageRow(modality='rgb'), ImageRow('a.png', 'ann', 'cam 2', 'rgb')]
    queries = unit(3, seed=1)
    for topk, enrolled, level in [(5, 0.5, 0.95), (99, 0.9, 0.8)]:
        how = dict(calibration=Calibration(), enrolled=enrolled, level=level, group_by=group_by, **filters)
        lists = gallery.search(queries, topk, queries=abouts, **how)
        for query, about, found in zip(queries, abouts, lists, strict=True):
            known = about if isinstance(about, dict) else {'modality': about.modality, 'camera': about.camera}
            known = {**known, 'camera': {'cam 2': 'cam2'}.get(known.get('camera'), known.get('camera'))}
            expected = slowly(gallery, query, known, enrolled, level, fits, bool(group_by))
            assert_as_slowly(found, expected, topk, level, enrolled)
            assert gallery.search(query, topk, queries=about, **how) == found


@pytest.mark.parametrize('enrolled', [0.1, 0.5, 0.99])
def test_probabilities_of_all_people_and_of_nobody_add_up(enrolled):
    gallery = small(60)
    unnamed = len([row for row in gallery.rows() if row['identity'] is None])
    how = dict(calibration=Calibration(), queries={'modality': 'ir'}, group_by='identity', enrolled=enrolled)
    for count in (5 + unnamed, 5):
        *hits, nobody = gallery.search(unit(1, seed=1)[0], 60, **how)
        assert len(hits) == count and all(hit['probability'] > 0 for hit in hits)
        assert sum(hit['probability'] for hit in hits) + nobody['probability'] == pytest.approx(1)
        gallery.remove(identity=[None])


def test_images_of_somebody_unnamed_share_the_probability_of_the_person():
    def found(*names):
        gallery = Gallery('model', 'f' * 64, 2)
        gallery.add([[1, 0]] * 5 + [[0, 1]] * 5, [{'identity': name, 'modality': 'rgb'} for name in names])
        return gallery.search([1, 0], 9, calibration=Calibration(), queries={'modality': 'ir'}, enrolled=0.5)

    named, unnamed = found(*['ann'] * 5, *['bob'] * 5), found(*[None] * 10)
    assert unnamed[-1]['probability'] == pytest.approx(named[-1]['probability'])
    assert unnamed[0]['probability'] == pytest.approx(named[0]['probability'] / 5)


def test_rows_of_one_person_have_one_probability_and_the_hits_are_those_of_a_search_without():
    gallery, query = small(50), unit(1, seed=1)[0]
    *hits, _ = gallery.search(query, 20, calibration=Calibration(), queries={'modality': 'ir'})
    for name in ('ann', 'bob', 'cy'):
        assert len({hit['probability'] for hit in hits if hit['identity'] == name}) == 1
    plain = gallery.search(query, 20)
    assert [{k: v for k, v in hit.items() if k not in ('probability', 'candidate')} for hit in hits] == plain
    some = gallery.search(query, 20, threshold=hits[3]['score'], calibration=Calibration(), queries={'modality': 'ir'})
    assert some[:-1] == hits[:4] and some[-1] == _, 'a threshold hides hits; who is there does not change'


def test_who_is_there_does_not_depend_on_how_many_are_shown():
    gallery, query = small(50), unit(1, seed=1)[0]
    how = dict(calibration=Calibration(), queries={'modality': 'ir'})
    everything = gallery.search(query, 50, **how)
    for topk in (1, 7, 500):
        found, expected = gallery.search(query, topk, **how), [*everything[:-1][:topk], everything[-1]]
        for one, other in zip(found, expected, strict=True):
            assert one == {**other, 'probability': pytest.approx(other['probability'], rel=1e-12)}


@pytest.mark.parametrize('group_by', [None, 'identity'])
def test_candidates_are_counted_to_the_last_one_however_deep_it_lies(group_by, monkeypatch):
    gallery, query, about = small(200), unit(1, seed=1)[0], {'modality': 'ir'}
    for least in (-0.1, 0.2, 2.0):
        how = dict(calibration=Calibration(least=least), queries=about, group_by=group_by)
        monkeypatch.setattr(gallery_module, 'SEEN', 1000)
        expected = gallery.search(query, 3, **how)
        _, _, candidates = slowly(gallery, query, about, least=least, grouped=bool(group_by))
        monkeypatch.setattr(gallery_module, 'SEEN', 4)
        *hits, last = gallery.search(query, 3, **how)
        assert last['candidates'] == expected[-1]['candidates'] == candidates
        assert [hit['key'] for hit in hits] == [hit['key'] for hit in expected[:-1]]
    assert candidates == 0


def test_so_many_people_are_found_as_are_to_be_shown(monkeypatch):
    gallery, how = Gallery('model', 'f' * 64, 2), dict(calibration=Calibration(least=2), queries={'modality': 'ir'})
    angles, names = np.linspace(0, 1, 50), ['ann'] * 30 + ['bob'] * 10 + [None] * 2 + ['cy'] * 8
    rows = [{'identity': name, 'modality': 'rgb'} for name in names]
    gallery.add(np.stack([np.cos(angles), np.sin(angles)], 1), rows)
    monkeypatch.setattr(gallery_module, 'SEEN', 4)
    hits = gallery.search([1, 0], 4, group_by='identity', **how)[:-1]
    assert [hit['key'] for hit in hits] == ['#1', '#31', '#41', '#42']


def test_cameras_with_too_few_identities_for_a_level_have_that_of_their_modality():
    gallery, about = small(40), {'modality': 'ir', 'camera': 'cam1'}
    *hits, _ = gallery.search(unit(1, seed=1)[0], 40, calibration=Calibration(), queries=about, level=0.995)
    least = {name: Group('ir', name, -1, -1, 0.2).candidates(0.995) for name in ('rgb', 'ir')}
    assert [hit['candidate'] for hit in hits] == [hit['score'] >= least[hit['modality']] for hit in hits]


def test_a_person_of_whom_no_row_was_looked_at_counts_as_is_to_be_expected_below(monkeypatch):
    gallery = Gallery('model', 'f' * 64, 2)
    angles = np.linspace(0, 1.5, 20)
    fields = [{'identity': f'p{i // 2}', 'modality': 'rgb' if i % 3 else 'ir'} for i in range(20)]
    gallery.add(np.stack([np.cos(angles), np.sin(angles)], 1), fields)
    monkeypatch.setattr(gallery_module, 'SEEN', 5)
    *hits, nobody = gallery.search([1, 0], 5, calibration=Calibration(least=2), queries={'modality': 'ir'})
    last = hits[-1]['score']
    groups = {name: Group('ir', name, -1, -1, 2) for name in ('rgb', 'ir')}
    # of 7 rows in infrared and 13 in colour, the first five are 2 and 3: of people 0, 0, 1, 1 and 2, who has one more
    below = {name: group.unseen(last) for name, group in groups.items()}
    unseen = (5 * below['ir'] + 9 * below['rgb']) / 14
    r = [float(groups[hit['modality']].ratio(hit['score'])) for hit in hits]
    people = (r[0] + r[1]) / 2, (r[2] + r[3]) / 2, (r[4] + below['rgb']) / 2
    whole = 0.5 + 0.05 * (sum(people) + 7 * unseen)
    assert nobody['probability'] == pytest.approx(0.5 / whole, rel=1e-9)
    expected = [0.05 * people[who] / whole for who in (0, 0, 1, 1, 2)]
    assert [hit['probability'] for hit in hits] == pytest.approx(expected, rel=1e-9)
    colour = gallery.search([1, 0], 5, modality='rgb', calibration=Calibration(least=2), queries={'modality': 'ir'})
    # rows 1, 2, 4, 5 and 7 of people 0, 1, 2, 2 and 3, none of whom has another in colour
    r = [float(groups['rgb'].ratio(hit['score'])) for hit in colour[:-1]]
    unseen = groups['rgb'].unseen(colour[-2]['score'])
    whole = 0.5 + 0.05 * (r[0] + r[1] + (r[2] + r[3]) / 2 + r[4] + 6 * unseen)
    assert colour[-1]['probability'] == pytest.approx(0.5 / whole, rel=1e-9)


@pytest.mark.parametrize('images', [1, 6])
def test_nobody_is_as_frequent_as_it_is_probable(images):
    """Scores of Gaussian people and pictures, of which ratios are learned: with more pictures of each, no less."""
    draws = np.random.default_rng(0)
    people = np.repeat(draws.standard_normal((400, DIM)), 2, axis=0)
    calibration = fit(people + 0.6 * draws.standard_normal(people.shape))
    chances, absent = [], []
    for _ in range(20):
        gallery, people = Gallery('model', 'f' * 64, DIM), draws.standard_normal((60, DIM))
        pictures = np.repeat(people[:30], images, axis=0)
        rows = [{'identity': f'p{number // images}', 'modality': 'rgb'} for number in range(len(pictures))]
        gallery.add(pictures + 0.6 * draws.standard_normal(pictures.shape), rows)
        queries = people + 0.6 * draws.standard_normal(people.shape)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            lists = gallery.search(queries, 1, calibration=calibration, queries=[{'modality': 'ir'}] * 60)
        chances += [found[-1]['probability'] for found in lists]
        absent += [False] * 30 + [True] * 30
    chances, absent = np.array(chances), np.array(absent)
    assert abs(chances.mean() - 0.5) < 0.1
    for low, high in ((0, 0.3), (0.3, 0.7), (0.7, 1)) if images == 1 else ():  # of more, their mean tells too little
        these = (chances >= low) & (chances < high)
        assert these.sum() > 100 and abs(chances[these].mean() - absent[these].mean()) < 0.1
    assert chances[absent].mean() - chances[~absent].mean() > 0.3


def fit(feats):
    """Of infrared and colour pictures in turn, one of each of a person."""
    pids, kinds = np.repeat(np.arange(len(feats) // 2), 2), np.tile(['ir', 'rgb'], len(feats) // 2)
    return Fitted.fit(feats, pids, np.tile([3, 1], len(pids) // 2), kinds, model='model', fingerprint='f' * 64)


def test_a_fitted_calibration_or_its_file_does(tmp_path):
    draws = np.random.default_rng(0)
    people = np.repeat(draws.standard_normal((40, DIM)), 2, axis=0)
    calibration = fit(people + draws.standard_normal(people.shape))
    calibration.save(tmp_path / 'c.json')
    gallery, how = small(30), dict(queries={'modality': 'ir'}, modality='rgb')
    found = gallery.search(unit(1)[0], 5, calibration=calibration, **how)
    assert gallery.search(unit(1)[0], 5, calibration=tmp_path / 'c.json', **how) == found
    assert gallery.search(unit(1)[0], 5, calibration=str(tmp_path / 'c.json'), **how) == found
    with pytest.raises(ValueError, match='RGB -> RGB|IR -> IR|were not calibrated'):
        gallery.search(unit(1)[0], calibration=calibration, queries={'modality': 'ir'})
    with pytest.raises(ValueError, match='needs 99 identities'):
        gallery.search(unit(1)[0], calibration=calibration, level=0.99, **how)
    gallery.fingerprint = 'e' * 64
    with pytest.raises(ValueError, match='the calibration is of model .f{12}., not of model .e{12}.'):
        gallery.search(unit(1)[0], calibration=calibration, **how)


def test_rows_that_an_engine_misses_are_not_looked_at(monkeypatch):
    gallery, about = small(40), {'modality': 'ir'}
    how = dict(calibration=Calibration(least=-2), queries=about)
    *hits, nobody = gallery.search(unit(1, seed=1)[0], 40, **how)
    everything = gallery._engine.search

    def some(queries, topk, allowed=None):
        scores, ids = everything(queries, topk, allowed)
        scores[:, 10:], ids[:, 10:] = -np.inf, -1
        return scores, ids

    monkeypatch.setattr(gallery._engine, 'search', some)
    *found, last = gallery.search(unit(1, seed=1)[0], 40, **how)
    assert [hit['key'] for hit in found] == [hit['key'] for hit in hits[:10]]
    assert last['candidates'] == 10 and 0 < last['probability'] < 1 and nobody['candidates'] == 40


def test_an_engine_is_not_asked_for_more_rows_than_it_gives(monkeypatch):
    gallery, about = small(40), {'modality': 'ir'}
    asked, search = [], gallery._engine.search
    monkeypatch.setattr(type(gallery._engine), 'max_topk', 20)
    monkeypatch.setattr(gallery._engine, 'search', lambda q, k, a=None: (asked.append(k), search(q, k, a))[1])
    *_, last = gallery.search(unit(1)[0], 3, calibration=Calibration(least=-2), queries=about)
    assert asked == [20] and last['candidates'] == 20
    monkeypatch.setattr(gallery_module, 'SEEN', 6)
    *_, last = gallery.search(unit(1)[0], 3, calibration=Calibration(least=-2), queries=about)
    assert asked == [20, 6, 20] and last['candidates'] == 20


def test_a_gallery_without_rows_has_nobody_and_so_has_a_filter_that_nothing_passes():
    nobody = {'nobody': True, 'probability': 1.0, 'enrolled': 0.5, 'level': 0.95, 'candidates': 0}
    empty = Gallery('model', 'f' * 64, DIM)
    for gallery, filters in [(empty, {}), (small(), {'camera': 'cam9'}), (small(), {'where': lambda row: False})]:
        for group_by in (None, 'identity'):
            (last,) = gallery.search(
                unit(1)[0], calibration=Calibration(), queries={'modality': 'ir'}, group_by=group_by, **filters
            )
            assert nobody.items() <= last.items()
    assert empty.search(unit(0), calibration=Calibration(), queries=[]) == []


def test_twenty_queries_are_compared_with_the_calibration_and_nineteen_are_not():
    gallery = small(400)
    towards = l2_normalize(gallery.features(['k0']))[0]
    for row in list(gallery.rows()):
        gallery.update(row['key'], feats=towards + 0.1 * gallery.features([row['key']])[0])
    queries = np.tile(towards, (25, 1))
    how = dict(topk=1, calibration=Calibration(), modality='rgb')
    with pytest.warns(UserWarning) as warned:
        gallery.search(queries, queries=[{'modality': 'ir' if i < 20 else 'rgb'} for i in range(25)], **how)
    rows = [row['identity'] for row in gallery.rows() if row['modality'] == 'rgb']
    count, people = len(rows), len(set(rows) - {None}) + rows.count(None)
    assert count < 300
    assert [str(one.message) for one in warned] == [f'ir to rgb: 20 queries of {count} rows, {people} people.']
    assert warned[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        gallery.search(queries[:19], queries=[{'modality': 'ir'}] * 19, **how)
        gallery.search(unit(20), queries=[{'modality': 'ir'}] * 20, **how)
        people = [{'modality': 'ir', 'identity': f'{i % 19}'} for i in range(25)]  # frames of 19 people
        gallery.search(queries, queries=people, **how)


def test_what_was_counted_is_counted_anew_after_a_change():
    gallery, how = small(30), dict(calibration=Calibration(), queries={'modality': 'ir'})
    for filters in ({}, {'modality': 'rgb'}):
        before = gallery.search(unit(1)[0], 30, **how, **filters)
        assert gallery.search(unit(1)[0], 30, **how, **filters) == before
        gallery.add(unit(5, seed=9), [{'identity': f'new {len(gallery) + i}', 'modality': 'rgb'} for i in range(5)])
        after = gallery.search(unit(1)[0], 99, **how, **filters)
        fits = (lambda row: row['modality'] == 'rgb') if filters else (lambda row: True)
        assert_as_slowly(after, slowly(gallery, unit(1)[0], {'modality': 'ir'}, fits=fits), 99)
        assert len(after) == len(before) + 5


# What is refused


@pytest.mark.parametrize(
    ('asked', 'said'),
    [
        ({'rerank': True}, 're-ranking gives scores of another kind'),
        ({'pool': 'mean'}, "pool='mean' gives scores of another kind"),
        ({'pool': 'best'}, "pool='best' gives scores of another kind"),
        ({'queries': None}, 'queries is nothing beside 2 features'),
        ({'queries': [{'modality': 'ir'}]}, 'queries is 1 rows beside 2 features'),
        ({'queries': [{'modality': 'ir'}, {'camera': 'cam1'}]}, 'that of query 1 is None: expected'),
        ({'queries': [ImageRow(modality='ir'), None]}, 'that of query 1 is None: expected'),
        ({'enrolled': 0}, 'enrolled is a probability, above 0 and below 1, not 0'),
        ({'enrolled': 50}, 'enrolled is a probability, above 0 and below 1, not 50'),
        ({'level': 1.0}, 'level is a probability, above 0 and below 1, not 1.0'),
        ({'level': True}, 'level is a probability'),
        ({'level': '0.9'}, 'level is a probability'),
        ({'calibration': Calibration('e' * 64)}, 'of another model than model'),
        ({'calibration': Calibration(pairs=[('ir', 'ir')])}, 'queries of ir and a gallery of rgb were not calibrated'),
    ],
)
def test_what_has_no_probability_is_refused_in_a_sentence(asked, said):
    two = dict(calibration=Calibration(), queries=[{'modality': 'ir'}] * 2)
    with pytest.raises(ValueError, match=said) as refused:
        small().search(unit(2), 5, **{**two, **asked})
    assert '\n' not in str(refused.value) and str(refused.value).endswith('.')


def test_rows_without_a_modality_are_counted_and_a_filter_leaves_them_out():
    gallery = small(30)
    gallery.update('k3', {'modality': None})
    how = dict(calibration=Calibration(), queries={'modality': 'ir'})
    with pytest.raises(ValueError, match="that of 1 of 30 rows is not known: search with modality='rgb' or 'ir'"):
        gallery.search(unit(1)[0], **how)
    assert gallery.search(unit(1)[0], modality='rgb', **how)[-1]['nobody']


def test_a_sample_of_a_large_gallery_is_spread_evenly(monkeypatch):
    gallery = small(90)
    monkeypatch.setattr(gallery_module, 'MAX_SAMPLED', 10)
    rows, people = list(gallery.rows()), gallery._rows.people()
    for modality, (vectors, count) in gallery._samples(people).items():
        of_it = [row for row in rows if row['modality'] == modality]
        places = [[row['key'] for row in of_it].index(key) for key in keys_of(gallery, vectors)]
        assert len(places) == 10 and places[0] == 0 and places[-1] == len(of_it) - 1 and max(np.diff(places)) < 7
        names = [of_it[place]['identity'] for place in places]
        assert count == len(set(names) - {None}) + names.count(None)
    some = gallery._samples(people.among(np.array([1, 2, 3])))
    assert {name: len(vectors) for name, (vectors, _) in some.items()} == Counter(row['modality'] for row in rows[:3])


def keys_of(gallery, vectors):
    return [gallery.search(vector, 1)[0]['key'] for vector in vectors]


def test_what_a_search_gives_is_no_name_for_a_field_of_ones_own():
    for name in ('probability', 'candidate', 'nobody'):
        with pytest.raises(ValueError, match=f'{name} is what a search gives'):
            small().update('k1', {name: 1})


def test_a_field_of_such_a_name_in_an_old_gallery_does_not_come_with_hits_and_can_be_taken_away(tmp_path, monkeypatch):
    gallery, query = Gallery('model', 'f' * 64, DIM), unit(1)[0]
    monkeypatch.setattr('tsgan.search.metadata.GIVEN', ('score',))
    gallery.add(unit(1), [{'modality': 'rgb', 'probability': 'high', 'nobody': True, 'shop': 3}], keys=['a'])
    gallery.save(tmp_path / 'old.gallery')
    monkeypatch.undo()
    gallery = Gallery.load(tmp_path / 'old.gallery')
    (hit,) = gallery.search(query, where={'probability': 'high'})
    assert hit['shop'] == 3 and not {'probability', 'nobody'} & set(hit) and gallery.row('a')['probability'] == 'high'
    hit, nobody = gallery.search(query, calibration=Calibration(), queries={'modality': 'ir'})
    assert 0 < hit['probability'] < 1 and nobody['nobody']
    gallery.update('a', {'probability': None})
    assert 'probability' not in gallery.row('a')


def test_no_torch_and_no_scikit_learn_is_imported():
    program = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'sklearn'):
    sys.modules[name] = None
from test_calibrated import Calibration, small, unit
print(small().search(unit(1)[0], 1, calibration=Calibration(), queries={'modality': 'ir'})[-1]['nobody'])
"""
    here = Path(__file__).parent
    env = {**os.environ, 'PYTHONPATH': f'{here}{os.pathsep}{here.parents[1]}'}
    end = subprocess.run([sys.executable, '-c', program], env=env, capture_output=True, text=True)
    assert end.stdout == 'True\n', end.stderr


# In words


def test_the_set_in_words():
    def said(candidates, shown, level=0.95):
        return in_words({'candidates': candidates, 'level': level}, shown)

    assert said(7, 7) == 'among these 7 with 95 %, or not enrolled'
    assert said(1, 1, 0.9) == 'the marked one with 90 %, or not enrolled'
    assert said(1200, 10, 0.999) == 'among 1,200 with 99.9 % (10 of them here), or not enrolled'
    assert said(7, 1) == 'among 7 with 95 % (1 of them here), or not enrolled'
    assert said(0, 0) == 'not among these: not enrolled, or one of the 5 % whom the set misses'
    assert said(1, 0) == 'among 1 with 95 % (0 of them here), or not enrolled'


@pytest.mark.parametrize(
    ('value', 'said'), [(0, '<1 %'), (0.0099, '<1 %'), (0.01, '1 %'), (0.126, '13 %'), (0.99, '99 %'), (0.991, '>99 %')]
)
def test_a_probability_in_words_is_never_none_or_all(value, said):
    assert percent(value) == said


def test_the_row_of_nobody_is_told_from_hits():
    gallery, how = small(3), dict(calibration=Calibration(), queries={'modality': 'ir'})
    found = gallery.search(unit(1)[0], **how)
    assert without_nobody(found) == (found[:-1], found[-1])
    assert without_nobody(found[:-1]) == (found[:-1], None) and without_nobody([]) == ([], None)
