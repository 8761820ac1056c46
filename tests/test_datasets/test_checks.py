import numpy as np
import pytest

from tsgan.datasets import SYSUMM01, check_images

LOAD = [{'type': 'LoadReIDImage'}]


def test_sound_images_pass(sysu_root):
    check_images(SYSUMM01(sysu_root))


@pytest.mark.parametrize('content', [b'', b'no image', None], ids=['empty', 'text', 'cut off'])
def test_a_file_that_is_no_complete_image_is_named(sysu_root, content):
    path = sysu_root / 'cam3' / '0009' / '0001.jpg'
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    with pytest.raises(ValueError, match=r'1 of 18 files of the data set in .*\n.*cam3/0009/0001.jpg \('):
        check_images(SYSUMM01(sysu_root))


def test_a_cut_off_file_is_found_although_opencv_fills_it(sysu_root, monkeypatch):
    monkeypatch.setattr('tsgan.images.decode_content', lambda content: np.zeros((16, 8, 3), np.uint8))
    path = sysu_root / 'cam3' / '0009' / '0001.jpg'
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r'cam3/0009/0001.jpg \(OSError: image file is truncated'):
        check_images(SYSUMM01(sysu_root))


def test_all_bad_files_are_counted_and_ten_of_them_named(sysu_root):
    for path in sysu_root.glob('cam*/*/*.jpg'):
        path.write_bytes(b'no image')
    with pytest.raises(ValueError, match='^12 of 12 files') as error:
        check_images(SYSUMM01(sysu_root, split='train'))
    message = str(error.value)
    assert message.count('.jpg (') == 10
    assert message.endswith('and 2 more')


@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('content', [b'', b'no image', None], ids=['empty', 'text', 'gone'])
def test_reading_a_bad_file_names_it_and_puts_no_other_image_in_its_place(sysu_root, content, test_mode):
    dataset = SYSUMM01(sysu_root, split='train', pipeline=LOAD, test_mode=test_mode)
    path = sysu_root / 'cam3' / '0009' / '0001.jpg'
    path.unlink() if content is None else path.write_bytes(content)
    row = dataset.column('img_path').tolist().index(str(path))
    with pytest.raises(ValueError, match=r'cam3/0009/0001.jpg is no image that can be read'):
        dataset[row]


def test_an_image_that_the_pipeline_drops_is_an_error(sysu_root):
    with pytest.raises(ValueError, match=r'cam1/0002/0001.jpg was dropped by the pipeline'):
        SYSUMM01(sysu_root, pipeline=[lambda row: None])[0]


def test_an_error_of_the_pipeline_itself_is_passed_on(sysu_root):
    def broken(row):
        raise KeyError('depth')

    with pytest.raises(KeyError, match='depth'):
        SYSUMM01(sysu_root, pipeline=[broken])[0]
