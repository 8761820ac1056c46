import random
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tsgan.evaluation import (
    CrossModalityProtocol,
    FeatureTable,
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
    with pytest.raises(ValueError, match='other.mat is no MATLAB 5 file with a cell array .*where cells were expected'):
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


def test_regdb_searches_all_images_of_one_modality_with_all_of_the_other(regdb_table):
    table = regdb_table
    settings = RegDBProtocol().settings(table)
    assert set(settings) == {'ir_to_rgb', 'rgb_to_ir'}
    for direction, setting in settings.items():
        ((query, gallery),) = setting.trials
        for rows, modality in zip((query, gallery), sides(direction), strict=True):
            assert rows.tolist() == np.flatnonzero(table.modalities == modality).tolist()
        assert not setting.dedupe
        assert setting.exclude is None


def test_llcm_draws_the_gallery_and_not_the_queries_in_both_directions(llcm_table):
    table = llcm_table
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


@pytest.mark.parametrize(
    ('frames', 'said'),
    [
        (lambda frames: None, r'`frames` \((query|gallery)_frames in a features file\) are missing: number the images'),
        (lambda frames: 0 * frames, 'are missing'),
        (
            lambda frames: frames - 1,
            r'`frames` \((query|gallery)_frames in a features file\) are counted from 0: add 1',
        ),
        (lambda frames: frames - 3, 'begin with -2: expected 1 or more'),
        (
            lambda frames: 1 + 0 * frames,
            r'apart: row \d+ of the (IR|RGB) images \(\d+.jpg\) and row .* both have number 1',
        ),
    ],
)
@pytest.mark.parametrize('data', ['table', 'llcm_table'])
def test_draws_need_frame_numbers_from_1_that_tell_images_apart(data, frames, said, request):
    table = request.getfixturevalue(data)
    protocol = SYSUMM01Protocol(gallery_sampling='agw', shots=(1,)) if data == 'table' else LLCMProtocol()
    spoilt = replace(table, frames=frames(table.frames), paths=[f'{row}.jpg' for row in range(len(table))])
    with pytest.raises(ValueError, match=said):
        protocol.settings(spoilt)


def test_missing_frames_are_those_of_the_modality_that_is_drawn_from(llcm_table):
    spoilt = replace(llcm_table, frames=np.where(llcm_table.modalities == 'ir', 0, llcm_table.frames))
    assert LLCMProtocol(['ir_to_rgb']).settings(spoilt)
    with pytest.raises(ValueError, match=r'\(query_frames in a features file\) are missing'):
        LLCMProtocol(['rgb_to_ir']).settings(spoilt)


def test_frames_that_begin_later_are_no_harm(llcm_table):
    assert LLCMProtocol().settings(replace(llcm_table, frames=llcm_table.frames + 41))


def under(table, rgb, ir):
    """The table's images, each modality under these cameras in turn."""
    camids = np.empty(len(table), int)
    for modality, cameras in (('rgb', rgb), ('ir', ir)):
        rows = table.modalities == modality
        camids[rows] = np.resize(cameras, rows.sum())
    return replace(table, camids=camids)


SYSU = SYSUMM01Protocol(shots=(1,))


@pytest.mark.parametrize(
    ('protocol', 'rgb', 'ir', 'hint'),
    [
        (RegDBProtocol(), (1, 2, 4, 5), (3, 6), 'such are those of SYSU-MM01'),
        (RegDBProtocol(), range(1, 10), (1, 2, 4, 5, 6, 7, 8, 9), 'such are those of LLCM'),
        (RegDBProtocol(), (1, 2), (7,), 'such are those of no data set known here'),
        (LLCMProtocol(), (1, 2, 4, 5), (3, 6), 'such are those of SYSU-MM01'),
        (LLCMProtocol(), (1, 4), (6,), 'such are those of SYSU-MM01'),  # of cameras 1 to 9, but none in both modalities
        (LLCMProtocol(), (1,), (2,), 'such are those of RegDB'),
        (LLCMProtocol(), (0,), (0,), 'such are those of RegDB'),
        (LLCMProtocol(), range(9), (0, 1, 3, 4, 5, 6, 7, 8), 'seem to be counted from 0'),
        (LLCMProtocol(), (1, 2, 4), (1, 2, 3, 4), 'with the modalities swapped these are right'),
        (LLCMProtocol(), range(1, 15), (1, 2), 'no data set known here'),
        (SYSU, (1,), (2,), 'such are those of RegDB'),
        (SYSU, range(1, 10), (1, 2, 4, 5, 6, 7, 8, 9), 'such are those of LLCM'),
        (SYSU, (0, 1, 3, 4), (2, 5), 'seem to be counted from 0'),
        (SYSU, (3, 6), (1, 2, 4, 5), 'with the modalities swapped these are right'),
        (SYSU, (1, 2, 4, 5), (3, 7), 'no data set known here'),
    ],
)
def test_a_protocol_that_the_cameras_contradict_is_refused_and_the_one_that_fits_is_named(
    table, protocol, rgb, ir, hint
):
    with pytest.raises(
        ValueError, match=f"'s protocol expects .*; the images are of RGB camera.*IR camera.*: .*{hint}"
    ):
        protocol.settings(under(table, rgb, ir))


@pytest.mark.parametrize(
    ('protocol', 'rgb', 'ir'),
    [
        (RegDBProtocol(), (0,), (0,)),  # nobody asked for cameras
        (RegDBProtocol(), (1,), (2,)),
        (LLCMProtocol(), (1, 2), (2,)),
        (SYSU, (2, 4), (6,)),
        (SYSU, (1, 5), (3, 6)),
    ],
)  # fmt: skip
def test_some_of_a_data_sets_cameras_will_do(table, protocol, rgb, ir):
    few = replace(under(table, rgb, ir), frames=np.arange(1, len(table) + 1))
    assert protocol.settings(few)


def test_a_sysu_table_without_modalities_has_them_from_its_cameras(table):
    nameless = replace(table, modalities=None)
    for name, setting in SYSU.settings(nameless).items():
        np.testing.assert_array_equal(setting.trials[0].gallery, SYSU.settings(table)[name].trials[0].gallery)
    with pytest.raises(ValueError, match='seem to be counted from 0|no data set known here'):
        SYSU.settings(replace(nameless, camids=table.camids - 1))


def regdb_split(num_ids, num_images):
    pids = np.tile(np.repeat(np.arange(num_ids), num_images), 2)
    modalities = np.repeat(['rgb', 'ir'], num_ids * num_images)
    return FeatureTable(np.ones((len(pids), 1)), pids, np.where(modalities == 'ir', 2, 1), modalities=modalities)


def test_other_counts_than_the_data_sets_are_said_and_measured(llcm_table, recwarn):
    assert RegDBProtocol().settings(regdb_split(206, 10))
    assert not recwarn
    with pytest.warns(
        UserWarning, match='RegDB has 206 test identities with 10 images in each .* these are of 412 with 10'
    ):
        assert RegDBProtocol().settings(regdb_split(412, 10))
    whole = regdb_split(206, 10)
    columns = {name: getattr(whole, name)[1:] for name in ('feats', 'pids', 'camids', 'modalities')}
    with pytest.warns(UserWarning, match='these are of 206 with 9 to 10'):
        RegDBProtocol().settings(replace(whole, **columns))
    with pytest.warns(UserWarning, match='LLCM has 351 test identities, these are of 5: not comparable'):
        assert LLCMProtocol().settings(llcm_table)


def test_llcm_counts_trials_from_1():
    with pytest.raises(ValueError, match='num_trials=0'):
        LLCMProtocol(num_trials=0)
