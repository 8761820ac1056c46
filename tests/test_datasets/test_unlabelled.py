import numpy as np
import pytest

from tsgan.datasets import SYSUMM01, UnlabelledFolder


@pytest.fixture
def unlabelled(tmp_path, write_image):
    for name in ['rgb/b.jpg', 'rgb/a.png', 'rgb/monday/c.jpg', 'ir/1.jpg', 'ir/cam2/2.jpg', 'ir/.hidden.jpg']:
        write_image(tmp_path / name)
    return tmp_path


def test_rows_are_the_images_of_two_folders_and_whatever_is_below(unlabelled, rows):
    assert rows(UnlabelledFolder(unlabelled)) == [
        ('rgb/a.png', 0, 1, 'rgb', 1),
        ('rgb/b.jpg', 0, 1, 'rgb', 2),
        ('rgb/monday/c.jpg', 0, 1, 'rgb', 3),
        ('ir/1.jpg', 0, 2, 'ir', 1),
        ('ir/cam2/2.jpg', 0, 2, 'ir', 2),
    ]


def test_nobody_is_known(unlabelled):
    dataset = UnlabelledFolder(unlabelled)
    assert dataset.identities == set() and not dataset.KNOWS_IDENTITIES and SYSUMM01.KNOWS_IDENTITIES


def test_a_missing_or_empty_folder_is_named(unlabelled):
    (unlabelled / 'ir').rename(unlabelled / 'IR')
    with pytest.raises(FileNotFoundError, match=r'ir is missing \(there is .*IR\): expected ir/<image> there'):
        UnlabelledFolder(unlabelled)
    (unlabelled / 'ir').mkdir()
    with pytest.raises(FileNotFoundError, match='ir holds no image'):
        UnlabelledFolder(unlabelled)
    assert len(UnlabelledFolder(unlabelled, modality='rgb')) == 3


def test_relabelled_rows_say_their_cluster_and_the_table_keeps_who_they_show(sysu_root):
    dataset = SYSUMM01(sysu_root, split='train')
    pids, clusters = dataset.column('pid'), np.arange(len(dataset)) % 3 - 1
    dataset.relabel(clusters)
    assert dataset.labels.tolist() == clusters.tolist()
    assert [row['gt_label'] for row in dataset] == clusters.tolist()
    assert dataset.column('pid').tolist() == pids.tolist()
    clusters[:] = 5
    assert dataset.labels.max() == 1
    with pytest.raises(ValueError, match=r'were given clusters of shape \(2,\): expected one each'):
        dataset.relabel(np.zeros(2))
