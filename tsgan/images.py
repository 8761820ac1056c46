"""Reads an image, whatever its bits, from a file or from memory, and says what is wrong with one."""

import io
import struct
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

TIFF_SIGNATURES = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
TIFF_NUMBERS = {1: 'B', 6: 'B', 3: 'H', 8: 'H', 4: 'I', 9: 'I', 16: 'Q', 17: 'Q'}  # by type, of whatever sign
NETPBM_SIGNATURES = (b'P2', b'P3', b'P5', b'P6')
MAX_PIXELS = 2**27  # 400 MB once decoded: what claims more is taken for an attack
MAX_BYTES = 16 * MAX_PIXELS  # of a file, which could keep them as four floats each
SILENT = 0
set_log_level = getattr(cv2, 'setLogLevel', None) or cv2.utils.logging.setLogLevel  # of OpenCV 4, of 5
# Those of Pillow's that it reads by itself: for a picture in PostScript, whatever its name, it runs Ghostscript.
FORMATS = ('BMP', 'GIF', 'JPEG', 'JPEG2000', 'PNG', 'PPM', 'TIFF', 'WEBP')
DEEP_MODES = ('I;16', 'I;16L', 'I;16B', 'I', 'F')  # Pillow's of more than eight bits


def read_image(path: str, value_range: tuple[float, float] | None = None, channel_order: str = 'bgr') -> np.ndarray:
    """Read an image with eight bits a value.

    Files of eight bits or fewer come as ``mmcv.imread`` reads them, whatever the range. Values of more bits, and
    floats, are scaled linearly: ``low`` becomes 0, ``high`` 255, what is beyond them the nearer of both. A value that
    is no number becomes 0.

    Args:
        path (str): The file.
        value_range (tuple[float, float], optional): (low, high), one for all channels. Defaults to None.
        channel_order (str): 'bgr' or 'rgb'. Defaults to 'bgr'.

    Returns:
        np.ndarray: uint8, shape (H, W, 3).

    Raises:
        ValueError: If the file is no image, or has more than eight bits and there is no range.
    """
    try:
        image = decode(path)
    except (ValueError, cv2.error) as error:
        raise ValueError(f'{path} is no image that can be read: {error}') from error
    if is_deep(image):
        if value_range is None:
            raise ValueError(
                f'{path} has more than 8 bits ({image.dtype}), and no range that becomes 0 to 255: expected one of its '
                'modality, such as value_range=dict(ir=(low, high)) of the data set'
            )
        image = to_uint8(image, value_range)
    return image if channel_order == 'bgr' else image[..., ::-1].copy()


def decode(path: str) -> np.ndarray:
    """Decode an image with the values that its file holds, see :func:`decode_content`."""
    return decode_content(read_content(path))


def read_content(path: str) -> bytes:
    """What is in a file. Raises ValueError where it is a pipe, a device, or larger than :data:`MAX_BYTES`."""
    file = Path(path)
    if not file.is_file() and (file.is_fifo() or file.is_char_device()):  # to read it could wait for ever
        raise ValueError('it is no file, but a pipe or a device')
    if (size := file.stat().st_size) > MAX_BYTES:
        raise ValueError(f'it has {size:,} bytes, expected at most {MAX_BYTES:,}')
    return file.read_bytes()


def decode_content(content: bytes) -> np.ndarray:
    """Decode an image with the values that its file holds.

    It is turned upright as its EXIF says. Transparency is left out, which shows the colours below it; of several
    frames or pages, the first one counts; colour profiles are not applied.

    Args:
        content (bytes): What is in the file.

    Returns:
        np.ndarray: BGR, shape (H, W, 3), uint8 or, of files of more than eight bits, what their values need.

    Raises:
        ValueError: If it is none, or damaged, or has more than :data:`MAX_PIXELS`.
    """
    if not content:
        raise ValueError('it is empty')
    set_log_level(SILENT)  # what is wrong is raised
    if (pixels := announced_pixels(content)) > MAX_PIXELS:
        raise ValueError(f'it has {pixels:,} pixels, expected at most {MAX_PIXELS:,}')
    if not pixels:  # OpenCV would make room for whatever it finds
        raise ValueError('it is no image, or a damaged one')
    encoded = np.frombuffer(content, np.uint8)
    if content.startswith(TIFF_SIGNATURES):
        # OpenCV makes no colour of 32 bits
        image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        if image is not None and image.dtype.itemsize > 2:
            return np.dstack([image] * 3) if image.ndim == 2 else image[..., :3]
        # and blends colours of 8 bits with black where they are transparent
        if image is not None and image.dtype == np.uint8 and image.shape[2:] == (4,):
            return decode_pillow(open_pillow(content))
    elif content.startswith(b'\xff\xd8') and content.rfind(b'\xff\xd9') < (jpeg_frame(content) or 0):
        # what is missing may be there as zeros, a download's room, which are decoded like anything else
        raise ValueError('it is damaged: the end of the image is missing')
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if content.startswith(NETPBM_SIGNATURES) and (image is None or not is_deep(image)):
        return decode_pillow(open_pillow(content))  # OpenCV takes their largest value for 255, whatever they say
    if image is None:
        raise ValueError('it is no image, or a damaged one')
    return image


def decode_pillow(image: Image.Image) -> np.ndarray:
    """The same as :func:`decode_content`, of an image that Pillow has opened or somebody has made."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f'it has {image.width * image.height:,} pixels, expected at most {MAX_PIXELS:,}')
    image = ImageOps.exif_transpose(image)
    if image.mode in DEEP_MODES:
        values = np.asarray(image)
        if image.mode == 'I' and values.min() >= 0 and values.max() < 2**16:  # as Pillow opened PNG files of 16 bits
            values = values.astype(np.uint16)
        return np.dstack([values] * 3)
    if image.mode == 'LAB':
        raise ValueError('it has CIELAB colours, expected RGB')
    return np.asarray(image.convert('RGB'))[..., ::-1]


def open_pillow(content: bytes) -> Image.Image:
    """An image as Pillow decodes it. Raises ValueError where it is damaged or cut off."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
        image.load()
    except (OSError, SyntaxError, EOFError) as error:
        raise ValueError(f'it is damaged: {error}') from error
    return image


def announced_pixels(content: bytes) -> int:
    """How many pixels an image says that it has, width x height; 0 where it does not say so in a way known here."""
    if content.startswith(b'\x89PNG') and len(content) >= 24:
        width, height = struct.unpack('>II', content[16:24])
        return width * height
    if content.startswith(b'\xff\xd8') and (size := jpeg_size(content)):
        return size[0] * size[1]
    if content.startswith(TIFF_SIGNATURES):  # Pillow knows not all of them, and of a size that is told twice the last
        return tiff_pixels(content)
    if content[8:12] == b'WEBP':  # which Pillow makes room for as it opens it
        return webp_pixels(content)
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return image.width * image.height
    except Image.DecompressionBombError:
        return 2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS) + 1
    except Exception:  # of many classes
        return 0


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Height and width of a JPEG file, by its frame header: Pillow needs longer than the decoder."""
    at = jpeg_frame(content)
    return at and struct.unpack('>HH', content[at + 5 : at + 9])


def jpeg_frame(content: bytes) -> int | None:
    """Where the frame header of a JPEG file begins: behind whatever describes the image, and smaller ones of it."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:  # those that nothing belongs to, wherever they are
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return at
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], 'big')
    return None


def tiff_pixels(content: bytes) -> int:
    """Width x height of the first page of a TIFF file, by the largest of each that it tells of; 0 of half a page.

    Source: TIFF 6.0, section 2; of BigTIFF, the Library of Congress' fdd000328.
    """
    order, big = '<' if content.startswith(b'II') else '>', b'+' in content[2:4]
    length, first, step = ('Q', 12, 20) if big else ('H', 8, 12)  # of the list; in an entry its value; of an entry
    sides = {256: 0, 257: 0}  # width and height, by their tags
    try:
        (page,) = struct.unpack_from(order + ('Q' if big else 'I'), content, 8 if big else 4)
        (entries,) = struct.unpack_from(order + length, content, page)
        begin = page + struct.calcsize(order + length)
        for at in range(begin, begin + entries * step, step):
            tag, kind = struct.unpack_from(f'{order}HH', content, at)
            if tag in sides:
                (value,) = struct.unpack_from(order + TIFF_NUMBERS.get(kind, 'I'), content, at + first)
                sides[tag] = max(sides[tag], value)
    except (struct.error, OverflowError):  # nobody else comes further
        return 0
    return sides[256] * sides[257]


def webp_pixels(content: bytes) -> int:
    """Width x height of a WebP file, by its first chunk. Source: RFC 9649, section 2."""
    kind, head = content[12:16], content[:30].ljust(30, b'\0')
    if kind == b'VP8X':
        return (1 + int.from_bytes(head[24:27], 'little')) * (1 + int.from_bytes(head[27:30], 'little'))
    if kind == b'VP8L':
        sides = int.from_bytes(head[21:25], 'little')
        return (1 + (sides & 0x3FFF)) * (1 + (sides >> 14 & 0x3FFF))
    width, height = struct.unpack('<HH', head[26:30])
    return (width & 0x3FFF) * (height & 0x3FFF) if kind == b'VP8 ' else 0


def is_deep(image: np.ndarray) -> bool:
    """Whether an image has more than eight bits a value."""
    return image.dtype != np.uint8


def to_uint8(image: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    """Scale the values of an image from (low, high) to 0 to 255, and round them; not-a-number becomes 0."""
    low, high = value_range
    values = (image.astype(np.float64) - low) * (255 / (high - low))
    return np.rint(np.clip(np.nan_to_num(values, nan=0), 0, 255)).astype(np.uint8)


def decode_completely(path: str) -> np.ndarray:
    """:func:`decode`, of a file that Pillow takes for whole, too.

    Raises:
        Exception: Whatever Pillow or OpenCV say of a file that cannot be used as an image.
    """
    content = read_content(path)
    try:
        # Pillow refuses some damaged JPEG files that OpenCV, which the pipelines read with, decodes without a word.
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
    except UnidentifiedImageError:
        pass  # nor does it know some TIFF files of many bits: OpenCV decides
    return decode_content(content)


def image_error(path: str) -> str | None:
    """Say why a file cannot be used as an image.

    Args:
        path (str): The file.

    Returns:
        str | None: The reason in a few words, or None for a file that decodes completely.
    """
    try:
        decode_completely(path)
    except Exception as error:
        return in_words(error)
    return None


def in_words(error: Exception) -> str:
    """An error on one line."""
    return f'{type(error).__name__}: {" ".join(str(error).split())}'


def common_range(paths: list[str], max_images: int = 1000, max_values: int = 4096) -> tuple[float, float] | None:
    """Find the range of the values of images of more than eight bits, less the 0.1 % at either end: dead pixels.

    Args:
        paths (list[str]): The files; those that cannot be read, or have eight bits, have no part in it.
        max_images (int): How many of them are read, evenly spaced. Defaults to 1000.
        max_values (int): About how many values of an image count, on an even grid. Defaults to 4096.

    Returns:
        tuple[float, float] | None: (low, high), or None if no image of more than eight bits is among them.
    """
    samples = []
    for path in evenly(paths, max_images):
        image = _decode_or_none(path)
        if image is not None and is_deep(image):
            step = max(int((image[..., 0].size / max_values) ** 0.5), 1)
            sample = image[::step, ::step].ravel()
            samples.append(sample[np.isfinite(sample)])
    values = np.concatenate(samples) if samples else np.empty(0)
    if not len(values):
        return None
    # methods: values that are there, so that whole counts give whole numbers
    low, high = (np.quantile(values, q, method=method).item() for q, method in ((0.001, 'lower'), (0.999, 'higher')))
    return low, high


def any_deep(paths: list[str]) -> bool:
    """Whether an image of more than eight bits is among files; those that cannot be read have no part in it."""
    return any(image is not None and is_deep(image) for image in map(_decode_or_none, paths))


def evenly(items: list, number: int) -> list:
    """Pick at most ``number`` items, evenly spaced, the first and the last among them."""
    if len(items) <= number:
        return items
    return [items[i] for i in np.linspace(0, len(items) - 1, number).round().astype(int)]


def _decode_or_none(path: str) -> np.ndarray | None:
    try:
        return decode(path)
    except Exception:  # whoever reads the file says so
        return None
