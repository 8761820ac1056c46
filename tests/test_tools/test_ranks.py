"""Several processes that train and test: how they end, what each of them writes, images that they do not divide."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from command_lines import run_ranks
from small_options import EPOCH, STUDENT
from torch.utils.data import get_worker_info

from tsgan import command_line
from tsgan.datasets import SYSUMM01
from tsgan.engine import FiniteLossHook

REPO = Path(__file__).parents[2]
CONFIG = REPO / 'configs/synthetic/backbone.py'
OPTIONS = [*STUDENT, 'model.reid.encoder.checkpoint=None', 'env_cfg.dist_cfg.timeout=60']


def train_command(work_dir, *options):
    tool = [sys.executable, REPO / 'tools/train.py', CONFIG, '--launcher', 'pytorch', '--work-dir', work_dir]
    return [*tool, '--cfg-options', *EPOCH, *OPTIONS, *options]


def at_the_second_iteration(rank, fault):
    """Has rank 1 meet a fault there."""
    watch = FiniteLossHook.after_train_iter

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        watch(self, runner, batch_idx, data_batch, outputs)
        if runner.iter == 1:
            fault()

    if rank == 1:
        FiniteLossHook.after_train_iter = after_train_iter


def in_a_data_worker(rank, fault):
    load = SYSUMM01.prepare_data

    def prepare_data(self, idx):
        if get_worker_info() is not None:
            fault()
        return load(self, idx)

    if rank == 1:
        SYSUMM01.prepare_data = prepare_data


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def erring():
    raise KeyError('nobody has foreseen this')


def refusing():
    from tsgan.checkpoints import find_checkpoint

    find_checkpoint('/nowhere.pth')


@pytest.mark.parametrize(
    ('place', 'fault', 'code', 'said'),
    [
        (at_the_second_iteration, killed, -9, ''),
        (in_a_data_worker, refusing, 2, 'error: no checkpoint at /nowhere.pth'),
        pytest.param(
            at_the_second_iteration, erring, 1, "KeyError: 'nobody has foreseen this'", marks=pytest.mark.slow
        ),
        pytest.param(in_a_data_worker, erring, 1, "KeyError: 'nobody has foreseen this'", marks=pytest.mark.slow),
    ],
    ids=['killed', 'refusal of a data worker', 'error', 'error of a data worker'],
)
def test_where_a_rank_ends_the_other_ends_too_with_one_sentence(workshop, tmp_path, place, fault, code, said):
    def plant(rank):
        command_line.PATIENCE = 0.5
        place(rank, fault)

    begin = time.monotonic()
    survivor, ended = run_ranks(2, lambda rank: train_command(tmp_path), workshop, plant)
    assert time.monotonic() - begin < 60
    assert ended.code == code and said in ended.text
    if code == 2:
        assert 'Traceback' not in ended.text and said in ended.text.splitlines()[-1]
    assert survivor.code == 1 and 'Traceback' not in survivor.text
    errors = [line for line in survivor.text.splitlines() if 'error: ' in line]
    assert len(errors) == 1 and 'error: rank 0 stops, as another has ended' in errors[0]


@pytest.mark.slow
def test_a_rank_that_hangs_is_given_up_after_the_seconds_that_the_config_names(workshop, tmp_path):
    def plant(rank):
        command_line.PATIENCE = 0.5
        at_the_second_iteration(rank, lambda: time.sleep(15))

    options = ['env_cfg.dist_cfg.timeout=10']
    survivor, _ = run_ranks(2, lambda rank: train_command(tmp_path, *options), workshop, plant)
    assert survivor.code == 1 and 'Traceback' not in survivor.text
    assert survivor.text.splitlines()[-1].startswith(
        'error: rank 0 stops, as another has ended or does not answer (Timed'
    )
    assert 'out waiting 10000ms' in survivor.text and 'for env_cfg.dist_cfg.timeout)' in survivor.text


RANK = """
import atexit
import torch.distributed
from tsgan.command_line import run

class Gloo:
    def __del__(self):
        print('may wait for ever')

gloo = Gloo()
atexit.register(print, 'has tidied up')
torch.distributed.init_process_group('gloo')
def main():
    {body}
run(main)
"""


@pytest.mark.parametrize(
    ('body', 'code', 'last'),
    [
        ('pass', 0, ''),
        ('raise FileNotFoundError("no such file")', 2, 'error: no such file'),
        ('1 / 0', 1, 'ZeroDivisionError: division by zero'),
    ],
)
def test_a_rank_tidies_up_and_leaves_before_the_end_of_python(tmp_path, body, code, last):
    (tmp_path / 'rank.py').write_text(RANK.format(body=body))
    (end,) = run_ranks(1, lambda rank: [sys.executable, 'rank.py'], tmp_path)
    assert end.code == code, end.text
    *said, tidied = end.text.strip().splitlines()
    assert (said[-1:] or [''], tidied) == ([last], 'has tidied up')


@pytest.mark.parametrize(
    ('error', 'is_lost'),
    [
        (RuntimeError('[/a/gloo/transport/tcp/pair.cc:545] Read error [::1]:56523: Connection reset by peer.'), True),
        (dist.DistBackendError('NCCL error: remote process exited or there was a network error'), True),
        (dist.DistStoreError('Timed out after 4 seconds waiting for clients. 1/2 clients joined.'), True),
        (
            dist.DistBackendError('NCCL error: Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 5000'),
            False,
        ),
        (RuntimeError('mat1 and mat2 shapes cannot be multiplied (4x16 and 32x16)'), False),
        (ValueError('/a/gloo/images/1.png is no image that can be read'), False),
    ],
    ids=['gloo', 'NCCL', 'store', "NCCL's own", "torch's own", 'a path'],
)
def test_the_end_of_another_rank_is_told_from_an_error_of_this_one(error, is_lost, monkeypatch):
    monkeypatch.setenv('RANK', '3')
    sentence = command_line.lost_rank(error)
    assert bool(sentence) == is_lost
    if sentence:
        assert sentence.startswith('rank 3 stops, as another has ended') and '.cc' not in sentence
        assert ('env_cfg.dist_cfg.timeout' in sentence) == ('Timed out' in str(error))


def notes_what_it_opens(file):
    """Has this process, and those that it forks, write into a file the name of what they open for writing.

    Not of devices, and of temporary files, in which MMEngine reads a config.
    """
    sys.dont_write_bytecode = True
    passed_over = '/dev/', os.path.join(tempfile.gettempdir(), 'tmp')
    notes = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(event, args):
        if event == 'open' and isinstance(args[0], str) and not args[0].startswith(passed_over):
            path, mode, flags = args
            if set(mode or '') & set('wax+') or flags & (os.O_WRONLY | os.O_RDWR):
                os.write(notes, f'{path}\n'.encode())

    sys.addaudithook(note)


def test_the_first_rank_alone_writes_and_images_that_the_ranks_do_not_divide_are_tested_once(workshop, test, tmp_path):
    def plant(rank):
        notes_what_it_opens(tmp_path / f'opened{rank}.txt')

    def files(rank):
        return {file.name for file in (tmp_path / f'rank{rank}').rglob('*') if file.is_file()}

    def test_command(rank):
        folder = tmp_path / f'rank{rank}'
        tool = [sys.executable, REPO / 'tools/test.py', CONFIG, tmp_path / 'rank0/epoch_1.pth', '--launcher', 'pytorch']
        tool += ['--work-dir', folder, '--json', folder / 'results.json', '--out', folder / 'features.npz']
        return [*tool, '--cfg-options', *OPTIONS, 'test_dataloader.num_workers=0', 'test_dataloader.batch_size=5']

    # a folder for each: what lies there its rank has written, in whatever language
    ends = run_ranks(2, lambda rank: train_command(tmp_path / f'rank{rank}'), workshop, plant)
    assert [end.code for end in ends] == [0, 0], ends[1].text
    assert {'epoch_1.pth', 'last_checkpoint', 'backbone.py', 'scalars.json'} <= files(0)
    ends = run_ranks(5, test_command, workshop, plant)
    assert [end.code for end in ends] == [0] * 5, ends[1].text
    assert {'results.json', 'features.npz', 'features_mirrored.npz', 'ranked_list.jpg'} <= files(0)
    for rank in range(1, 5):
        assert not files(rank) and not (tmp_path / f'opened{rank}.txt').read_text()
    assert 'results.json' in (tmp_path / 'opened0.txt').read_text()

    one = tmp_path / 'one'
    test('backbone', tmp_path / 'rank0/epoch_1.pth', '--json', one / 'results.json', '--out', one / 'features.npz')
    with np.load(one / 'features.npz') as expected, np.load(tmp_path / 'rank0/features.npz') as found:
        assert len(found['query_feats']) + len(found['gallery_feats']) == 72  # over 5 ranks
        assert found.keys() == expected.keys()
        for key in found:
            if key.endswith('feats'):
                np.testing.assert_allclose(found[key], expected[key], atol=1e-5)
            else:
                assert found[key].tolist() == expected[key].tolist()


def start_launcher(command, cwd):
    bin_dir = str(Path(sys.executable).parent)
    env = dict(os.environ, CUDA_VISIBLE_DEVICES='', PATH=bin_dir + os.pathsep + os.environ['PATH'])
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    return subprocess.Popen([str(part) for part in command], cwd=cwd, env=env, **pipes)


def process_of(rank, launcher):
    for folder in Path('/proc').glob('[0-9]*'):
        try:
            parent = (folder / 'stat').read_text().rsplit(')', 1)[1].split()[1]
            variables = (folder / 'environ').read_text().split('\0')
            if int(parent) == launcher.pid and f'RANK={rank}' in variables:
                return int(folder.name)
        except OSError:  # it has ended
            continue
    raise ProcessLookupError(f'no rank {rank} of {launcher.pid}')


@pytest.mark.slow
@pytest.mark.parametrize('rank', [0, 1])
def test_a_launcher_ends_the_job_of_a_rank_that_is_killed_and_says_so_last(workshop, tmp_path, free_port, rank):
    options = ['--cfg-options', *EPOCH, *OPTIONS, 'train_cfg.max_epochs=1000']
    command = ['bash', REPO / 'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path, *options]
    job = start_launcher(command, workshop)
    text = ''
    for line in job.stdout:
        text += line
        if 'Epoch(train)' in line:
            os.kill(process_of(rank, job), signal.SIGKILL)
            break
    rest, _ = job.communicate(timeout=60)
    assert job.returncode == 128 + signal.SIGKILL
    lines = [line for line in rest.splitlines() if ' - INFO - ' not in line]
    assert lines[-1] == f'rank {rank} was ended by signal 9' and rest.count('was ended') == 1
    assert 'Traceback' not in text + rest and 'error' not in rest
    assert len(lines) <= 2  # the first rank, where it lives, says how to go on


@pytest.mark.slow
def test_what_all_ranks_refuse_a_launcher_shows_once(workshop, tmp_path, free_port):
    options = ['--cfg-options', *EPOCH, *OPTIONS, 'model.reid.head.num_classes=300']
    job = start_launcher(['bash', REPO / 'tools/dist_train.sh', CONFIG, 2, '--work-dir', tmp_path, *options], workshop)
    text, _ = job.communicate(timeout=300)
    assert job.returncode == 2 and 'Traceback' not in text
    assert text.count('the training set has 6 identities, but model.reid.head.num_classes is 300') == 1


@pytest.mark.slow
def test_two_launchers_that_meet_train_one_model_which_one_process_tests(workshop, test, tmp_path, free_port):
    place = f'127.0.0.1:{os.environ["PORT"]}'
    launcher = [sys.executable, REPO / 'tools/dist_run.py', '--nnodes=2', '--nproc_per_node=1', '--rdzv_id=two']
    launcher += ['--rdzv_backend=c10d', f'--rdzv_endpoint={place}']
    compared = ['default_hooks.same_ranks.type=SameRanksHook', 'default_hooks.same_ranks.interval=1']
    nodes = [start_launcher([*launcher, *train_command(tmp_path, *compared)[1:]], workshop) for _ in range(2)]
    texts = [node.communicate(timeout=300)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], ''.join(texts)
    (log,) = tmp_path.glob('*/*.log')
    assert re.search(r'Distributed training: True\s+GPU number: 2', log.read_text())
    assert torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['meta']['iter'] == 2
    test('backbone', tmp_path / 'epoch_1.pth', '--json', tmp_path / 'results.json')
    assert len(json.loads((tmp_path / 'results.json').read_text())) == 5
