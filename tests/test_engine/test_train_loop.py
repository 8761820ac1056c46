"""Small trainings that are told to stop, killed, and resumed, against one that nothing interrupts."""

import copy
import os
import random
import resource
import signal
import socket
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from small_training import LENGTH, assert_same_training, checkpoint, config, draw_images, fork, forked, train

from tsgan import stopping
from tsgan.checkpoints import noted_checkpoint
from tsgan.registry import HOOKS
from tsgan.stopping import SAVED, noting_stops


@HOOKS.register_module()
class SignalHook(Hook):
    """Sends its process a signal in an iteration, counted from 0 over all epochs, once."""

    WHOLE_EPOCHS = False

    def __init__(self, iteration, number, whole_epochs=False):
        self.iteration, self.number, self.WHOLE_EPOCHS = iteration, number, whole_epochs

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)


def told(iteration, number=signal.SIGTERM, **options):
    return dict(type='SignalHook', iteration=iteration, number=int(number), **options)


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp('images')
    draw_images(root)
    return root


@pytest.fixture(scope='module')
def whole(images, tmp_path_factory):
    """Two epochs that nothing interrupts: the last checkpoint."""
    work_dir = tmp_path_factory.mktemp('whole')
    train(config(images, work_dir))
    return checkpoint(work_dir, 'epoch_2.pth')


@pytest.mark.parametrize('num_workers', [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings('ignore:This DataLoader will create')
def test_a_training_ends_the_same_at_any_number_of_data_workers(num_workers, whole, images, tmp_path):
    train(config(images, tmp_path, num_workers=num_workers))
    assert_same_training(checkpoint(tmp_path, 'epoch_2.pth'), whole)


def stop_and_resume(images, work_dir, hook, options=(), num_workers=0):
    cfg = config(images, work_dir, num_workers=num_workers, options=options)
    cfg.custom_hooks.append(hook)
    code, said = forked(train, cfg)
    files = sorted(file.name for file in work_dir.glob('*.pth*'))
    train(config(images, work_dir, num_workers=num_workers, options=options))
    return SimpleNamespace(code=code, said=said.splitlines()[-1], files=files)


CASES = [
    (0, signal.SIGTERM, 'epoch_0_iter_1.pth', 0),
    (LENGTH + 1, signal.SIGINT, 'epoch_1_iter_2.pth', 1),
    pytest.param(LENGTH, signal.SIGHUP, 'epoch_1_iter_1.pth', 0, marks=pytest.mark.slow),
    pytest.param(LENGTH - 1, signal.SIGTERM, 'epoch_1.pth', 0, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(('iteration', 'number', 'name', 'workers'), CASES)
def test_a_training_that_is_told_to_stop_goes_on_at_the_iteration(
    iteration, number, name, workers, whole, images, tmp_path
):
    before = signal.getsignal(number)
    stopped = stop_and_resume(images, tmp_path, told(iteration, number), num_workers=workers)
    assert (stopped.code, stopped.files[-1]) == (SAVED, name)
    assert_same_training(checkpoint(tmp_path, 'epoch_2.pth'), whole)
    assert sorted(file.name for file in tmp_path.glob('*.pth*')) == ['epoch_1.pth', 'epoch_2.pth']
    assert signal.getsignal(number) is before


@pytest.mark.slow
def test_one_whose_epochs_are_one_piece_repeats_the_epoch(whole, images, tmp_path):
    stopped = stop_and_resume(images, tmp_path, told(LENGTH, whole_epochs=True))
    assert (stopped.code, stopped.files) == (128 + signal.SIGTERM, ['epoch_1.pth'])
    assert_same_training(checkpoint(tmp_path, 'epoch_2.pth'), whole)


@pytest.mark.slow
def test_one_that_accumulates_gradients_stops_after_a_step_of_its_optimizer(images, tmp_path):
    options = {'optim_wrapper.reid.accumulative_counts': 2}
    train(config(images, tmp_path / 'whole', options=options))
    stopped = stop_and_resume(images, tmp_path / 'run', told(0), options)
    assert stopped.files == ['epoch_0_iter_2.pth']
    assert_same_training(checkpoint(tmp_path / 'run', 'epoch_2.pth'), checkpoint(tmp_path / 'whole', 'epoch_2.pth'))


@pytest.mark.slow
def test_at_the_end_of_an_epoch_without_a_checkpoint_one_is_written_too(whole, images, tmp_path):
    stopped = stop_and_resume(images, tmp_path, told(LENGTH - 1), {'default_hooks.checkpoint.interval': 2})
    assert (stopped.code, stopped.files) == (SAVED, ['epoch_1_iter_0.pth'])
    assert_same_training(checkpoint(tmp_path, 'epoch_2.pth'), whole)


def test_a_signal_that_comes_again_is_an_echo_for_seconds_and_then_stops_at_once(monkeypatch):
    before, now = signal.signal(signal.SIGTERM, signal.default_int_handler), [0.0]
    monkeypatch.setattr(stopping.time, 'monotonic', lambda: now[0])
    try:
        with noting_stops() as noted:
            for now[0] in (5.0, 6.0, 5.0 + stopping.ECHO):
                os.kill(os.getpid(), signal.SIGTERM)
            assert noted == [signal.SIGTERM]
            now[0] = 5.1 + stopping.ECHO
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_data_workers_that_would_keep_the_first_epochs_seed_are_refused(images, tmp_path):
    options = {'train_dataloader.persistent_workers': True}
    with pytest.raises(ValueError, match='persistent_workers would keep the random numbers of the first epoch: set it'):
        train(config(images, tmp_path, num_workers=1, options=options))


def rank_of_two(rank, port, cfg):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    left_out = ['ShakeHook', *(['SignalHook'] * (rank == 0))]  # the first would move the ranks apart
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook.type not in left_out]
    train(cfg, launcher='pytorch')


def train_in_two_ranks(cfg):
    """The exit code of each, and what it said."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    ends = [fork(rank_of_two, rank, port, copy.deepcopy(cfg)) for rank in range(2)]
    return [end() for end in ends]


@pytest.mark.slow
def test_two_ranks_of_which_one_is_told_to_stop_stop_together_and_go_on_there(images, tmp_path):
    assert [code for code, _ in train_in_two_ranks(config(images, tmp_path / 'whole'))] == [0, 0]
    cfg = config(images, tmp_path / 'run')
    cfg.custom_hooks.append(told(LENGTH))
    assert [code for code, _ in train_in_two_ranks(cfg)] == [SAVED, SAVED]
    within = checkpoint(tmp_path / 'run', 'epoch_1_iter_1.pth')
    first, second = within['buffers_of_ranks']
    assert any(not torch.equal(tensor, second[name]) for name, tensor in first.items())  # running statistics
    assert [code for code, _ in train_in_two_ranks(config(images, tmp_path / 'run'))] == [0, 0]
    assert_same_training(checkpoint(tmp_path / 'run', 'epoch_2.pth'), checkpoint(tmp_path / 'whole', 'epoch_2.pth'))


@HOOKS.register_module()
class SmallDiskHook(Hook):
    """After the first epoch, no file may become larger than a MiB."""

    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before_and_is_named(images, tmp_path):
    options = {'default_hooks.checkpoint.max_keep_ckpts': 1}
    cfg = config(images, tmp_path, options=options)
    cfg.custom_hooks.append(dict(type='SmallDiskHook'))
    code, said = forked(train, cfg)
    assert code == 2 and 'Traceback' not in said
    assert said.splitlines()[-1] == (
        f'error: {tmp_path}/epoch_2.pth could not be written (File too large); {tmp_path}/epoch_1.pth stays: once '
        'there is room, go on with --resume.'
    )
    assert [file.name for file in tmp_path.glob('*.pth*')] == ['epoch_1.pth']
    assert noted_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    assert checkpoint(tmp_path, 'epoch_1.pth')['meta']['epoch'] == 1


EPOCHS, KILLS = 16, 20
PLACES = dict(before_train_iter=0.1, before_save_checkpoint=0.05, before_val_iter=0.1)  # about how many seconds each is


@HOOKS.register_module()
class DeadlineHook(Hook):
    """Has the system end the process, as kill -9 does, once it has computed for so many seconds from a place on."""

    priority = 'HIGHEST'

    def __init__(self, place, times, seconds):
        self.left, self.seconds = times, seconds
        setattr(self, place, self.count)

    def count(self, *_, **__):
        self.left -= 1
        if self.left == 0:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, self.seconds)


def long_training(images, work_dir):
    options = {'default_hooks.checkpoint.max_keep_ckpts': 1, 'train_cfg.val_interval': 1}
    return config(images, work_dir, max_epochs=EPOCHS, options=options)


@pytest.mark.slow
def test_a_training_killed_twenty_times_ends_as_one_that_nobody_killed(images, tmp_path):
    train(long_training(images, tmp_path / 'whole'))
    rng, run = random.Random(0), tmp_path / 'run'
    for _ in range(KILLS):
        place, longest = rng.choice(list(PLACES.items()))
        times = rng.randint(1, LENGTH) if place == 'before_train_iter' else 1
        cfg = long_training(images, run)
        cfg.custom_hooks.append(
            dict(type='DeadlineHook', place=place, times=times, seconds=rng.uniform(0.001, longest))
        )
        process = get_context('fork').Process(target=train, args=(cfg,))
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGPROF
    assert 0 < checkpoint(run, noted_checkpoint(run).name)['meta']['epoch'] < EPOCHS
    train(long_training(images, run))
    last = f'epoch_{EPOCHS}.pth'
    assert_same_training(checkpoint(run, last), checkpoint(tmp_path / 'whole', last))
    assert [file.name for file in run.glob('*.pth*')] == [last]
