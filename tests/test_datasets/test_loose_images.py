"""Images that somebody has: which are found, in what order, and what their folders say."""

import os

import numpy as np
import pytest
from PIL import Image

from tsgan.datasets.loose_images import ImageRow, LooseImage, find_images


@pytest.fixture
def photos(tmp_path):
    """Makes empty files: what a file holds is not looked at."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def found(inputs, root):
    return [os.path.relpath(image.row.path, root) for image in find_images(inputs)]


def row(path):
    """What is said of a file that lies somewhere below the working folder, and was found in it."""
    (image,) = find_images(path)
    return image.row[1:]


def test_a_folder_is_searched_to_its_depth_in_order_of_names(photos):
    root = photos('b/2.png', 'b/10.png', 'a.JPG', 'c/d/e/1.webp', 'z.tiff')
    assert found(root, root) == ['a.JPG', 'b/10.png', 'b/2.png', 'c/d/e/1.webp', 'z.tiff']
    assert found(str(root), root) == found([root], root) == found(root, root)


def test_what_is_no_image_or_was_left_behind_is_passed_over(photos):
    left = [
        '.DS_Store',
        'Thumbs.db',
        '__MACOSX/1.jpg',
        '.hidden/1.jpg',
        '@eaDir/1.jpg',
        '._1.jpg',
        '1.jpg~',
        '1.jpg.tmp',
    ]
    root = photos('1.jpg', 'notes.txt', 'list.csv', 'video.mp4', *left)
    assert found(root, root) == ['1.jpg']


def test_formats_that_may_not_be_read_are_found_so_that_somebody_says_so(photos):
    root = photos('1.heic', '2.avif', '3.gif')
    assert found(root, root) == ['1.heic', '2.avif', '3.gif']


def test_a_link_to_nothing_is_found_as_a_file_that_cannot_be_read_and_stops_nothing(photos):
    root = photos('a.png', 'z.png')
    (root / 'loop.png').symlink_to('loop.png')
    (root / 'monday').symlink_to('/media/disk/monday')  # not mounted
    assert found(root, root) == ['a.png', 'loop.png', 'monday', 'z.png']


def test_links_that_lead_in_a_circle_end(photos):
    root = photos('a/1.jpg', 'elsewhere/2.jpg')
    (root / 'a/up').symlink_to(root / 'a')
    (root / 'a/beside').symlink_to(root / 'elsewhere')
    assert found(root / 'a', root) == ['a/1.jpg', 'a/beside/2.jpg']


@pytest.mark.parametrize(
    ('pattern', 'names'),
    [
        ('*.jpg', ['1.jpg']),
        ('*/*.jpg', ['a/2.jpg']),
        ('**/*.jpg', ['1.jpg', 'a/2.jpg', 'a/b/3.jpg']),
        ('**', ['1.jpg', 'a/2.jpg', 'a/b/3.jpg', 'a/b/4.png']),
        ('a/?/[34].*', ['a/b/3.jpg', 'a/b/4.png']),
        ('a*', ['a/2.jpg', 'a/b/3.jpg', 'a/b/4.png']),
        ('*', ['1.jpg', 'a/2.jpg', 'a/b/3.jpg', 'a/b/4.png']),
    ],
)
def test_patterns(photos, pattern, names):
    root = photos('1.jpg', 'a/2.jpg', 'a/b/3.jpg', 'a/b/4.png', 'a/b/notes.txt')
    assert found(str(root / pattern), root) == names


def test_a_file_is_taken_whatever_its_name(photos):
    root = photos('a[1].jpg', 'frame.0001', '.hidden.png')
    for name in ('a[1].jpg', 'frame.0001', '.hidden.png'):
        assert found(root / name, root) == [name]


def test_lists_keep_their_order_and_what_is_in_them_twice(photos):
    root = photos('a/1.jpg', 'a/2.jpg', 'b.jpg')
    array, picture = np.zeros((4, 3, 3), np.uint8), Image.new('L', (3, 4))
    images = find_images([root / 'b.jpg', array, [str(root / 'a'), picture], root / 'b.jpg', LooseImage(ImageRow('x'))])
    names = [os.path.basename(image.row.path or '-') for image in images]
    assert names == ['b.jpg', '-', '1.jpg', '2.jpg', '-', 'b.jpg', 'x']
    assert images[1].image is array and images[4].image is picture
    assert images[1].row == ImageRow(None, None, None, None)
    assert find_images(iter([root / 'b.jpg']))[0] == images[0]


@pytest.mark.parametrize(
    ('path', 'identity', 'camera', 'modality'),
    [
        ('in/1.jpg', None, None, None),  # a flat folder
        ('in/anna/1.jpg', 'anna', None, None),
        ('in/rgb/1.jpg', None, None, 'rgb'),
        ('in/ir/0012/1.jpg', '0012', None, 'ir'),
        ('in/cam3/0012/1.jpg', '0012', 'cam3', None),
        ('in/thermal/Camera 12/bob/1.jpg', 'bob', 'Camera 12', 'ir'),
        ('in/bob/visible/1.jpg', None, None, 'rgb'),
        ('in/IR_query/7/1.jpg', '7', None, 'ir'),
        ('in/gallery-rgb/7/1.jpg', '7', None, 'rgb'),
        ('in/rgb+ir/7/1.jpg', '7', None, None),  # both
        ('in/colorado/virgil/1.jpg', 'virgil', None, None),  # no words of their own
        ('in/rgb/ir/7/1.jpg', '7', None, 'ir'),  # the nearer one
        ('in/campus/7/1.jpg', '7', None, None),
    ],
)
def test_folders_say_identity_camera_and_modality(photos, path, identity, camera, modality):
    root = photos(path)
    assert row(root / 'in') == (identity, camera, modality)
    assert row(str(root / 'in/**/*.jpg')) == (identity, camera, modality)


def test_the_folder_given_says_its_modality_but_no_folder_above_it(photos):
    root = photos('ir/photos/1.jpg', 'ir/2.jpg')
    assert row(root / 'ir/photos') == (None, None, None)
    assert row(root / 'ir/2.jpg') == (None, None, 'ir')
    assert [image.row.modality for image in find_images(root / 'ir')] == ['ir', 'ir']


def test_of_a_file_the_folder_is_an_identity_below_a_modality_or_a_camera_alone(photos):
    root = photos('holiday/anna/1.jpg', 'rgb/anna/1.jpg', 'cam2/0007/1.jpg', 'ir/cam3/0012/1.jpg')
    assert row(root / 'holiday/anna/1.jpg') == (None, None, None)
    assert row(root / 'rgb/anna/1.jpg') == ('anna', None, 'rgb')
    assert row(root / 'cam2/0007/1.jpg') == ('0007', 'cam2', None)
    assert row(root / 'ir/cam3/0012/1.jpg') == ('0012', 'cam3', 'ir')


def test_paths_stay_as_they_were_given(photos, monkeypatch):
    monkeypatch.chdir(photos('in/anna/1.jpg', 'rgb/2.jpg'))
    assert find_images('in')[0].row == ImageRow('in/anna/1.jpg', 'anna', None, None)
    monkeypatch.chdir('rgb')
    assert find_images('.')[0].row == ImageRow('./2.jpg', None, None, 'rgb')
    assert find_images('*.jpg')[0].row == ImageRow('2.jpg', None, None, 'rgb')
    assert find_images('2.jpg')[0].row == ImageRow('2.jpg', None, None, 'rgb')


def test_what_is_not_there_is_said_with_what_is(photos):
    root = photos('Photos/1.JPG', 'empty/notes.txt')
    with pytest.raises(FileNotFoundError, match=r'no image at .*2\.png: expected a folder, a file, a pattern'):
        find_images(root / 'Photos/2.png')
    with pytest.raises(FileNotFoundError, match=r'1\.jpeg \(there is .*1\.JPG\)'):
        find_images(root / 'Photos/1.jpeg')
    with pytest.raises(FileNotFoundError, match='empty holds no image'):
        find_images(root / 'empty')
    with pytest.raises(FileNotFoundError, match=r'\*\.png fits no image'):
        find_images(f'{root}/**/*.png')
    with pytest.raises(ValueError, match='no image was given'):
        find_images([])
    with pytest.raises(ValueError, match=r'http://a/b\.jpg is an address'):
        find_images('http://a/b.jpg')


@pytest.mark.parametrize(
    'array',
    [
        np.zeros((4, 3, 3), np.float32),
        np.zeros((4, 3, 4), np.uint8),
        np.zeros((2, 4, 3, 3), np.uint8),
        np.zeros((0, 3, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_arrays_that_are_no_images_are_refused_before_any_work(array):
    with pytest.raises(ValueError, match=r'an array of .* is no image: expected 8 or 16 bits'):
        find_images([np.zeros((4, 3), np.uint16), array])


@pytest.mark.parametrize('thing', [b'1.jpg', 7, None, {'a': 1}])
def test_other_things_are_refused_by_their_type(thing):
    with pytest.raises(TypeError, match=f'a {type(thing).__name__} is no image'):
        find_images(thing)


def test_tensors_are_refused():
    import torch

    with pytest.raises(TypeError, match='a Tensor is no image'):
        find_images(torch.zeros(3, 4, 4))
