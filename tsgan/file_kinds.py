"""What a file is by how it begins: to be named where another kind was expected."""

BEGINNINGS = {
    b'version https://git-lfs': 'a pointer of git-lfs (`git lfs pull` gets the file that it stands for)',
    b'\x89HDF': 'an HDF5 file, as Keras writes it',
    b'\x93NUMPY': 'a single array of NumPy (.npy)',
    b'MATLAB': 'a MATLAB file',
    b'\x89PNG': 'a picture',
    b'\xff\xd8\xff': 'a picture',
    b'GIF8': 'a picture',
    b'%PDF': 'a PDF',
    b'\x1f\x8b': 'a gzip archive, to be unpacked first',
    b'BZh': 'a bzip2 archive, to be unpacked first',
    b'\xfd7zXZ': 'an xz archive, to be unpacked first',
    b'7z\xbc\xaf': 'a 7z archive, to be unpacked first',
}


def kind_by_beginning(begin: bytes) -> str | None:
    """In a few words, what a file is whose first bytes these are; None of those that tell nothing."""
    if not begin:
        return 'empty'
    return next((words for beginning, words in BEGINNINGS.items() if begin.startswith(beginning)), None)
