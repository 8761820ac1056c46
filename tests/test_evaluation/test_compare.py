from dataclasses import replace

import numpy as np
import pytest

from tsgan.evaluation import METRIC_NAMES, SYSUMM01Protocol, compare, comparison_table, evaluate, score_settings
from tsgan.evaluation.ranking import measures


@pytest.fixture
def better(table):
    """Features that say more of the person, of the same images."""
    return replace(table, feats=table.feats + 0.4 * np.eye(8, 6)[table.pids])


@pytest.fixture
def protocol(perm_file):
    return SYSUMM01Protocol(perm_file=perm_file, num_trials=3)


def test_both_sides_are_what_evaluate_gives_and_the_difference_is_theirs(table, better, protocol):
    result = compare(table, better, protocol, rerank=True, num_resamples=20)
    a, b = evaluate(table, protocol, rerank=True), evaluate(better, protocol, rerank=True)
    assert list(result) == list(a)
    for name, metrics in result.items():
        assert list(metrics) == list(METRIC_NAMES)
        for metric, row in metrics.items():
            assert row['a'] == pytest.approx(a[name][metric])
            assert row['b'] == pytest.approx(b[name][metric])
            assert row['difference'] == pytest.approx(row['b'] - row['a'])
            assert row['low'] <= row['high']


def test_the_interval_is_of_people_drawn_anew_with_all_their_queries(table, better, protocol):
    result = compare(table, better, protocol, num_resamples=200, confidence=80, seed=3)
    scored = [score_settings(features, protocol) for features in (table, better)]
    draws = np.random.default_rng(3)
    for name in scored[0]:
        people = [1, 2, 4] if name.startswith('all') else [1, 4]  # 5 and 7 have no match, 2 none indoors
        counts = draws.multinomial(len(people), np.full(len(people), 1 / len(people)), 200)
        differences = []
        for count in counts:
            means = []
            for method in scored:
                trials = []
                for trial, scores in zip(method[name].setting.trials, method[name].scores, strict=True):
                    pids = table.pids[trial.query]
                    drawn = np.concatenate(
                        [np.tile(np.flatnonzero(pids == pid), times) for pid, times in zip(people, count, strict=True)]
                    )
                    trials.append(measures(scores)[drawn].mean(axis=0))
                means.append(np.mean(trials, axis=0))
            differences.append(100 * (means[1] - means[0]))
        low, high = np.percentile(differences, [10, 90], axis=0)
        np.testing.assert_allclose([result[name][metric]['low'] for metric in METRIC_NAMES], low, atol=1e-9)
        np.testing.assert_allclose([result[name][metric]['high'] for metric in METRIC_NAMES], high, atol=1e-9)


def test_a_method_does_not_differ_from_itself(table, protocol):
    for metrics in compare(table, table, protocol, num_resamples=50).values():
        for row in metrics.values():
            assert (row['difference'], row['low'], row['high']) == (0, 0, 0)


def test_only_the_same_images_are_compared(table, better, protocol):
    half = np.arange(len(table) // 2)
    columns = ('feats', 'pids', 'camids', 'frames', 'modalities')
    with pytest.raises(ValueError, match='A has 76, B has 38'):
        compare(table, replace(table, **{name: getattr(table, name)[half] for name in columns}), protocol)
    pids = table.pids.copy()
    pids[5] += 1
    with pytest.raises(
        ValueError, match=r'in pids A has (.) for (row . of the .* images) and B has . for \2 .cam/5.jpg.'
    ):
        compare(table, replace(better, pids=pids, paths=[f'cam/{row}.jpg' for row in range(len(pids))]), protocol)
    frames = np.where(table.modalities == 'ir', 0, table.frames)  # a file without query_frames
    assert compare(table, replace(better, frames=frames), protocol, num_resamples=9)


@pytest.mark.parametrize('bad', [{'num_resamples': 0}, {'confidence': 100}, {'confidence': 0}])
def test_bad_numbers_are_refused(table, better, protocol, bad):
    with pytest.raises(ValueError, match='num_resamples >= 1 and 0 < confidence < 100'):
        compare(table, better, protocol, **bad)


def test_the_table_stars_what_leaves_out_zero():
    row = {'a': 10.0, 'b': 12.0, 'difference': 2.0}
    clear, unclear = row | {'low': 0.5, 'high': 3.0}, row | {'low': -1.0, 'high': 3.0}
    text = comparison_table({'all_single': {'R1': clear, 'mAP': unclear}})
    assert '+2.00   [+0.50, +3.00] *' in text
    assert text.splitlines()[-1].endswith('[-1.00, +3.00]')
