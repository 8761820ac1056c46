import numpy as np
import pytest

from tsgan.evaluation import METRIC_NAMES, results_table
from tsgan.experiments import average_splits


def setting(seed, reranked=False):
    """A row of results as `evaluate` returns it, with numbers made up."""
    rng = np.random.default_rng(seed)
    values = {key: float(rng.uniform(0, 100)) for name in METRIC_NAMES for key in (name, f'{name}_std')}
    counts = {'num_queries': 2060.0 + seed, 'num_gallery': 2060.0, 'num_trials': 1}
    return {**values, **counts, 'sampling': 'all images', 'reranked': reranked}


def test_each_metric_is_the_mean_over_the_splits_with_its_deviation_over_them():
    splits = [{'rgb_to_ir': setting(seed), 'ir_to_rgb': setting(seed + 10)} for seed in range(3)]
    means = average_splits(splits)
    assert list(means) == ['rgb_to_ir', 'ir_to_rgb']
    for name, row in means.items():
        for key in METRIC_NAMES:
            values = [split[name][key] for split in splits]
            mean = sum(values) / 3
            assert row[key] == pytest.approx(mean)
            assert row[f'{key}_std'] ** 2 == pytest.approx(sum((value - mean) ** 2 for value in values) / 3)
        assert (row['num_trials'], row['sampling'], row['num_gallery']) == (3, 'splits', 2060)
    assert means['rgb_to_ir']['num_queries'] == 2061


def test_one_split_is_its_own_mean():
    row = average_splits([{'ir_to_rgb': setting(0)}])['ir_to_rgb']
    assert all(row[key] == setting(0)[key] and row[f'{key}_std'] == 0 for key in METRIC_NAMES)


def test_a_setting_that_one_split_lacks_and_what_the_results_are_about_stay_out():
    reranked = {'ir_to_rgb': setting(0), 'ir_to_rgb_rerank': setting(1, reranked=True), 'about': {'split': 1}}
    plain = {'ir_to_rgb': setting(2), 'about': {'split': 2}}
    assert list(average_splits([reranked, plain])) == list(average_splits([plain, reranked])) == ['ir_to_rgb']
    assert average_splits([reranked])['ir_to_rgb_rerank']['reranked'] is True


def test_the_mean_prints_as_a_table():
    lines = results_table(average_splits([{'ir_to_rgb': setting(seed)} for seed in range(10)])).splitlines()
    assert 'splits x10' in lines[1]


def test_no_splits_have_no_mean():
    with pytest.raises(ValueError, match='no splits to average'):
        average_splits([])
