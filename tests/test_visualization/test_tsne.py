import numpy as np
import pytest

from tsgan.evaluation import FeatureTable
from tsgan.visualization.palette import IDENTITIES
from tsgan.visualization.tsne import choose_people, embed, plot_tsne


@pytest.fixture
def table():
    """Five people, far from each other: four images of each modality, but person 5 has no IR image."""
    rng = np.random.default_rng(0)
    pids, modalities = np.repeat(np.arange(1, 6), 8), np.tile(['rgb'] * 4 + ['ir'] * 4, 5)
    keep = (pids != 5) | (modalities == 'rgb')
    feats = 10 * np.eye(16, dtype=np.float32)[pids] + rng.normal(size=(40, 16)).astype(np.float32)
    paths = np.array([f'cam1/person {pid}/{row}.png' for row, pid in enumerate(pids)])
    return FeatureTable(feats[keep], pids[keep], pids[keep], modalities=modalities[keep], paths=paths[keep])


def test_people_of_both_modalities_are_drawn_by_seed(table):
    chosen = choose_people(table, 4)
    assert set(chosen.pids.tolist()) == {1, 2, 3, 4} and len(chosen) == 32
    two = choose_people(table, 2, seed=1)
    assert len(set(two.pids.tolist())) == 2 and two.paths[0].startswith(f'cam1/person {two.pids[0]}/')
    assert len({tuple(choose_people(table, 2, seed=seed).pids) for seed in range(9)}) > 1
    assert len(choose_people(table, 5)) == len(choose_people(table, 99)) == 36  # all that there are
    with pytest.raises(ValueError, match='at least one identity, not 0'):
        choose_people(table, 0)


def test_neighbours_stay_together_and_a_seed_gives_the_same_picture(table):
    places = embed(table)
    assert places.shape == (36, 2)
    np.testing.assert_array_equal(places, embed(table))
    distances = np.linalg.norm(places[:, None] - places, axis=2) + 1e9 * np.eye(36)
    assert (table.pids[distances.argmin(axis=1)] == table.pids).mean() > 0.9
    assert embed(choose_people(table, 1)).shape == (8, 2)  # fewer images than neighbours


def test_features_that_tell_nobody_apart_are_refused():
    table = FeatureTable(np.ones((4, 3)), [1, 1, 2, 2], [1, 3, 1, 3], modalities=['rgb', 'ir'] * 2)
    with pytest.raises(ValueError, match='All 4 features are equal'):
        embed(table)


def test_modality_is_the_marker_and_identity_the_colour(table):
    places = np.random.default_rng(0).normal(size=(len(table), 2))
    axis = plot_tsne(table, places).axes[0]
    found = {}
    for marks in axis.collections:
        corners = len(marks.get_paths()[0].vertices)
        for place in np.asarray(marks.get_offsets()):
            found[tuple(place)] = (tuple(marks.get_facecolor()[0]), 'ir' if corners < 6 else 'rgb')
    assert len(found) == len(table)
    colours = {}
    for place, pid, modality in zip(places, table.pids.tolist(), table.modalities.tolist(), strict=True):
        colour, marker = found[tuple(place)]
        assert marker == modality and colours.setdefault(pid, colour) == colour
    assert len(set(colours.values())) == 5
    assert sorted(text.get_text() for text in axis.texts) == [f'person {pid}' for pid in range(1, 6)]
    assert len(set(IDENTITIES)) == 12


def test_without_scikit_learn_it_says_what_to_install(table, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'sklearn', None)
    monkeypatch.setitem(__import__('sys').modules, 'sklearn.manifold', None)
    with pytest.raises(ImportError, match=r'pip install "tsgan\[vis\]"'):
        embed(table)
