import numpy as np
import pytest

from tsgan.evaluation import FeatureTable, OpenSetProtocol, SYSUMM01Protocol, evaluate_open_set
from tsgan.visualization.open_set import plot_open_set
from tsgan.visualization.palette import RUNS


@pytest.fixture(scope='module')
def results():
    labels = [(pid, cam, f) for pid in range(10) for cam in range(1, 7) for f in range(1, 7 if cam in (3, 6) else 2)]
    draws = np.random.default_rng(0)
    pids, camids, frames = np.array(labels).T
    feats = draws.normal(size=(10, 8))[pids] + draws.normal(size=(len(pids), 8))
    table = FeatureTable(feats, pids, camids, frames)
    return evaluate_open_set(
        table, OpenSetProtocol(SYSUMM01Protocol(gallery_sampling='agw', shots=(1,)), repeats=2), 20
    )


def test_curves_marks_and_scores_are_those_of_the_results(results):
    figure = plot_open_set(results, 95)
    search, pairs, *below = figure.axes
    for axis, false, true in ((search, 'FPIR', 'TPIR'), (pairs, 'FAR', 'TAR')):
        assert axis.get_xscale() == 'log' and axis.get_xlabel() == f'{false} %'
        for name, colour in zip(results, RUNS, strict=False):
            lines = [line for line in axis.get_lines() if line.get_color() == colour]
            curve, *marks = lines
            assert curve.get_label() == name
            assert curve.get_xdata().tolist() == results[name]['curves'][false]
            assert curve.get_ydata().tolist() == results[name]['curves'][true]
            rates = [results[name][m] for m in results[name]['intervals'] if m.startswith(f'{true}@')]
            assert [mark.get_ydata()[0] for mark in marks] == [rate for rate in rates if rate is not None]
    assert results['all_single']['TPIR@FPIR=0.01'] is None  # and so it has no mark
    titles = [axis.get_title(loc='left') for axis in below]
    assert titles[:2] == ['all_single: scores of best candidates', 'all_single: scores of pairs']
    shown = [patch for patch in below[1].patches if patch.get_label() == 'one person']
    counts = np.array(results['all_single']['distributions']['genuine'])
    np.testing.assert_allclose(shown[0].get_data().values, 100 * counts / counts.sum())


def test_a_distribution_of_nothing_is_left_out(results):
    row = results['all_single']
    nobody = {**row['distributions'], 'wrong': [0] * len(row['distributions']['wrong'])}
    axis = plot_open_set({'all_single': row | {'distributions': nobody}}).axes[2]
    assert 'in the gallery, somebody else first' not in [patch.get_label() for patch in axis.patches]


def test_more_settings_than_colours_are_refused(results):
    with pytest.raises(ValueError, match='8 settings are more than can be told apart'):
        plot_open_set({str(number): results['all_single'] for number in range(8)})
