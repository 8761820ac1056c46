"""What lies in the folders of a data set: images, what is none, and what was meant by a name that is not there."""

import codecs
import os
import re
import unicodedata
from pathlib import Path

from PIL import Image

IMG_EXTENSIONS = ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.ppm', '.pgm', '.tif', '.tiff', '.webp')
# Images that not every build of OpenCV decodes, and that Pillow need not know either.
OTHER_EXTENSIONS = ('.avif', '.heic', '.heif', '.jp2', '.jxl', '.exr', '.hdr', '.dng', '.svg')

# What operating systems, network drives, archives and editors leave beside files, besides hidden files.
LEFT_BEHIND = {
    *('thumbs.db', 'ehthumbs.db', 'desktop.ini', '$recycle.bin', 'recycler', 'system volume information'),  # Windows
    *('__macosx', 'icon\r', 'lost+found'),  # macOS, Linux
    *('@eadir', '@tmp', '@recycle', '@recently-snapshot', '#recycle', '#snapshot', '~snapshot'),  # network drives
    '__pycache__',
}
LEFT_BEHIND_EXTENSIONS = ('.bak', '.orig', '.swp', '.tmp')

# The longest mark first: UTF-32's begins with UTF-16's.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: 'utf-32',
    codecs.BOM_UTF32_BE: 'utf-32',
    codecs.BOM_UTF16_LE: 'utf-16',
    codecs.BOM_UTF16_BE: 'utf-16',
    codecs.BOM_UTF8: 'utf-8-sig',
}


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is no part of a data set by its name, such as ``.DS_Store``, ``@eaDir``, ``1.jpg~``."""
    lower = name.lower()
    return (
        name.startswith(('.', '~$'))
        or lower in LEFT_BEHIND
        or name.endswith('~')
        or (name.startswith('#') and name.endswith('#'))
        or lower.endswith(LEFT_BEHIND_EXTENSIONS)
    )


def is_image(name: str) -> bool:
    """Whether a file is to be read as an image, by its name; that it :func:`is_left_behind` is asked before."""
    return os.path.splitext(name)[1].lower() in IMG_EXTENSIONS


def list_images(folder: Path) -> list[str]:
    """List the images of one identity.

    Args:
        folder (Path): An identity's folder. What :func:`is_left_behind`, and files that are no images, are passed over.

    Returns:
        list[str]: The paths of the images, sorted by name.

    Raises:
        FileNotFoundError: If there are none, or one is a link to nothing.
        ValueError: If there are images in a folder below, or of a format that is not read.
    """
    images = []
    for entry in _entries(folder):
        if entry.is_dir():
            refuse_images_below(Path(entry.path), f'the images of an identity directly in {folder}')
        elif is_image(entry.name):
            images.append(entry.path)
        elif _is_other_image(entry):
            raise ValueError(
                f'{entry.path} is an image that would not be read: expected one of {" ".join(IMG_EXTENSIONS)} '
                '(convert it, or take it away)'
            )
    if not images:
        raise FileNotFoundError(
            f'{folder} holds no image: expected at least one of {" ".join(IMG_EXTENSIONS)} in an identity folder '
            '(remove the folder if this person was not seen)'
        )
    return sorted(images)  # text: a pathlib.Path of each would take longer than all else


def identity_folders(folder: Path) -> dict[str, Path]:
    """List the folders of identities, whatever their names.

    Args:
        folder (Path): The folder above them; what :func:`is_left_behind` is passed over.

    Returns:
        dict[str, Path]: Name -> folder.

    Raises:
        FileNotFoundError: If one is a link to nothing.
        ValueError: If there are images beside the folders.
    """
    folders = {}
    for entry in _entries(folder):
        if entry.is_dir():
            folders[entry.name] = Path(entry.path)
        elif is_image(entry.name) or _is_other_image(entry):
            raise ValueError(f'{entry.path} is in no folder of an identity: expected {folder}/<identity>/{entry.name}')
    return folders


def numbered_folders(folder: Path) -> dict[int, Path]:
    """List the folders of identities that four digits name.

    Args:
        folder (Path): The folder above them; what :func:`is_left_behind`, and folders without images, are passed over.

    Returns:
        dict[int, Path]: Number -> folder.

    Raises:
        FileNotFoundError: If one is a link to nothing.
        ValueError: If there are images beside the folders, or in a folder of another name.
    """
    numbered = {}
    for name, path in identity_folders(folder).items():
        if re.fullmatch('[0-9]{4}', name):
            numbered[int(name)] = path
        else:
            refuse_images_below(path, f'folders of identities in {folder} named by four digits, such as 0001')
    return numbered


def refuse_images_below(folder: Path, expected: str) -> None:
    """Make sure that there is no image in a folder that is not read, nor in any below it, links followed.

    Args:
        folder (Path): The folder; what :func:`is_left_behind` is passed over.
        expected (str): What was expected instead, for the error.

    Raises:
        FileNotFoundError: If there is a link to nothing.
        ValueError: If there is one, of whatever format.
    """
    waiting, seen = [folder], set()
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real in seen:  # links may lead in a circle
            continue
        seen.add(real)
        for entry in sorted(_entries(folder), key=lambda entry: entry.name):
            if entry.is_dir():
                waiting.append(Path(entry.path))
            elif is_image(entry.name) or _is_other_image(entry):
                raise ValueError(f'{entry.path} would not be read: expected {expected}')


def is_empty(folder: Path) -> bool:
    """Whether nothing is in a folder but what :func:`is_left_behind`."""
    return not _entries(folder)


def same_person(name: str) -> str:
    """What two names of one person have in common: they differ only in case, blanks, leading zeros or Unicode form.

    Unicode gives 'é' in two ways, of which macOS writes the one and all others the other.
    """
    folded = unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', name).casefold())
    visible = ''.join(c for c in folded if unicodedata.category(c) != 'Cf')  # byte order marks, joiners of no width
    text = ' '.join(visible.split())
    return str(int(text)) if text.isdecimal() else text


def missing(path: Path, expected: str) -> FileNotFoundError:
    """The error about a file or folder that is not there; it names what is there by nearly that name.

    Args:
        path (Path): What was looked for.
        expected (str): What it should have been.
    """
    near = nearby(path)
    return FileNotFoundError(f'{path} is missing{f" (there is {near})" if near else ""}: expected {expected}')


def nearby(path: Path) -> Path | None:
    """Find what is there by nearly the name of something that is not: in other case, or with another extension.

    Args:
        path (Path): What was looked for; of a path whose folder is missing too, the folder is looked for.
    """
    while not path.parent.is_dir() and path.parent != path:
        path = path.parent
    if path.exists() or not path.parent.is_dir():
        return None
    names = sorted(entry.name for entry in _entries(path.parent, check_links=False))
    return next((path.parent / name for name in names if _outline(name) == _outline(path.name)), None)


def read_text(path: Path, expected: str) -> str:
    """Read a text file as whoever wrote it: with or without a byte order mark, with any line ends.

    Args:
        path (Path): The file: UTF-8, or UTF-16 or UTF-32 as their mark says, or else Windows-1252.
        expected (str): What it should hold, for the error.

    Returns:
        str: The text; lines end with a line feed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no text.
    """
    if not path.is_file():
        raise missing(path, expected)
    content = path.read_bytes()
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if content.startswith(mark)), None)
    for encoding in [marked] if marked else ['utf-8', 'cp1252']:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if '\0' not in text:
            return text.replace('\r\n', '\n').replace('\r', '\n')
    raise ValueError(f'{path} is no text: expected {expected}, in UTF-8')


def _entries(folder: Path, check_links: bool = True) -> list[os.DirEntry]:
    """What is in a folder, in no order, without what was left behind."""
    with os.scandir(folder) as scan:
        entries = [entry for entry in scan if not is_left_behind(entry.name)]
    for entry in entries if check_links else []:
        if entry.is_symlink() and not os.path.exists(entry.path):
            raise FileNotFoundError(f'{entry.path} is a link to {os.readlink(entry.path)}, which is not there')
    return entries


def _is_other_image(entry: os.DirEntry) -> bool:
    """Whether a file is an image although its name is not one that is read."""
    if entry.name.lower().endswith(OTHER_EXTENSIONS):
        return True
    if not entry.is_file():  # to open a pipe could wait for ever
        return False
    try:
        with Image.open(entry.path):
            return True
    except Exception:
        return False


def _outline(name: str) -> str:
    """'Train_ID.txt.txt' -> 'trainid'."""
    while os.path.splitext(name)[1]:
        name = os.path.splitext(name)[0]
    return re.sub(r'[\W_]', '', same_person(name))
