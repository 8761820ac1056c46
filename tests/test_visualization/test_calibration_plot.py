import numpy as np
import pytest

from tsgan.evaluation.calibration import Calibration, held_out_reliability
from tsgan.visualization import plot_calibration


@pytest.fixture(scope='module')
def labelled():
    """Forty people, each twice in each modality, by two cameras."""
    draws = np.random.default_rng(0)
    pids, camids = np.repeat(np.arange(40), 4), np.tile([1, 2, 3, 4], 40)
    feats = draws.normal(size=(40, 16))[pids] + draws.normal(size=(160, 16))
    return feats.astype(np.float32), pids, camids, np.where(camids > 2, 'ir', 'rgb')


def test_a_row_shows_scores_probability_and_reliability(labelled):
    calibration = Calibration.fit(*labelled)
    axes = np.reshape(plot_calibration(calibration, held_out_reliability(*labelled)).axes, (4, 3))
    names = [group.name for group in calibration.groups]
    assert [row[0].get_title(loc='left') for row in axes] == [f'{name}, 40 identities' for name in names]
    for group, (scores, probability, held) in zip(calibration.groups, axes, strict=True):
        marks = [line.get_xdata()[0] for line in scores.lines]
        assert marks == [group.candidates(0.95)]  # 1 % of false alarms takes 99 people
        areas = [(patch.get_data().values * np.diff(patch.get_data().edges)).sum() for patch in scores.patches]
        np.testing.assert_allclose(areas, 1, atol=1 / 40)  # the highest score is below none
        x, y = probability.lines[0].get_data()
        np.testing.assert_allclose(y, group.probability(x))
        assert 'expected error' in held.get_title(loc='left')


def test_without_reliability_there_are_two_columns(labelled):
    assert len(plot_calibration(Calibration.fit(*labelled)).axes) == 8
