"""Random small data sets, spoilt at random in a handful of places, of each of which is known what must come of it."""

import codecs
import json
import os
import random
import shutil
import tempfile
import unicodedata
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from odd_images import DEEP, READABLE, UNREADABLE, noise, opencv, shown

from tsgan.apis import Gallery, ReIDInferencer
from tsgan.command_line import refusal
from tsgan.datasets import LLCM, SYSUMM01, ImageFolderReID, RegDB, UnlabelledFolder, check_images
from tsgan.datasets.loose_images import find_images
from tsgan.images import decode, is_deep, to_uint8

RANGE = (0, 65535)
CLUTTER = ['.DS_Store', 'Thumbs.db', 'desktop.ini', '._1.jpg', '1.jpg~', '#1.jpg#', '1.jpg.tmp', '.1.jpg', '~$1.jpg']
CLUTTER_FOLDERS = ['__MACOSX', '@eaDir', '.ipynb_checkpoints', '$RECYCLE.BIN', 'lost+found', '.Trash-1000']
NO_IMAGES = ['notes.txt', 'list.csv', 'film.mp4', 'LICENSE', 'boxes.json', 'a.npy']
NAMES = [
    unicodedata.normalize('NFC', 'Zoë Müller'), unicodedata.normalize('NFD', 'Zoë Müller'), '王小明', 'a\nb', ' a',
    'a ', '\U0001f9d1\u200d\U0001f680', '-rf', '%s', '{x}', "o'Neil \"x\"", 'a\\b', '[1]', '*', 'a;b', 'x.jpg', 'con',
    '\u202eabc', os.fsdecode(b'M\xfcller'), 'n' * 200,
]  # fmt: skip


class Spoilt:
    """A data set on disk, and what must come of it.

    Attributes:
        folders (dict[str, tuple]): Folder below the root -> (identity, camera, modality), in the table's order.
        files (dict[str, np.ndarray | None]): Image below the root -> what it shows, BGR; None: it cannot be read.
        refused (list[str]): Of these, a refusal names one; with none of them the data set is read.
        said (list[str]): What was done.
    """

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.rng = root, random.Random(f'{type(self).__name__} {seed}')
        self.folders, self.files, self.refused, self.said = {}, {}, [], []
        self.untouched = set()  # folders

    def add(self, name: str, content: bytes | None = None, shows: object = 'itself') -> str:
        """Write a file, a sound image unless it is given, and have it shown."""
        if content is None:
            content = opencv('.png' if self.rng.random() < 0.7 else '.jpg', noise(self.rng.randrange(10_000)))
        self.write(name, content)
        self.files[name] = shown(content) if isinstance(shows, str) else shows
        return name

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    def add_folder(self, name: str, identity: object, camera: int, modality: str, files: list[str]) -> None:
        self.folders[name] = identity, camera, modality
        self.untouched.add(name)
        for file in files:
            self.add(f'{name}/{file}')

    def files_of(self, folder: str) -> list[str]:
        return sorted(name for name in self.files if os.path.dirname(name) == folder)

    def somewhere(self) -> str:
        """A folder that is there."""
        return self.rng.choice([folder for folder in self.folders if (self.root / folder).is_dir()])

    def take(self) -> str:
        """A folder that nothing has been done to."""
        self.untouched.remove(folder := self.rng.choice(sorted(self.untouched)))
        return folder

    def take_file(self) -> str:
        return self.rng.choice(self.files_of(self.take()))

    def rows(self) -> list[tuple]:
        """(path, identity, camera, modality, place in its folder) of each image, in the table's order."""
        return [
            (name, *about, place)
            for folder, about in self.folders.items()
            for place, name in enumerate(self.files_of(folder), start=1)
        ]

    def check_pairs(self) -> None:
        """Nobody is left without an image, and of both modalities where people are trained on."""
        rows = self.rows()
        for identity in {about[0] for about in self.folders.values()}:
            left = {row[3] for row in rows if row[1] == identity}
            if not left:
                self.refused.append(self.called(identity))
            elif self.PAIRED and left != {'rgb', 'ir'}:
                self.refused += [f'{os.path.dirname(row[0])}: expected both' for row in rows if row[1] == identity]

    def called(self, identity: object) -> str:
        return f'{identity:04d}' if isinstance(identity, int) else identity


# What happens to a file: the same in all data sets, and none of it is noticed before it is read


def other_content(data):
    kind = data.rng.choice(list(READABLE))
    content = READABLE[kind](data.rng.randrange(10_000))
    data.add(name := data.take_file(), content)
    return kind, name


def more_bits(data):
    kind = data.rng.choice(list(DEEP))
    content, values = DEEP[kind](data.rng.randrange(10_000))
    data.add(name := data.take_file(), content, to_uint8(values, RANGE))
    return kind, name


def unreadable(data):
    kind = data.rng.choice(list(UNREADABLE))
    data.add(name := data.take_file(), UNREADABLE[kind](data.rng), None)
    return kind, name


def no_permission(data):
    os.chmod(data.root / (name := data.take_file()), 0)
    data.files[name] = None
    return (name,)


def pipe(data):
    (data.root / (name := data.take_file())).unlink()
    os.mkfifo(data.root / name)
    data.files[name] = None
    if data.LISTED:
        data.refused.append(name)
    return (name,)


def link_to_image(data):
    name = data.take_file()
    target = data.root.parent / f'elsewhere {len(data.said)}'
    (data.root / name).rename(target)
    (data.root / name).symlink_to(target)
    return (name,)


def link_to_nothing(data):
    (data.root / (name := data.take_file())).unlink()
    (data.root / name).symlink_to(data.rng.choice(['nowhere', os.path.basename(name)]))
    data.files[name] = None
    if not data.LOOSE:
        data.refused.append(name)
    return (name,)


def clutter(data):
    folder = data.somewhere()
    folder = data.rng.choice([folder, os.path.dirname(folder)])
    content = data.rng.choice([b'', opencv('.jpg', noise())])
    if data.rng.random() < 0.5:
        data.write(name := f'{folder}/{data.rng.choice(CLUTTER)}', content)
    else:
        data.write(name := f'{folder}/{data.rng.choice(CLUTTER_FOLDERS)}/1.jpg', content)
    return (name,)


def no_image(data):
    data.write(name := f'{data.somewhere()}/{data.rng.choice(NO_IMAGES)}', b'0 0 0 0')
    return (name,)


def folder_without_images(data):
    (data.root / (name := f'{data.somewhere()}/more')).mkdir(exist_ok=True)
    return (name,)


FILES = [other_content, other_content, more_bits, unreadable, no_permission, pipe, link_to_image, link_to_nothing]
BESIDE = [clutter, clutter, no_image, folder_without_images]


# What happens to folders of identities


def upper_case(data):
    old = data.take_file()
    new = os.path.splitext(old)[0] + data.rng.choice(['.JPG', '.Png', '.JPEG', '.TIFF', '.jfif'])
    (data.root / old).rename(data.root / new)
    data.files[new] = data.files.pop(old)
    if data.LISTED:
        data.refused.append(old)
    return old, new


def one_image(data):
    for name in data.files_of(folder := data.take())[1:]:
        (data.root / name).unlink()
        data.files.pop(name)
        if data.LISTED:
            data.refused.append(name)
    return (folder,)


def no_folder(data):
    shutil.rmtree(data.root / (folder := data.take()))
    for name in data.files_of(folder):
        data.files.pop(name)
    return (folder,)


def empty_folder(data):
    for name in data.files_of(folder := data.take()):
        (data.root / name).unlink()
        data.files.pop(name)
    data.refused.append(folder)
    return (folder,)


def closed_folder(data):
    os.chmod(data.root / (folder := data.take()), 0)
    data.refused.append(folder)
    return (folder,)


def linked_folder(data):
    target = data.root.parent / f'elsewhere {len(data.said)}'
    (data.root / (folder := data.take())).rename(target)
    (data.root / folder).symlink_to(target)
    return (folder,)


def other_format(data):
    name = f'{data.take()}/{data.rng.choice(["x.heic", "x.GIF", "x", "x.dat"])}'
    data.write(name, b'heic' if name.endswith('.heic') else READABLE['gif'](1))
    data.refused.append(name)
    return (name,)


def image_below(data):
    name = f'{data.take()}/day 1/{data.rng.choice(["a.jpg", "x/b.PNG", "x.jpg/c.png", "a.heic", "a", "x/a.gif"])}'
    data.write(name, opencv('.jpg', noise()))
    data.refused.append(name)
    return (name,)


def image_below_a_link(data):
    (data.root / (name := f'{data.take()}/more pictures')).symlink_to(target := data.root.parent / 'pictures')
    target.mkdir(exist_ok=True)
    (target / '1.png').write_bytes(opencv('.png', noise()))
    data.refused.append(f'{name}/1.png')
    return (name,)


def circle(data):
    folder = data.take()
    (data.root / (name := f'{folder}/again')).symlink_to('.')
    data.refused.append(name)
    return (name,)


def image_of_nobody(data):
    name = f'{os.path.dirname(data.somewhere())}/lost{data.rng.choice([".jpg", ".gif", ".heic"])}'
    data.write(name, opencv('.png', noise()))
    data.refused.append(name)
    return (name,)


FOLDERS = [
    upper_case, one_image, no_folder, empty_folder, closed_folder, linked_folder, other_format, image_below,
    image_below_a_link, circle, image_of_nobody,
]  # fmt: skip


def not_four_digits(data):
    name = f'{os.path.dirname(data.somewhere())}/{data.rng.choice(["anna", "7", "00007", "0007 "])}'
    if data.rng.random() < 0.5:
        data.write(f'{name}/notes.txt', b'')
        return name, 'without images'
    data.write(f'{name}/1.png', opencv('.png', noise()))
    data.refused.append(name)
    return (name,)


def missing_camera(data):
    camera = data.rng.choice(data.CAMERAS)
    taken = [folder for folder in data.folders if os.path.dirname(folder) == camera]
    if data.untouched.issuperset(taken) and (data.root / camera).is_dir():
        data.untouched.difference_update(taken)
        shutil.rmtree(data.root / camera)
        for name in [name for folder in taken for name in data.files_of(folder)]:
            data.files.pop(name)
        if data.rng.random() < 0.5:
            (data.root / camera).mkdir()
            return camera, 'empty'
        data.refused.append(camera)
    return (camera,)


def seventh_camera(data):
    if data.rng.random() < 0.5:
        data.write('cam7/notes.txt', b'')
        return 'cam7', 'without images'
    data.write('cam7/0002/0001.jpg', opencv('.jpg', noise()))
    data.refused.append('cam7/0002/0001.jpg')
    return ('cam7',)


def other_list(data):
    """A list of identities or images, written otherwise or damaged."""
    path = data.root / data.rng.choice(data.LISTS)
    text, how = (
        path.read_bytes(),
        data.rng.choice(['BOM', 'CRLF', 'UTF-16', 'empty', 'gone', 'folder', 'cut off', 'no text']),
    )
    if how in ('gone', 'folder'):
        path.unlink()
        (path.mkdir if how == 'folder' else str)()
    else:
        contents = {
            'BOM': b'\xef\xbb\xbf' + text,
            'CRLF': text.replace(b'\n', b'\r\n'),
            'UTF-16': text.decode().encode('utf-16'),
            'empty': b'',
            'cut off': b'{"tr' if path.suffix == '.json' else text[:-2] + b';' + text[-2:],
            'no text': b'\0\1\2',
        }
        path.write_bytes(contents[how])
    if how not in ('BOM', 'CRLF', 'UTF-16'):
        data.refused.append(path.name)
    return path.name, how


class OwnImages(Spoilt):
    PAIRED, LISTED, LOOSE, LISTS = True, False, False, ['split.json']

    def build(self):
        names = ['anna', 'Ben', '10']
        if self.rng.random() < 0.7:
            names[0] = self.rng.choice(NAMES)
        self.names = sorted([*names, 'carol'])
        for name in sorted(names):
            for modality, camera in (('rgb', 1), ('ir', 2)):
                files = [f'{i}.png' for i in range(self.rng.randint(1, 3))]
                if self.rng.random() < 0.3 and len(name) < 100:
                    files[0] = f'{self.rng.choice(NAMES)[:100]}.jpeg'
                self.add_folder(f'{modality}/{name}', name, camera, modality, files)
        self.write('rgb/carol/1.jpg', opencv('.jpg', noise()))
        self.lists = {'train': names, 'test': ['carol']}
        self.write_lists()

    def write_lists(self):
        self.write('split.json', json.dumps(self.lists).encode())

    def load(self, **options):
        return ImageFolderReID(self.root, split_file='split.json', **options)

    def rows(self):
        place = {name: number for number, name in enumerate(self.names)}
        return [(path, place[name], *rest) for path, name, *rest in super().rows()]

    def called(self, identity):
        return self.names[identity] if isinstance(identity, int) else identity

    def check_pairs(self):
        rows = Spoilt.rows(self)
        for name in self.lists['train']:
            left = {row[3] for row in rows if row[1] == name}
            if not any((self.root / modality / name).is_dir() for modality in ('rgb', 'ir')):
                self.refused.append(name)
                self.names = [other for other in self.names if other != name]
            elif left != {'rgb', 'ir'}:
                self.refused += [f'{os.path.dirname(row[0])}: expected both' for row in rows if row[1] == name]

    def in_two_splits(self):
        self.lists['test'].append(name := self.rng.choice(self.lists['train']))
        self.write_lists()
        self.refused.append(f'identity {name!r} twice')
        return (name,)

    def a_split_twice(self):
        self.write('split.json', b'{"train": ["Ben"], "train": ' + json.dumps(self.lists['train']).encode() + b'}')
        self.refused.append("'train' twice")
        return ('train',)

    def twin(self):
        name, other = self.rng.choice([('Ben', 'ben'), ('Ben', 'Ben '), ('10', '0010'), ('carol', 'Carol')])
        self.write(f'{self.rng.choice(["rgb", "ir"])}/{other}/1.jpg', opencv('.jpg', noise()))
        self.refused.append('expected one name for one person')
        return name, other

    def no_modality(self):
        (self.root / (name := self.rng.choice(['rgb', 'ir']))).rename(self.root / name.upper())
        self.untouched.clear()
        self.refused.append(f'{name} is missing (there is {self.root}/{name.upper()})')
        return (name,)

    WHAT = [*FILES, *BESIDE, *FOLDERS, other_list]
    ONCE = [in_two_splits, a_split_twice, twin, no_modality]


class SYSU(Spoilt):
    LISTED, LOOSE, LISTS = False, False, ['exp/train_id.txt']
    CAMERAS = [f'cam{cam}' for cam in range(1, 7)]

    def build(self):
        self.PAIRED = self.rng.random() < 0.5  # to train on, or to be searched
        for camera in self.CAMERAS:
            (self.root / camera).mkdir()
        for pid in (2, 9, 40):
            for modality, cameras in (('rgb', (1, 2, 4, 5)), ('ir', (3, 6))):
                for cam in cameras:
                    if cam in (1, 3) or self.rng.random() < 0.5:
                        files = [f'{frame:04d}.png' for frame in range(1, self.rng.randint(2, 4))]
                        self.add_folder(f'cam{cam}/{pid:04d}', pid, cam, modality, files)
        self.write('cam2/0077/0001.jpg', b'of nobody who is listed')
        self.write('exp/train_id.txt', b'2,9,40\n')

    def load(self, **options):
        return SYSUMM01(self.root, split='train', test_mode=not self.PAIRED, **options)

    def no_frame(self):
        self.write(name := f'{self.take()}/first.png', opencv('.png', noise()))
        self.refused.append(name)
        return (name,)

    def same_frame(self):
        name = self.take_file()
        self.write(other := os.path.splitext(name)[0] + '.bmp', opencv('.bmp', noise()))
        self.refused += [name, other]
        return name, other

    def nobody_listed(self):
        self.write('exp/train_id.txt', b'2,9,40,1234')
        self.refused.append('1234')
        return ('1234',)

    WHAT = [
        *FILES,
        *BESIDE,
        *FOLDERS,
        not_four_digits,
        missing_camera,
        seventh_camera,
        other_list,
        no_frame,
        same_frame,
    ]
    ONCE = [nobody_listed]


class LLCMTest(Spoilt):
    PAIRED, LISTED, LOOSE, LISTS = False, False, False, ['idx/test_id.txt']
    CAMERAS = [
        *(f'test_vis/cam{cam}' for cam in range(1, 10)),
        *(f'test_nir/cam{cam}' for cam in (1, 2, 4, 5, 6, 7, 8, 9)),
    ]

    def build(self):
        for camera in self.CAMERAS:
            (self.root / camera).mkdir(parents=True)
        for pid in (4, 1064):
            for camera in self.CAMERAS:
                if self.rng.random() < 0.3 or camera.endswith('cam1'):
                    modality = 'rgb' if 'vis' in camera else 'ir'
                    files = [f'{name}.png' for name in self.rng.sample(['10', '9', 'a b', 'B'], self.rng.randint(1, 2))]
                    self.add_folder(f'{camera}/{pid:04d}', pid, int(camera[-1]), modality, files)
        self.write('idx/test_id.txt', b'1064,4')

    def load(self, **options):
        return LLCM(self.root, split='test', test_mode=True, **options)

    WHAT = [*FILES, *BESIDE, *FOLDERS, not_four_digits, missing_camera, other_list]
    ONCE = []


class RegDBTrain(Spoilt):
    PAIRED, LISTED, LOOSE, LISTS = True, True, False, ['idx/train_visible_1.txt', 'idx/train_thermal_1.txt']

    def build(self):
        for modality, camera, name, list_ in (('rgb', 1, 'Visible', 'visible'), ('ir', 2, 'Thermal', 'thermal')):
            lines = []
            for label, pid in enumerate((3, 12)):
                files = [f'{name[0]}_{i}.bmp' for i in range(self.rng.randint(1, 3))]
                self.add_folder(f'{name}/{pid}', label, camera, modality, files)
                lines += [f'{name}/{pid}/{file} {label}\n' for file in files]
            self.write(f'idx/train_{list_}_1.txt', ''.join(lines).encode())

    def load(self, **options):
        return RegDB(self.root, **options)

    def unlisted(self):
        self.write(name := f'{self.somewhere()}/{self.rng.choice(["z.bmp", "x/z.bmp", "z.heic"])}', b'z')
        return (name,)

    def listed_twice(self):
        path = self.root / self.LISTS[0]
        path.write_bytes(path.read_bytes() + (line := path.read_bytes().split(b'\n')[0]) + b'\n')
        self.refused.append(f'{line.decode().split()[0]} twice')
        return (line,)

    WHAT = [*FILES, *BESIDE, upper_case, one_image, linked_folder, unlisted, other_list]
    ONCE = [listed_twice]


class Unlabelled(Spoilt):
    """Images of nobody in particular, in folders of any names and depth."""

    PAIRED, LISTED, LOOSE = False, False, True

    def build(self):
        for modality, camera in (('rgb', 1), ('ir', 2)):
            for folder in ('', '/monday', '/monday/x.jpg', '/' + self.rng.choice(NAMES)):
                files = [f'{self.rng.choice(["a", "B", "10", "9"])}{i}.png' for i in range(2)]
                self.add_folder(f'{modality}{folder}', 0, camera, modality, files)

    def load(self, **options):
        return UnlabelledFolder(self.root, **options)

    def rows(self):
        rows = []
        for modality, camera in (('rgb', 1), ('ir', 2)):
            paths = sorted(
                (name for name in self.files if name.startswith(f'{modality}/')), key=lambda name: name.split('/')
            )
            rows += [(path, 0, camera, modality, place) for place, path in enumerate(paths, start=1)]
        return rows

    def check_pairs(self):
        self.refused += [m for m in ('rgb', 'ir') if not any(name.startswith(f'{m}/') for name in self.files)]

    def lost_folder(self):
        (self.root / (name := f'{self.take()}/on another disk')).symlink_to('/media/not mounted')
        self.files[name] = None
        return (name,)

    def circles(self):
        (self.root / (name := f'{self.take()}/again')).symlink_to(
            self.rng.choice(['.', 'again/again', self.root / 'rgb'])
        )
        if not os.path.exists(self.root / name):
            self.files[name] = None
        elif name.startswith('ir') and os.path.realpath(self.root / name) == os.path.realpath(self.root / 'rgb'):
            (self.root / name).unlink()
        return (name,)

    def other_kinds(self):
        content, shows = self.rng.choice([(READABLE['gif'](7), 'itself'), (b'', None)])
        self.add(name := f'{self.take()}/{self.rng.choice(["x.gif", "x.HEIC", "x.avif"])}', content, shows)
        return (name,)

    def below(self):
        return (self.add(f'{self.take()}/{self.rng.choice(NAMES)[:100]}/1.jpg'),)

    WHAT = [
        *FILES,
        *BESIDE,
        upper_case,
        one_image,
        closed_folder,
        linked_folder,
        lost_folder,
        circles,
        other_kinds,
        below,
    ]
    ONCE = []


KINDS = [OwnImages, SYSU, LLCMTest, RegDBTrain, Unlabelled]


@contextmanager
def as_anybody():
    """Without the rights of root, for whom no file is closed."""
    for encoding in ('utf-8-sig', 'utf-16', 'utf-32', 'cp1252'):
        codecs.lookup(encoding)  # Python's own files may be closed, too
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@contextmanager
def spoilt(kind, seed):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (root := Path(folder, 'data')).mkdir()
        data = kind(root, seed)
        data.build()
        if seed % 2:  # mostly read
            what = data.rng.sample([*FILES, *BESIDE], data.rng.randint(0, 5))
        else:  # mostly refused; everything in turn
            every = list(dict.fromkeys([*data.ONCE, *data.WHAT]))
            first = every[seed // 2 % len(every)]
            others = [what for what in data.WHAT if what is not first]
            what = [first, *data.rng.sample(others, data.rng.randint(0, 2))]
        for do in what:
            if data.untouched:
                data.said.append((do.__name__, *(do(data))))
        data.check_pairs()
        try:
            yield data
        finally:
            for above, folders, _ in os.walk(root):
                for name in folders:
                    if not os.path.islink(path := os.path.join(above, name)):
                        os.chmod(path, 0o755)


def names_one(error, names):
    """Whether an error is a sentence on the input that names one of what is wrong."""
    sentence = refusal(error)
    assert sentence is not None, f'a traceback: {error!r}'
    return any(name in sentence or repr(name)[1:-1] in sentence for name in names)


def check(data, seen):
    """A data set is refused for what is wrong with it, or gives exactly its rows, each with the pixels of its file."""
    try:
        with as_anybody():
            dataset = data.load(pipeline=[{'type': 'LoadReIDImage'}], value_range={'rgb': RANGE, 'ir': RANGE})
    except Exception as error:
        assert data.refused, f'it was to be read, but: {error!r}'
        assert names_one(error, data.refused), f'it was to be refused for one of {data.refused}, but: {error}'
        seen['refused'] += 1
        return
    assert not data.refused, f'it was to be refused for {data.refused}'
    keys = ('pid', 'camid', 'modality', 'frame')
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    rows = [(os.path.relpath(info['img_path'], data.root), *(info[key] for key in keys)) for info in infos]
    assert rows == data.rows()
    with as_anybody():
        for place, (name, *_) in enumerate(rows):
            expected = data.files[name]
            try:
                image = dataset[place]['img']
            except Exception as error:
                assert expected is None, f'{name} was to be read, but: {error!r}'
                assert names_one(error, [name]), f'{error} does not name {name}'
                seen['unreadable'] += 1
            else:
                assert expected is not None, f'{name} was to be refused'
                assert_shows(image, expected, name)
                seen['images'] += 1
        bad = sum(data.files[name] is None for name, *_ in rows)
        if not bad:
            check_images(dataset)
        else:
            with pytest.raises(ValueError, match=f'^{bad} of {len(rows)} files of the data set in') as found:
                check_images(dataset)
            assert sum(name in str(found.value) for name, *_ in rows if data.files[name] is None) >= min(bad, 10)
    seen['read'] += 1


def assert_shows(image, expected, name):
    assert image.shape == expected.shape, name
    assert np.abs(image.astype(int) - expected).max() <= 1, name  # CMYK, which decoders round differently


def check_loose(data, seen, reid):
    """An inferencer and a gallery have each image that can be read, with its pixels, and list all others."""
    try:
        with as_anybody():
            images = find_images(data.root)
    except Exception as error:
        assert data.refused and names_one(error, data.refused), error
        seen['refused'] += 1
        return
    assert sorted(image.row.path for image in images) == sorted(str(data.root / name) for name in data.files)
    good = {str(data.root / name): shows for name, shows in data.files.items() if shows is not None}
    with as_anybody():
        decoded = [one for batch in reid.preprocess(images, 4) for one in batch]
        gallery = Gallery.build(reid, data.root)
    assert sorted(one.row.path for one in decoded) == sorted(good) == sorted(row['path'] for row in gallery.rows())
    assert sorted(path for path, _ in reid.skipped) == sorted(
        str(data.root / name) for name, shows in data.files.items() if shows is None
    )
    for one in decoded:
        assert one.row.modality == os.path.relpath(one.row.path, data.root).split('/')[0]
        with as_anybody():
            image = decode(one.row.path)
        assert_shows(to_uint8(image, RANGE) if is_deep(image) else image, good[one.row.path], one.row.path)
    seen['read'] += 1
    seen['unreadable'] += len(reid.skipped)
    seen['images'] += len(decoded)


def try_all(kind, seeds, check, *args):
    seen, done = Counter(), Counter()
    for seed in seeds:
        with spoilt(kind, seed) as data:
            try:
                check(data, seen, *args)
            except AssertionError as error:
                raise AssertionError(f'{kind.__name__}, seed {seed}, {data.said}: {error}') from error
            done.update(name for name, *_ in data.said)
    return seen, done


class Network:
    """Means of an image's channels, for features."""

    name, fingerprint, size, dim, needs_modality = 'means', 'a1' * 32, (40, 24), 3, False
    value_range = {'rgb': RANGE, 'ir': RANGE}

    def __call__(self, images, is_rgb):
        return images.mean(axis=(1, 2), dtype=np.float32) + 1


@pytest.fixture
def reid(monkeypatch):
    monkeypatch.setattr('tsgan.apis.inferencer.make_network', lambda *_: Network())
    return ReIDInferencer('means')


@pytest.mark.parametrize('kind', KINDS)
def test_spoilt_folders_are_refused_by_name_or_read_to_the_pixel(kind):
    seen, _ = try_all(kind, range(4), check)
    assert seen['read'] and seen['images']  # refusals are rare: of many folders, below


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_many_spoilt_folders_are_refused_by_name_or_read_to_the_pixel(kind):
    seen, done = try_all(kind, range(1000, 1060), check)
    assert min(seen[what] for what in ('refused', 'read', 'images', 'unreadable')) > 0, seen
    assert set(done) == {what.__name__ for what in (*kind.WHAT, *kind.ONCE)}


@pytest.mark.slow
def test_loose_images_of_spoilt_folders_are_in_a_gallery_or_said_to_be_skipped(reid):
    seen, _ = try_all(Unlabelled, range(2000, 2060), check_loose, reid)
    assert min(seen[what] for what in ('refused', 'read', 'images', 'unreadable')) > 0, seen
