import pytest

from tsgan.evaluation.conventions import OWN, Row
from tsgan.visualization.ledger import plot_ledger

SAID = ('somebody', 'A sentence.')


@pytest.fixture
def rows():
    return [
        Row(OWN, 'all', 50, 40, 30, *SAID),
        Row(OWN, 'indoor', 60, 55, 45, *SAID),
        Row('kinder', 'all', 54, 41.5, 30, *SAID),
        Row('kinder', 'indoor', 61, 54, 44, *SAID),
        Row('of one setting', 'indoor', 58, 55, 45, *SAID),
    ]


def dots(axis, names):
    """(convention, measure) -> points more than the protocol's own."""
    found = {}
    for line in axis.lines:
        if line.get_marker() not in (None, 'None'):
            for x, y in zip(*line.get_data(), strict=True):
                found[names[round(y)], line.get_label()] = x
    return found


def test_a_dot_is_the_difference_to_the_protocols_own(rows):
    figure = plot_ledger(rows, 'features.npz')
    every, indoor = figure.axes
    names = [text.get_text() for text in every.get_yticklabels()]
    assert dots(every, names) == {('kinder', 'R1'): 4, ('kinder', 'mAP'): 1.5, ('kinder', 'mINP'): 0}
    assert dots(indoor, names) == {
        **{('kinder', 'R1'): 1, ('kinder', 'mAP'): -1, ('kinder', 'mINP'): -1},
        **{('of one setting', 'R1'): -2, ('of one setting', 'mAP'): 0, ('of one setting', 'mINP'): 0},
    }
    assert indoor.get_title(loc='left') == 'indoor' and 'R1 60.0' in indoor.texts[0].get_text()
    assert every.get_xlim() == indoor.get_xlim()  # panels can be compared
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['R1', 'mAP', 'mINP']


def test_only_the_own_definition_leaves_nothing_to_draw(rows):
    with pytest.raises(ValueError, match='no convention beside'):
        plot_ledger(rows[:2])
