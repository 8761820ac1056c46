from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tsgan.datasets import ClusterBatchSampler


def make(clusters, modalities, batch_size=16, num_batches=5, num_instances=2, rgb_views=1, seed=0, epoch=0):
    modalities = np.where(np.array(list(modalities)) == 'i', 'ir', 'rgb')
    dataset = SimpleNamespace(modalities=modalities, clusters=clusters)
    sampler = SimpleNamespace(dataset=dataset, seed=seed, epoch=epoch)
    return ClusterBatchSampler(sampler, batch_size, num_batches, num_instances, rgb_views)


CLUSTERS = np.array([0, 1, 2, 3, 4, -1] * 5 + [0, 1, 2, 3, -1] * 3)  # five of RGB, four of IR
MODALITIES = 'r' * 30 + 'i' * 15


def test_a_batch_has_k_clusters_with_p_images_of_rgb_then_of_ir():
    sampler = make(CLUSTERS, MODALITIES)
    batches = list(sampler)
    assert len(batches) == len(sampler) == 5
    for batch in batches:
        rows = np.reshape(batch, (2, 4, 2))
        assert (rows[0] < 30).all() and (rows[1] >= 30).all()
        of_rows = CLUSTERS[rows]
        assert (of_rows >= 0).all() and (of_rows[..., :1] == of_rows).all()
        assert (rows[..., 0] != rows[..., 1]).all()  # enough images: none twice


def test_passes_show_every_cluster_once_before_any_returns():
    rows = np.array(list(make(CLUSTERS, MODALITIES, num_batches=10))).reshape(10, 2, 8)
    of_rgb = CLUSTERS[rows[:, 0, ::2]].ravel()  # 40
    assert (np.sort(of_rgb.reshape(8, 5)) == np.arange(5)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from('ri'), st.integers(-1, 6)), min_size=2, max_size=40),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 9),
)
def test_of_any_clusters_passes_are_whole_and_no_image_outside_is_drawn(images, num_instances, num_clusters, seed):
    modalities, clusters = ''.join(m for m, _ in images), np.array([cluster for _, cluster in images])
    for m in 'ri':  # clusters of a modality are counted from 0, without gaps
        mine = np.array([one == m for one in modalities])
        assume((clusters[mine] >= 0).any())
        clusters[mine] = np.unique(np.append(clusters[mine], -1), return_inverse=True)[1][:-1] - 1
    size = 2 * num_clusters * num_instances
    rows = np.array(list(make(clusters, modalities, size, 8, num_instances, seed=seed)))
    rows = rows.reshape(8, 2, num_clusters, num_instances)
    for m, mine in zip('ri', (rows[:, 0], rows[:, 1]), strict=True):
        assert {modalities[row] for row in mine.ravel()} == {m}
        of_rows = clusters[mine].reshape(-1, num_instances)
        assert (of_rows == of_rows[:, :1]).all() and (of_rows >= 0).all()
        sizes = np.bincount([c for c, one in zip(clusters, modalities, strict=True) if one == m and c >= 0])
        for cluster, drawn in zip(of_rows[:, 0], mine.reshape(-1, num_instances).tolist(), strict=True):
            assert sizes[cluster] < num_instances or len(set(drawn)) == num_instances
        stream = of_rows[:, 0].tolist()
        for start in range(0, len(stream), len(sizes)):
            seen = stream[start : start + len(sizes)]
            assert len(set(seen)) == len(seen)


def test_there_are_fewer_clusters_of_images_that_come_in_more_views():
    (batch,) = make(CLUSTERS, MODALITIES, num_batches=1, rgb_views=2)
    assert [row < 30 for row in batch] == [True] * 4 + [False] * 8


def test_too_few_clusters_and_images_repeat():
    batch = next(iter(make(np.array([0, 0, 1, 0, 1, 1, 1]), 'rrriiii', batch_size=24, num_instances=3)))
    rows = np.reshape(batch, (2, 4, 3))
    assert set(rows[0].ravel()) == {0, 1, 2} and set(rows[1].ravel()) == {3, 4, 5, 6}


def test_epochs_and_seeds_differ_and_each_repeats():
    def drawn(**kwargs):
        return list(make(CLUSTERS, MODALITIES, **kwargs))

    assert drawn() == drawn() != drawn(epoch=1) != drawn(seed=1)


@pytest.mark.parametrize('clusters', [None, np.array([0, 0, 1, -1, -1])])
def test_a_modality_without_clusters_is_refused(clusters):
    with pytest.raises(RuntimeError, match='no clusters of (rgb|ir) images.*PseudoLabelHook'):
        next(iter(make(clusters, 'rrrii')))


def test_a_broken_number_of_clusters_is_refused():
    with pytest.raises(
        ValueError, match=r'batch_size=18.*a multiple of 4, num_instances=2 x 2 modalities \(rgb, ir\)$'
    ):
        make(CLUSTERS, MODALITIES, batch_size=18)
    with pytest.raises(ValueError, match=r'batch_size=12.*a multiple of 8, .*\(rgb, ir\) x rgb_views=2$'):
        make(CLUSTERS, MODALITIES, batch_size=12, rgb_views=2)
