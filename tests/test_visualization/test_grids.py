import numpy as np
import pytest

from tsgan.visualization.grids import BORDER, GAP, GREEN, GROUP_GAP, LINE, RED, ranked_list, translation_grid

CELL = (40, 20)


def plain(value, size=CELL):
    """An image of one gray value."""
    return np.full((*size, 3), value, np.uint8)


def gallery_x(rank):
    """Left edge of a ranked image's border in CELL-sized lists."""
    step = CELL[1] + 2 * BORDER + GAP
    return GAP + CELL[1] + 2 * BORDER + GROUP_GAP + rank * step


def test_ranked_list_borders_tell_same_identity_from_others():
    image = ranked_list([plain(10)] * 2, [[plain(50)] * 3] * 2, [[True, False, True], [False, False, True]], cell=CELL)
    assert image.dtype == np.uint8
    for row, flags in enumerate([[True, False, True], [False, False, True]]):
        y = LINE + row * (CELL[0] + 2 * BORDER + GAP)
        for rank, same in enumerate(flags):
            box = image[y : y + CELL[0] + 2 * BORDER, gallery_x(rank) : gallery_x(rank) + CELL[1] + 2 * BORDER]
            border = np.ones(box.shape[:2], bool)
            border[BORDER:-BORDER, BORDER:-BORDER] = False
            assert (box[border] == (GREEN if same else RED)).all()
            assert (box[~border] == 50).all()


def test_ranked_list_keeps_order_and_sets_the_query_apart():
    values = [60, 90, 120, 150]
    image = ranked_list([plain(10)], [[plain(v) for v in values]], [[False] * 4], cell=CELL)
    y = LINE + BORDER + CELL[0] // 2
    assert [image[y, gallery_x(rank) + BORDER + CELL[1] // 2, 0] for rank in range(4)] == values
    assert (image[y, GAP + BORDER] == 10).all()
    assert (image[y, GAP] == 255).all()  # the query has no border
    assert gallery_x(0) - (GAP + CELL[1] + 2 * BORDER) == GROUP_GAP > GAP


def test_ranked_list_captions_make_room_below_each_image():
    arguments = ([plain(10)], [[plain(20)]], [[True]])
    without = ranked_list(*arguments, cell=CELL)
    captioned = ranked_list(*arguments, ['query 7'], [['a caption far too long for its image']], cell=CELL)
    assert captioned.shape == (without.shape[0] + LINE, without.shape[1], 3)
    line = captioned[LINE + CELL[0] + 2 * BORDER :]
    assert (line < 128).any()
    beyond = gallery_x(0) + CELL[1] + 2 * BORDER
    assert (line[:, beyond:] == 255).all()  # the long one was made to fit


@pytest.mark.parametrize('lines', [1, 2, 3])
def test_ranked_list_writes_as_many_lines_as_the_longest_caption_has(lines):
    arguments = ([plain(10)], [[plain(20)] * 2], [[True, False]])
    image = ranked_list(*arguments, ['q'], [['a', '\n'.join('b' * lines)]], cell=CELL)
    assert image.shape[0] == ranked_list(*arguments, cell=CELL).shape[0] + lines * LINE
    left = gallery_x(1)
    for line in range(lines):
        y = LINE + CELL[0] + 2 * BORDER + line * LINE
        assert (image[y : y + LINE, left : left + CELL[1] + 2 * BORDER] < 128).any()
        assert (image[y : y + LINE, gallery_x(0) : left - GAP] < 128).any() == (line == 0)


def written(text, width=104):
    """A line as it is written under an image."""
    image = ranked_list([plain(0)], [[plain(0)]], [[True]], [text], cell=(40, width - 2 * BORDER))
    return image[LINE + 40 + 2 * BORDER :, : GAP + width + 2 * BORDER]


def test_captions_know_more_letters_than_ascii():
    lines = [written(text) for text in ('Матвей', 'Jürgen', 'Jurgen', '??????', 'Ελένη')]
    for number, line in enumerate(lines):
        assert all((line != other).any() for other in lines[:number])


def test_what_stands_under_an_image_stays_large_enough_to_read():
    short, long = written('0007'), written('a very long name for a person, longer than any picture')
    assert np.ptp(np.flatnonzero((short < 128).any(axis=(1, 2)))) >= 8  # pixels, a digit's height
    assert np.ptp(np.flatnonzero((long < 128).any(axis=(1, 2)))) >= 6
    for text in ('distance 0.83', 'RGB camera 1'):
        assert (written(text) == written(text, 300)[:, 98:-98]).all()  # no smaller than where there is room


def test_ranked_list_takes_images_of_any_size_and_rows_of_any_length():
    queries, galleries = [plain(1, (64, 32)), plain(2, (300, 111))], [[plain(3, (5, 5))] * 4, [plain(3)]]
    image = ranked_list(queries, galleries, [[True] * 4, [False]], cell=CELL)
    assert image.shape[1] == gallery_x(4)


@pytest.mark.parametrize(
    'arguments',
    [
        ([], [], []),
        ([plain(1)], [[plain(1)]], [[True, False]]),
        ([plain(1)], [[plain(1)]], [[True]], ['a', 'b']),
        ([plain(1)], [[plain(1)]], [[True]], ['a'], [[]]),
    ],
)
def test_ranked_list_refuses_what_does_not_match(arguments):
    with pytest.raises(ValueError, match='same number of each'):
        ranked_list(*arguments)


@pytest.mark.parametrize('count', [1, 3])
def test_translation_grid_has_a_row_a_kind_and_a_column_an_image(count):
    rows = [[plain(value + column) for column in range(count)] for value in (10, 60, 110, 160)]
    image = translation_grid(*rows, cell=CELL)
    right = image.shape[1] - GAP
    columns = [right - (count - i) * (CELL[1] + GAP) + GAP for i in range(count)]
    ys = [GAP, 2 * GAP + CELL[0], 2 * GAP + 2 * CELL[0] + GROUP_GAP, 3 * GAP + 3 * CELL[0] + GROUP_GAP]
    for y, row in zip(ys, rows, strict=True):
        for x, expected in zip(columns, row, strict=True):
            assert (image[y : y + CELL[0], x : x + CELL[1]] == expected[0, 0]).all()


def test_translation_grid_puts_each_reconstruction_below_its_fake():
    kinds = {'real_rgb': 10, 'fake_ir': 20, 'rec_rgb': 30, 'real_ir': 40, 'fake_rgb': 50, 'rec_ir': 60}
    image = translation_grid(**{name: [plain(value)] for name, value in kinds.items()}, cell=CELL)
    column = image[:, -GAP - CELL[1] // 2, 0]
    seen = [int(v) for v, before in zip(column[1:], column[:-1], strict=True) if v != before and v != 255]
    assert seen == list(kinds.values())
    assert len(image) == len(translation_grid(*[[plain(1)]] * 4, cell=CELL)) + 2 * (CELL[0] + GAP)


def test_translation_grid_enlarges_small_crops():
    image = translation_grid(*[[plain(90, (64, 32))]] * 4)
    assert (image[:, -GAP - 48] == 90).all(axis=1).sum() == 4 * 192


def test_translation_grid_goes_on_below_after_sixteen_columns():
    many, few = [[plain(value)] * 18 for value in (10, 20)], [[plain(value)] * 16 for value in (30, 40)]
    image = translation_grid(*many, *few, cell=CELL)
    assert image.shape[1] == translation_grid(*[row[:16] for row in many], *few, cell=CELL).shape[1]
    column = image[:, -GAP - CELL[1] // 2, 0]
    assert [int(v) for v, before in zip(column[1:], column, strict=False) if v != before and v != 255] == [
        10,
        20,
        30,
        40,
    ]
    second = image[:, 100 + CELL[1] // 2, 0]
    assert [int(v) for v, before in zip(second[1:], second, strict=False) if v != before and v != 255] == [
        10, 20, 10, 20, 30, 40,
    ]  # fmt: skip


def test_translation_grid_refuses_what_does_not_match():
    one, two = [plain(1)], [plain(1)] * 2
    with pytest.raises(ValueError, match='same number of each'):
        translation_grid(one, one, one, two)
    with pytest.raises(ValueError, match='same number of each'):
        translation_grid(one, one, one, one, rec_rgb=two)
