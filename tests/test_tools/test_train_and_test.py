import json
import shutil

import numpy as np
import pytest
import torch
from small_training import assert_equal

SETTINGS = ['all_single', 'all_multi', 'indoor_single', 'indoor_multi']


def logged(work_dir):
    """What each training iteration of the work dir's only run logged, but for the times it took."""
    (file,) = work_dir.glob('*/vis_data/scalars.json')
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [{key: value for key, value in row.items() if 'time' not in key} for row in rows]


def checkpoint(path):
    return torch.load(path, weights_only=False)


def test_learning_rates_scale_with_the_batch_size_on_request(pretrained, teacher):
    scaled, plain = (logged(work_dir)[0]['reid.lr'] for work_dir in (pretrained, teacher))
    assert scaled == pytest.approx(plain * 8 / 64)


def test_each_training_begins_with_the_one_before_it(pretrained, teacher, tsgan):
    log = min(tsgan.glob('*/*.log')).read_text()  # that of the training, not of a test
    assert f'encoder of {pretrained.relative_to(tsgan.parents[2])}/epoch_1.pth' in log
    assert f'encoder of {teacher.relative_to(tsgan.parents[2])}/epoch_1.pth' in log
    trained, used = (checkpoint(d / 'epoch_1.pth')['state_dict'] for d in (teacher, tsgan))
    for name, tensor in used.items():
        if name.startswith('teacher.'):
            assert torch.equal(tensor, trained[name.replace('teacher.', 'reid.', 1)]), name


def test_every_term_is_logged_and_the_work_dir_has_log_curves_config_and_pictures(tsgan):
    rows = logged(tsgan)
    assert [row['step'] for row in rows] == [1, 2, 3, 4]
    terms = {'generators/loss_adv_ir', 'generators/loss_cyc_rgb', 'reid/loss_id', 'reid/loss_tri', 'reid/loss_gan'}
    terms |= {'reid/loss_ts_cd', 'reid/loss_ts_real_ir', 'reid/loss_ts_fake_ir', 'discriminators/loss_ir_fake'}
    for row in rows:
        assert terms <= row.keys()
        assert all(np.isfinite(value) for value in row.values())
    assert (tsgan / 'tsgan_jd.py').is_file() and (tsgan / 'translation_grid.jpg').is_file()
    assert list(tsgan.glob('*/vis_data/events.out.tfevents*'))


def test_a_training_resumed_after_an_epoch_ends_as_if_it_had_never_stopped(tsgan, train, tmp_path):
    stopped = tmp_path / 'stopped'  # in its second epoch
    stopped.mkdir()
    shutil.copy(tsgan / 'epoch_1.pth', stopped)
    (stopped / 'last_checkpoint').write_text(str(stopped / 'epoch_1.pth'))
    train('tsgan_jd', '--work-dir', stopped, '--resume', options=['train_cfg.max_epochs=2'])
    whole, resumed = checkpoint(tsgan / 'epoch_2.pth'), checkpoint(stopped / 'epoch_2.pth')
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(whole[part], resumed[part], part)
    assert (resumed['meta']['epoch'], resumed['meta']['iter']) == (2, 4)
    assert logged(stopped) == logged(tsgan)[2:]
    first = checkpoint(tsgan / 'epoch_1.pth')['state_dict']
    assert any(not torch.equal(tensor, whole['state_dict'][name]) for name, tensor in first.items())


def test_a_test_prints_the_table_and_writes_results_features_and_pictures(tsgan, test, tmp_path):
    results, features = tmp_path / 'out/results.json', tmp_path / 'out/features.npz'
    done = test('tsgan_jd', tsgan / 'epoch_2.pth', '--rerank', '--json', results, '--out', features, anew=True)
    rows = {line.split()[0]: line.split()[-1] for line in done.text.splitlines() if ' official x10 ' in line}
    assert rows == dict.fromkeys(SETTINGS, 'no') | {f'{name}_rerank': 'yes' for name in SETTINGS}
    found = json.loads(results.read_text())
    about = found.pop('about')
    assert set(found) == set(rows)
    for name, row in found.items():
        assert {'R1', 'R5', 'R10', 'R20', 'mAP', 'mINP', 'R1_std', 'mINP_std'} <= row.keys()
        assert (row['sampling'], row['num_trials'], row['reranked']) == ('official', 10, name.endswith('_rerank'))
        assert row['num_queries'] == 4 * 2 * 3  # identities x cameras x frames
        cameras = 4 if name.startswith('all') else 2
        assert row['num_gallery'] == 4 * cameras * (1 if 'single' in name else 3)  # all there are, where fewer than 10
    assert about['gallery_sampling'] == 'official' and about['rerank'] is True
    assert about['training_identities'] == 'train of the synthetic set, last checkpoint'
    with np.load(features) as arrays:
        assert arrays['query_feats'].shape == (24, 128) and arrays['gallery_feats'].shape == (48, 128)
        assert set(arrays['query_camids']) == {3, 6} and set(arrays['gallery_camids']) == {1, 2, 4, 5}
        assert set(arrays['gallery_pids']) == {10, 11, 12, 13}
    assert (tsgan / 'ranked_list.jpg').is_file()


def test_two_ranks_without_a_gpu_train_a_checkpoint_that_one_process_tests(
    teacher, train, test, workshop, tmp_path, free_port
):
    ema = ['default_hooks.ema.type=EMAHook', 'default_hooks.ema.momentum=0.5']
    train('tsgan_jd', '--work-dir', tmp_path, ranks=2, options=ema)
    saved = checkpoint(tmp_path / 'epoch_1.pth')
    assert not any('.module.' in name for name in saved['state_dict'])
    trained = saved['ema_state_dict']['module.reid.head.classifier.weight']  # the hook swaps the two on disk
    assert not torch.equal(trained, saved['state_dict']['reid.head.classifier.weight'])
    test('tsgan_jd', tmp_path / 'epoch_1.pth', '--json', tmp_path / 'results.json')
    assert set(json.loads((tmp_path / 'results.json').read_text())) == {*SETTINGS, 'about'}


def test_a_missing_teacher_names_the_command_that_trains_it(pretrained, elsewhere, train):
    shutil.copytree(pretrained, elsewhere / 'work_dirs/synthetic/pretrain')
    done = train('tsgan_jd', cwd=elsewhere, fails=True)
    assert 'no trained model at work_dirs/synthetic/teacher_ir' in done.error
    assert '`python tools/train.py configs/synthetic/teacher_ir.py`' in done.error


def test_check_data_names_the_broken_image_before_training(pretrained, elsewhere, train):
    broken = elsewhere / 'data/synthetic/cam3/0002/0002.jpg'
    broken.write_bytes(broken.read_bytes()[:300])
    done = train('backbone', '--check-data', cwd=elsewhere, fails=True)
    assert '1 of 108 files' in done.text and 'cam3/0002/0002.jpg' in done.error
    assert not (elsewhere / 'work_dirs').exists()


def test_a_config_of_another_number_of_identities_is_refused_in_one_sentence(pretrained, train, tmp_path):
    options = ['model.reid.head.num_classes=300']
    done = train('backbone', '--work-dir', tmp_path, options=options, fails=True)
    assert 'the training set has 6 identities, but model.reid.head.num_classes is 300' in done.error
    assert '`--cfg-options model.reid.head.num_classes=6`' in done.error


def test_amp_without_a_gpu_is_refused_in_one_sentence(train, tmp_path):
    done = train('tsgan_jd', '--amp', '--work-dir', tmp_path, fails=True)
    assert done.error == 'error: --amp needs a GPU, and torch sees none: train without it.'
