"""The paper's picture grids, drawn from arrays: the ranked list (Fig. 4) and the translation grid (Fig. 5).

Images are RGB, uint8, (h, w, 3), of any size; each is stretched to the cell, as it is to the network's input size.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GREEN, RED = (0, 158, 115), (213, 94, 0)  # of Okabe and Ito, which people with any colour vision tell apart
BLACK, GRAY, WHITE = (0, 0, 0), (170, 170, 170), (255, 255, 255)

BORDERS = {True: GREEN, False: RED, None: GRAY}
BORDER = 4  # pixels, around a ranked image
GAP = 6  # between neighbours
GROUP_GAP = 24  # between what belongs apart
COLUMNS = 16  # of a translation grid, before it goes on below
LINE = 20  # height of a line of text
FONT = Path(matplotlib.get_data_path(), 'fonts/ttf/DejaVuSans.ttf')  # OpenCV's own fonts know ASCII only
FONT_SIZES = range(13, 8, -1)  # pixels; below, nobody can read it


def ranked_list(
    queries: Sequence[np.ndarray],
    galleries: Sequence[Sequence[np.ndarray]],
    same_identity: Sequence[Sequence[bool | None]],
    query_captions: Sequence[str] = (),
    gallery_captions: Sequence[Sequence[str]] = (),
    cell: tuple[int, int] = (192, 96),
) -> np.ndarray:
    """Draw queries, each with its best gallery images from left to right (paper, Fig. 4).

    A gallery image has a green border where it shows the query's identity, a red one where it does not, and a gray one
    where nobody knows.

    Args:
        queries (Sequence[np.ndarray]): Q images.
        galleries (Sequence[Sequence[np.ndarray]]): For each query its gallery images, best first; not all rows need
            the same number.
        same_identity (Sequence[Sequence[bool | None]]): For each gallery image whether it shows the query's identity;
            None where one of both is not known.
        query_captions (Sequence[str]): Short lines under each query. Defaults to (), none.
        gallery_captions (Sequence[Sequence[str]]): Short lines under each gallery image. Defaults to (), none.
        cell (tuple[int, int]): Height and width of an image as drawn, in pixels. Defaults to (192, 96).

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: If there is no query, or the sequences do not match.
    """
    _same_lengths(queries=queries, galleries=galleries, same_identity=same_identity)
    if query_captions:
        _same_lengths(queries=queries, query_captions=query_captions)
    for row, images in enumerate(galleries):
        _same_lengths(galleries=images, same_identity=same_identity[row])
        if gallery_captions:
            _same_lengths(galleries=images, gallery_captions=gallery_captions[row])

    height, width = cell
    captions = [*query_captions, *(caption for row in gallery_captions for caption in row)]
    caption = LINE * max((text.count('\n') + 1 for text in captions), default=0)  # height of all lines
    step_y, step_x = height + 2 * BORDER + caption + GAP, width + 2 * BORDER + GAP
    start_x = GAP + width + 2 * BORDER + GROUP_GAP  # of the gallery
    ranks = max(len(images) for images in galleries)
    canvas = _canvas(LINE + len(queries) * step_y + GAP, start_x + ranks * step_x)

    _text(canvas, 'query', GAP, 0, width + 2 * BORDER)
    for rank in range(ranks):
        _text(canvas, str(rank + 1), start_x + rank * step_x, 0, width + 2 * BORDER)
    line_x = start_x - GROUP_GAP // 2
    canvas[LINE : -GAP - caption, line_x - 1 : line_x + 1] = GRAY

    for row, (query, images) in enumerate(zip(queries, galleries, strict=True)):
        y = LINE + row * step_y
        text_y = y + height + 2 * BORDER
        _paste(canvas, query, y + BORDER, GAP + BORDER, cell)
        if query_captions:
            _text(canvas, query_captions[row], GAP, text_y, width + 2 * BORDER)
        for rank, image in enumerate(images):
            x = start_x + rank * step_x
            canvas[y:text_y, x : x + width + 2 * BORDER] = BORDERS[same_identity[row][rank]]
            _paste(canvas, image, y + BORDER, x + BORDER, cell)
            if gallery_captions:
                _text(canvas, gallery_captions[row][rank], x, text_y, width + 2 * BORDER)
    return canvas


def translation_grid(
    real_rgb: Sequence[np.ndarray],
    fake_ir: Sequence[np.ndarray],
    real_ir: Sequence[np.ndarray],
    fake_rgb: Sequence[np.ndarray],
    rec_rgb: Sequence[np.ndarray] = (),
    rec_ir: Sequence[np.ndarray] = (),
    cell: tuple[int, int] = (192, 96),
) -> np.ndarray:
    """Draw what the generators make of some images: one kind a row, one image a column (paper, Fig. 5).

    After sixteen columns it goes on below.

    Args:
        real_rgb (Sequence[np.ndarray]): X_R, N images.
        fake_ir (Sequence[np.ndarray]): X'_I = G_I(X_R), N images; below ``real_rgb``.
        real_ir (Sequence[np.ndarray]): X_I, M images; by the pairing of a batch they show the people of ``real_rgb``.
        fake_rgb (Sequence[np.ndarray]): X'_R = G_R(X_I), M images; below ``real_ir``.
        rec_rgb (Sequence[np.ndarray]): G_R(X'_I), N images. Defaults to (), no such row.
        rec_ir (Sequence[np.ndarray]): G_I(X'_R), M images. Defaults to (), no such row.
        cell (tuple[int, int]): Height and width of an image as drawn, in pixels. Defaults to (192, 96).

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: If there is no image, or the sequences do not match.
    """
    sides = [
        {'real RGB': real_rgb, 'fake IR': fake_ir, 'back to RGB': rec_rgb},
        {'real IR': real_ir, 'fake RGB': fake_rgb, 'back to IR': rec_ir},
    ]
    groups = []
    for (real, first), (fake, second), (back, third) in map(dict.items, sides):
        if len(first) or len(second) or len(third):  # else there is nothing of this modality
            _same_lengths(**{real: first, fake: second}, **({back: third} if len(third) else {}))
            rows = {name: images for name, images in ((real, first), (fake, second), (back, third)) if len(images)}
            starts = range(0, len(first), COLUMNS)
            groups += [{name: images[s : s + COLUMNS] for name, images in rows.items()} for s in starts]
    return picture_rows(groups, cell)


def picture_rows(
    groups: Sequence[Mapping[str, Sequence[np.ndarray]]],
    cell: tuple[int, int] = (192, 96),
    captions: Sequence[Sequence[str]] = (),
) -> np.ndarray:
    """Draw groups of named rows, one below the other; the images in a column of a group belong together.

    Args:
        groups (Sequence[Mapping[str, Sequence[np.ndarray]]]): For each group, name of a row -> its images.
        cell (tuple[int, int]): Height and width of an image as drawn, in pixels. Defaults to (192, 96).
        captions (Sequence[Sequence[str]]): For each group, a short line above each column. Defaults to (), none.

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).

    Raises:
        ValueError: If there is no image, or the sequences do not match.
    """
    if not groups:
        raise ValueError('There is no image to draw.')
    for number, group in enumerate(groups):
        _same_lengths(**group, **({'captions': captions[number]} if captions else {}))
    height, width = cell
    label = 100  # width of the row labels
    columns = max(len(images) for group in groups for images in group.values())
    above = LINE if captions else 0
    rows = sum(map(len, groups))
    extra = len(groups) * above + (len(groups) - 1) * (GROUP_GAP - GAP)
    canvas = _canvas(GAP + rows * (height + GAP) + extra, label + columns * (width + GAP))
    y = GAP
    for number, group in enumerate(groups):
        for column, caption in enumerate(captions[number] if captions else ()):
            _text(canvas, caption, label + column * (width + GAP), y, width)
        y += above
        for name, images in group.items():
            _text(canvas, name, 0, y + (height - LINE) // 2, label)
            for column, image in enumerate(images):
                _paste(canvas, image, y, label + column * (width + GAP), cell)
            y += height + GAP
        y += GROUP_GAP - GAP
    return canvas


def _same_lengths(**sequences: Sequence) -> None:
    lengths = {name: len(sequence) for name, sequence in sequences.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ValueError(f'Expected the same number of each, at least one, but got {lengths}.')


def _canvas(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), WHITE, dtype=np.uint8)


def _paste(canvas: np.ndarray, image: np.ndarray, y: int, x: int, cell: tuple[int, int]) -> None:
    height, width = cell
    smaller = image.shape[0] > height or image.shape[1] > width
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    canvas[y : y + height, x : x + width] = cv2.resize(image, (width, height), interpolation=way)


def _text(canvas: np.ndarray, text: str, x: int, y: int, width: int) -> None:
    """Write lines, each centred in (x, x + width) and LINE high; smaller, then cut off, where one would not fit."""
    for line in text.split('\n'):
        line, font = _fitting(line, width)
        strip = Image.new('RGB', (width, LINE), WHITE)
        ImageDraw.Draw(strip).text((width / 2, LINE / 2), line, BLACK, font, anchor='mm')
        canvas[y : y + LINE, x : x + width] = np.asarray(strip)
        y += LINE


def _fitting(line: str, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    for font in map(_font, FONT_SIZES):
        if font.getlength(line) <= width:
            return line, font
    while font.getlength(f'{line}…') > width and line:
        line = line[:-1]
    return f'{line}…', font


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)
