from dataclasses import replace

import cv2
import numpy as np
import pytest

from tsgan.evaluation import FeatureTable, Setting, Trial, k_reciprocal_rerank
from tsgan.visualization.rankings import (
    camera_names,
    choose,
    display_ranges,
    draw_ranked_lists,
    identity_names,
    named_queries,
    open_image,
    rank,
    with_files,
)


@pytest.fixture
def setting(test_run):
    return next(iter(test_run.protocol.settings(test_run.table).values()))


def slow_list(table, setting, query):
    """(gallery rows, distances) of one query, an image after the other."""
    _, gallery = setting.trials[0]
    unit = [feat.astype(float) / np.sqrt((feat.astype(float) ** 2).sum()) for feat in table.feats]
    seen = [row for row in gallery if not setting.exclude(table, np.array([query]), np.array([row]))[0, 0]]
    distances = {row: np.sqrt(((unit[query] - unit[row]) ** 2).sum()) for row in seen}
    return zip(*sorted(distances.items(), key=lambda item: item[1]), strict=True)


def slow_ap(table, query, ranked):
    places = [place for place, row in enumerate(ranked, start=1) if table.pids[row] == table.pids[query]]
    return sum(nth / place for nth, place in enumerate(places, start=1)) / len(places)


def test_lists_are_those_of_a_slow_search(test_run, setting):
    table = test_run.table
    ranking = rank(table, setting)
    assert ranking.query.tolist() == setting.trials[0].query.tolist()  # each has a match here
    for place, found in enumerate(ranking.lists(range(len(ranking.query)), topk=1000)):
        rows, distances = slow_list(table, setting, ranking.query[place])
        assert found.query == ranking.query[place] and found.gallery.tolist() == list(rows)
        assert found.distances == pytest.approx(distances, abs=1e-6)
        assert found.same.tolist() == [table.pids[row] == table.pids[found.query] for row in rows]
    assert len(ranking.lists([0], topk=3)[0].gallery) == 3


def test_hardest_queries_have_the_lowest_average_precision(test_run, setting):
    ranking = rank(test_run.table, setting)
    slow = [slow_ap(test_run.table, query, next(slow_list(test_run.table, setting, query))) for query in ranking.query]
    places = choose(ranking, 'hardest', 10)
    assert np.array(slow)[places] == pytest.approx(sorted(slow)[:10])
    assert sorted(choose(ranking, 'random', 1000, seed=1).tolist()) == list(range(len(slow)))
    assert choose(ranking, 'random', 5, seed=1).tolist() != choose(ranking, 'random', 5, seed=2).tolist()
    with pytest.raises(ValueError, match="'hardest' or 'random', not 'easiest'"):
        choose(ranking, 'easiest', 5)


def test_equal_distances_rank_by_gallery_index_and_without_unit_length_lengths_count():
    feats = np.array([[1, 0], [5, 0], [2, 0], [2, 0], [0, 3]], np.float32)
    table = FeatureTable(feats, [1, 1, 2, 1, 1], [3, 1, 1, 1, 1], modalities=['ir', *['rgb'] * 4])
    setting = Setting([Trial(np.array([0]), np.array([1, 3, 2, 4]))], 'all')
    assert rank(table, setting).lists([0], 4)[0].gallery.tolist() == [1, 3, 2, 4]
    found = rank(table, setting, normalize=False).lists([0], 4)[0]
    assert found.gallery.tolist() == [3, 2, 4, 1]
    assert found.distances == pytest.approx([1, 1, 10**0.5, 4])


def test_queries_without_a_match_are_left_out_and_none_at_all_is_said():
    feats = np.eye(4, dtype=np.float32)
    table = FeatureTable(feats, [1, 2, 1, 3], [3, 3, 1, 1], modalities=['ir', 'ir', 'rgb', 'rgb'])
    setting = Setting([Trial(np.array([0, 1]), np.array([2, 3]))], 'all')
    assert rank(table, setting).query.tolist() == [0]
    assert rank(table, setting, np.array([1])).query.tolist() == [1]  # who asks for it has it
    with pytest.raises(ValueError, match='No query has an image of its identity'):
        rank(replace(table, pids=[1, 2, 3, 4]), setting)


def test_re_ranked_lists_are_those_of_the_whole_trial(test_run, setting):
    table, (query, gallery) = test_run.table, setting.trials[0]
    unit = table.feats / np.linalg.norm(table.feats, axis=1, keepdims=True)
    expected = k_reciprocal_rerank(unit[query], unit[gallery])
    some = query[[3, 1]]
    np.testing.assert_allclose(rank(table, setting, some, rerank=True).distances, expected[[3, 1]], atol=1e-5)


def test_queries_are_named_by_number_or_by_the_end_of_a_path(test_run, setting):
    table, (query, _) = test_run.table, setting.trials[0]
    assert named_queries(table, setting, ['2', 'cam6/Матвей/0002.png']).tolist() == [
        query[2],
        table.paths.tolist().index('cam6/Матвей/0002.png'),
    ]
    absolute = with_files(table, test_run.data)
    assert named_queries(absolute, setting, ['cam3/0004/0001.png']).tolist() == [
        table.paths.tolist().index('cam3/0004/0001.png')
    ]
    for name, number in (('0001.png', 12), ('24', 0), ('cam1/0004/0001.png', 0)):
        with pytest.raises(
            ValueError, match=f'{number} of 24 queries are called {name}: expected a number from 0 to 23'
        ):
            named_queries(table, setting, [name])


def test_features_are_joined_with_their_files(test_run, tmp_path):
    assert with_files(test_run.table, test_run.data).paths[0] == str(test_run.data / test_run.table.paths[0])
    with pytest.raises(FileNotFoundError, match='there is no image'):
        with_files(test_run.table, tmp_path)
    with pytest.raises(ValueError, match='query_paths and gallery_paths'):
        with_files(replace(test_run.table, paths=None), tmp_path)


def test_deep_images_are_shown_by_the_range_of_their_modality(tmp_path):
    paths = [str(tmp_path / f'{row}.png') for row in range(4)]
    for path, value in zip(paths, (7000, 8000, 90, 110), strict=True):
        cv2.imwrite(path, np.full((4, 4), value, np.uint16 if value > 255 else np.uint8))
    table = FeatureTable(np.eye(4), [1, 2, 1, 2], [3, 3, 1, 1], modalities=['ir', 'ir', 'rgb', 'rgb'], paths=paths)
    ranges = display_ranges(table)
    assert ranges == {'ir': (7000, 8000)}
    assert [int(open_image(table, row, ranges).mean()) for row in range(4)] == [0, 255, 90, 110]


def test_what_is_drawn_has_the_images_of_the_lists(test_run, setting, monkeypatch):
    monkeypatch.setattr('tsgan.visualization.rankings.ranked_list', lambda *told: told)
    table = with_files(test_run.table, test_run.data)
    lists = rank(table, setting).lists([0, 5], 3)
    queries, galleries, same, query_captions, captions = draw_ranked_lists(table, lists)
    for ranked, query, gallery in zip(lists, queries, galleries, strict=True):
        assert int(query.mean()) == ranked.query  # an image holds its row
        assert [int(image.mean()) for image in gallery] == ranked.gallery.tolist()
    assert query_captions[1] == 'Матвей\nIR camera 3'
    assert captions[0][0].endswith(f'distance {lists[0].distances[0]:.2f}')
    assert [list(map(bool, flags)) for flags in same] == [ranked.same.tolist() for ranked in lists]


def test_people_are_numbered_where_no_file_is_known(test_run):
    assert identity_names(replace(test_run.table, paths=None))[3] == 'id 3'
    assert camera_names(replace(test_run.table, camids=np.ones(len(test_run.table), int)))[0] == 'IR'
