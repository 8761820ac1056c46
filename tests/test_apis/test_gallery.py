"""Galleries, with features made by hand or of pixels: against a list of dicts and a sort, and files as they are."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import date, datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tsgan.apis import Gallery
from tsgan.apis import gallery as module
from tsgan.datasets.loose_images import ImageRow, find_images
from tsgan.evaluation import k_reciprocal_rerank
from tsgan.evaluation.features import l2_normalize
from tsgan.search.milvus import import_pymilvus

DIM = 12


class PixelFeatures:
    """An inferencer whose features are pixels; it can be interrupted."""

    name, fingerprint, dim = 'pixels', 'a1' * 32, DIM

    def __init__(self, stop_after=None):
        self.stop_after, self.skipped, self.computed = stop_after, [], []

    def iter_features(self, inputs, batch_size):
        self.skipped, images = [], find_images(inputs)
        for start in range(0, len(images), batch_size):
            rows, feats = [], []
            for image in images[start : start + batch_size]:
                pixels = image.image if image.image is not None else cv2.imread(image.row.path)
                if pixels is None:
                    self.skipped.append((image.row.path, 'no image'))
                    continue
                rows.append(image.row._replace(modality=image.row.modality or 'rgb'))
                feats.append(cv2.resize(pixels, (2, 2)).reshape(-1).astype(np.float32) - 120)
            if rows:
                if self.stop_after is not None and len(self.computed) >= self.stop_after:
                    raise KeyboardInterrupt
                self.computed += [row.path for row in rows]
                yield rows, np.stack(feats)
        if len(self.skipped) == len(images):
            raise ValueError(f'none of {len(images)} images can be read')

    def __call__(self, path):
        return next(self.iter_features(path, 1))[1][0]


class OtherModel(PixelFeatures):
    name, fingerprint = 'others', 'b2' * 32


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """photos/<identity>/<image>, in the working directory."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for name in ('ann', 'bob', 'cy'):
        Path('photos', name).mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(f'photos/{name}/{number}.png', draws.integers(0, 256, (6, 4, 3), np.uint8))
    return Path('photos')


def unit(count, seed=0, dim=DIM):
    return l2_normalize(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def small(count=30, engine='flat', **columns):
    """A gallery of random features, some known fields."""
    gallery = Gallery('model', 'f' * 64, DIM, engine)
    fields = [
        {
            'identity': f'p{i % 7}' if i % 7 else None,
            'camera': f'cam{i % 3}',
            'modality': 'ir' if i % 2 else 'rgb',
            'n': i,
        }
        for i in range(count)
    ]
    gallery.add(unit(count), fields, keys=[f'k{i}' for i in range(count)])
    return gallery


def keys(hits):
    return [hit['key'] for hit in hits]


# Against a list of dicts

IDENTITIES, CAMERAS, PLACES = ('ann', 'bob', 'cy'), ('cam1', 'cam2'), ('gate', 'hall')
NUMBERS = st.integers(-2, 2)
FEATURES = st.lists(NUMBERS, min_size=3, max_size=3).filter(any)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        'identity': st.sampled_from(IDENTITIES),
        'camera': st.sampled_from(CAMERAS),
        'modality': st.sampled_from(['rgb', 'ir']),
        'place': st.sampled_from(PLACES),
        'age': st.integers(0, 3),
        'night': st.booleans(),
        'time': st.integers(0, 9),
    },
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        'identity': st.one_of(st.sampled_from(IDENTITIES), st.lists(st.sampled_from([*IDENTITIES, None]), max_size=2)),
        'camera': st.one_of(st.sampled_from(CAMERAS), st.sets(st.sampled_from(CAMERAS), min_size=1)),
        'modality': st.sampled_from(['rgb', 'ir']),
        'where': st.fixed_dictionaries(
            {},
            optional={
                'place': st.one_of(st.sampled_from(PLACES), st.just([None, 'gate'])),
                'age': st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=2)),
                'night': st.booleans(),
            },
        ),
        'time': st.tuples(st.one_of(st.none(), st.integers(0, 9)), st.one_of(st.none(), st.integers(0, 9))),
    },
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just('add'), st.lists(st.tuples(FEATURES, FIELDS), min_size=1, max_size=6)),
        st.tuples(st.just('remove'), st.integers(0, 30)),
        st.tuples(st.just('remove where'), FILTERS),
        st.tuples(st.just('update'), st.integers(0, 30), FIELDS, st.one_of(st.none(), FEATURES)),
        st.tuples(st.just('reload')),
        st.tuples(st.just('reindex'), st.sampled_from(['flat', 'hnsw'])),
        st.tuples(
            st.just('search'),
            FEATURES,
            st.integers(1, 8),
            FILTERS,
            st.sampled_from([None, 'identity']),
            st.sampled_from([None, 0.3]),
        ),
    ),
    min_size=3,
    max_size=25,
)


class SlowGallery:
    """A list of dicts."""

    def __init__(self):
        self.rows = []

    def fits(self, row, identity=None, camera=None, modality=None, where=None, time=None):
        wanted = {'identity': identity, 'camera': camera, 'modality': modality, **(where or {})}
        for name, values in wanted.items():
            if values is None:
                continue
            values = list(values) if isinstance(values, (list, set)) else [values]
            if row['fields'].get(name) not in values:
                return False
        if time is None:
            return True
        at = row['fields'].get('time')
        return at is not None and (time[0] is None or at >= time[0]) and (time[1] is None or at <= time[1])

    def search(self, query, topk, filters, group_by, threshold):
        found = []
        for place, row in enumerate(self.rows):
            if self.fits(row, **filters):
                score = np.float32(sum(a * b for a, b in zip(query.tolist(), row['feat'].tolist(), strict=True)))
                found.append((-score, place, row))
        found.sort(key=lambda item: item[:2])
        hits, seen = [], set()
        for score, _, row in found:
            identity = row['fields'].get('identity')
            if group_by and identity in seen:
                continue
            seen |= {identity} - {None}
            if threshold is None or -score >= threshold:
                known = {name: row['fields'].get(name) for name in ('identity', 'camera', 'modality')}
                hits.append({'path': None, **known, **row['fields'], 'key': row['key'], 'score': float(-score)})
        return hits[:topk]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, part_rows=st.sampled_from([None, 3]))
def test_a_gallery_is_a_list_of_dicts_that_is_sorted(steps, part_rows, tmp_path_factory):
    engine = {'type': 'flat', 'part_rows': part_rows}
    gallery, slow, added = Gallery('model', 'f' * 64, 3, engine), SlowGallery(), 0
    folder = tmp_path_factory.mktemp('steps') / 'x.gallery'
    for what, *values in steps:
        if what == 'add':
            feats = l2_normalize(np.array([feat for feat, _ in values[0]], np.float32))
            names = [f'k{added + i}' for i in range(len(feats))]
            added += len(feats)
            assert gallery.add(feats, [fields for _, fields in values[0]], keys=names) == names
            rows = zip(names, feats, values[0], strict=True)
            slow.rows += [
                dict(key=key, feat=feat.astype(float), fields=dict(fields)) for key, feat, (_, fields) in rows
            ]
        elif what == 'remove where':
            if any(value is not None for value in values[0].values()) and values[0] != {'where': {}}:
                try:
                    number = gallery.remove(**values[0])
                except ValueError as error:
                    assert 'no row has a field' in str(error) and not any(slow.fits(r, **values[0]) for r in slow.rows)
                    continue
                stay = [row for row in slow.rows if not slow.fits(row, **values[0])]
                assert number == len(slow.rows) - len(stay)
                slow.rows = stay
        elif what in ('remove', 'update') and slow.rows:
            row = slow.rows[values[0] % len(slow.rows)]
            if what == 'remove':
                gallery.remove(row['key'])
                slow.rows.pop(values[0] % len(slow.rows))
                continue
            feat = None if values[2] is None else l2_normalize(np.array([values[2]], np.float32))[0]
            gallery.update(row['key'], values[1], feat)
            row['fields'].update(values[1])
            row['feat'] = row['feat'] if feat is None else feat.astype(float)
        elif what == 'reload':
            gallery.save(folder)
            gallery = Gallery.load(folder)
        elif what == 'reindex':  # below so many rows, each engine is exact
            gallery.reindex(values[0] if values[0] == 'flat' else dict(type='hnsw', exact_below=1000))
        elif what == 'search':
            query = l2_normalize(np.array([values[0]], np.float32))[0]
            try:
                hits = gallery.search(query, values[1], group_by=values[3], threshold=values[4], **values[2])
            except ValueError as error:
                assert 'no row has a field' in str(error) and not any(slow.fits(r, **values[2]) for r in slow.rows)
                continue
            assert hits == slow.search(query.astype(float), *values[1:])
        assert len(gallery) == len(slow.rows)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    builds=st.lists(
        st.lists(st.tuples(st.sampled_from(['write', 'damage', 'remove']), st.integers(0, 5)), max_size=4),
        min_size=2,
        max_size=4,
    )
)
def test_a_gallery_that_is_built_again_is_of_the_files_as_they_are(builds, tmp_path_factory):
    folder, files, reid = tmp_path_factory.mktemp('builds'), {}, PixelFeatures()
    draws = np.random.default_rng(0)
    for number, changes in enumerate(builds):
        for what, place in [('write', 6), *changes] if number == 0 else changes:
            path = folder / f'photos/{place % 3}/{place}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            if what == 'write':
                cv2.imwrite(str(path), image := draws.integers(0, 256, (6 + number, 4 + place, 3), np.uint8))
                files[str(path)] = l2_normalize(cv2.resize(image, (2, 2)).reshape(1, -1).astype(np.float32) - 120)[0]
            elif what == 'damage':
                path.write_bytes(b'no image' * (number + 1))
                files[str(path)] = None
            elif str(path) in files:
                path.unlink()
                files.pop(str(path))
        gallery = Gallery.build(reid, folder / 'photos', out=folder / 'x.gallery')
        known = {path: feat for path, feat in files.items() if feat is not None}
        assert sorted(row['path'] for row in gallery.rows()) == sorted(known)
        assert sorted(path for path, _ in reid.skipped) == sorted(files.keys() - known)
        for query in unit(3, seed=number):
            scores = {path: float(query @ feat) for path, feat in known.items()}
            hits = gallery.search(query, 10)
            assert keys(hits) == sorted(scores, key=scores.get, reverse=True)
            assert [hit['score'] for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-6)


def test_grouped_hits_are_the_best_of_each_however_many_are_alike():
    """The first 64 rows that a search looks at are of one identity."""
    gallery = Gallery('model', 'f' * 64, 2)
    angles = np.linspace(0, 1, 500)
    names = ['ann'] * 300 + ['bob'] * 100 + [None] * 2 + ['cy'] * 98
    gallery.add(np.stack([np.cos(angles), np.sin(angles)], 1), [{'identity': name} for name in names])
    hits = gallery.search([1, 0], 10, group_by='identity')
    assert [(hit['identity'], hit['key']) for hit in hits] == [
        ('ann', '#1'), ('bob', '#301'), (None, '#401'), (None, '#402'), ('cy', '#403')
    ]  # fmt: skip
    assert keys(gallery.search([1, 0], 2, group_by='identity', identity=['cy', 'bob'])) == ['#301', '#403']


def test_images_of_one_person_are_pooled():
    gallery, queries = small(), unit(3, seed=1)
    mean = queries.astype(float).mean(axis=0)
    assert gallery.search(queries, pool='mean') == gallery.search(mean)
    lists = gallery.search(queries, 30)
    best = {key: max(hit['score'] for hits in lists for hit in hits if hit['key'] == key) for key in keys(lists[0])}
    hits = gallery.search(queries, 8, pool='best')
    assert [(hit['score'], hit['key']) for hit in hits] == sorted(((s, k) for k, s in best.items()), reverse=True)[:8]
    grouped = gallery.search(queries, 8, pool='best', group_by='identity')
    first = {}
    for hit in gallery.search(queries, 30, pool='best'):
        first.setdefault(hit['identity'] or hit['key'], hit)
    assert grouped == list(first.values())[:8]


@pytest.mark.parametrize('asked', [{}, {'rerank': True}, {'group_by': 'identity'}, {'pool': 'best'}, {'pool': 'mean'}])
def test_an_engine_may_find_fewer_rows_than_there_are(asked, monkeypatch):
    gallery = small(8)
    everything = gallery._engine.search

    def some(queries, topk, allowed=None):
        scores, ids = everything(queries, topk, allowed)
        scores[:, 5:], ids[:, 5:] = -np.inf, -1  # as an approximate server says that it has no more
        return scores, ids

    wanted = keys(gallery.search(unit(1), 5)[0])
    monkeypatch.setattr(gallery._engine, 'search', some)
    hits = gallery.search(unit(1), 8, **asked)
    assert set(keys(hits if 'pool' in asked else hits[0])) <= set(wanted)


def test_one_query_gives_one_list_and_several_a_list_each():
    gallery, queries = small(), unit(3, seed=1)
    lists = gallery.search(queries, 5)
    assert [gallery.search(query, 5) for query in queries] == lists
    assert list(lists[0][0]) == ['path', 'identity', 'camera', 'modality', 'score', 'key', 'n']


@pytest.mark.parametrize('engine', ['flat', 'hnsw'])
def test_a_small_gallery_is_re_ranked_as_a_whole(engine):
    gallery, queries = small(120, engine), unit(4, seed=1)
    feats = gallery.features([f'k{i}' for i in range(120)])
    for query, hits in zip(queries, gallery.search(queries, 120, rerank=True), strict=True):
        distances = k_reciprocal_rerank(query[None], feats)[0]
        order = np.argsort(distances, kind='stable')
        assert keys(hits) == [f'k{i}' for i in order]
        assert [hit['score'] for hit in hits] == (1 - distances[order]).tolist()
    assert keys(gallery.search(queries[0], 120)) != keys(gallery.search(queries[0], 120, rerank=True))


def test_re_ranking_is_of_the_nearest_that_fit():
    gallery, query = small(120), unit(1, seed=1)[0]
    nearest = sorted(gallery.search(query, 40, camera='cam1'), key=lambda hit: int(hit['key'][1:]))
    distances = k_reciprocal_rerank(query[None], gallery.features(keys(nearest)))[0]
    hits = gallery.search(query, 5, camera='cam1', rerank=True, rerank_topk=40)
    assert keys(hits) == [keys(nearest)[i] for i in np.argsort(distances, kind='stable')[:5]]
    grouped = gallery.search(query, 5, camera='cam1', rerank=True, rerank_topk=40, group_by='identity')
    names = [hit['identity'] for hit in grouped if hit['identity']]
    assert len(set(names)) == len(names) and grouped[0] == hits[0]
    low = hits[2]['score']
    assert gallery.search(query, 5, camera='cam1', rerank=True, rerank_topk=40, threshold=low) == hits[:3]


def test_a_time_is_seconds_a_datetime_or_iso_8601():
    gallery = Gallery('model', 'f' * 64, DIM)
    noon = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
    times = [noon.timestamp(), noon, '2026-11-26T13:00:00+01:00', '2026-11-26 12:00', '2026-11-26T12:00:00Z', None]
    gallery.add(unit(6), [{'time': at} for at in times])
    for bounds in [(noon, noon), ('2026-11-26', '2026-11-26T12:00'), (noon.timestamp() - 1, None), (None, noon)]:
        assert len(gallery.search(unit(1), 10, time=bounds)[0]) == 5
    assert gallery.search(unit(1), 10, time=('2026-11-26T12:00:01', None)) == [[]]
    assert len(gallery.search(unit(1), 10, time=(None, None))[0]) == 5, 'of the sixth, no time is known'
    assert gallery.row('#2')['time'] == '2026-11-26T12:00:00+00:00'
    for bounds in [(date(2026, 11, 26), None), (np.datetime64('2026-11-26T12:00:00'), np.int64(noon.timestamp()))]:
        assert len(gallery.search(unit(1), 10, time=bounds)[0]) == 5


def test_filters_follow_what_changes():
    gallery, query = small(), unit(1)[0]
    asked = dict(topk=30, camera='cam1', where={'n': [1, 4, 99]})
    assert sorted(keys(gallery.search(query, **asked))) == ['k1', 'k4']
    gallery.add(unit(1), [{'camera': 'cam1', 'n': 99}], keys=['new'])
    gallery.update('k4', {'camera': 'cam2'})
    assert sorted(keys(gallery.search(query, **asked))) == ['k1', 'new']
    gallery.remove('k1')
    assert keys(gallery.search(query, **asked)) == ['new']


def test_a_function_says_which_rows_count():
    gallery = small()
    hits = gallery.search(
        unit(1)[0], 30, where=lambda row: row['n'] % 5 == 0 and row['identity'] == 'p3', camera='cam1'
    )
    assert keys(hits) == ['k10']


# Building


def test_a_folder_of_people_becomes_a_gallery(photos, capsys):
    reid = PixelFeatures()
    gallery = Gallery.build(reid, 'photos', batch_size=5)
    assert 'ETA' in (err := capsys.readouterr().err) and '12/12' in err
    assert len(gallery) == 12 and (gallery.model, gallery.fingerprint, gallery.dim) == ('pixels', 'a1' * 32, DIM)
    hit = gallery.search(reid('photos/bob/2.png'))[0]
    assert hit == dict(
        path='photos/bob/2.png', identity='bob', camera=None, modality='rgb', score=1.0, key='photos/bob/2.png'
    )


def test_loose_pictures_need_neither_identities_nor_cameras(photos):
    for number, file in enumerate(sorted(photos.glob('*/*'))):
        shutil.move(file, f'{number}.png')
    reid = PixelFeatures()
    gallery = Gallery.build(reid, ['*.png', '3.png'])
    assert len(gallery) == 12, 'a file that is named twice counts once'
    hits = gallery.search(reid('3.png'), 12, group_by='identity')
    assert len(hits) == 12 and hits[0]['path'] == '3.png' and {hit['identity'] for hit in hits} == {None}


def test_images_in_memory_have_numbers_for_keys(photos):
    images = [cv2.imread(str(file)) for file in sorted(photos.glob('*/*'))[:3]]
    gallery = Gallery.build(PixelFeatures(), images)
    assert [row['key'] for row in gallery.rows()] == ['#1', '#2', '#3']
    with pytest.raises(ValueError, match='out= goes on with files'):
        Gallery.build(PixelFeatures(), images, out='x.gallery')


CSV = 'path,identity,weather,key\nphotos/ann/0.png,zoe,fog,first\nphotos/ann/1.png,,,\n'
LINES = (
    '{"path": "photos/ann/0.png", "identity": "zoe", "weather": "fog", "key": "first"}\n\n{"path": "photos/ann/1.png"}'
)


@pytest.mark.parametrize(
    'metadata',
    [CSV, LINES, {'photos/ann/0.png': dict(identity='zoe', weather='fog', key='first'), 'photos/ann/1.png': {}}],
)
def test_what_is_told_of_images_counts_for_more_than_their_folders(photos, metadata):
    if isinstance(metadata, str):
        Path('told').write_text(metadata)
        metadata = 'told'
    gallery = Gallery.build(PixelFeatures(), 'photos', metadata=metadata)
    row = gallery.row('first')
    assert (row['path'], row['identity'], row['weather']) == ('photos/ann/0.png', 'zoe', 'fog')
    row = gallery.row('photos/ann/1.png')
    assert row['identity'] == 'ann' and 'weather' not in row
    assert keys(gallery.search(unit(1)[0], where={'weather': 'fog'})) == ['first']


@pytest.mark.parametrize(
    ('metadata', 'said'),
    [
        ('path,a\nother/1.png,2\n', 'metadata tells of none of the 12 images; its first path is .*other/1.png'),
        ('file,a\nx,2\n', 'told has no column `path`, but file, a'),
        ('path,a\nphotos/ann/0.png,2,3\n', 'told, line 2: more fields than the header has'),
        ('path\nphotos/ann/0.png\nphotos/ann/0.png\n', 'told, line 3: .*0.png is there twice'),
        ('{"path": 3}', 'told, line 1: no path'),
        ('{"path"', 'told, line 1 is no JSON'),
        ('path,score\nphotos/ann/0.png,1\n', 'score is what a search gives'),
        ('path,modality\nphotos/ann/0.png,uv\n', "modality is 'rgb' or 'ir', not 'uv'"),
        ('path,time\nphotos/ann/0.png,noon\n', "told, line 2: 'noon' is no time"),
        (f'path,a\nphotos/ann/0.png,{"x" * 200_000}\n', 'told, line 2: field larger than'),
        ('{"a":' + '[' * 100_000, 'told, line 1 is no JSON'),
        ('{"path": "photos/ann/0.png", "a": "\\ud800"}', 'told, line 1: a is text, and .* half a letter'),
    ],
)
def test_what_is_told_wrongly_is_refused(photos, metadata, said):
    Path('told').write_text(metadata)
    with pytest.raises(ValueError, match=said):
        Gallery.build(PixelFeatures(), 'photos', metadata='told')


def test_what_is_told_is_checked_before_images_are_looked_at(photos):
    reid = PixelFeatures()
    with pytest.raises(ValueError, match="9.png: 'noon' is no time"):
        Gallery.build(reid, 'photos', metadata={'photos/ann/0.png': {}, 'photos/cy/9.png': {'time': 'noon'}})
    assert not reid.computed


def test_a_line_of_json_ends_where_the_line_does(photos):
    Path('told').write_text('{"path": "photos/ann/0.png", "note": "a\u2028b"}\r\n', encoding='utf-8')
    gallery = Gallery.build(PixelFeatures(), 'photos', metadata='told')
    assert gallery.row('photos/ann/0.png')['note'] == 'a\u2028b'


def test_files_that_go_while_a_gallery_is_built_stop_nothing_and_are_gone_from_the_next(photos):
    class Forgetful(PixelFeatures):
        def iter_features(self, inputs, batch_size):
            for rows, feats in super().iter_features(inputs, batch_size):
                Path('photos/ann/1.png').unlink(missing_ok=True)
                yield rows, feats

    assert len(Gallery.build(Forgetful(), 'photos', out='x.gallery')) == 12
    assert len(Gallery.build(PixelFeatures(), 'photos', out='x.gallery')) == 11


def test_a_link_whose_file_has_gone_is_left_out(photos):
    shutil.move('photos/ann/1.png', 'elsewhere.png')
    Path('photos/ann/1.png').symlink_to(Path('elsewhere.png').absolute())
    assert len(Gallery.build(PixelFeatures(), 'photos', out='x.gallery')) == 12
    os.remove('elsewhere.png')
    gallery = Gallery.build(PixelFeatures(), 'photos', out='x.gallery')
    assert 'photos/ann/1.png' not in {row['key'] for row in gallery.rows()} and len(gallery) == 11


def test_an_interrupted_building_goes_on(photos):
    first = PixelFeatures(stop_after=6)
    with pytest.raises(KeyboardInterrupt):
        Gallery.build(first, 'photos', batch_size=3, out='x.gallery')
    with pytest.raises(ValueError, match='x.gallery has 6 rows and is not complete'):
        Gallery.load('x.gallery')
    second = PixelFeatures()
    gallery = Gallery.build(second, 'photos', batch_size=3, out='x.gallery')
    assert sorted(first.computed + second.computed) == sorted(map(str, photos.glob('*/*')))
    whole = Gallery.build(PixelFeatures(), 'photos')
    query = unit(1)[0]
    assert gallery.search(query, 12) == Gallery.load('x.gallery', second).search(query, 12) == whole.search(query, 12)
    third = PixelFeatures()
    before = {file: file.stat().st_mtime_ns for file in Path('x.gallery').glob('vectors-*')}
    Gallery.build(third, photos.resolve(), out=Path('x.gallery').resolve())
    assert third.computed == []
    assert before == {file: file.stat().st_mtime_ns for file in Path('x.gallery').glob('vectors-*')}


def test_what_a_killed_building_has_saved_counts(photos, monkeypatch):
    """No saving at the end, as of a process that is killed."""
    monkeypatch.setattr(module, 'SAVE_SECONDS', 0)
    monkeypatch.setattr(module, 'monotonic', iter(range(0, 10**6, 1000)).__next__)
    save, calls = Gallery._save, []

    def until_killed(self, folder, complete):
        calls.append(complete)
        if len(calls) <= 1:
            save(self, folder, complete)

    monkeypatch.setattr(Gallery, '_save', until_killed)
    with pytest.raises(KeyboardInterrupt):
        Gallery.build(PixelFeatures(stop_after=9), 'photos', batch_size=3, out='x.gallery')
    monkeypatch.setattr(Gallery, '_save', save)
    reid = PixelFeatures()
    assert len(Gallery.build(reid, 'photos', out='x.gallery')) == 12 and len(reid.computed) == 9


def test_files_that_changed_came_or_went_are_followed(photos):
    Gallery.build(PixelFeatures(), 'photos', out='x.gallery')
    cv2.imwrite('photos/ann/1.png', np.full((6, 4, 3), 7, np.uint8))
    os.utime('photos/ann/2.png', ns=(0, 1))
    os.remove('photos/bob/3.png')
    shutil.copy('photos/cy/0.png', 'photos/cy/9.png')
    Path('photos/cy/broken.png').write_text('no picture')
    reid = PixelFeatures()
    gallery = Gallery.build(reid, 'photos', out='x.gallery')
    assert sorted(reid.computed) == ['photos/ann/1.png', 'photos/ann/2.png', 'photos/cy/9.png']
    there = {str(path) for path in photos.glob('*/*')} - {'photos/cy/broken.png'}
    assert {row['key'] for row in gallery.rows()} == there and len(gallery) == len(there)
    assert gallery.search(reid('photos/ann/1.png'), 1)[0]['key'] == 'photos/ann/1.png'
    assert len(Gallery.build(PixelFeatures(), 'photos', out='x.gallery')) == 12, 'none of the new ones can be read'


def test_rows_of_other_images_are_not_lost(photos):
    gallery = Gallery.build(PixelFeatures(), 'photos/ann', out='x.gallery')
    with pytest.raises(ValueError, match='x.gallery is of other images, too .photos/ann/0.png'):
        Gallery.build(PixelFeatures(), 'photos/bob', out='x.gallery')
    gallery.add(unit(1), keys=['by hand'])
    gallery.update('photos/ann/0.png', {'note': 'seen'})
    gallery.save()
    again = Gallery.build(PixelFeatures(), 'photos', out='x.gallery', metadata={'photos/ann/1.png': {'note': 'told'}})
    assert len(again) == 13 and again.row('by hand') and again.row('photos/ann/0.png')['note'] == 'seen'
    assert again.row('photos/ann/1.png')['note'] == 'told'


def test_a_gallery_of_another_model_is_refused_with_both_names(photos):
    Gallery.build(PixelFeatures(), 'photos', out='x.gallery')
    both = r'was made by pixels \(a1a1a1a1a1a1\), not by others \(b2b2b2b2b2b2\)'
    with pytest.raises(ValueError, match=both):
        Gallery.load('x.gallery', OtherModel())
    with pytest.raises(ValueError, match=both):
        Gallery.build(OtherModel(), 'photos', out='x.gallery')
    with pytest.raises(ValueError, match=both):
        Gallery.of('x.gallery', OtherModel())
    gallery = Gallery.load('x.gallery', PixelFeatures())
    with pytest.raises(ValueError, match=both):
        gallery.add(unit(1), inferencer=OtherModel())
    for call in (gallery.search, gallery.add):
        with pytest.raises(
            ValueError, match='features of 5 numbers are of another model than the 12 .* made by pixels'
        ):
            call(unit(2, dim=5))


def test_the_gallery_of_a_folder_is_made_once(photos, capsys, monkeypatch, tmp_path):
    first, second, other = PixelFeatures(), PixelFeatures(), OtherModel()
    assert len(Gallery.of('photos', first)) == len(Gallery.of(photos.resolve(), second)) == 12
    assert len(first.computed) == 12 and second.computed == []
    assert 'gallery: photos.a1a1a1a1.gallery, 12 images' in capsys.readouterr().err
    Gallery.of('photos', other)
    assert len(other.computed) == 12, 'of another model'
    monkeypatch.setattr(os, 'access', lambda *_: False)
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    Gallery.of('photos', PixelFeatures())
    assert len(list((tmp_path / 'home/.cache/tsgan').glob('*.photos.a1a1a1a1.gallery'))) == 1
    with pytest.raises(FileNotFoundError, match='nothing is no folder'):
        Gallery.of('nothing', first)


# Files


def test_a_gallery_and_its_images_can_move(photos, tmp_path):
    outside = tmp_path.parent / f'{tmp_path.name}-outside.png'
    shutil.copy('photos/ann/0.png', outside)
    gallery = Gallery.build(PixelFeatures(), ['photos', outside])
    gallery.save('my.gallery')
    assert gallery.row('photos/ann/0.png')['path'] == 'photos/ann/0.png'
    os.mkdir('moved')
    shutil.move('photos', 'moved')
    shutil.move('my.gallery', 'moved')
    there = Gallery.load('moved/my.gallery')
    paths = [row['path'] for row in there.rows()]
    assert paths[0] == 'moved/photos/ann/0.png' and paths[-1] == str(outside) and all(map(os.path.exists, paths))
    reid = PixelFeatures()
    Gallery.build(reid, ['moved/photos', outside], out='moved/my.gallery')
    assert reid.computed == []
    there.save('copy.gallery')
    assert [row['path'] for row in Gallery.load('copy.gallery').rows()] == paths


def test_what_has_not_changed_is_not_written_again(tmp_path):
    gallery = small(40, dict(type='flat', part_rows=10))
    gallery.save(tmp_path / 'x.gallery')
    before = set(os.listdir(tmp_path / 'x.gallery'))
    gallery = Gallery.load(tmp_path / 'x.gallery')
    gallery.save()
    assert set(os.listdir(tmp_path / 'x.gallery')) == before
    gallery.update('k3', {'camera': 'cam9'})
    gallery.save()
    changed = before - set(os.listdir(tmp_path / 'x.gallery'))
    assert [name.split('-')[0] for name in changed] == ['rows']
    gallery.remove('k12')
    gallery.save()
    vectors = {name for name in before - set(os.listdir(tmp_path / 'x.gallery')) if name.startswith('vectors')}
    assert len(vectors) == 2, 'one of four parts, and its ids'


@pytest.mark.parametrize('engine', ['flat', dict(type='hnsw', exact_below=10), dict(type='ivfpq', exact_below=10)])
def test_of_somebody_who_was_removed_nothing_is_left_on_disk(tmp_path, engine):
    gallery = small(300, engine)
    secret = unit(2, seed=9)
    gallery.add(secret, [{'identity': 'Erika Mustermann', 'note': 'limps'}] * 2, keys=['erika-1', 'erika-2'])
    gallery.save(tmp_path / 'x.gallery')

    def written():
        return b''.join(file.read_bytes() for file in (tmp_path / 'x.gallery').iterdir())

    traces = [*(row.tobytes() for row in secret), b'Mustermann', b'limps', b'erika-']
    assert all(trace in written() for trace in traces)
    gallery = Gallery.load(tmp_path / 'x.gallery')
    assert gallery.remove(identity='Erika Mustermann') == 2
    gallery.save()
    assert not any(trace in written() for trace in traces)
    assert not any(row.astype(np.float16).tobytes() in written() for row in secret)
    assert len(Gallery.load(tmp_path / 'x.gallery')) == 300


def test_an_interrupted_saving_leaves_the_gallery_as_it_was(tmp_path, monkeypatch):
    folder = tmp_path / 'x.gallery'
    gallery = small()
    gallery.save(folder)
    before = list(Gallery.load(folder).rows())
    gallery.remove(camera='cam1')

    def fail(*_):
        raise OSError('disk full')

    for place, name in ((module, 'write_list'), (os, 'replace'), (os, 'fsync')):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fail)
            with pytest.raises(OSError, match='disk full'):
                gallery.save()
        assert list(Gallery.load(folder).rows()) == before
    gallery.save()
    assert len(Gallery.load(folder)) == 20
    assert len(os.listdir(folder)) == 5, 'list, lock, rows, vectors, ids; of the failed ones, nothing'


def test_two_processes_do_not_write_one(tmp_path):
    gallery = small()
    gallery.save(tmp_path / 'x.gallery')
    lock = str(tmp_path / 'x.gallery/.lock')
    hold = f'from filelock import FileLock\nwith FileLock({lock!r}): print(1, flush=True); input()'
    other = subprocess.Popen([sys.executable, '-c', hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    other.stdout.readline()
    try:
        with pytest.raises(RuntimeError, match='x.gallery is being written by another process'):
            gallery.save()
        assert len(Gallery.load(tmp_path / 'x.gallery')) == 30, 'reading is free'
    finally:
        other.communicate(b'\n')
    gallery.save()


def test_what_somebody_else_has_saved_is_not_overwritten(tmp_path):
    small().save(tmp_path / 'x.gallery')
    one, other = Gallery.load(tmp_path / 'x.gallery'), Gallery.load(tmp_path / 'x.gallery')
    one.remove('k1')
    one.save()
    other.remove('k2')
    with pytest.raises(ValueError, match='has been changed by somebody else'):
        other.save()
    assert len(other.search(unit(1)[0], 40)) == 29, 'what it has open is still there'
    small(3).save(tmp_path / 'x.gallery')
    assert len(Gallery.load(tmp_path / 'x.gallery')) == 3, 'another gallery takes its place'


def damage(folder, kind, how):
    file = next(file for file in sorted(folder.iterdir()) if kind in file.name)
    if how == 'gone':
        file.unlink()
    elif how == 'short':
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif callable(how):
        file.write_text(json.dumps(how(json.loads(file.read_text()))))
    else:
        file.write_bytes(how)


@pytest.mark.parametrize(
    ('kind', 'how', 'said'),
    [
        ('gallery.json', 'gone', 'is no gallery but a folder without gallery.json'),
        ('gallery.json', 'short', 'gallery.json is damaged'),
        ('gallery.json', b'{"a": 1}', 'gallery.json is of another program'),
        (
            'gallery.json',
            lambda content: {**content, 'version': 7},
            'gallery of version 7, and this tsgan reads version 1',
        ),
        ('gallery.json', lambda content: {**content, 'dim': '12'}, "gallery.json is damaged: it has no 'dim'"),
        ('gallery.json', lambda content: {**content, 'count': 31}, 'damaged: 30 rows, 30 vectors, not 31'),
        ('gallery.json', lambda content: {**content, 'dim': 13}, r'holds float32 \(30, 12\), where 13 numbers'),
        ('gallery.json', lambda content: {**content, 'dim': 0}, 'gallery.json is damaged: its dim is 0'),
        ('gallery.json', lambda content: {**content, 'state': {}}, "gallery.json is damaged: KeyError: 'parts'"),
        ('gallery.json', lambda content: {**content, 'state': {'parts': [5]}}, 'gallery.json is damaged: TypeError'),
        ('gallery.json', lambda content: {**content, 'engine': {'type': []}}, '.. is no search engine'),
        ('.ids.npy', b'\x93NUMPY\x01\x00\x0a\x00{"a": ((((', '.ids.npy is damaged'),
        ('.sqlite', 'gone', 'is damaged: rows-.* is missing'),
        ('.sqlite', 'short', 'damaged'),
        ('.sqlite', b'no database at all' * 100, 'damaged, or no rows of a gallery'),
        ('.ids.npy', 'gone', 'is damaged: vectors-.* is missing'),
        ('.ids.npy', 'short', '.ids.npy is damaged'),
        ('vectors', 'short', 'npy is damaged'),
        ('vectors', b'', 'npy is damaged'),
    ],
)
def test_a_damaged_gallery_is_refused_in_a_sentence(tmp_path, kind, how, said):
    gallery = small()
    gallery.save(tmp_path / 'x.gallery')
    if kind == 'vectors':
        kind = next(f.name for f in (tmp_path / 'x.gallery').iterdir() if f.suffix == '.npy' and 'ids' not in f.name)
    damage(tmp_path / 'x.gallery', kind, how)
    with pytest.raises(ValueError, match=said):
        Gallery.load(tmp_path / 'x.gallery')


def test_what_is_no_gallery_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match='no gallery at .*nothing'):
        Gallery.load(tmp_path / 'nothing')
    (tmp_path / 'a.npz').write_bytes(b'PK\x03\x04')
    with pytest.raises(ValueError, match='a.npz is no gallery but a file'):
        Gallery.load(tmp_path / 'a.npz')
    with pytest.raises(FileExistsError, match='a.npz is a file: a gallery is a folder'):
        small().save(tmp_path / 'a.npz')
    with pytest.raises(FileExistsError, match='holds other things'):
        small().save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ['a.npz']


def test_nothing_of_a_file_is_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)

    small().save(tmp_path / 'x.gallery')
    file = next(file for file in (tmp_path / 'x.gallery').glob('*.npy') if 'ids' not in file.name)
    np.save(file, np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(ValueError, match='is damaged'):
        Gallery.load(tmp_path / 'x.gallery')
    assert not (tmp_path / 'ran').exists()


def pointed(content, **names):
    """The list of a gallery, with other names of files in it."""
    return {**content, 'state': {**content['state'], **names}}


@pytest.mark.parametrize('name', ['../{}', '/{}', 'deep/{}', '..', '', '.'])
@pytest.mark.parametrize('of', ['rows', 'parts', 'index'])
def test_a_gallery_that_names_a_file_outside_its_folder_is_refused(tmp_path, of, name):
    gallery = small(60, 'hnsw' if of == 'index' else 'flat')
    if of == 'index':
        gallery.reindex(dict(type='hnsw', exact_below=0))
    gallery.save(tmp_path / 'x.gallery')
    for file in (tmp_path / 'x.gallery').iterdir():
        shutil.copy(file, tmp_path / file.name)  # there is what it names
        (tmp_path / 'x.gallery/deep').mkdir(exist_ok=True)

    def elsewhere(content):
        if of == 'rows':
            return {**content, 'rows': name.format(content['rows'])}
        if of == 'parts':
            return pointed(content, parts=[name.format(content['state']['parts'][0])])
        return pointed(content, index=name.format(content['state']['index']))

    damage(tmp_path / 'x.gallery', 'gallery.json', elsewhere)
    with pytest.raises(ValueError, match=r'gallery\.json names .*, outside its folder|is damaged: .* is missing'):
        Gallery.load(tmp_path / 'x.gallery')


@pytest.mark.parametrize('end', ['.json', '.sqlite', '.ids.npy', 'vectors', '.faiss', '.lock'])
def test_a_gallery_with_a_link_among_its_files_is_refused(tmp_path, end):
    gallery = small(60, dict(type='hnsw', exact_below=0))
    gallery.save(tmp_path / 'x.gallery')
    files = [*(tmp_path / 'x.gallery').iterdir()]
    vectors = next(file for file in files if file.name.startswith('vectors') and '.ids' not in file.name)
    file = vectors if end == 'vectors' else next(file for file in files if file.name.endswith(end))
    file.rename(tmp_path / 'mine')
    file.symlink_to(tmp_path / 'mine')
    before = (tmp_path / 'mine').read_bytes()
    with pytest.raises(ValueError, match=f'{file.name} is a link to .*mine: expected the file itself'):
        Gallery.load(tmp_path / 'x.gallery').save() if end == '.lock' else Gallery.load(tmp_path / 'x.gallery')
    assert (tmp_path / 'mine').read_bytes() == before


def test_what_is_saved_into_a_gallery_of_somebody_else_stays_in_it(tmp_path):
    small().save(tmp_path / 'x.gallery')
    (tmp_path / 'mine').write_text('kept')
    (tmp_path / 'x.gallery/gallery.json.unfinished').symlink_to(tmp_path / 'mine')
    gallery = Gallery.load(tmp_path / 'x.gallery')
    gallery.remove('k1')
    gallery.save()
    assert (tmp_path / 'mine').read_text() == 'kept' and len(Gallery.load(tmp_path / 'x.gallery')) == 29


@pytest.mark.parametrize(
    'change',
    [
        'ALTER TABLE rows RENAME TO real; CREATE VIEW rows AS SELECT * FROM real',
        'CREATE TRIGGER t AFTER DELETE ON rows BEGIN DELETE FROM rows; END',
        'CREATE VIRTUAL TABLE v USING fts5(a)',
    ],
    ids=['view', 'trigger', 'virtual'],
)
def test_rows_that_are_made_by_a_program_are_refused(tmp_path, change):
    small().save(tmp_path / 'x.gallery')
    with sqlite3.connect(next((tmp_path / 'x.gallery').glob('*.sqlite'))) as db:
        db.executescript(change)
    with pytest.raises(ValueError, match='no rows of a gallery, but a .*: expected tables alone'):
        Gallery.load(tmp_path / 'x.gallery')


@pytest.mark.parametrize('own', ['[' * 500_000, '3', 'x', '[1]'], ids=['deep', 'number', 'half', 'list'])
def test_a_row_with_odd_fields_is_refused(tmp_path, own):
    small().save(tmp_path / 'x.gallery')
    with sqlite3.connect(next((tmp_path / 'x.gallery').glob('*.sqlite'))) as db:
        db.execute("UPDATE rows SET own = ? WHERE key = 'k1'", (own,))
    with pytest.raises(ValueError, match="the row 'k1' of a gallery is damaged|malformed JSON"):
        list(Gallery.load(tmp_path / 'x.gallery').rows())


@pytest.mark.parametrize('shape', [(10**12,), (31,), (-1,)])
def test_an_array_of_a_gallery_that_says_it_is_longer_than_its_file_is_refused(tmp_path, shape):
    small().save(tmp_path / 'x.gallery')
    for file in (tmp_path / 'x.gallery').glob('*.npy'):
        content = file.read_bytes()
        with file.open('wb') as opened:
            about = dict(descr='<i8', fortran_order=False, shape=shape)
            np.lib.format.write_array_header_1_0(opened, about)
            opened.write(content[128:])
        with pytest.raises(ValueError, match=r'npy is damaged|npy holds int64 \(31,\)'):
            Gallery.load(tmp_path / 'x.gallery')
        file.write_bytes(content)


@pytest.mark.parametrize('uri', ['http://theirs:19530', '{}/elsewhere/m.db', '{}/here/not there.db', '{}/here/link.db'])
def test_a_gallery_whose_vectors_are_said_to_be_elsewhere_asks_nobody(tmp_path, monkeypatch, uri):
    monkeypatch.delenv('MILVUS_URI', raising=False)
    monkeypatch.setattr('tsgan.search.milvus.import_pymilvus', None)
    for folder in ('here', 'elsewhere'):
        (tmp_path / folder).mkdir()
    (tmp_path / 'elsewhere/m.db').touch()
    (tmp_path / 'here/link.db').symlink_to(tmp_path / 'elsewhere/m.db')
    small().save(tmp_path / 'here/x.gallery')
    uri = uri.format(tmp_path)

    def theirs(content):
        return {**content, 'engine': dict(type='milvus', uri=uri), 'state': dict(collection='c', last=3, files=[])}

    damage(tmp_path / 'here/x.gallery', 'gallery.json', theirs)
    with pytest.raises(ValueError, match='has its vectors in .*, which is not beside it: .* MILVUS_URI'):
        Gallery.load(tmp_path / 'here/x.gallery')
    assert not (tmp_path / 'here/not there.db').exists()


def test_names_of_any_letters_are_kept(tmp_path):
    odd = [os.fsdecode(b'photos/M\xfcller.png'), 'photos/Müller.png', 'photos/o\'Neil "x".png', 'photos/\u2603\n.png']
    gallery = Gallery('model', 'f' * 64, DIM)
    gallery.add(unit(4), [{'path': path, 'identity': path, "it's größe": 5} for path in odd])
    gallery.save(tmp_path / 'x.gallery')
    gallery = Gallery.load(tmp_path / 'x.gallery')
    assert [row['key'] for row in gallery.rows()] == odd == sorted(gallery.values('identity'), key=odd.index)
    for path in odd:
        assert keys(gallery.search(unit(1)[0], identity=path, where={"it's größe": 5})) == [path]
    gallery.remove(odd)
    assert len(gallery) == 0 and gallery.search(unit(1)[0]) == []


# What is refused, and the rest


@pytest.mark.parametrize(
    ('call', 'said'),
    [
        (lambda g: g.search(np.full(DIM, np.nan)), '1 of 1 features are zero, or not finite'),
        (lambda g: g.search(np.zeros(DIM)), '1 of 1 features are zero, or not finite'),
        (lambda g: g.search(np.array(['a'] * DIM)), 'features are real numbers'),
        (lambda g: g.search(unit(1), 0), 'topk is a number of rows, at least 1, not 0'),
        (lambda g: g.search(unit(1), group_by='person'), "group_by is None or 'identity'"),
        (lambda g: g.search(unit(1), pool='max'), "pool is None, 'mean' or 'best'"),
        (lambda g: g.search(unit(1), modality='IR'), "modality is 'rgb' or 'ir', not 'IR'"),
        (lambda g: g.search(unit(1), where={'wether': 'fog'}), "no row has a field 'wether'"),
        (lambda g: g.search(unit(1), where={'camera': 'cam1'}), 'expected camera= beside it'),
        (lambda g: g.search(unit(1), where={'a"b': 1}), 'is no name of a field'),
        (lambda g: g.search(unit(1), where=3), 'where is field -> value, or a function'),
        (lambda g: g.search(unit(1), time=5), 'time is .from, to.'),
        (lambda g: g.search(unit(1), time=('noon', None)), "'noon' is no time"),
        (lambda g: g.add(unit(2), [{}]), '1 rows beside 2 features'),
        (lambda g: g.add(unit(2), keys=['a', 'a']), "'a' would be the key of two rows"),
        (lambda g: g.add(unit(1), keys=['k1']), "'k1' would be the key of two rows"),
        (lambda g: g.add(unit(1), [{'x': [1]}]), 'x is text, a number, True or False, not .1.'),
        (lambda g: g.add(unit(1), [{'identity': 0.5}]), 'identity is text, not 0.5'),
        (lambda g: g.update('k1', {'key': 'k2'}), "'k2' is the key of another row"),
        (lambda g: g.update('k1', {'key': None}), "'k1' cannot be without a key"),
        (lambda g: g.update('none'), "no row has the key 'none'"),
        (lambda g: g.update('k1', feats=unit(2)), '2 features for one row'),
        (lambda g: g.remove(['k1', 'none']), "no row has the key 'none'"),
        (lambda g: g.remove(), 'remove which rows'),
        (lambda g: g.save(), 'where to'),
        (lambda g: g.search(unit(0), pool='best'), 'no query was given'),
        (lambda g: g.search(unit(0), pool='mean'), 'no query was given'),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(call, said):
    gallery = small()
    with pytest.raises(ValueError, match=said):
        call(gallery)
    assert list(gallery.rows()) == list(small().rows()) and len(gallery.search(unit(1)[0], 99)) == 30


def test_rows_are_told_as_they_were_given():
    gallery = Gallery('model', 'f' * 64, DIM)
    row = ImageRow('a/b.png', 'b', 'cam3', 'ir')
    given = [row, {'identity': 7, 'camera': 2, 'note': 'x', 'age': np.int64(3), 'ok': True}, None]
    assert gallery.add(unit(3), given, keys=None) == ['a/b.png', '#2', '#3']
    assert gallery.row('a/b.png') == {**row._asdict(), 'key': 'a/b.png'}
    assert gallery.row('#2') == dict(
        path=None, identity='7', camera='2', modality=None, key='#2', note='x', age=3, ok=True
    )
    assert keys(gallery.search(unit(1)[0], identity=7, camera='2')) == ['#2']
    gallery.update('#2', {'note': None, 'age': 4, 'identity': None, 'key': 'two'})
    assert gallery.row('two') == dict(path=None, identity=None, camera='2', modality=None, key='two', age=4, ok=True)
    assert gallery.values('camera') == ['2', 'cam3'] and gallery.values('age') == [4]
    assert np.array_equal(gallery.features(['#3', 'two']), unit(3)[[2, 1]])


def test_recall_is_said(capsys):
    gallery = small(400, dict(type='hnsw', exact_below=50))
    value = gallery.recall(5)
    assert value > 0.9 and f'recall@5 of hnsw against flat, 100 queries: {value:.4f}' in capsys.readouterr().out
    search = gallery._engine.search
    gallery._engine.search = lambda queries, topk: tuple(part[:, ::2] for part in search(queries, 2 * topk))
    assert 0.4 < gallery.recall(6, unit(50, seed=3)) < 0.6, 'every other one is missed'


def test_another_engine_takes_over(tmp_path):
    gallery, queries = small(300), unit(5, seed=1)
    found = gallery.search(queries, 5)
    gallery.reindex(dict(type='hnsw', exact_below=10))
    gallery.save(tmp_path / 'x.gallery')
    again = Gallery.load(tmp_path / 'x.gallery')
    assert again.engine['type'] == 'hnsw' and again._engine.index is not None
    same = [len(set(keys(a)) & set(keys(b))) for a, b in zip(again.search(queries, 5), found, strict=True)]
    assert sum(same) > 20
    again.reindex('flat')
    again.save()
    assert again.search(queries, 5) == found and not list((tmp_path / 'x.gallery').glob('index-*'))


def test_it_needs_neither_torch_nor_mmengine(photos):
    program = """
import sys
for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', {faiss}):
    sys.modules[name] = None
from tsgan.apis import Gallery
from tests_gallery import PixelFeatures
reid = PixelFeatures()
Gallery.build(reid, 'photos').save('x.gallery')
gallery = Gallery.load('x.gallery', reid)
print([hit['key'] for hit in gallery.search(reid('photos/bob/2.png'), 3, group_by='identity', modality='rgb')])
try:
    gallery.search(reid('photos/bob/2.png'), rerank=True)
except ImportError as error:
    print(error)
"""
    source = Path(__file__).read_text()
    start, stop = source.index('class PixelFeatures'), source.index('class OtherModel')
    head = 'import cv2\nimport numpy as np\nfrom tsgan.datasets.loose_images import find_images\nDIM = 12\n'
    Path('tests_gallery.py').write_text(head + source[start:stop])
    env = {**os.environ, 'PYTHONPATH': f'.{os.pathsep}{Path(__file__).parents[2]}'}
    outs = []
    for faiss in ("'none'", "'faiss'"):
        command = [sys.executable, '-c', program.format(faiss=faiss)]
        end = subprocess.run(command, env=env, capture_output=True, text=True)
        assert end.returncode == 0, end.stderr
        outs.append(end.stdout)
    assert outs[0] == outs[1]
    hits, refused = outs[0].splitlines()
    assert hits.startswith("['photos/bob/2.png', ") and 're-ranking needs torch' in refused


def test_milvus_leaves_the_log_files_of_others_open(tmp_path):
    program = """
import logging, sys
logging.getLogger('mine').addHandler(handler := logging.FileHandler('log.txt', 'w'))
from tsgan.search.milvus import import_pymilvus
import_pymilvus()
print(handler.stream is not None)
"""
    env = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    end = subprocess.run([sys.executable, '-c', program], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert end.stdout == 'True\n', end.stderr


def test_a_token_of_milvus_goes_to_its_own_server_alone(monkeypatch):
    given = []

    class Client:
        def __init__(self, uri, token):
            given.append((uri, token))
            raise pymilvus.MilvusException(message='not there')

    pymilvus = import_pymilvus()
    monkeypatch.setattr(pymilvus, 'MilvusClient', Client)
    monkeypatch.setenv('MILVUS_TOKEN', 'secret')
    monkeypatch.setenv('MILVUS_URI', 'http://mine:19530')
    for uri in ('http://mine:19530', 'http://theirs:19530'):
        with pytest.raises(RuntimeError, match='no Milvus at'):
            small(3, dict(type='milvus', uri=uri))
    assert given == [('http://mine:19530', 'secret'), ('http://theirs:19530', '')]


def test_a_gallery_in_milvus(tmp_path):
    engine = dict(type='milvus', uri=str(tmp_path / 'm.db'))
    gallery, flat, queries = small(60, engine), small(60), unit(3, seed=1)

    def alike(**asked):
        for some, true in zip(gallery.search(queries, 7, **asked), flat.search(queries, 7, **asked), strict=True):
            assert keys(some) == keys(true)
            assert np.allclose([hit['score'] for hit in some], [hit['score'] for hit in true], atol=1e-5)

    alike()
    alike(camera='cam1', modality='ir')
    alike(group_by='identity')
    alike(rerank=True)
    gallery.save(tmp_path / 'x.gallery')
    gallery.add(unit(1, seed=5), keys=['not saved'])
    gallery = Gallery.load(tmp_path / 'x.gallery')
    assert len(gallery) == 60
    alike()
    for each in (gallery, flat):
        each.remove(camera='cam2')
        each.update('k0', feats=queries[0])
        each.add(queries[1:2], keys=['new'])
    alike()
    assert np.array_equal(gallery.features(['new', 'k0']), queries[[1, 0]])
    assert len(Gallery.load(tmp_path / 'x.gallery')) == 60  # what is not saved has taken nothing from the folder
    gallery.save()
    assert len(Gallery.load(tmp_path / 'x.gallery')) == len(flat)
    alike()
    gallery.reindex('flat')
    assert gallery.search(queries, 99) == flat.search(queries, 99)
    with pytest.raises(ValueError, match='is no place of Milvus'):
        Gallery('model', 'f' * 64, DIM, dict(type='milvus', uri='x'))
    with pytest.raises(RuntimeError, match='no Milvus at http://127.0.0.1:9'):
        small(3, dict(type='milvus', uri='http://127.0.0.1:9'))
