import os
import struct
import threading
import zlib

import cv2
import mmcv
import numpy as np
import pytest
from mmengine.registry import DefaultScope
from odd_images import encoded, png_chunk
from PIL import EpsImagePlugin, Image

from tsgan.datasets import LLCM, SYSUMM01, ImageFolderReID, LoadReIDImage, RegDB, check_images
from tsgan.images import (
    MAX_PIXELS,
    announced_pixels,
    decode,
    decode_content,
    decode_pillow,
    image_error,
    read_image,
)

RNG = np.random.default_rng(0)
GRAY, COLOUR = RNG.integers(0, 256, (16, 8), dtype=np.uint8), RNG.integers(0, 256, (16, 8, 3), dtype=np.uint8)
ROTATED = Image.Exif()
ROTATED[274] = 6
EIGHT_BITS = {
    **{f'gray.{kind}': (GRAY, 'L') for kind in ('jpg', 'png', 'bmp', 'tif', 'pgm', 'webp')},
    **{f'colour.{kind}': (COLOUR, 'RGB') for kind in ('jpg', 'png', 'bmp', 'tif', 'ppm', 'webp')},
    **{f'palette.{kind}': (COLOUR, 'P') for kind in ('png', 'tif', 'bmp')},
    **{f'alpha.{kind}': (COLOUR, 'RGBA') for kind in ('png', 'tif', 'webp')},
    **{f'bits.{kind}': (GRAY, '1') for kind in ('png', 'tif', 'bmp')},
    'ink.jpg': (COLOUR, 'CMYK'),
    'gray_alpha.png': (GRAY, 'LA'),
}


@pytest.mark.parametrize('name', EIGHT_BITS)
@pytest.mark.parametrize('value_range', [None, (50, 60)])
def test_files_of_eight_bits_are_read_as_ever_whatever_the_range(tmp_path, name, value_range):
    array, mode = EIGHT_BITS[name]
    path = str(tmp_path / name)
    Image.fromarray(array).convert(mode).save(path, exif=ROTATED)
    row = {'img_path': path} | ({'value_range': value_range} if value_range else {})
    with DefaultScope.overwrite_default_scope('mmcv'):
        expected = mmcv.transforms.LoadImageFromFile()(dict(row))
    found = LoadReIDImage()(dict(row))
    assert found['img'].dtype == np.uint8
    assert np.array_equal(found['img'], expected['img'])
    assert (found['img_shape'], found['ori_shape']) == (expected['img_shape'], expected['ori_shape'])
    assert np.array_equal(read_image(path, channel_order='rgb'), expected['img'][..., ::-1])


COUNTS = np.array([[7000, 7552, 7776], [8000, 8448, 9000]])
SCALED = [[0, 0, 64], [128, 255, 255]]  # (x - 7552) / 896 * 255, by hand: 224 -> 63.75, 448 -> 127.5 -> even


@pytest.mark.parametrize(
    ('name', 'dtype'),
    [('a.png', 'uint16'), ('a.tif', 'uint16'), ('a.pgm', 'uint16'), ('a.tif', 'float32'), ('a.tif', 'float64')],
)
@pytest.mark.parametrize('channels', [1, 3])
def test_files_of_more_bits_are_scaled_by_the_range(tmp_path, name, dtype, channels):
    if name == 'a.pgm' and channels == 3:
        name = 'a.ppm'
    path = str(tmp_path / name)
    assert cv2.imwrite(path, np.stack([COUNTS] * channels, -1).astype(dtype).squeeze())
    image = read_image(path, (7552, 8448))
    assert (image.dtype, image.shape) == (np.uint8, (2, 3, 3))
    assert all(image[..., c].tolist() == SCALED for c in range(3))


def test_channels_share_the_range_and_keep_their_order(tmp_path):
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, np.full((4, 4, 3), [0, 1000, 500], np.uint16))
    assert read_image(path, (0, 1000))[0, 0].tolist() == [0, 255, 128]
    assert read_image(path, (0, 1000), channel_order='rgb')[0, 0].tolist() == [128, 255, 0]


def test_what_is_no_number_becomes_black(tmp_path):
    path = str(tmp_path / 'a.tif')
    cv2.imwrite(path, np.array([[np.nan, 20.0], [30.0, np.inf]], np.float32))
    assert read_image(path, (20, 30))[..., 0].tolist() == [[0, 0], [255, 255]]


def test_more_bits_without_a_range_are_an_error_that_names_file_and_remedy(tmp_path):
    path = str(tmp_path / 'a.png')
    cv2.imwrite(path, COUNTS.astype(np.uint16))
    with pytest.raises(
        ValueError, match=r'a.png has more than 8 bits \(uint16\), and no range .* value_range=dict\(ir='
    ):
        read_image(path)


def deepen(paths, low=7552, high=8448):
    """Make 16-bit files of others, whose values lie in a range; the first file has both its ends."""
    for i, path in enumerate(sorted(paths)):
        values = np.random.default_rng(i).integers(low, high + 1, (16, 8)).astype(np.uint16)
        values[:, :2] = (low, high) if i == 0 else values[:, :2]
        assert cv2.imwrite(str(path.with_suffix('.png')), values)
        if path.suffix != '.png':
            path.unlink()


@pytest.fixture
def thermal_root(sysu_root):
    """SYSU-MM01 in small whose infrared cameras count 7,552 to 8,448 in training, and more of test identity 5."""
    for cam in (3, 6):
        deepen(sysu_root.glob(f'cam{cam}/000[29]/*.jpg'))
        deepen(sysu_root.glob(f'cam{cam}/0040/*.jpg'), high=9000)
        deepen(sysu_root.glob(f'cam{cam}/0005/*.jpg'), high=20000)
    return sysu_root


@pytest.mark.parametrize('split', ['train', 'train+val', 'val', 'test'])
@pytest.mark.parametrize('modality', [None, 'ir'])
def test_every_split_is_scaled_by_the_range_of_the_training_images(thermal_root, split, modality):
    dataset = SYSUMM01(
        thermal_root, split=split, pipeline=[{'type': 'LoadReIDImage'}], modality=modality, test_mode=True
    )
    assert dataset.metainfo['value_range'] == {'ir': (7552, 8448)}
    for idx, row in enumerate(dataset.get_data_info(i) for i in range(len(dataset))):
        assert ('value_range' in row) == (row['modality'] == 'ir')
        image = dataset[idx]['img']
        if row['modality'] == 'ir':
            counts = cv2.imread(row['img_path'], cv2.IMREAD_UNCHANGED).astype(float)
            expected = np.clip((counts - 7552) / (8448 - 7552) * 255, 0, 255)
            assert np.abs(image[..., 0] - expected).max() <= 0.5
            assert split != 'train' or len(np.unique(image)) > 16
        else:
            assert np.array_equal(image, mmcv.imread(row['img_path']))


def test_the_other_data_sets_take_the_range_of_their_training_images(regdb_root, llcm_root, folder_root):
    for root, train, test in [
        (regdb_root, 'Thermal/[13]/*.bmp', 'Thermal/*/*.bmp'),
        (llcm_root, 'nir/*/*.jpg', 'test_nir/*/*/*.jpg'),
    ]:
        for path in root.glob('idx/train_*.txt'):
            if 'thermal' in path.name or 'nir' in path.name:
                path.write_text(path.read_text().replace('.bmp', '.png').replace('.jpg', '.png'))
        for path in root.glob('idx/test_thermal_*.txt'):
            path.write_text(path.read_text().replace('.bmp', '.png'))
        deepen(root.glob(train))
        deepen(root.glob(test), high=20000)
    (folder_root / 'split.json').write_text('{"train": ["anna"], "test": ["zoe"]}')
    deepen(folder_root.glob('rgb/anna/*'), low=10, high=500)
    deepen(folder_root.glob('rgb/zoe/*'))
    for dataset in [
        *(RegDB(regdb_root, subset=subset, test_mode=True) for subset in ('train', 'test')),
        *(LLCM(llcm_root, split=split, test_mode=True) for split in ('train', 'test')),
    ]:
        assert dataset.metainfo['value_range'] == {'ir': (7552, 8448)}
    for split in ('train', 'test'):
        own = ImageFolderReID(folder_root, split=split, split_file='split.json')
        assert own.metainfo['value_range'] == {'rgb': (10, 500)}


def test_a_given_range_wins_and_needs_no_training_images(thermal_root):
    (thermal_root / 'exp' / 'train_id.txt').unlink()
    dataset = SYSUMM01(thermal_root, split='test', test_mode=True, value_range={'ir': [7000, 9000]})
    assert dataset.metainfo['value_range'] == {'ir': (7000, 9000)}
    with pytest.raises(
        ValueError, match=r'ir images of more than 8 bits, and no range of training images \(.*train_id'
    ):
        SYSUMM01(thermal_root, split='test', test_mode=True)


def test_dead_pixels_do_not_stretch_the_range(sysu_root):
    paths = sorted(sysu_root.glob('cam[36]/000[29]/*.jpg'))
    deepen(paths)
    path = paths[1].with_suffix('.png')
    image = RNG.integers(7552, 8449, (400, 200)).astype(np.uint16)
    image[:2, :2], image[10, :2] = 0, 65535
    cv2.imwrite(str(path), image)
    low, high = SYSUMM01(sysu_root, split='train').metainfo['value_range']['ir']
    assert 7552 <= low < 7560
    assert 8440 < high <= 8448


def test_training_images_that_give_no_range_are_an_error(sysu_root):
    deepen(sysu_root.glob('cam6/0005/*.jpg'))
    with pytest.raises(ValueError, match='more than 8 bits, and none among the 4 training images to take a range of'):
        SYSUMM01(sysu_root, split='test', test_mode=True)
    deepen(sysu_root.glob('cam[36]/000[29]/*.jpg'), low=7552, high=7552)
    with pytest.raises(
        ValueError, match='all training images have the value 7552 alone: expected one to scale them by'
    ):
        SYSUMM01(sysu_root, split='train')


@pytest.mark.parametrize(
    'value_range', [{'thermal': (0, 1)}, {'ir': 5}, {'ir': (1, 1)}, {'ir': (2, 1)}, {'ir': (1,)}, {'ir': '01'}]
)
def test_a_range_that_is_none_is_an_error(sysu_root, value_range):
    with pytest.raises(ValueError, match=r'^value_range has .*: expected \(low, high\) of rgb, ir or both'):
        SYSUMM01(sysu_root, value_range=value_range)


def test_eight_bit_data_sets_know_of_no_range(sysu_root):
    dataset = SYSUMM01(sysu_root)
    assert 'value_range' not in dataset.metainfo
    assert 'value_range' not in dataset.get_data_info(0)


@pytest.fixture
def said(monkeypatch):
    texts = []
    for module in ('checks', 'reid_dataset'):
        monkeypatch.setattr(f'tsgan.datasets.{module}.print_log', lambda text, **kwargs: texts.append(text))
    return texts


def test_the_range_is_said(thermal_root, said):
    SYSUMM01(thermal_root, split='train')
    assert len(said) == 1
    assert 'ir images of more than 8 bits: 7552 to 8448 become 0 to 255, the range of the training images' in said[0]


def test_a_range_in_which_most_is_lost_is_warned_of(thermal_root, said):
    check_images(SYSUMM01(thermal_root, split='train'))
    assert len(said) == 1  # the range itself
    check_images(SYSUMM01(thermal_root, split='train', value_range={'ir': (0, 65535)}))
    assert '4 of 12 files of the data set in' in said[-1]
    assert 'lose most of their range' in said[-1]
    assert 'cam3/0002/0001.png (' in said[-1]
    assert 'values become 5 gray levels)' in said[-1]


def test_the_check_names_a_file_of_more_bits_that_the_data_set_did_not_look_at(sysu_root):
    write = sysu_root / 'cam1' / '0002'
    for frame in range(4, 12):
        cv2.imwrite(str(write / f'{frame:04d}.jpg'), GRAY)
    cv2.imwrite(str(write / '0005.png'), COUNTS.astype(np.uint16))
    (write / '0005.jpg').unlink()
    (write / '0005.png').rename(write / '0005.jpg')
    with pytest.raises(
        ValueError, match=r'1 of .*\n.*0005.jpg \(more than 8 bits \(uint16\), and no value_range of rgb'
    ):
        check_images(SYSUMM01(sysu_root))


def test_the_check_accepts_what_opencv_alone_reads(sysu_root):
    for path in sysu_root.glob('cam[36]/*/*.jpg'):
        cv2.imwrite(str(path.with_suffix('.tif')), RNG.random((16, 8, 3)).astype(np.float32))
        path.unlink()
    check_images(SYSUMM01(sysu_root))


QUARTERS = np.zeros((40, 24, 3), np.uint8)  # RGB, of two colours above and two below
QUARTERS[:20, :12], QUARTERS[:20, 12:] = (200, 40, 30), (30, 180, 60)
QUARTERS[20:, :12], QUARTERS[20:, 12:] = (40, 60, 220), (240, 240, 240)
UPRIGHT = {  # how a file lies whose EXIF says this; turned so, it is upright
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x),
    7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
    8: lambda x: np.rot90(x, -1),
}
LOSSLESS = {'png': {}, 'webp': {'lossless': True}, 'tif': {}}


@pytest.mark.parametrize('orientation', UPRIGHT)
@pytest.mark.parametrize('kind', [*LOSSLESS, 'jpg'])
def test_all_eight_orientations_of_exif_are_turned_upright(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[274] = orientation
    lying = Image.fromarray(np.ascontiguousarray(UPRIGHT[orientation](QUARTERS)))
    path = tmp_path / f'a.{kind}'
    lying.save(path, exif=exif, **LOSSLESS.get(kind, dict(quality=100, subsampling=0)))
    for found in (decode(path), decode_pillow(Image.open(path))):
        assert found.shape == (40, 24, 3)
        assert np.abs(found[..., ::-1].astype(int) - QUARTERS).max() <= (3 if kind == 'jpg' else 0)


@pytest.mark.parametrize(('kind', 'mode'), [('png', 'RGBA'), ('png', 'LA'), ('tif', 'RGBA'), ('webp', 'RGBA')])
def test_transparency_shows_the_colours_below_it(tmp_path, kind, mode):
    image = Image.fromarray(QUARTERS).convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.arange(0, 240, 10, np.uint8), (40, 1))))
    image.save(tmp_path / f'a.{kind}', **({'lossless': True, 'exact': True} if kind == 'webp' else {}))
    below = np.asarray(Image.fromarray(QUARTERS).convert('L' if mode == 'LA' else 'RGB').convert('RGB'))
    assert np.array_equal(decode(tmp_path / f'a.{kind}')[..., ::-1], below)
    assert np.array_equal(decode_pillow(image)[..., ::-1], below)


@pytest.mark.parametrize(
    ('name', 'mode', 'options'),
    [
        ('a.bmp', 'RGB', {}),
        ('a.gif', 'P', {}),
        ('a.png', 'P', {}),
        ('a.png', 'P', {'transparency': 0}),
        ('a.tif', 'RGB', {'compression': 'tiff_lzw'}),
        ('a.tif', 'RGB', {'compression': 'tiff_adobe_deflate'}),
        ('a.tif', 'CMYK', {}),
        ('a.jpg', 'CMYK', {'quality': 100}),
        ('a.png', 'L', {}),
        ('a.png', '1', {}),
        ('a.tif', '1', {'compression': 'group4'}),
        ('a.jpg', 'L', {'quality': 100}),
    ],
)
def test_other_kinds_have_the_colours_that_they_show(tmp_path, name, mode, options):
    image = Image.fromarray(QUARTERS).convert(mode)
    image.save(tmp_path / name, **options)
    shown = np.asarray(image.convert('RGB')).astype(int)
    assert np.abs(decode(tmp_path / name)[..., ::-1] - shown).max() <= (2 if name == 'a.jpg' else 0)
    assert np.array_equal(decode_pillow(image)[..., ::-1], shown)


@pytest.mark.parametrize('name', ['a.gif', 'a.png', 'a.webp', 'a.tif'])
def test_of_several_frames_or_pages_the_first_one_counts(tmp_path, name):
    first, second = Image.fromarray(QUARTERS), Image.fromarray(255 - QUARTERS)
    options = {'lossless': True} if name == 'a.webp' else {}
    first.save(tmp_path / name, save_all=True, append_images=[second], **options)
    assert np.array_equal(decode(tmp_path / name)[..., ::-1], QUARTERS)


@pytest.mark.parametrize('kind', ['png', 'jpg', 'bmp', 'webp', 'tif'])
def test_one_pixel_is_an_image(tmp_path, kind):
    Image.new('RGB', (1, 1), (90, 90, 90)).save(tmp_path / f'a.{kind}')
    assert np.abs(decode(tmp_path / f'a.{kind}').astype(int) - 90).max() <= 2


@pytest.mark.parametrize('kind', ['jpeg', 'png', 'bmp', 'webp', 'tiff', 'gif', 'ppm'])
def test_what_is_cut_off_is_refused(tmp_path, kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8))
    content = encoded(noise, kind)
    for part in (0.3, 0.7, 0.95):
        path = tmp_path / f'a.{kind}'
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(ValueError, match=f'a.{kind} is no image that can be read'):
            read_image(str(path))


@pytest.mark.parametrize('marker', [0x01, 0xD0, 0xD7])
def test_a_photo_hides_its_size_behind_no_marker_that_stands_alone(marker):
    photo = encoded(Image.fromarray(QUARTERS), 'jpeg')
    pixels = announced_pixels(photo)
    frame = b'\xff\xc0\x00\x11\x08' + struct.pack('>HH', 1, 1)
    comment = b'\xff\xfe' + (4096).to_bytes(2, 'big') + frame.ljust(4094, b'\0')
    hidden = photo[:2] + bytes([0xFF, marker]) + comment + photo[2:]
    assert pixels == QUARTERS.shape[0] * QUARTERS.shape[1] and announced_pixels(hidden) == pixels
    between = b'\xff' + bytes([marker]) + b'\xff\xe0' + (len(frame) + 2).to_bytes(2, 'big') + frame
    assert announced_pixels(photo[:2] + between + photo[2:]) == pixels


def test_no_other_program_is_run_for_a_picture_in_postscript(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(EpsImagePlugin, 'Ghostscript', lambda *args: asked.append(args))
    (tmp_path / 'a.jpg').write_bytes(
        b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n'
    )
    assert 'no image' in image_error(str(tmp_path / 'a.jpg'))
    assert not asked


def test_a_photo_that_has_its_room_but_not_its_end_is_refused(tmp_path):
    """As a download that was interrupted: zeros are decoded like anything else."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8))
    exif = Image.Exif()
    exif[270] = '\xff\xd9'  # an end before the image, as of a smaller one that describes it
    content = encoded(image, 'jpeg', exif=exif)
    for part in (0.5, 0.7, 0.99):
        known = int(len(content) * part)
        (tmp_path / 'a.jpg').write_bytes(content[:known] + bytes(len(content) - known))
        with pytest.raises(ValueError, match='a.jpg is no image that can be read: it is damaged'):
            read_image(str(tmp_path / 'a.jpg'))


@pytest.mark.parametrize(
    'content',
    [b'P5\n3 1\n100\n' + bytes([0, 20, 100]), b'P2\n# by hand\n3 1\n5\n0 1 5\n', b'P5 3 1 255\n' + bytes([0, 51, 255])],
)
def test_the_largest_value_of_a_pgm_is_white(tmp_path, content):
    (tmp_path / 'a.pgm').write_bytes(content)
    assert decode(tmp_path / 'a.pgm').tolist() == [[[0] * 3, [51] * 3, [255] * 3]]


def test_what_is_none_is_refused_with_its_name(tmp_path):
    for name, content in {
        'empty.png': b'',
        'text.png': b'hello',
        'short.jpg': b'\xff\xd8',
        'head.png': b'\x89PNG',
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f'{name} is no image that can be read'):
            read_image(str(tmp_path / name))


def test_a_photo_with_something_behind_its_end_is_read_as_without(tmp_path):
    content = encoded(Image.fromarray(QUARTERS), 'jpeg')
    (tmp_path / 'a.jpg').write_bytes(content)
    expected = decode(tmp_path / 'a.jpg')
    for more in (b'\0' * 100, b'a film of the same moment'):
        (tmp_path / 'b.jpg').write_bytes(content + more)
        assert np.array_equal(decode(tmp_path / 'b.jpg'), expected)


def test_an_image_that_claims_to_be_enormous_is_refused_before_it_is_decoded(tmp_path):
    header = png_chunk(b'IHDR', struct.pack('>IIBBBBB', 100_000, 100_000, 8, 2, 0, 0, 0))
    png = b'\x89PNG\r\n\x1a\n' + header + png_chunk(b'IDAT', zlib.compress(bytes(1000))) + png_chunk(b'IEND', b'')
    jpeg = bytearray(encoded(Image.fromarray(QUARTERS), 'jpeg'))
    frame = jpeg.index(b'\xff\xc0')
    jpeg[frame + 5 : frame + 9] = struct.pack('>HH', 60_000, 50_000)
    gif = bytearray(encoded(Image.fromarray(QUARTERS).convert('P'), 'gif'))
    gif[6:10] = struct.pack('<HH', 60_000, 50_000)
    bmp = bytearray(encoded(Image.fromarray(QUARTERS), 'bmp'))
    bmp[18:26] = struct.pack('<ii', 60_000, 50_000)
    for name, content in {'a.png': png, 'a.jpg': jpeg, 'a.gif': gif, 'a.bmp': bmp}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            ValueError, match=f'{name} is no image that can be read: it has [0-9,]+ pixels, expected at'
        ):
            read_image(str(tmp_path / name))


def tiff(*entries, big=False, order='<', bits=32):
    """A TIFF file of gray floats without numbers, with these (tag, type, value) and what else it needs."""
    entries = [*entries, (258, 3, bits), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1), (279, 4, 99), (339, 3, 3)]
    formats = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}
    first = b'II' if order == '<' else b'MM'
    first += (
        struct.pack(f'{order}HHHQQ', 43, 8, 0, 16, len(entries))
        if big
        else struct.pack(f'{order}HIH', 42, 8, len(entries))
    )
    for tag, kind, value in sorted(entries, key=lambda entry: entry[0]):
        stored = struct.pack(order + formats[kind], value).ljust(8 if big else 4, b'\0')
        first += struct.pack(f'{order}HH' + ('Q' if big else 'I'), tag, kind, 1) + stored
    return first + bytes(300)


def webp(kind, sides):
    return b'RIFF' + struct.pack('<I', 200) + b'WEBP' + kind + struct.pack('<I', 10) + sides.ljust(190, b'\0')


ENORMOUS = {
    'WebP': webp(b'VP8 ', b'\x10\0\0\x9d\x01\x2a' + struct.pack('<HH', 16_000, 16_000)),
    'lossless WebP': webp(b'VP8L', b'/' + struct.pack('<I', 15_999 | 15_999 << 14)),
    'extended WebP': webp(b'VP8X', b'\x10\0\0\0' + b'\xff' * 6),
    'floats': tiff((256, 4, 100_000), (257, 4, 100_000)),
    'floats of 64 bits': tiff((256, 4, 30_000), (257, 4, 30_000), bits=64),  # which Pillow does not know
    'short sides': tiff((256, 3, 60_000), (257, 3, 60_000)),
    'big-endian': tiff((256, 3, 60_000), (257, 4, 60_000), order='>'),
    'BigTIFF': tiff((256, 16, 10**12), (257, 16, 3), big=True),
    'big-endian BigTIFF': tiff((256, 3, 60_000), (257, 16, 10**7), big=True, order='>'),
    'width told twice': tiff((256, 4, 10**6), (256, 4, 10), (257, 4, 1000)),
    'width told twice, the other way round': tiff((256, 4, 10), (256, 4, 10**6), (257, 4, 1000)),
    'portable': b'P6\n100000 100000\n255\n' + bytes(99),
}


@pytest.mark.parametrize('kind', ENORMOUS)
def test_no_way_of_telling_an_enormous_size_reaches_a_decoder(kind, monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    with pytest.raises(ValueError, match='it has [0-9,]+ pixels, expected at most 134,217,728'):
        decode_content(ENORMOUS[kind])


def test_the_size_of_a_webp_file_is_read_whatever_its_kind():
    image, alpha = Image.new('RGB', (40, 24)), Image.new('RGBA', (40, 24), (9, 8, 7, 6))
    kinds = {b'VP8 ': (image, {}), b'VP8L': (image, {'lossless': True}), b'VP8X': (alpha, {})}
    for kind, (made, options) in kinds.items():
        content = encoded(made, 'webp', **options)
        assert content[12:16] == kind and announced_pixels(content) == 40 * 24


def test_the_size_of_a_tiff_file_is_that_of_its_first_page_whatever_its_order_and_numbers():
    for order in '<>':
        for big in (False, True):
            for kind in (1, 3, 4) + (16,) * big:
                assert announced_pixels(tiff((256, kind, 40), (257, kind, 24), order=order, big=big)) == 40 * 24
    pages = encoded(Image.fromarray(QUARTERS), 'tiff', save_all=True, append_images=[Image.new('L', (500, 500))])
    assert announced_pixels(pages) == 40 * 24
    assert announced_pixels(encoded(Image.fromarray(QUARTERS), 'tiff', big_tiff=True)) == 40 * 24
    for cut in range(4, 200):
        assert announced_pixels(tiff((256, 4, 40), (257, 4, 24))[:cut]) in (0, 40 * 24)


def test_an_image_that_tells_its_size_in_no_known_way_reaches_no_decoder(monkeypatch):
    monkeypatch.setattr(cv2, 'imdecode', None)
    bmp = bytearray(encoded(Image.fromarray(QUARTERS), 'bmp'))
    bmp[14] = 44  # a header that Pillow does not know, and OpenCV does
    bmp[18:26] = struct.pack('<ii', 30_000, 30_000)
    for content in (bytes(bmp), b'Pf\nx', b'hello'):
        with pytest.raises(ValueError, match='it is no image, or a damaged one'):
            decode_content(content)


def test_a_file_of_more_bytes_than_an_image_can_have_is_not_read(tmp_path):
    with (tmp_path / 'a.png').open('wb') as file:
        file.truncate(2**40)  # of which the disk has none
    with pytest.raises(ValueError, match='it has 1,099,511,627,776 bytes, expected at most 2,147,483,648'):
        read_image(str(tmp_path / 'a.png'))


def test_sizes_are_read_from_headers():
    for kind in ('jpeg', 'png', 'gif', 'bmp', 'tiff', 'webp'):
        assert announced_pixels(encoded(Image.fromarray(QUARTERS), kind)) == 40 * 24
    exif = Image.Exif()
    exif[270] = 'x' * 5000  # a long header before the frame
    progressive = encoded(Image.fromarray(QUARTERS), 'jpeg', progressive=True, exif=exif)
    assert announced_pixels(progressive) == 40 * 24
    assert announced_pixels(b'hello') == 0 and MAX_PIXELS >= 10_000 * 10_000


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path):
    os.mkfifo(pipe := tmp_path / 'a.png')
    unblock = threading.Timer(5, lambda: pipe.open('wb').close())  # so that this test ends in any case
    unblock.start()
    with pytest.raises(ValueError, match='a pipe or a device'):
        decode(str(pipe))
    assert 'a pipe or a device' in image_error(str(pipe))
    unblock.cancel()
