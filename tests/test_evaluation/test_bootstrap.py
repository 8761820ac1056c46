import numpy as np
import pytest

from tsgan.evaluation.bootstrap import check_resampling, draw_identities, interval


def test_each_resample_draws_as_many_people_as_there_are():
    weights = draw_identities(np.random.default_rng(0), 7, 2000)
    assert weights.shape == (2000, 7) and (weights.sum(axis=1) == 7).all() and (weights >= 0).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.1)


def test_an_interval_leaves_out_as_much_on_either_side():
    low, high = interval(np.stack([np.arange(101), 2 * np.arange(101)], axis=1), 90)
    assert low.tolist() == [5, 10] and high.tolist() == [95, 190]


@pytest.mark.parametrize('bad', [(0, 95), (10, 0), (10, 100)])
def test_numbers_that_give_no_interval_are_refused(bad):
    with pytest.raises(ValueError, match='num_resamples >= 1 and 0 < confidence < 100'):
        check_resampling(*bad, 0)
    with pytest.raises(ValueError, match='Seeds start at 0, got -1'):
        check_resampling(10, 95, -1)
