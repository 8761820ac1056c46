import numpy as np
import pytest

from tsgan.evaluation import (
    CrossModalityProtocol,
    LLCMProtocol,
    OpenSetProtocol,
    RegDBProtocol,
    SingleModalityProtocol,
    SYSUMM01Protocol,
    described_protocol,
)

pytestmark = pytest.mark.filterwarnings('ignore:.*not comparable with published results')


@pytest.fixture(params=['sysu', 'regdb', 'llcm', 'single', 'cross'])
def closed(request, table, regdb_table, llcm_table, perm_file):
    """Each closed protocol of the house, with a table that it takes."""
    return {
        'sysu': (SYSUMM01Protocol(perm_file=perm_file, num_trials=3), table),
        'regdb': (RegDBProtocol(), regdb_table),
        'llcm': (LLCMProtocol(num_trials=3), llcm_table),
        'single': (SingleModalityProtocol('rgb', num_trials=3), table),
        'cross': (CrossModalityProtocol(num_trials=3), table),
    }[request.param]


def test_only_unknown_people_leave_the_galleries_of_the_closed_protocol(closed):
    closed, table = closed
    settings = OpenSetProtocol(closed, unknown=0.4, repeats=4).settings(table)
    before = closed.settings(table)
    assert list(settings) == list(before)
    for name, setting in settings.items():
        old = before[name]
        assert (setting.sampling, setting.dedupe, setting.exclude) == (old.sampling, old.dedupe, old.exclude)
        assert len(setting.trials) == 4 * len(old.trials)
        searched = np.unique(np.concatenate([table.pids[trial.query] for trial in old.trials]))
        number = None
        for place, trial in enumerate(setting.trials):
            closed_trial = old.trials[place // 4]
            assert np.array_equal(trial.query, closed_trial.query)
            left = np.setdiff1d(closed_trial.gallery, trial.gallery)
            unknown = np.unique(table.pids[left])
            assert not np.isin(table.pids[trial.gallery], unknown).any()  # with all their images
            assert np.isin(unknown, searched).all()  # nobody leaves who is not searched for
            people = np.intersect1d(searched, table.pids[closed_trial.gallery])
            number = number or len(unknown)
            assert len(unknown) == number == int(0.4 * len(people) + 0.5)
            same = np.setdiff1d(old.trials[0].gallery, setting.trials[place % 4].gallery)
            assert np.array_equal(unknown, np.unique(table.pids[same]))  # of a repeat, whatever the trial


def test_draws_are_the_seeds_and_each_repeat_has_its_own(table, perm_file):
    closed = SYSUMM01Protocol(modes=['all'], shots=(1,), perm_file=perm_file, num_trials=1)

    def galleries(seed, repeats):
        trials = OpenSetProtocol(closed, repeats=repeats, seed=seed).settings(table)['all_single'].trials
        return [tuple(sorted(trial.gallery)) for trial in trials]

    assert galleries(3, 5) == galleries(3, 5) and galleries(3, 5)[:2] == galleries(3, 2)
    assert len(set(galleries(3, 5))) > 1 and galleries(3, 5) != galleries(4, 5)


def test_named_people_are_left_out_once_whether_the_gallery_had_them_or_not(table, perm_file):
    closed = SYSUMM01Protocol(perm_file=perm_file, num_trials=2)
    protocol = OpenSetProtocol(closed, repeats=7, unknown_ids=[5, 2, 2])  # 5 was never in the gallery, 2 not indoors
    for name, setting in protocol.settings(table).items():
        assert len(setting.trials) == 2
        for trial, old in zip(setting.trials, closed.settings(table)[name].trials, strict=True):
            assert np.array_equal(trial.gallery, old.gallery[table.pids[old.gallery] != 2])
    assert protocol.describe()['unknown_ids'] == [2, 5] and protocol.describe()['repeats'] == 1


def test_it_is_made_anew_from_its_description(closed):
    closed, table = closed
    for protocol in (OpenSetProtocol(closed, 0.3, 2, 7), OpenSetProtocol(closed, unknown_ids=[1])):
        about = protocol.describe()
        again = described_protocol({**about, 'more': 1})
        assert again.describe() == about and about['closed'] == closed.describe()
        for name, setting in protocol.settings(table).items():
            for trial, other in zip(setting.trials, again.settings(table)[name].trials, strict=True):
                assert np.array_equal(trial.gallery, other.gallery)


@pytest.mark.parametrize('unknown', [0, 1, -0.1, 1.5, float('nan')])
def test_a_share_that_is_none_is_refused(unknown):
    with pytest.raises(ValueError, match=f'above 0, below 1, not {unknown}'):
        OpenSetProtocol(RegDBProtocol(), unknown)


def test_what_leaves_nobody_in_or_out_is_refused_in_a_sentence(table, perm_file):
    closed = SYSUMM01Protocol(modes=['all'], shots=(1,), perm_file=perm_file, num_trials=1)
    for options, said in [
        ({'repeats': 0}, 'Repeats start at 1 and seeds at 0, got repeats=0, seed=0.'),
        ({'seed': -1}, 'got repeats=10, seed=-1.'),
        ({'unknown_ids': []}, 'unknown_ids names nobody'),
        ({'unknown': 0.1}, "Setting 'all_single' has 3 people .* unknown=0.1 of them is nobody."),
        ({'unknown': 0.9}, "Setting 'all_single' has 3 people .* all of them are left out"),
        ({'unknown_ids': [1, 2, 4, 5]}, 'all of them are left out of it: at least one must stay.'),
        ({'unknown_ids': [1, 7, 99]}, "nobody searches for identity 7, 99 in setting 'all_single'"),
        ({'unknown_ids': range(10, 30)}, 'nobody searches for identity 10, 11, 12, 13, 14, ... in'),
    ]:
        with pytest.raises(ValueError, match=said):
            OpenSetProtocol(closed, **options).settings(table)
