"""Files of images as people have them: what can be read, with what it shows, and what cannot."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps

HEIGHT, WIDTH = 40, 24
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
LFS = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22e\nsize 12345\n'


def noise(seed=0, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, channels), dtype=np.uint8).squeeze()


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def png(width, height, bits, colour, interlace, scanlines):
    header = png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, interlace))
    data = png_chunk(b'IDAT', zlib.compress(scanlines))
    return b'\x89PNG\r\n\x1a\n' + header + data + png_chunk(b'IEND', b'')


def interlaced(pixels):
    """PNG, RGB, in the seven passes of Adam7."""
    passes = (pixels[y::dy, x::dx] for y, x, dy, dx in ADAM7)
    return png(WIDTH, HEIGHT, 8, 2, 1, b''.join(b'\0' + row.tobytes() for part in passes for row in part))


def lying(seed, kind):
    """An image that its EXIF turns upright."""
    exif, orientation = Image.Exif(), 1 + seed % 8
    exif[274] = orientation
    image = Image.fromarray(noise(seed))
    return encoded(image.transpose(Image.Transpose.ROTATE_90) if orientation > 4 else image, kind, exif=exif)


def opencv(kind, values):
    return cv2.imencode(kind, values)[1].tobytes()


def saved(mode, kind, **options):
    return lambda seed: encoded(Image.fromarray(noise(seed)).convert(mode), kind, **options)


def deep(kind, channels):
    """Of 16 bits, with (as BGR) the values that it holds."""

    def make(seed):
        values = np.random.default_rng(seed).integers(0, 65536, (HEIGHT, WIDTH, channels), dtype=np.uint16)
        return opencv(kind, values.squeeze()), np.broadcast_to(values, (HEIGHT, WIDTH, 3))

    return make


READABLE = {
    **{f'{mode} {kind}': saved(mode, kind) for mode in ('L', 'RGB') for kind in ('jpeg', 'png', 'bmp', 'tiff', 'webp')},
    **{f'{mode} png': saved(mode, 'png') for mode in ('1', 'P', 'LA', 'RGBA')},
    **{f'{mode} tiff': saved(mode, 'tiff') for mode in ('1', 'P', 'LA', 'RGBA', 'CMYK')},
    **{f'EXIF {kind}': lambda seed, kind=kind: lying(seed, kind) for kind in ('jpeg', 'png', 'tiff', 'webp')},
    'progressive jpeg': saved('RGB', 'jpeg', progressive=True),
    'CMYK jpeg': saved('CMYK', 'jpeg'),
    'jpeg with a film behind it': lambda seed: encoded(Image.fromarray(noise(seed)), 'jpeg') + bytes(range(200)),
    'interlaced png': lambda seed: interlaced(noise(seed)),
    'png of 16 colours': lambda seed: encoded(Image.fromarray(noise(seed)).quantize(16), 'png', bits=4),
    'png with a transparent colour': saved('P', 'png', transparency=3),
    'fax tiff': saved('1', 'tiff', compression='group4'),
    'inverted tiff': saved('L', 'tiff', tiffinfo={262: 0}),
    'lzw tiff': saved('RGB', 'tiff', compression='tiff_lzw'),
    'RGBA webp': saved('RGBA', 'webp', lossless=True, exact=True),
    'gif': saved('P', 'gif'),
    'one pixel': lambda seed: encoded(Image.new('RGB', (1, 1), (seed % 256, 9, 200)), 'png'),
    'pgm of 101 values': lambda seed: b'P5\n24 40\n100\n' + (noise(seed, 1) % 101).tobytes(),
    'pgm in digits': lambda seed: b'P2\n24 40\n255\n' + ' '.join(map(str, noise(seed, 1).ravel())).encode() + b'\n',
}
DEEP = {
    **{
        f'{kind} of 16 bits, {channels} channels': deep(kind, channels)
        for kind in ('.png', '.tif')
        for channels in (1, 3)
    }
}
CUT = {kind: saved('RGB', kind) for kind in ('jpeg', 'png', 'bmp', 'tiff', 'webp', 'ppm', 'gif')}


def shown(content):
    """What an image shows, BGR, as Pillow reads it."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return np.asarray(ImageOps.exif_transpose(image).convert('RGB'))[..., ::-1]


def cut_off(rng):
    whole = CUT[rng.choice(list(CUT))](rng.randrange(1000))
    return whole[: rng.randrange(1, len(whole))]


def zeros_at_the_end(rng):
    """A download that was given its room before it came: of PNG anywhere, of JPEG where the end is among what lacks."""
    whole = CUT[rng.choice(['jpeg', 'png'])](rng.randrange(1000))
    begin = rng.randrange(1, len(whole) - 14)
    return whole[:begin] + bytes(len(whole) - begin)


def one_byte_changed(rng):
    """Of PNG, whose checksums tell."""
    whole = bytearray(CUT['png'](rng.randrange(1000)))
    at = rng.randrange(50, len(whole) - 20)
    whole[at] ^= 1 << rng.randrange(8)
    return bytes(whole)


UNREADABLE = {
    'nothing': lambda rng: b'',
    'zeros': lambda rng: bytes(500),
    'text': lambda rng: b'a list of images\n',
    'a page': lambda rng: b'<!DOCTYPE html><html><body>404 Not Found</body></html>',
    'a pointer': lambda rng: LFS,
    'an archive': lambda rng: b'PK\x03\x04' + rng.randbytes(200),
    'any bytes': lambda rng: rng.randbytes(300),
    'cut off': cut_off,
    'zeros at the end': zeros_at_the_end,
    'one byte changed': one_byte_changed,
    'a head alone': lambda rng: b'\xff\xd8\xff\xe0\x00\x10JFIF\x00',
}
