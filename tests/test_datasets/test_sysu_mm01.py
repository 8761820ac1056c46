import shutil

import numpy as np
import pytest

from tsgan.datasets import SYSUMM01


def rows(dataset):
    keys = ['camid', 'pid', 'frame', 'modality']
    return sorted(zip(*(dataset.column(key).tolist() for key in keys), strict=True))


def test_train_holds_every_image_of_its_identities_with_camera_frame_and_modality(sysu_root):
    dataset = SYSUMM01(sysu_root, split='train')
    assert rows(dataset) == [
        (1, 2, 1, 'rgb'),
        (1, 2, 2, 'rgb'),
        (1, 2, 3, 'rgb'),
        (1, 9, 1, 'rgb'),
        (1, 9, 2, 'rgb'),
        (2, 2, 1, 'rgb'),
        (2, 2, 2, 'rgb'),
        (3, 2, 1, 'ir'),
        (3, 2, 2, 'ir'),
        (3, 9, 1, 'ir'),
        (4, 9, 4, 'rgb'),
        (6, 2, 1, 'ir'),
    ]


def test_every_row_points_at_its_own_file(sysu_root):
    for row in SYSUMM01(sysu_root, split='train'):
        assert row['img_path'] == str(
            sysu_root / f'cam{row["camid"]}' / f'{row["pid"]:04d}' / f'{row["frame"]:04d}.jpg'
        )


def test_labels_count_the_sorted_identities_of_the_joined_splits(sysu_root):
    dataset = SYSUMM01(sysu_root, split='val+train')
    assert dataset.num_ids == 3
    assert dataset.pids.tolist() == [2, 9, 40]
    assert np.array_equal(dataset.pids[dataset.labels], dataset.column('pid'))


def test_query_and_gallery_of_the_test_split_are_one_table_and_a_missing_camera_is_fine(sysu_root):
    dataset = SYSUMM01(sysu_root, split='test', test_mode=True)
    assert rows(dataset) == [
        (1, 5, 1, 'rgb'),
        (1, 5, 2, 'rgb'),
        (2, 5, 3, 'rgb'),
        (2, 5, 10, 'rgb'),
        (4, 5, 1, 'rgb'),
        (6, 5, 7, 'ir'),
        (6, 5, 8, 'ir'),
    ]


@pytest.mark.parametrize(('modality', 'cameras'), [('rgb', {1, 2, 4}), ('ir', {3, 6})])
def test_one_modality_keeps_its_own_cameras(sysu_root, modality, cameras):
    dataset = SYSUMM01(sysu_root, split='train', modality=modality)
    assert set(dataset.column('camid').tolist()) == cameras
    assert set(dataset.modalities.tolist()) == {modality}


def test_rgb_only_identities_load_with_modality_rgb(sysu_root):
    shutil.rmtree(sysu_root / 'cam3' / '0040')
    assert SYSUMM01(sysu_root, split='val', modality='rgb').pids.tolist() == [40]


@pytest.mark.parametrize(
    ('lost', 'modality', 'kept'), [('cam3/0040', 'ir', 'cam4/0040'), ('cam[45]/0040', 'rgb', 'cam3/0040')]
)
def test_a_training_identity_without_one_modality_is_named(sysu_root, lost, modality, kept):
    for folder in sysu_root.glob(lost):
        shutil.rmtree(folder)
    with pytest.raises(ValueError, match=f'no {modality} image .*{kept}.*expected both modalities'):
        SYSUMM01(sysu_root)
    assert SYSUMM01(sysu_root, test_mode=True).num_ids == 3


def test_files_that_are_no_images_by_name_are_passed_over(sysu_root):
    (sysu_root / 'cam1' / '0002' / 'Thumbs.db').write_text('')
    (sysu_root / 'cam1' / '0002' / '._0001.jpg').write_text('')
    assert len(SYSUMM01(sysu_root, split='train')) == 12


def test_missing_root_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere is no folder: expected the root of a SYSUMM01'):
        SYSUMM01(tmp_path / 'nowhere')


def test_missing_camera_folder_is_named(sysu_root):
    shutil.rmtree(sysu_root / 'cam6')
    with pytest.raises(FileNotFoundError, match=r'cam6 is missing: expected SYSU-MM01 with cam1 to cam6'):
        SYSUMM01(sysu_root)


def test_images_of_a_seventh_camera_are_refused(sysu_root, write_image):
    (sysu_root / 'cam7' / '0002').mkdir(parents=True)
    SYSUMM01(sysu_root)
    write_image(sysu_root / 'cam7' / '0002' / '0001.jpg')
    with pytest.raises(ValueError, match=r'cam7/0002/0001.jpg would not be read: expected SYSU-MM01 with cam1 to cam6'):
        SYSUMM01(sysu_root)


def test_missing_list_is_named(sysu_root):
    with pytest.raises(FileNotFoundError, match=r'exp/query_id.txt is missing: expected a list of identity numbers'):
        SYSUMM01(sysu_root, split='train+query')


@pytest.mark.parametrize('text', ['', '2;9', '2,,9', ',2,9', '2,9,,', '2\n9', 'two'])
def test_malformed_list_is_named(sysu_root, text):
    (sysu_root / 'exp' / 'train_id.txt').write_text(text)
    with pytest.raises(ValueError, match=r'train_id.txt is malformed: expected one line of identity numbers'):
        SYSUMM01(sysu_root)


def test_listed_identity_without_any_folder_is_named(sysu_root):
    (sysu_root / 'exp' / 'train_id.txt').write_text('2,9,77')
    with pytest.raises(FileNotFoundError, match=r'no folder cam\*/0077: expected identity 77 of split .train.'):
        SYSUMM01(sysu_root, split='train')


def test_empty_identity_folder_is_named(sysu_root):
    (sysu_root / 'cam4' / '0002').mkdir()
    with pytest.raises(FileNotFoundError, match=r'cam4/0002 holds no image: expected at least one'):
        SYSUMM01(sysu_root)


@pytest.mark.parametrize('name', ['first', '0000', '-1', '²'])
def test_file_not_named_by_its_frame_is_named(sysu_root, name):
    (sysu_root / 'cam1' / '0002' / '0001.jpg').rename(sysu_root / 'cam1' / '0002' / f'{name}.jpg')
    with pytest.raises(ValueError, match=f'cam1/0002/{name}.jpg is not named by its frame: expected a number'):
        SYSUMM01(sysu_root)


def test_no_image_of_the_wanted_modality_is_an_error(sysu_root):
    shutil.rmtree(sysu_root / 'cam3' / '0040')
    with pytest.raises(FileNotFoundError, match='SYSU-MM01 holds no ir image'):
        SYSUMM01(sysu_root, split='val', modality='ir')


def test_unknown_modality_is_an_error(sysu_root):
    with pytest.raises(ValueError, match="modality is 'infrared': expected 'rgb', 'ir', or None"):
        SYSUMM01(sysu_root, modality='infrared')
