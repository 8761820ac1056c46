import json
import os
import shutil
import threading
import unicodedata

import cv2
import numpy as np
import pytest

from tsgan.datasets import LLCM, SYSUMM01, ImageFolderReID, RegDB
from tsgan.datasets.files import same_person

NFC, NFD = unicodedata.normalize('NFC', 'mé'), unicodedata.normalize('NFD', 'mé')
TWINS = [('anna', 'Anna'), ('anna', 'anna '), ('with space', 'with  space'), ('9', '0009'), ('anna', '\uff41nna')]


@pytest.mark.parametrize(('name', 'other'), [*TWINS, (NFC, NFD)])
@pytest.mark.parametrize('modality', ['rgb', 'ir'])
def test_two_names_of_one_person_are_refused_in_one_modality_and_between_both(
    folder_root, name, other, modality, write_image
):
    if modality == 'rgb':
        write_image(folder_root / 'rgb' / other / 'a.png')
    else:
        (folder_root / 'ir' / name).rename(folder_root / 'ir' / other)
    with pytest.raises(ValueError, match='differ only in case, blanks, leading zeros or Unicode form') as error:
        ImageFolderReID(folder_root)
    assert repr(str(folder_root / 'rgb' / name)) in str(error.value)
    assert repr(str(folder_root / modality / other)) in str(error.value)


def test_names_of_different_people_stay_apart():
    names = ['anna', 'anne', '10', '100', '1 0', 'a-b', 'a_b', 'ab', 'me', NFC, '']
    assert len({same_person(name) for name in names}) == len(names)


@pytest.mark.parametrize(('name', 'other'), [*TWINS, (NFC, NFD)])
def test_a_list_that_writes_a_name_otherwise_is_told_the_name_that_is_there(folder_root, name, other):
    (folder_root / 'split.json').write_text(json.dumps({'train': [other]}), encoding='utf-8')
    with pytest.raises(FileNotFoundError) as error:
        ImageFolderReID(folder_root, split_file='split.json')
    assert f'neither rgb/{other} nor ir/{other} (there is {name!r})' in str(error.value)


def test_a_person_under_two_names_in_two_splits_is_refused(folder_root):
    (folder_root / 'split.json').write_text('{"train": ["anna"], "test": ["Anna "]}')
    with pytest.raises(ValueError, match="lists identity 'anna' twice, once as 'Anna '"):
        ImageFolderReID(folder_root, split_file='split.json')


LEFTOVERS = ['.ipynb_checkpoints', '@eaDir', '__MACOSX', '$RECYCLE.BIN', 'System Volume Information', 'lost+found']


@pytest.mark.parametrize('name', [*LEFTOVERS, '.Trash-1000', '#recycle', 'anna~'])
def test_what_is_left_beside_pictures_is_neither_a_person_nor_in_the_way(
    folder_root, sysu_root, llcm_root, name, rows, write_image
):
    own = [rows(ImageFolderReID(folder_root, split=split)) for split in ('train', 'test')]
    sysu, llcm = rows(SYSUMM01(sysu_root)), rows(LLCM(llcm_root, split='test', test_mode=True))
    for folder in ['own/rgb', 'own/ir/anna', 'SYSU-MM01/cam1', 'SYSU-MM01/cam1/0002', 'LLCM/test_vis/cam1']:
        write_image(folder_root.parent / folder / name / 'a.jpg')
    assert [rows(ImageFolderReID(folder_root, split=split)) for split in ('train', 'test')] == own
    assert rows(SYSUMM01(sysu_root)) == sysu
    assert rows(LLCM(llcm_root, split='test', test_mode=True)) == llcm


@pytest.mark.parametrize('name', ['._a.jpg', 'Thumbs.db', 'desktop.ini', 'a.jpg~', '#a.jpg#', 'a.jpg.bak', 'notes.txt'])
def test_files_that_are_left_beside_pictures_are_passed_over(folder_root, name, rows):
    before = [rows(ImageFolderReID(folder_root, split=split)) for split in ('train', 'test')]
    for folder in ['rgb', 'ir/anna']:
        shutil.copy(folder_root / 'rgb' / 'zoe' / 'a.jpg', folder_root / folder / name)
    if name == 'notes.txt':
        for folder in ['rgb', 'ir/anna']:
            (folder_root / folder / name).write_text('two cameras')
    assert [rows(ImageFolderReID(folder_root, split=split)) for split in ('train', 'test')] == before


def test_an_empty_new_folder_is_no_person(folder_root):
    before = ImageFolderReID(folder_root).metainfo
    (folder_root / 'rgb' / 'New folder').mkdir()
    (folder_root / 'rgb' / 'New folder' / '.DS_Store').touch()
    assert ImageFolderReID(folder_root).metainfo == before


@pytest.mark.parametrize('name', ['day1/b.jpg', 'a/b/c.PNG', 'x.jpg/b.jpg'])
def test_pictures_below_the_folder_of_an_identity_are_refused(folder_root, sysu_root, llcm_root, name, write_image):
    write_image(folder_root / 'ir' / 'anna' / name)
    write_image(sysu_root / 'cam1' / '0002' / name)
    write_image(llcm_root / 'test_vis' / 'cam1' / '0004' / name)
    message = '{}/' + name + ' would not be read: expected the images of an identity directly in '
    with pytest.raises(ValueError, match=message.format('ir/anna')):
        [ImageFolderReID(folder_root, split=split) for split in ('train', 'test')]
    with pytest.raises(ValueError, match=message.format('cam1/0002')):
        SYSUMM01(sysu_root)
    with pytest.raises(ValueError, match=message.format('cam1/0004')):
        LLCM(llcm_root, split='test')


@pytest.mark.parametrize('name', ['a.heic', 'day1/a.GIF', 'a', 'link/a.jpg', 'link/again/link/a.dat'])
def test_pictures_below_are_refused_in_other_formats_and_behind_links_too(sysu_root, name, tmp_path):
    folder = sysu_root / 'cam1' / '0002' / 'more'
    target = tmp_path / 'elsewhere' if 'link' in name else folder
    target.mkdir()
    if 'link' in name:
        folder.mkdir()
        (folder / 'link').symlink_to(target)
        (target / 'again').symlink_to(folder)  # a circle
    picture = target / name.replace('link/again/', '').replace('link/', '')
    picture.parent.mkdir(exist_ok=True)
    picture.write_bytes(cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    shortest = name.replace('again/link/', '')
    with pytest.raises(ValueError, match=f'cam1/0002/more/{shortest} would not be read: expected the images of an'):
        SYSUMM01(sysu_root)


def test_a_pipe_beside_pictures_is_not_waited_for(sysu_root, rows):
    before = rows(SYSUMM01(sysu_root))
    os.mkfifo(pipe := sysu_root / 'cam1' / '0002' / 'pipe')
    waited = []
    unblock = threading.Timer(5, lambda: waited.append(pipe.open('wb').close()))  # so that this test ends in any case
    unblock.start()
    assert rows(SYSUMM01(sysu_root)) == before
    unblock.cancel()
    assert not waited


def test_a_folder_without_pictures_below_an_identity_is_passed_over(sysu_root, rows):
    before = rows(SYSUMM01(sysu_root))
    (sysu_root / 'cam1' / '0002' / 'notes').mkdir()
    (sysu_root / 'cam1' / '0002' / 'notes' / 'a.txt').touch()
    assert rows(SYSUMM01(sysu_root)) == before


def test_pictures_of_nobody_are_refused(folder_root, sysu_root, write_image):
    write_image(folder_root / 'rgb' / 'lost.jpg')
    with pytest.raises(
        ValueError, match=r'rgb/lost.jpg is in no folder of an identity: expected .*<identity>/lost.jpg'
    ):
        ImageFolderReID(folder_root)
    write_image(sysu_root / 'cam1' / '0001.jpg')
    with pytest.raises(ValueError, match=r'cam1/0001.jpg is in no folder of an identity'):
        SYSUMM01(sysu_root)


@pytest.mark.parametrize('name', ['2', '00002', '0002 ', '\uff10\uff10\uff10\uff12', 'anna'])
def test_a_folder_of_pictures_that_four_digits_do_not_name_is_refused(sysu_root, llcm_root, name, write_image):
    write_image(sysu_root / 'cam1' / name / '0001.jpg')
    write_image(llcm_root / 'test_nir' / 'cam2' / name / 'a.jpg')
    with pytest.raises(ValueError, match=f'cam1/{name}/0001.jpg would not be read: expected folders .* four digits'):
        SYSUMM01(sysu_root)
    with pytest.raises(ValueError, match=f'cam2/{name}/a.jpg would not be read: expected folders .* four digits'):
        LLCM(llcm_root, split='test')


def test_two_files_of_one_frame_are_refused(sysu_root, write_image):
    write_image(sysu_root / 'cam1' / '0002' / '1.png')
    with pytest.raises(ValueError, match=r'cam1/0002/1.png and .*cam1/0002/0001.jpg are both frame 1'):
        SYSUMM01(sysu_root)


@pytest.mark.parametrize(('name', 'content'), [('b.heic', b'x'), ('b.gif', None), ('0001', None), ('b.dat', None)])
def test_pictures_of_a_format_that_is_not_read_are_refused(folder_root, name, content):
    path = folder_root / 'ir' / 'anna' / name
    path.write_bytes((folder_root / 'rgb' / 'anna' / 'a.jpg').read_bytes() if content is None else content)
    with pytest.raises(ValueError, match=f'ir/anna/{name} is an image that would not be read: expected one of .jpg'):
        [ImageFolderReID(folder_root, split=split) for split in ('train', 'test')]


@pytest.mark.parametrize('name', ['b.jfif', 'b.jpe', 'B.JPG', 'b.TIFF'])
def test_pictures_by_any_name_of_their_format_are_read(sysu_root, name):
    path = sysu_root / 'cam1' / '0002' / '0001.jpg'
    path.rename(path.with_suffix(os.path.splitext(name)[1]))
    assert len(SYSUMM01(sysu_root, split='train')) == 12


@pytest.mark.parametrize(
    'link', ['own/rgb/nobody', 'own/ir/anna/x.png', 'SYSU-MM01/cam1/0077', 'SYSU-MM01/cam1/0002/5.jpg']
)
def test_a_link_to_nothing_is_named(folder_root, sysu_root, link):
    (folder_root.parent / link).symlink_to('nowhere')
    with pytest.raises(FileNotFoundError, match=f'{link} is a link to nowhere, which is not there'):
        [ImageFolderReID(folder_root, split=split) for split in ('train', 'test')]
        SYSUMM01(sysu_root)


def test_linked_folders_and_pictures_are_read(sysu_root, rows):
    before = rows(SYSUMM01(sysu_root))
    (sysu_root / 'cam1' / '0002').rename(sysu_root / 'elsewhere')
    (sysu_root / 'cam1' / '0002').symlink_to(sysu_root / 'elsewhere')
    (sysu_root / 'elsewhere' / '0001.jpg').rename(sysu_root / 'one.jpg')
    (sysu_root / 'elsewhere' / '0001.jpg').symlink_to(sysu_root / 'one.jpg')
    assert rows(SYSUMM01(sysu_root)) == before


WINDOWS = {
    'BOM': lambda text: text.encode('utf-8-sig'),
    'UTF-16 LE': lambda text: b'\xff\xfe' + text.encode('utf-16-le'),
    'UTF-16 BE': lambda text: b'\xfe\xff' + text.encode('utf-16-be'),
    'CRLF': lambda text: text.replace('\n', '\r\n').encode(),
    'CR': lambda text: text.replace('\n', '\r').encode(),
    'blanks': lambda text: text.replace('\n', ' \t\n').encode() + b'\n \n',
    'all of it': lambda text: (text.replace('\n', ' \r\n') + '\r\n').encode('utf-16'),
}


@pytest.fixture
def lists(sysu_root, regdb_root, llcm_root, folder_root):
    """Every kind of list: (file, a function that gives the rows that it leads to)."""
    (folder_root / 'split.json').write_text('{"train": ["m\u00e9"],\n "test": ["zoe"]}\n', encoding='utf-8')
    return {
        'sysu': (sysu_root / 'exp' / 'train_id.txt', lambda: list(SYSUMM01(sysu_root))),
        'regdb': (regdb_root / 'idx' / 'train_thermal_1.txt', lambda: list(RegDB(regdb_root))),
        'llcm': (llcm_root / 'idx' / 'train_vis.txt', lambda: list(LLCM(llcm_root))),
        'llcm test': (llcm_root / 'idx' / 'test_id.txt', lambda: list(LLCM(llcm_root, split='test', test_mode=True))),
        'own': (folder_root / 'split.json', lambda: list(ImageFolderReID(folder_root, split_file='split.json'))),
    }


LISTS = ['sysu', 'regdb', 'llcm', 'llcm test', 'own']


@pytest.mark.parametrize('how', WINDOWS)
@pytest.mark.parametrize('name', LISTS)
def test_lists_are_read_as_windows_and_old_macs_write_them(lists, name, how):
    path, load = lists[name]
    before = load()
    path.write_bytes(WINDOWS[how](path.read_text(encoding='utf-8')))
    assert load() == before


def test_a_split_file_in_the_old_encoding_of_windows_is_read(lists):
    path, load = lists['own']
    before = load()
    path.write_bytes(path.read_text(encoding='utf-8').encode('latin-1'))
    assert load() == before


def test_backslashes_tabs_and_a_last_comma_are_read(lists):
    for name, old, new in [('regdb', '/', '\\'), ('regdb', ' ', '\t'), ('llcm', '/', '\\'), ('sysu', '\n', ', \n')]:
        path, load = lists[name]
        before = load()
        path.write_text(path.read_text().replace(old, new))
        assert load() == before


@pytest.mark.parametrize('name', LISTS)
@pytest.mark.parametrize('content', [b'\x89PNG\r\n\x1a\n\0\0\0\r', b'\xff\xfe\x00', b'2\0,\0'])
def test_a_list_that_is_no_text_is_named(lists, name, content):
    path, load = lists[name]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'{path.name} is no text: expected .*, in UTF-8$'):
        load()


@pytest.mark.parametrize('name', LISTS)
def test_a_missing_list_names_what_is_there_by_nearly_its_name(lists, name):
    path, load = lists[name]
    for other in [path.name.upper(), f'{path.name}.txt', f'{path.stem}.csv', f'{path.name} ']:
        there = path.rename(path.with_name(other))
        with pytest.raises(FileNotFoundError) as error:
            load()
        assert f'{path} is missing (there is {there}): expected ' in str(error.value)
        there.rename(path)


def test_a_missing_folder_names_what_is_there_by_nearly_its_name(sysu_root, llcm_root, folder_root):
    (sysu_root / 'exp').rename(sysu_root / 'Exp')
    with pytest.raises(FileNotFoundError, match=r'exp/val_id.txt is missing \(there is .*SYSU-MM01/Exp\)'):
        SYSUMM01(sysu_root, split='val')
    (sysu_root / 'cam3').rename(sysu_root / 'CAM3')
    with pytest.raises(FileNotFoundError, match=r'cam3 is missing \(there is .*SYSU-MM01/CAM3\)'):
        SYSUMM01(sysu_root)
    (llcm_root / 'test_nir').rename(llcm_root / 'test-nir')
    with pytest.raises(FileNotFoundError, match=r'test_nir/cam1 is missing \(there is .*LLCM/test-nir\)'):
        LLCM(llcm_root, split='test')
    (folder_root / 'ir').rename(folder_root / 'IR')
    with pytest.raises(FileNotFoundError, match=r'own/ir is missing \(there is .*own/IR\): expected ir/<identity>'):
        ImageFolderReID(folder_root)


def test_a_listed_image_by_another_name_is_found_by_whoever_reads_the_error(regdb_root):
    path = regdb_root / 'Thermal' / '1' / 'male_front_t_00004_1.bmp'
    path.rename(path.with_suffix('.BMP'))
    with pytest.raises(FileNotFoundError, match=r'00004_1.bmp is missing \(there is .*00004_1.BMP\), one of 1 such'):
        RegDB(regdb_root)


def test_an_image_that_is_listed_twice_is_refused(regdb_root):
    path = regdb_root / 'idx' / 'train_thermal_1.txt'
    path.write_text(path.read_text() + 'Thermal\\3\\male_front_t_00004_3.bmp 1\n')
    with pytest.raises(ValueError, match=r'lists .*00004_3.bmp twice, in lines 1 and 7: expected it once'):
        RegDB(regdb_root)
