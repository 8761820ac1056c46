import json
import os
import warnings
from itertools import combinations

import numpy as np
import pytest
from mmengine.config import Config

from tsgan.evaluation import METRIC_NAMES
from tsgan.experiments import selection
from tsgan.experiments.selection import (
    Scores,
    audit_checkpoints,
    check_same_test,
    checkpoints_table,
    choose,
    config_of_training,
    kept_checkpoints,
    read_scores,
    state_of,
    write_scores,
)

R1, MAP = METRIC_NAMES.index('R1'), METRIC_NAMES.index('mAP')


def one_query_each(*checkpoints):
    """Scores in [0, 1] of each person, who has one query in one trial, as all metrics of each checkpoint."""
    values = np.array(checkpoints, float)  # (C, I)
    return Scores(np.repeat(values[:, None, :, None], 6, axis=3), np.ones((1, values.shape[1]), int))


def test_what_is_worked_by_hand_for_four_people():
    # The early checkpoint finds 1 and 2, the last one 3 and 4. One of three splits is {1, 2} and {3, 4}: by the former
    # the early one is chosen, 100 ahead and then 100 behind; by the latter the last one. By any other half they are
    # equal, and the first of equals is neither ahead nor behind.
    choice = choose(one_query_each([1, 1, 0, 0], [0, 0, 1, 1]), 'R1')
    assert (choice.chosen, choice.score[R1], choice.difference[R1]) == (0, 50, 0)
    assert choice.gain[R1] == pytest.approx(-100 / 6, abs=3)
    assert choice.optimism[R1] == pytest.approx(-2 * choice.gain[R1])


def test_a_checkpoint_that_is_better_for_everybody_is_a_gain_without_optimism():
    last = np.linspace(0.2, 0.8, 9)
    choice = choose(one_query_each(last - 0.1, last + 0.05, last), 'mAP')
    assert choice.chosen == 1
    for values, expected in ((choice.difference, 5), (choice.gain, 5), (choice.optimism, 0)):
        np.testing.assert_allclose(values, expected, atol=1e-9)


def test_among_checkpoints_that_differ_by_noise_alone_choosing_gains_nothing_but_looks_as_if_it_did():
    # The mean over half of 40 people has a standard deviation of 10 / sqrt(20); the largest of ten standard normals
    # is 1.54 on average.
    draws = np.random.default_rng(0)
    choices = [choose(one_query_each(*draws.normal(0.5, 0.1, (10, 40))), 'mAP', repeats=20) for _ in range(400)]
    difference, gain, optimism = (
        np.array([getattr(choice, name)[MAP] for choice in choices]) for name in ('difference', 'gain', 'optimism')
    )
    error = 3 / np.sqrt(len(choices))
    assert gain.mean() == pytest.approx(0, abs=error * gain.std())
    assert optimism.mean() == pytest.approx(1.54 * 10 / np.sqrt(20), abs=error * optimism.std() + 0.01)
    assert difference.mean() == pytest.approx(1.54 * 10 / np.sqrt(40), abs=error * difference.std() + 0.01)
    assert error * optimism.std() < 0.5


def test_scores_are_means_over_the_queries_of_a_half_and_then_over_trials_in_loops():
    draws = np.random.default_rng(1)
    counts = draws.integers(1, 5, (3, 5))  # (T, I)
    sums = draws.random((4, 3, 5, 6)) * counts[:, :, None]
    choice = choose(Scores(sums, counts), 'mAP', repeats=4000)

    def score(checkpoint, people):
        trials = [sum(sums[checkpoint, t, i] for i in people) / sum(counts[t, i] for i in people) for t in range(3)]
        return 100 * sum(trials) / 3

    leads, gains = [], []
    for two in combinations(range(5), 2):  # every half is as likely as the others
        three = [i for i in range(5) if i not in two]
        for half, other in ((two, three), (three, two)):
            best = max(range(4), key=lambda c: score(c, half)[MAP])  # noqa: B023
            leads.append(score(best, half) - score(3, half))
            gains.append(score(best, other) - score(3, other))
    np.testing.assert_allclose(choice.gain, np.mean(gains, axis=0), atol=1)
    np.testing.assert_allclose(choice.optimism, np.mean(leads, axis=0) - np.mean(gains, axis=0), atol=2)
    everybody = [score(c, range(5)) for c in range(4)]
    assert choice.chosen == np.argmax([s[MAP] for s in everybody])
    np.testing.assert_allclose(choice.score, everybody[choice.chosen])
    np.testing.assert_allclose(choice.difference, everybody[choice.chosen] - everybody[-1])


def test_checkpoints_that_are_equal_differ_by_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        choice = choose(one_query_each(*[[0.5, 0, 1]] * 4), 'R1')
    assert choice.chosen == 0 and not any(map(np.any, (choice.difference, choice.gain, choice.optimism)))


def test_one_person_has_no_halves():
    with pytest.raises(
        ValueError, match='the test set has 1 identity to search for: two halves of them need at least 2'
    ):
        choose(one_query_each([1], [0]), 'R1')


@pytest.fixture
def make_training(tmp_path):
    """Makes a work dir with (empty) checkpoints of some epochs, and a config."""

    def make(name, epochs=(1, 2, 10), configs=('mine',)):
        folder = tmp_path / name
        folder.mkdir()
        for epoch in epochs:
            (folder / f'epoch_{epoch}.pth').touch()
        for config in configs:
            (folder / f'{config}.py').write_text('train_cfg = dict(max_epochs=10)')
        return folder

    return make


def test_checkpoints_are_in_the_order_of_training(make_training):
    folder = make_training('a')
    (folder / 'epoch_best.pth').touch()
    assert [file.name for file in kept_checkpoints(folder)] == ['epoch_1.pth', 'epoch_2.pth', 'epoch_10.pth']


def test_a_training_that_kept_no_checkpoints_or_no_config_is_told_what_is_expected(make_training, tmp_path):
    with pytest.raises(FileNotFoundError, match='a holds 1 of .*keep_ckpts=-1`, which keeps all'):
        kept_checkpoints(make_training('a', epochs=[3]))
    with pytest.raises(FileNotFoundError, match='holds 0 of'):
        kept_checkpoints(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='holds no config'):
        config_of_training(make_training('b', configs=[]))
    with pytest.raises(ValueError, match=r'holds several configs \(mine.py, yours.py\)'):
        config_of_training(make_training('c', configs=['mine', 'yours']))


def test_kept_scores_are_those_of_the_same_file_and_test_only(make_training):
    folder = make_training('a')
    checkpoint, file = folder / 'epoch_1.pth', folder / 'selection/epoch_1.npz'
    cfg = Config(dict(model=dict(depth=1), test_dataloader=dict(batch_size=1), test_evaluator=dict(protocol=dict())))
    scores = {'all_single': (np.random.default_rng(0).random((2, 3, 6)), np.arange(6).reshape(2, 3))}
    state = state_of(checkpoint, cfg)
    assert read_scores(file, state) is None
    write_scores(file, scores, state)
    found = read_scores(file, state_of(checkpoint, cfg))
    assert list(found) == ['all_single']
    for kept, written in zip(found['all_single'], scores['all_single'], strict=True):
        np.testing.assert_array_equal(kept, written)

    cfg.test_evaluator.tested = dict(epoch=9)  # as a test notes
    assert state_of(checkpoint, cfg) == state
    cfg.test_evaluator.normalize = False
    assert read_scores(file, state_of(checkpoint, cfg)) is None
    cfg.test_evaluator.pop('normalize')
    os.utime(checkpoint, (1, 1))
    assert read_scores(file, state_of(checkpoint, cfg)) is None
    file.write_bytes(file.read_bytes()[:100])
    assert read_scores(file, state) is None


def test_only_trainings_with_the_same_test_are_averaged():
    scores = one_query_each([1, 0], [0, 1])
    check_same_test({'a': {'x': scores}, 'b': {'x': scores}})
    with pytest.raises(ValueError, match='a was tested in x, b in y'):
        check_same_test({'a': {'x': scores}, 'b': {'y': scores}})
    with pytest.raises(ValueError, match='in x, a and b were tested on queries of other people'):
        check_same_test({'a': {'x': scores}, 'b': {'x': one_query_each([1, 0, 0], [0, 1, 0])}})


@pytest.fixture
def entries(make_training, monkeypatch):
    """What is found over two trainings of three checkpoints whose scores are planted."""
    planted = {
        'a': one_query_each([1, 1, 1], [0, 0, 1], [0, 1, 1]),
        'b': one_query_each([0, 0, 1], [1, 0, 0], [1, 1, 1]),
    }

    def score(checkpoints, cfg_options):
        assert cfg_options == ['data_root=d']
        return {folder: {'all_single': planted[folder.name]} for folder in checkpoints}

    monkeypatch.setattr(selection, 'score_checkpoints', score)
    return audit_checkpoints([make_training('a'), make_training('b')], ['data_root=d'])


def test_entries_are_of_the_last_and_of_the_best_with_means_over_trainings(entries):
    assert [row['convention'] for row in entries] == [
        'last checkpoint',
        'best on test by R1',
        'best on test by mAP',
    ]
    last, best, _ = entries
    assert last['R1'] == pytest.approx((200 / 3 + 100) / 2) and best['R1'] == pytest.approx(100)
    assert [run['checkpoint'] for run in last['runs']] == ['epoch_10.pth'] * 2
    assert [run['checkpoint'] for run in best['runs']] == ['epoch_1.pth', 'epoch_10.pth']
    assert best['difference']['R1'] == pytest.approx((100 / 6, 100 / 3 / np.sqrt(2)))
    assert 'difference' not in last and last['setting'] == 'all_single'
    assert 'no test score' in last['sentence'] and 'by its R1 on the test set' in best['sentence']
    assert all({'convention', 'setting', 'R1', 'mAP', 'mINP', 'source', 'sentence'} <= row.keys() for row in entries)
    json.dumps(entries)


def test_the_table_has_scores_and_leads_with_their_spread(entries):
    text = checkpoints_table(entries)
    assert '| all_single | last checkpoint | 83.33 ± 23.57 |' in text and '| 1, 10 |' in text
    assert '2 trainings of 3 checkpoints' in text
    assert '| all_single | R1 | +16.67 ± 23.57 |' in text
