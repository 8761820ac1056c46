import json

import numpy as np
import pytest

from tsgan.visualization.curves import Curve, plot_curves, read_curves, select
from tsgan.visualization.palette import RUNS


def write_log(work_dir, start, *lines):
    folder = work_dir / start / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(f'{json.dumps(line)}\n' for line in lines))


def logged(step, value, epoch):
    """What a training writes every 50 iterations: gradients, then the rest."""
    yield {'reid/grad_loss_id': 2 * value, 'step': step}
    yield {
        'reid.lr': 0.1, 'reid/loss': value + 1, 'reid/loss_id': value, 'time': 0.5, 'memory': 9,
        'epoch': epoch, 'iter': step, 'step': step,
    }  # fmt: skip


def validated(epoch, value):
    return {'val_single/mAP': value, 'time': 1.0, 'step': epoch}


@pytest.fixture
def resumed(tmp_path):
    """Trained to iteration 150, gone on with from the end of epoch 2, at 100, with another interval."""
    write_log(
        tmp_path, '20261101_100000',
        *logged(50, 1.0, 1), validated(1, 10.0), *logged(100, 2.0, 2), validated(2, 20.0), *logged(130, 99.0, 3),
        *logged(150, 99.0, 3), validated(3, 99.0),
    )  # fmt: skip
    (tmp_path / '20261102_100000').mkdir()  # a test in between
    write_log(tmp_path, '20261103_100000', *logged(120, 3.0, 3), *logged(160, 4.0, 4), validated(3, 30.0))
    return tmp_path


def test_a_resumed_training_is_one_curve_in_which_the_later_start_wins(resumed):
    curves = read_curves(resumed)
    assert curves['reid/loss_id'].steps.tolist() == [50, 100, 120, 160]
    assert curves['reid/loss_id'].values.tolist() == [1, 2, 3, 4]
    assert curves['reid/grad_loss_id'].values.tolist() == [2, 4, 6, 8]
    assert (curves['val_single/mAP'].steps.tolist(), curves['val_single/mAP'].values.tolist()) == (
        [1, 2, 3],
        [10, 20, 30],
    )
    assert not set(curves) & {'step', 'iter', 'epoch'}


def test_gradients_may_be_logged_more_often_than_the_rest(resumed):
    write_log(resumed, '20261104_100000', {'reid/grad_loss_id': 7.0, 'step': 110}, *logged(150, 5.0, 3))
    curves = read_curves(resumed)
    assert curves['reid/grad_loss_id'].steps.tolist() == [50, 100, 110, 150]
    assert curves['reid/loss_id'].steps.tolist() == [50, 100, 150]


def test_a_training_that_begins_anew_replaces_the_old_one(resumed):
    write_log(resumed, '20261104_100000', *logged(50, 7.0, 1))
    curves = read_curves(resumed)
    assert curves['reid/loss_id'].values.tolist() == [7] and 'val_single/mAP' not in curves


def test_a_line_that_was_cut_off_ends_the_log_and_one_before_it_is_refused(resumed):
    log = resumed / '20261103_100000/vis_data/scalars.json'
    whole = log.read_text()
    log.write_text(whole + '{"reid/loss_id": 5.0, "st')
    assert read_curves(resumed)['reid/loss_id'].steps.tolist() == [50, 100, 120, 160]
    log.write_text('nonsense\n' + whole)
    with pytest.raises(ValueError, match='scalars.json, line 1, is no line of a training'):
        read_curves(resumed)


def test_a_folder_without_a_log_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='expected the work dir of a training'):
        read_curves(tmp_path)


def test_names_are_selected_by_pattern_and_what_is_there_is_listed():
    names = ['reid/loss_id', 'reid/grad_loss_id', 'reid.lr', 'time', 'generators/loss']
    assert select(names) == ['reid/loss_id', 'reid/grad_loss_id', 'reid.lr', 'generators/loss']
    assert select(names, ['reid/*']) == ['reid/loss_id', 'reid/grad_loss_id']
    assert select(names, ['time', '*.lr']) == ['reid.lr', 'time']
    with pytest.raises(ValueError, match='called loss_x, y; there are reid/loss_id, .*generators/loss'):
        select(names, ['loss_x', 'y'])


def curve(*values):
    return Curve(50 * np.arange(1, 1 + len(values)), np.array(values, float))


def panels(figure):
    """Title -> its lines, as (colour, values)."""
    found = {}
    for axis in figure.axes:
        if axis.get_title(loc='left'):
            lines = [(line.get_color(), line.get_ydata().tolist()) for line in axis.get_lines()]
            found[axis.get_title(loc='left')] = lines
    return found


def test_a_panel_shows_one_name_and_a_colour_one_run():
    a = {'reid/loss_id': curve(3, 2), 'reid/grad_loss_id': curve(1, 1), 'reid.lr': curve(0.1, 0.1)}
    b = {'reid/loss_id': curve(5, 4), 'reid/loss_tri': curve(1, 2)}
    figure = plot_curves({'a': a, 'b': b})
    assert panels(figure) == {
        'learning rate': [(RUNS[0], [0.1, 0.1])],
        'id': [(RUNS[0], [3, 2]), (RUNS[1], [5, 4])],
        'tri': [(RUNS[1], [1, 2])],
        '|∇| id': [(RUNS[0], [1, 1])],
    }
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ['a', 'b']
    with pytest.raises(ValueError, match='8 runs are more than can be told apart'):
        plot_curves({str(run): a for run in range(8)})


def test_terms_stand_above_their_gradients_by_phase():
    terms = ['adv_ir', 'cyc_rgb']
    curves = {f'generators/{kind}loss_{term}': curve(1, 2) for kind in ('', 'grad_') for term in terms}
    curves |= {'generators/loss': curve(2), 'generators.lr': curve(1), 'discriminators/loss': curve(1, 2)}
    curves['val_single/mAP'] = curve(1, 2)
    figure = plot_curves({'run': curves})
    rows = {}
    for axis in figure.axes:
        if title := axis.get_title(loc='left'):
            spec = axis.get_subplotspec()
            rows.setdefault(spec.rowspan.start, {})[spec.colspan.start] = title
    assert rows == {
        0: {0: 'sum of the terms', 1: 'adv_ir', 2: 'cyc_rgb'},
        1: {0: 'learning rate', 1: '|∇| adv_ir', 2: '|∇| cyc_rgb'},
        2: {0: 'sum of the terms'},
        3: {0: 'mAP'},
    }
    phases = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert phases == ['generators', 'discriminators', 'validation']
    labels = {axis.get_title(loc='left'): axis.get_xlabel() for axis in figure.axes}
    assert (labels['|∇| adv_ir'], labels['adv_ir'], labels['mAP']) == ('iteration', '', 'epoch')


def test_runs_of_other_magnitudes_are_both_seen():
    figure = plot_curves({'a': {'reid/loss_id': curve(1, 2)}, 'b': {'reid/loss_id': curve(1000, 900)}})
    assert figure.axes[0].get_yscale() == 'log'
    assert plot_curves({'a': {'reid/loss_id': curve(1, 2)}}).axes[0].get_yscale() == 'linear'
