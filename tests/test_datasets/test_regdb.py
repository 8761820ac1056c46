import shutil

import pytest

from tsgan.datasets import RegDB


def test_a_subset_holds_what_its_lists_say_in_their_order(regdb_root, rows):
    assert rows(RegDB(regdb_root)) == [
        ('Visible/3/male_front_v_00007_3.bmp', 0, 1, 'rgb', 1),
        ('Visible/3/male_front_v_00002_3.bmp', 0, 1, 'rgb', 2),
        ('Visible/1/male_front_v_00007_1.bmp', 1, 1, 'rgb', 1),
        ('Visible/1/male_front_v_00002_1.bmp', 1, 1, 'rgb', 2),
        ('Thermal/3/male_front_t_00004_3.bmp', 0, 2, 'ir', 1),
        ('Thermal/3/male_front_t_00009_3.bmp', 0, 2, 'ir', 2),
        ('Thermal/3/male_front_t_00005_3.bmp', 0, 2, 'ir', 3),
        ('Thermal/1/male_front_t_00004_1.bmp', 1, 2, 'ir', 1),
        ('Thermal/1/male_front_t_00009_1.bmp', 1, 2, 'ir', 2),
        ('Thermal/1/male_front_t_00005_1.bmp', 1, 2, 'ir', 3),
    ]


@pytest.mark.parametrize(
    ('split', 'subset', 'expected'),
    [(1, 'train', {3, 1}), (1, 'test', {10, 2}), (2, 'train', {2, 3, 10}), (2, 'test', {1})],
)
def test_each_split_has_its_own_identities(regdb_root, split, subset, expected, rows):
    dataset = RegDB(regdb_root, split=split, subset=subset, test_mode=subset == 'test')
    assert {int(path.split('/')[1]) for path, *_ in rows(dataset)} == expected
    assert dataset.pids.tolist() == list(range(len(expected)))


def test_a_person_has_one_name_in_all_splits_and_modalities(regdb_root):
    def known(**of):
        return {name.rsplit('/', 1)[-1] for name in RegDB(regdb_root, test_mode=True, **of).identities}

    assert known(modality='ir') == known() == {'3', '1'}
    assert known(subset='test') == {'10', '2'} and known(split=2) == {'2', '3', '10'}


def test_pid_is_the_label_of_the_list_and_gt_label_counts_the_labels_there_are(regdb_root):
    for path in (regdb_root / 'idx').glob('train_*_1.txt'):
        path.write_text(path.read_text().replace('.bmp 0', '.bmp 205'))
    dataset = RegDB(regdb_root)
    assert dataset.pids.tolist() == [1, 205]
    assert dataset.labels.tolist() == [1, 1, 0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(('modality', 'camid', 'number'), [('rgb', 1, 4), ('ir', 2, 6)])
def test_one_modality_needs_its_own_list_alone(regdb_root, modality, camid, number):
    (regdb_root / 'idx' / f'train_{"thermal" if modality == "rgb" else "visible"}_1.txt').unlink()
    dataset = RegDB(regdb_root, modality=modality)
    assert len(dataset) == number
    assert set(dataset.modalities.tolist()) == {modality}
    assert set(dataset.column('camid').tolist()) == {camid}


def test_lists_with_other_line_ends_and_empty_last_lines_are_read(regdb_root, rows):
    path = regdb_root / 'idx' / 'train_visible_1.txt'
    expected = rows(RegDB(regdb_root))
    path.write_bytes(path.read_bytes().replace(b'\n', b' \r\n') + b'\r\n\r\n')
    assert rows(RegDB(regdb_root)) == expected


@pytest.mark.parametrize('split', [0, 11, '1', None])
def test_an_unknown_split_is_an_error(regdb_root, split):
    with pytest.raises(ValueError, match=f'^split is {split!r}: expected the number of one of .*, 1 to 10$'):
        RegDB(regdb_root, split=split)


def test_an_unknown_subset_is_an_error(regdb_root):
    with pytest.raises(ValueError, match="^subset is 'val': expected 'train' or 'test'$"):
        RegDB(regdb_root, subset='val')


def test_a_missing_list_is_named(regdb_root):
    with pytest.raises(FileNotFoundError, match=r'idx/train_visible_3.txt is missing: expected a list of images'):
        RegDB(regdb_root, split=3)


@pytest.mark.parametrize('line', ['a.bmp', 'a.bmp0', 'a.bmp x', 'a.bmp -1', 'a.bmp 0 0', 'a b.bmp 0', '0', ''])
def test_a_malformed_line_is_named_by_list_and_number(regdb_root, line):
    path = regdb_root / 'idx' / 'test_thermal_1.txt'
    lines = path.read_text().splitlines()
    path.write_text('\n'.join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(
        ValueError, match=f'idx/test_thermal_1.txt, line 3 is malformed: expected path, space, label, .* {line!r}$'
    ):
        RegDB(regdb_root, subset='test', test_mode=True)


@pytest.mark.parametrize('text', ['', '\n', '\nThermal/10/male_front_t_00004_10.bmp 0\n'])
def test_an_empty_list_and_an_empty_first_line_are_malformed(regdb_root, text):
    (regdb_root / 'idx' / 'test_thermal_1.txt').write_text(text)
    with pytest.raises(ValueError, match=r'idx/test_thermal_1.txt, line 1 is malformed'):
        RegDB(regdb_root, subset='test', test_mode=True)


def test_listed_images_that_are_not_there_are_counted_and_one_is_named(regdb_root):
    shutil.rmtree(regdb_root / 'Thermal' / '1')
    with pytest.raises(
        FileNotFoundError,
        match=r'Thermal/1/male_front_t_00004_1.bmp is missing, one of 3 such images among the 6 that '
        r'.*idx/train_thermal_1.txt lists: expected each of them in .*RegDB$',
    ):
        RegDB(regdb_root)
    assert len(RegDB(regdb_root, subset='test', test_mode=True)) == 10


def test_a_training_identity_without_one_modality_is_named(regdb_root):
    path = regdb_root / 'idx' / 'train_visible_1.txt'
    path.write_text(''.join(path.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(ValueError, match='no rgb image of 1 identities, such as that of .*Thermal/1: expected both'):
        RegDB(regdb_root)


def test_missing_root_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere is no folder: expected the root of a RegDB'):
        RegDB(tmp_path / 'nowhere')
