import shutil

import pytest

from tsgan.datasets import LLCM


def test_train_holds_what_the_lists_say_with_the_camera_of_the_name(llcm_root, rows):
    assert rows(LLCM(llcm_root)) == [
        ('vis/0001/0001_c01_s185535_f7010_vis.jpg', 0, 1, 'rgb', 1),
        ('vis/0001/0001_c01_s185535_f90_vis.jpg', 0, 1, 'rgb', 2),
        ('vis/0001/0001_c09_s185535_f1_vis.jpg', 0, 9, 'rgb', 1),
        ('vis/0012/0012_c03_s185535_f5_vis.jpg', 1, 3, 'rgb', 1),
        ('nir/0001/0001_c01_s185535_f8_nir.jpg', 0, 1, 'ir', 1),
        ('nir/0012/0012_c04_s185535_f30_nir.jpg', 1, 4, 'ir', 1),
        ('nir/0012/0012_c04_s185535_f4_nir.jpg', 1, 4, 'ir', 2),
        ('nir/0012/0012_c02_s185535_f6_nir.jpg', 1, 2, 'ir', 1),
    ]


def test_test_holds_the_folders_of_the_listed_identities_sorted_by_name(llcm_root, rows):
    assert rows(LLCM(llcm_root, split='test', test_mode=True)) == [
        ('test_vis/cam1/0004/a.jpg', 4, 1, 'rgb', 1),
        ('test_vis/cam1/0004/b.jpg', 4, 1, 'rgb', 2),
        ('test_vis/cam3/0004/c.jpg', 4, 3, 'rgb', 1),
        ('test_nir/cam1/0004/e.jpg', 4, 1, 'ir', 1),
        ('test_vis/cam3/1064/d.jpg', 1064, 3, 'rgb', 1),
        ('test_vis/cam9/1064/10.jpg', 1064, 9, 'rgb', 1),  # as text, as the published code sorts: 10 before 9
        ('test_vis/cam9/1064/9.jpg', 1064, 9, 'rgb', 2),
        ('test_nir/cam8/1064/f.jpg', 1064, 8, 'ir', 1),
        ('test_nir/cam8/1064/g.jpg', 1064, 8, 'ir', 2),
    ]


def test_nobody_of_the_test_is_taken_for_somebody_of_the_training_by_number(llcm_root):
    (llcm_root / 'idx' / 'train_vis.txt').write_text('vis/0001/0001_c01_s185535_f7010_vis.jpg 4\n')
    train = LLCM(llcm_root, modality='rgb')
    assert train.pids.tolist() == [4] and train.identities == {'LLCM/LLCM/train-4'}
    assert not train.identities & LLCM(llcm_root, split='test', test_mode=True).identities


def test_identities_that_are_not_listed_stay_out(llcm_root):
    (llcm_root / 'idx' / 'test_id.txt').write_text('4')
    assert LLCM(llcm_root, split='test', test_mode=True).pids.tolist() == [4]


@pytest.mark.parametrize(('split', 'counts'), [('train', {'rgb': 4, 'ir': 4}), ('test', {'rgb': 6, 'ir': 3})])
@pytest.mark.parametrize('modality', ['rgb', 'ir'])
def test_one_modality_is_kept(llcm_root, split, counts, modality):
    dataset = LLCM(llcm_root, split=split, modality=modality, test_mode=split == 'test')
    assert dataset.modalities.tolist() == [modality] * counts[modality]


def test_labels_count_the_sorted_identities(llcm_root):
    dataset = LLCM(llcm_root, split='test', test_mode=True)
    assert dataset.labels.tolist() == [0] * 4 + [1] * 5


def test_an_unknown_split_is_an_error(llcm_root):
    with pytest.raises(ValueError, match="^split is 'val': expected 'train' or 'test'$"):
        LLCM(llcm_root, split='val')


@pytest.mark.parametrize('name', ['train_vis', 'train_nir'])
def test_a_missing_list_of_images_is_named(llcm_root, name):
    (llcm_root / 'idx' / f'{name}.txt').unlink()
    with pytest.raises(FileNotFoundError, match=f'idx/{name}.txt is missing: expected a list of images'):
        LLCM(llcm_root)


def test_a_malformed_line_is_named_by_list_and_number(llcm_root):
    with (llcm_root / 'idx' / 'train_nir.txt').open('a') as file:
        file.write('nir/0012/0012_c02_s185535_f6_nir.jpg')
    with pytest.raises(ValueError, match=r'idx/train_nir.txt, line 5 is malformed: expected path, space, label'):
        LLCM(llcm_root)


def test_listed_images_that_are_not_there_are_counted_and_one_is_named(llcm_root):
    shutil.rmtree(llcm_root / 'vis' / '0001')
    with pytest.raises(
        FileNotFoundError, match=r'vis/0001/0001_c01_s185535_f7010_vis.jpg is missing, one of 3 such images among the 4'
    ):
        LLCM(llcm_root)


def test_a_training_image_whose_name_has_no_camera_is_named(llcm_root):
    (llcm_root / 'vis' / '0012' / '0012_c03_s185535_f5_vis.jpg').rename(llcm_root / 'vis' / '0012' / 'me.jpg')
    path = llcm_root / 'idx' / 'train_vis.txt'
    path.write_text(path.read_text().replace('0012_c03_s185535_f5_vis', 'me'))
    with pytest.raises(ValueError, match=r'vis/0012/me.jpg does not tell its camera: expected a name such as'):
        LLCM(llcm_root)


def test_a_training_identity_without_one_modality_is_named(llcm_root):
    path = llcm_root / 'idx' / 'train_nir.txt'
    path.write_text(path.read_text().splitlines()[0])
    with pytest.raises(ValueError, match='no ir image of 1 identities, such as that of .*vis/0012: expected both'):
        LLCM(llcm_root)


def test_a_missing_or_malformed_list_of_identities_is_named(llcm_root):
    path = llcm_root / 'idx' / 'test_id.txt'
    path.write_text('4\n1064\n')
    with pytest.raises(ValueError, match=r'idx/test_id.txt is malformed: expected one line of identity numbers'):
        LLCM(llcm_root, split='test')
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'idx/test_id.txt is missing: expected a list of identity numbers'):
        LLCM(llcm_root, split='test')


@pytest.mark.parametrize('folder', ['test_vis/cam3', 'test_nir/cam9'])
def test_a_missing_camera_folder_is_named(llcm_root, folder):
    shutil.rmtree(llcm_root / folder)
    with pytest.raises(FileNotFoundError, match=f'{folder} is missing: expected LLCM with test_vis/cam1 to cam9'):
        LLCM(llcm_root, split='test')


def test_a_test_identity_without_any_folder_is_named(llcm_root):
    (llcm_root / 'idx' / 'test_id.txt').write_text('4,77,1064')
    with pytest.raises(FileNotFoundError, match=r'no folder test_\*/cam\*/0077: expected test identity 77 under at'):
        LLCM(llcm_root, split='test')


def test_an_empty_identity_folder_is_named(llcm_root):
    (llcm_root / 'test_nir' / 'cam2' / '0004').mkdir()
    with pytest.raises(FileNotFoundError, match='test_nir/cam2/0004 holds no image: expected at least one'):
        LLCM(llcm_root, split='test')
