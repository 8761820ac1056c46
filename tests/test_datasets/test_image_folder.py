import json
import shutil
from pathlib import Path

import pytest

from tsgan.datasets import ImageFolderReID


def names(dataset):
    return {dataset.metainfo['identity_names'][pid] for pid in dataset.pids}


def write_split(root, splits):
    (root / 'split.json').write_text(json.dumps(splits), encoding='utf-8')
    return 'split.json'


def test_a_row_is_named_by_its_folders_and_numbered_in_sorted_order(folder_root):
    file = write_split(folder_root, {'train': ['zoe'], 'test': ['anna']})
    dataset = ImageFolderReID(folder_root, split_file=file)
    found = [(Path(row['img_path']).relative_to(folder_root).as_posix(), row['camid'], row['frame']) for row in dataset]
    assert found == [
        ('rgb/zoe/a.jpg', 1, 1),
        ('rgb/zoe/b.png', 1, 2),
        ('ir/zoe/1.JPG', 2, 1),
        ('ir/zoe/2.webp', 2, 2),
        ('ir/zoe/3.bmp', 2, 3),
    ]
    assert dataset.modalities.tolist() == ['rgb'] * 2 + ['ir'] * 3


def test_pid_is_the_place_among_all_sorted_names_in_either_split(folder_root):
    train, test = ImageFolderReID(folder_root), ImageFolderReID(folder_root, split='test', test_mode=True)
    everyone = sorted(path.name for path in (folder_root / 'rgb').iterdir())
    assert train.metainfo['identity_names'] == test.metainfo['identity_names'] == everyone
    assert test.metainfo['data_root'] == str(folder_root)
    for row in [*train, *test]:
        assert Path(row['img_path']).parent.name == everyone[row['pid']]
    assert sorted(set(train.labels.tolist())) == list(range(5))


def test_seeded_split_is_disjoint_complete_and_of_the_given_size(folder_root):
    train, test = (ImageFolderReID(folder_root, split=split, train_ratio=0.7) for split in ('train', 'test'))
    assert (train.num_ids, test.num_ids) == (7, 3)
    assert names(train) | names(test) == set(train.metainfo['identity_names'])


def test_seeded_split_repeats_and_depends_on_the_seed(folder_root):
    splits = [names(ImageFolderReID(folder_root, seed=seed)) for seed in (0, 0, 1, 2)]
    assert splits[0] == splits[1]
    assert splits[0] != splits[2] or splits[0] != splits[3]


def test_split_file_decides_and_may_name_other_splits(folder_root):
    file = write_split(folder_root, {'train': ['anna', 'mé'], 'val': ['10'], 'test': ['9', 'with space']})
    for split, expected in {'train': {'anna', 'mé'}, 'val': {'10'}, 'test': {'9', 'with space'}}.items():
        assert names(ImageFolderReID(folder_root, split=split, split_file=file)) == expected


def test_a_person_keeps_the_name_by_which_a_checkpoint_knows_it_when_another_is_added(folder_root):
    train = ImageFolderReID(folder_root)
    before = train.identities
    assert before == {f'ImageFolderReID/own/{name}' for name in names(train)}
    for modality in ('rgb', 'ir'):  # first in the order: all pids shift, and the seeded split is another one
        shutil.copytree(folder_root / modality / 'anna', folder_root / modality / '0')
    test = ImageFolderReID(folder_root, split='test', test_mode=True)
    assert {name.rsplit('/', 1)[-1] for name in test.identities} == names(test)
    assert before & test.identities


def test_absolute_split_file_is_read_where_it_is(folder_root, tmp_path):
    write_split(tmp_path, {'train': ['anna']})
    assert names(ImageFolderReID(folder_root, split_file=str(tmp_path / 'split.json'))) == {'anna'}


def test_one_modality_may_be_all_that_an_identity_has_when_asked_for_or_in_a_test(folder_root):
    file = write_split(folder_root, {'train': ['anna', 'Ben']})
    shutil.rmtree(folder_root / 'rgb' / 'anna')
    with pytest.raises(ValueError, match=r'no rgb image of 1 identities, such as that of .*ir/anna: expected both'):
        ImageFolderReID(folder_root, split_file=file)
    assert ImageFolderReID(folder_root, split_file=file, modality='ir').num_ids == 2
    assert ImageFolderReID(folder_root, split_file=file, test_mode=True).num_ids == 2


def test_missing_modality_folder_is_named(folder_root):
    shutil.rmtree(folder_root / 'ir')
    with pytest.raises(FileNotFoundError, match=r'own/ir is missing: expected ir/<identity>/<image>'):
        ImageFolderReID(folder_root)


def test_empty_identity_folder_is_named(folder_root):
    for path in (folder_root / 'ir' / 'anna').iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match='ir/anna holds no image: expected at least one'):
        [ImageFolderReID(folder_root, split=split) for split in ('train', 'test')]


def test_missing_split_file_is_named(folder_root):
    with pytest.raises(FileNotFoundError, match='own/split.json is missing: expected JSON'):
        ImageFolderReID(folder_root, split_file='split.json')


@pytest.mark.parametrize('text', ['anna', '["anna"]', '{"train": "anna"}', '{"train": [1]}', '{"train": []}'])
def test_malformed_split_file_is_named(folder_root, text):
    (folder_root / 'split.json').write_text(text)
    with pytest.raises(ValueError, match=r'own/split.json is (malformed: expected JSON|no JSON)'):
        ImageFolderReID(folder_root, split_file='split.json')


def test_a_split_that_a_split_file_has_twice_is_refused_rather_than_lost(folder_root):
    (folder_root / 'split.json').write_text('{"train": ["anna"], "test": ["zoe"], "train": ["Ben"]}')
    with pytest.raises(ValueError, match="own/split.json is no JSON: it has 'train' twice"):
        ImageFolderReID(folder_root, split_file='split.json')


def test_listed_identity_without_a_folder_is_named(folder_root):
    file = write_split(folder_root, {'train': ['anna', 'nobody']})
    with pytest.raises(FileNotFoundError, match='neither rgb/nobody nor ir/nobody: expected a folder'):
        ImageFolderReID(folder_root, split_file=file)


def test_an_identity_in_two_splits_is_an_error(folder_root):
    file = write_split(folder_root, {'train': ['anna', 'Ben'], 'test': ['Ben']})
    with pytest.raises(ValueError, match="split.json lists identity 'Ben' twice"):
        ImageFolderReID(folder_root, split_file=file)


def test_unknown_split_is_an_error_that_lists_the_known(folder_root):
    with pytest.raises(ValueError, match=r"no split 'val': expected one of \['test', 'train'\]"):
        ImageFolderReID(folder_root, split='val')


@pytest.mark.parametrize('train_ratio', [0.0, 1.0, 0.01])
def test_a_split_that_leaves_one_side_empty_is_an_error(folder_root, train_ratio):
    with pytest.raises(ValueError, match='own has 10 identities.*at least one to train on and one to test on'):
        ImageFolderReID(folder_root, train_ratio=train_ratio)
