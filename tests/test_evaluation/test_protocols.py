import random
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tsgan.evaluation import (
    CrossModalityProtocol,
    LLCMProtocol,
    RegDBProtocol,
    SingleModalityProtocol,
    SYSUMM01Protocol,
)


def images(table, rows):
    """(identity, camera, frame) of rows."""
    return list(zip(table.pids[rows].tolist(), table.camids[rows].tolist(), table.frames[rows].tolist(), strict=True))


def test_official_galleries_are_the_first_images_of_the_permutations(table, perm_file):
    settings = SYSUMM01Protocol(perm_file=perm_file).settings(table)
    assert list(settings) == ['all_single', 'all_multi', 'indoor_single', 'indoor_multi']
    perms = loadmat(perm_file)['rand_perm_cam']
    for name, cameras, shot in [
        ('all_single', (1, 2, 4, 5), 1),
        ('all_multi', (1, 2, 4, 5), 10),
        ('indoor_single', (1, 2), 1),
        ('indoor_multi', (1, 2), 10),
    ]:
        assert len(settings[name].trials) == 10
        for number, trial in enumerate(settings[name].trials):
            expected = []
            for pid in range(1, 8):
                for cam in cameras:
                    perm = perms[cam - 1, 0].ravel()[pid - 1]
                    expected += [(pid, cam, int(frame)) for frame in perm[number, :shot]]
            assert sorted(images(table, trial.gallery)) == sorted(expected)


def test_probes_are_all_images_of_cameras_3_and_6(table, perm_file):
    for setting in SYSUMM01Protocol(perm_file=perm_file).settings(table).values():
        assert setting.dedupe
        for trial in setting.trials:
            assert sorted(trial.query) == [row for row in range(len(table)) if table.camids[row] in (3, 6)]


def test_a_camera_3_probe_never_sees_camera_2_whatever_the_identity(table, perm_file):
    setting = SYSUMM01Protocol(perm_file=perm_file).settings(table)['all_multi']
    query, gallery = setting.trials[0]
    mask = setting.exclude(table, query, gallery)
    for q, row in enumerate(query):
        for g, column in enumerate(gallery):
            assert mask[q, g] == (table.camids[row] == 3 and table.camids[column] == 2)


def test_agw_galleries_are_the_draws_of_the_published_loop(table):
    settings = SYSUMM01Protocol(gallery_sampling='agw', shots=(1,)).settings(table)
    for name, cameras in [('all_single', (1, 2, 4, 5)), ('indoor_single', (1, 2))]:
        for number, trial in enumerate(settings[name].trials):
            random.seed(number)
            expected = []
            for pid in sorted(set(table.pids.tolist())):
                for cam in cameras:
                    frames = sorted(table.frames[(table.pids == pid) & (table.camids == cam)].tolist())
                    if frames:
                        expected.append((pid, cam, random.choice(frames)))
            assert images(table, trial.gallery) == expected


def test_sampling_leaves_the_callers_random_state_alone(table):
    random.seed(5)
    state = random.getstate()
    SYSUMM01Protocol(gallery_sampling='agw', shots=(1,)).settings(table)
    assert random.getstate() == state


def test_the_order_of_rows_does_not_change_the_galleries(table, perm_file):
    order = np.random.default_rng(3).permutation(len(table))
    columns = {name: getattr(table, name)[order] for name in ('feats', 'pids', 'camids', 'frames', 'modalities')}
    shuffled = replace(table, **columns)
    for protocol in (SYSUMM01Protocol(perm_file=perm_file), SYSUMM01Protocol(shots=(1,))):
        for name, setting in protocol.settings(table).items():
            for trial, other in zip(setting.trials, protocol.settings(shuffled)[name].trials, strict=True):
                assert images(table, trial.gallery) == images(shuffled, other.gallery)


def test_the_validation_mode_searches_cameras_4_and_5(table, perm_file):
    settings = SYSUMM01Protocol(modes=['val'], shots=[1], perm_file=perm_file).settings(table)
    assert list(settings) == ['val_single']
    for trial in settings['val_single'].trials:
        assert set(table.camids[trial.gallery].tolist()) == {4, 5}


def test_sampling_is_official_where_the_file_is_and_agw_elsewhere(perm_file):
    assert SYSUMM01Protocol(perm_file=perm_file).describe()['gallery_sampling'] == 'official'
    assert SYSUMM01Protocol(perm_file=perm_file + 'x', shots=(1,)).describe()['gallery_sampling'] == 'agw'
    assert SYSUMM01Protocol(shots=(1,)).describe()['gallery_sampling'] == 'agw'
    agw = SYSUMM01Protocol(perm_file=perm_file, gallery_sampling='agw', shots=(1,)).describe()
    assert (agw['gallery_sampling'], agw['perm_file']) == ('agw', None)


def test_official_sampling_without_its_file_says_where_it_comes_from():
    with pytest.raises(FileNotFoundError, match='rand_perm_cam.mat.*official evaluation code.*exp/'):
        SYSUMM01Protocol(gallery_sampling='official')
    with pytest.raises(FileNotFoundError, match='no file nowhere.mat'):
        SYSUMM01Protocol(gallery_sampling='official', perm_file='nowhere.mat')


def test_multi_shot_needs_the_official_sampling():
    with pytest.raises(ValueError, match='single-shot only'):
        SYSUMM01Protocol(gallery_sampling='agw')
    with pytest.raises(ValueError, match='single-shot only'):
        SYSUMM01Protocol(shots=(10,))


def test_without_the_official_file_the_single_shot_settings_remain(table):
    with pytest.warns(UserWarning, match='Multi-shot search is left out.*rand_perm_cam.mat'):
        protocol = SYSUMM01Protocol(perm_file='nowhere.mat')
    assert list(protocol.settings(table)) == ['all_single', 'indoor_single']


@pytest.mark.parametrize('drop', [slice(0, 1), slice(0, None)])
def test_a_permutation_file_for_other_data_is_refused(table, perm_file, drop):
    """A folder with an image less, and one with an identity that the file never saw in that camera."""
    rows = np.flatnonzero((table.pids == 1) & (table.camids == 4))
    frames, camids = table.frames.copy(), table.camids.copy()
    frames[rows[drop]] += 100
    camids[rows[drop]] = 5
    with pytest.raises(ValueError, match='is for other data'):
        SYSUMM01Protocol(perm_file=perm_file).settings(replace(table, frames=frames, camids=camids))


def test_a_file_that_holds_no_permutations_is_refused(tmp_path, perm_file):
    savemat(tmp_path / 'other.mat', {'x': 1})
    (tmp_path / 'text.mat').write_text('no matlab')
    for name in ('other.mat', 'text.mat'):
        with pytest.raises(ValueError, match='rand_perm_cam'):
            SYSUMM01Protocol(perm_file=str(tmp_path / name))
    with pytest.raises(ValueError, match='fewer than num_trials=11'):
        SYSUMM01Protocol(perm_file=perm_file, num_trials=11)


def test_a_table_that_does_not_fit_sysu_is_refused(table):
    protocol = SYSUMM01Protocol(shots=(1,))
    with pytest.raises(ValueError, match='frame'):
        protocol.settings(replace(table, frames=None))
    nameless = replace(table, modalities=None)
    with pytest.raises(ValueError, match='IR cameras 3 and 6'):
        protocol.settings(replace(nameless, camids=np.full(len(table), 1)))
    with pytest.raises(ValueError, match="Mode 'all'"):
        protocol.settings(replace(nameless, camids=np.full(len(table), 6)))


def test_sysu_images_under_cameras_of_the_other_modality_are_refused(table):
    protocol = SYSUMM01Protocol(shots=(1,))
    for camids, said in (
        (table.camids - 1, '16 ir images'),  # counted from 0
        (np.where(table.camids == 6, 7, table.camids), 'such as 7'),
        (np.where(table.camids == 5, 6, table.camids), 'rgb images'),
    ):
        with pytest.raises(ValueError, match=said):
            protocol.settings(replace(table, camids=camids))
    with pytest.raises(ValueError, match='images are of other cameras'):
        protocol.settings(replace(table, modalities=np.where(table.modalities == 'ir', 'rgb', 'ir')))


@pytest.mark.parametrize(
    ('spoil', 'said'),
    [
        (lambda perm: perm - 1, 'is damaged: expected permutations of 1 to n'),
        (lambda perm: perm[:, ::-1] * 0 + 1, 'is damaged'),
        (lambda perm: perm[:7], 'holds 7 trials'),
    ],
)
def test_a_permutation_file_is_checked(perm_file, spoil, said):
    cells = loadmat(perm_file)['rand_perm_cam']
    cells[3, 0][0, 1] = spoil(cells[3, 0][0, 1].astype(np.uint8))
    savemat(perm_file, {'rand_perm_cam': cells})
    with pytest.raises(ValueError, match=said):
        SYSUMM01Protocol(perm_file=perm_file)


def test_a_file_with_anything_else_for_permutations_is_refused(tmp_path):
    savemat(tmp_path / 'other.mat', {'rand_perm_cam': np.arange(6)})
    with pytest.raises(ValueError, match='is damaged'):
        SYSUMM01Protocol(perm_file=str(tmp_path / 'other.mat'))


@pytest.mark.parametrize(
    'arguments', [{'modes': ['outdoor']}, {'modes': []}, {'shots': [0]}, {'num_trials': 0}, {'gallery_sampling': 'x'}]
)
def test_bad_sysu_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        SYSUMM01Protocol(**{'shots': (1,), **arguments})


@pytest.mark.parametrize('modality', ['rgb', 'ir'])
def test_single_modality_queries_are_one_image_per_identity_and_camera(table, modality):
    setting = SingleModalityProtocol(modality).settings(table)['single_modality']
    in_modality = np.flatnonzero(table.modalities == modality)
    folders = {(table.pids[row], table.camids[row]) for row in in_modality}
    for query, gallery in setting.trials:
        assert len(query) == len(folders) == len({(table.pids[row], table.camids[row]) for row in query})
        assert sorted([*query, *gallery]) == in_modality.tolist()
        mask = setting.exclude(table, query, gallery)
        for q, g in np.ndindex(mask.shape):
            same = table.pids[query[q]] == table.pids[gallery[g]] and table.camids[query[q]] == table.camids[gallery[g]]
            assert mask[q, g] == same
    assert not np.array_equal(setting.trials[0].query, setting.trials[1].query)


def test_single_modality_without_cameras_excludes_nothing(table):
    setting = SingleModalityProtocol('ir', across_cameras=False).settings(table)['single_modality']
    assert setting.exclude is None


@pytest.mark.parametrize('shots', [1, 3])
def test_cross_modality_searches_both_ways_in_a_gallery_of_few_images_an_identity(table, shots):
    settings = CrossModalityProtocol(shots=shots, num_trials=4).settings(table)
    assert list(settings) == ['ir_to_rgb', 'rgb_to_ir']
    for name, query_modality, gallery_modality in [('ir_to_rgb', 'ir', 'rgb'), ('rgb_to_ir', 'rgb', 'ir')]:
        assert len(settings[name].trials) == 4
        for query, gallery in settings[name].trials:
            assert query.tolist() == np.flatnonzero(table.modalities == query_modality).tolist()
            assert set(table.modalities[gallery]) == {gallery_modality}
            assert len(set(gallery.tolist())) == len(gallery)
            images_of = np.bincount(table.pids[table.modalities == gallery_modality])
            np.testing.assert_array_equal(np.bincount(table.pids[gallery]), np.minimum(images_of, shots))


def test_seeded_protocols_draw_the_same_again(table):
    for protocol, name in ((SingleModalityProtocol('rgb'), 'single_modality'), (CrossModalityProtocol(), 'rgb_to_ir')):
        for first, again in zip(*(protocol.settings(table)[name].trials for _ in range(2)), strict=True):
            np.testing.assert_array_equal(first.query, again.query)
            np.testing.assert_array_equal(first.gallery, again.gallery)


@pytest.mark.parametrize('protocol', [SingleModalityProtocol('ir'), CrossModalityProtocol()])
def test_a_table_without_the_modality_is_refused(table, protocol):
    with pytest.raises(ValueError, match='needs `modalities`'):
        protocol.settings(replace(table, modalities=None))
    with pytest.raises(ValueError, match="no image of modality 'ir'"):
        protocol.settings(replace(table, modalities=np.full(len(table), 'rgb')))


def sides(direction):
    return direction.split('_to_')


def test_regdb_searches_all_images_of_one_modality_with_all_of_the_other(table):
    settings = RegDBProtocol().settings(table)
    assert set(settings) == {'ir_to_rgb', 'rgb_to_ir'}
    for direction, setting in settings.items():
        ((query, gallery),) = setting.trials
        for rows, modality in zip((query, gallery), sides(direction), strict=True):
            assert rows.tolist() == np.flatnonzero(table.modalities == modality).tolist()
        assert not setting.dedupe
        assert setting.exclude is None


def test_llcm_draws_the_gallery_and_not_the_queries_in_both_directions(table):
    settings = LLCMProtocol().settings(table)
    assert set(settings) == {'ir_to_rgb', 'rgb_to_ir'}
    for direction, setting in settings.items():
        query_modality, gallery_modality = sides(direction)
        assert setting.dedupe
        assert len(setting.trials) == 10
        for seed, (query, gallery) in enumerate(setting.trials):
            assert query.tolist() == np.flatnonzero(table.modalities == query_modality).tolist()
            random.seed(seed)
            expected = []
            for pid in sorted(set(table.pids.tolist())):  # the published loop: identities, then cameras
                for cam in range(1, 10):
                    folder = (table.pids == pid) & (table.camids == cam) & (table.modalities == gallery_modality)
                    frames = sorted(table.frames[folder].tolist())
                    if frames:
                        expected.append((pid, cam, random.choice(frames)))
            assert images(table, gallery) == expected


def test_llcm_hides_the_querys_identity_in_the_querys_camera_only(table):
    one_camera = replace(table, camids=np.where(table.modalities == 'ir', 4, table.camids))
    setting = LLCMProtocol(['ir_to_rgb'], num_trials=1).settings(one_camera)['ir_to_rgb']
    query, gallery = setting.trials[0]
    mask = setting.exclude(one_camera, query, gallery)
    assert mask.any()
    for q, row in enumerate(query):
        for g, column in enumerate(gallery):
            same = table.pids[row] == table.pids[column]
            assert mask[q, g] == (same and one_camera.camids[column] == 4)


@pytest.mark.parametrize('protocol', [RegDBProtocol, LLCMProtocol, CrossModalityProtocol])
def test_unknown_directions_are_refused(protocol, table):
    for directions in ([], ['visible_to_thermal']):
        with pytest.raises(ValueError, match='Directions are ir_to_rgb, rgb_to_ir'):
            protocol(directions=directions)
    with pytest.raises(ValueError, match="no image of modality 'ir'"):
        protocol().settings(replace(table, modalities=np.full(len(table), 'rgb')))


@pytest.mark.parametrize('protocol', [LLCMProtocol(), SYSUMM01Protocol(gallery_sampling='agw', shots=(1,))])
def test_seeded_draws_need_frame_numbers_that_tell_images_apart(protocol, table):
    with pytest.raises(ValueError, match='must number the 4 images of identity 1 in camera 1 apart'):
        protocol.settings(replace(table, frames=np.zeros(len(table))))
    with pytest.raises(ValueError, match='`frames`'):
        protocol.settings(replace(table, frames=np.ones(len(table))))


def test_llcm_counts_trials_from_1():
    with pytest.raises(ValueError, match='num_trials=0'):
        LLCMProtocol(num_trials=0)
