"""How command lines begin and end, in this process where that is possible."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from command_lines import run
from mmengine.config import Config
from mmengine.registry import build_from_cfg
from scripts import load
from small_options import EPOCH, STUDENT

from tsgan import command_line
from tsgan.__main__ import COMMANDS
from tsgan.command_line import out_file
from tsgan.experiments import parts_named
from tsgan.registry import MODELS
from tsgan.stopping import SavedAndStopped

REPO = Path(__file__).parents[2]
SCRIPTS = [*sorted(REPO.glob('tools/**/*.py')), *sorted(REPO.glob('demo/*.py'))]
SCRIPTS += sorted(set(REPO.glob('benchmarks/*.py')) - {REPO / 'benchmarks/common.py'})


def start(monkeypatch, script, *arguments):
    """Run a script as `python script arguments`, in this process; its exit code."""
    monkeypatch.setattr(sys, 'argv', [str(script), *map(str, arguments)])
    monkeypatch.syspath_prepend(str(Path(script).parent))
    monkeypatch.setattr(command_line.signal, 'signal', lambda *_: None)  # the tests' own handlers stay
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(script), run_name='__main__')
    return stop.value.code


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda script: script.name)
def test_help_is_all_that_it_gives(script, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ('Popen', 'run'):
        monkeypatch.setattr(subprocess, name, None)  # nothing is begun
    assert start(monkeypatch, script, '--help') == 0
    assert 'usage: ' in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda script: script.name)
def test_an_unknown_argument_is_refused(script, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, 'Popen', None)
    assert start(monkeypatch, script, '--no-such-thing') == 2
    assert 'usage: ' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


CONFIG, REGDB = REPO / 'configs/synthetic/backbone.py', REPO / 'configs/regdb/backbone.py'


@pytest.mark.parametrize(
    ('tool', 'arguments', 'said'),
    [
        ('train', ['nothing.py'], 'error: no config file at nothing.py.'),
        (
            'train',
            [CONFIG, '--cfg-options', 'model.gan_wieght=1'],
            'error: model.gan_wieght: model (ReIDBaseline) has no',
        ),
        ('train', [CONFIG, '--cfg-options', 'randomness.seed=x'], 'error: randomness.seed: expected a number'),
        ('train', [CONFIG, '--cfg-options', 'data_root=a b'], 'error: a b is no folder'),
        ('test', [CONFIG, 'x.pth'], 'error: no checkpoint at x.pth'),
        ('test', [CONFIG, CONFIG, '--cfg-options', 'load_from=a'], 'error: load_from: '),
        ('regdb_splits', ['nothing.py'], 'error: no config file at nothing.py.'),
        ('regdb_splits', [REGDB, '--cfg-options', 'modle.x=1'], 'error: modle.x: the config has no such entry'),
        ('regdb_splits', [REGDB, '--cfg-options', 'split=2'], 'error: split: expected as --splits'),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tool, arguments, said, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    if 'data_root=a b' in arguments:
        arguments = [*arguments, 'model.reid.encoder.checkpoint=None']
    assert start(monkeypatch, REPO / f'tools/{tool}.py', *arguments) == 2
    end = capsys.readouterr().err.splitlines()[-1]
    assert end.startswith(said)


BUILT = {  # an option, where the sentence about it begins
    'optim_wrapper.reid.optimizer.lr=-1': 'optim_wrapper.reid.optimizer (Adam) cannot be built: Invalid learning rate',
    'model.reid.encoder.backbone.depth=19': "model.reid.encoder.backbone (mmpretrain.ResNet) cannot be built: 'invalid",
    'train_dataloader.num_workers=-1': 'dataloader cannot be built: num_workers',
    'randomness.seed=-1': 'randomness cannot be built: Seed must be',
    'val_dataloader.num_workers=0': 'the config cannot be built: val_dataloader, val_cfg',
}


@pytest.mark.parametrize('option', BUILT)
def test_what_a_library_refuses_is_a_sentence_that_names_the_part(option, train):
    done = train('backbone', options=['model.reid.encoder.checkpoint=None', option], fails=True)
    assert done.code == 2 and 'Traceback' not in done.text
    assert done.error.startswith(f'error: {BUILT[option]}')


def test_what_goes_wrong_while_a_loop_runs_keeps_its_traceback(train):
    options = ['model.reid.encoder.checkpoint=None', 'train_dataloader.dataset.pipeline.1.scale=[0,0]']
    done = train('backbone', options=options, fails=True)
    assert done.code == 1 and 'Traceback' in done.text and 'cannot be built' not in done.text


def test_a_bug_of_ours_while_something_is_built_keeps_its_traceback(monkeypatch):
    cfg = Config(dict(model=dict(type='ReIDHead')))
    with pytest.raises(ZeroDivisionError), parts_named(cfg):
        fails_inside(monkeypatch)


def fails_inside(monkeypatch):
    """A registry builds a class whose own line divides by zero; that line is said to be this package's."""
    monkeypatch.setattr('tsgan.experiments.building.PACKAGE', Path(__file__).parent)
    build_from_cfg(dict(type=lambda: 1 / 0), MODELS)


CONFIG_FILES = {  # content, what is said of it
    '_base_ = "nothing.py"': 'nothing.py',
    'model = dict(type="ReIDBaseline"': "'(' was never closed in line 1",
    'x = 1 / 0': 'division by zero',
    'x = 1': 'expected `model = dict(...)`',
    '\0\1': 'cannot be read as a config',
}


@pytest.mark.parametrize('content', CONFIG_FILES)
def test_a_file_that_is_no_config_is_refused(content, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    Path('mine.py').write_text(content)
    assert start(monkeypatch, REPO / 'tools/train.py', 'mine.py') == 2
    end = capsys.readouterr().err.splitlines()[-1]
    assert end.startswith('error: mine.py ') and CONFIG_FILES[content] in end


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh'])
@pytest.mark.parametrize('arguments', [[], ['x.py', 'x.pth', 'x'], ['x.py', '0', '0']])
def test_a_wrapper_without_its_arguments_says_which(script, arguments, tmp_path):
    done = run(['bash', REPO / 'tools' / script, *arguments], tmp_path, fails=True)
    assert done.code == 2 and done.text.startswith(f'error: expected `bash tools/{script} ')


class ParserFound(BaseException):
    pass


def parser_of(script, monkeypatch):
    """The ArgumentParser that a script makes."""

    def found(parser, *_):
        raise ParserFound(parser)

    with monkeypatch.context() as patch:
        patch.setattr(ArgumentParser, 'parse_args', found)
        patch.setattr(command_line.signal, 'signal', lambda *_: None)
        patch.syspath_prepend(str(script.parent))
        with pytest.raises(ParserFound) as parser:
            runpy.run_path(str(script), run_name='__main__')
    return parser.value.args[0]


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda script: script.name)
def test_whatever_opens_a_checkpoint_can_be_told_to_trust_it_as_the_refusal_says(script, monkeypatch):
    if script.name == 'dist_run.py' or script.is_relative_to(REPO / 'benchmarks'):
        return
    actions = parser_of(script, monkeypatch)._actions
    opens = {'checkpoint', 'checkpoints', 'weights', 'imagenet', 'resume'} & {action.dest for action in actions}
    assert ('--trust-checkpoint' in [name for action in actions for name in action.option_strings]) == bool(opens)


def commands_of_docs():
    """Script and arguments of each command line in the docs, by file and line as written."""
    found = []
    for file in [REPO / 'README.md', *sorted(REPO.glob('docs/*.md')), REPO / 'benchmarks/README.md']:
        text = file.read_text(encoding='utf-8').replace('\\\n', ' ')
        parts = re.split(r'^```.*\n', text, flags=re.MULTILINE)  # outside and inside of blocks, by turns
        spans = [span for part in parts[::2] for span in re.findall(r'`([^`\n]+)`', part)]
        for line in [*'\n'.join(parts[1::2]).splitlines(), *spans]:
            line = line.split(' #')[0]
            if match := re.match(
                r'(?:[A-Z_]+=\S+ )?(?:python ((?:tools|demo|benchmarks)/\S+\.py)|tsgan ([a-z][\w-]*))(.*)', line
            ):
                script = REPO / (match[1] or COMMANDS.get(match[2], f'there is no command {match[2]}'))
                found.append(pytest.param(script, match[3].split(), id=f'{file.name}: {line.strip()}'))
    return found


@pytest.mark.parametrize(('script', 'words'), commands_of_docs())
def test_command_lines_in_the_docs_are_there_with_their_options(script, words, monkeypatch):
    assert script.is_file()
    actions = parser_of(script, monkeypatch)._actions
    known = {name for action in actions for name in action.option_strings}
    asked = {word.strip('[]').split('=')[0] for word in words if word.strip('[').startswith('--')}
    assert asked <= known


@pytest.fixture
def shelf(tmp_path):
    """A folder with one of everything that command lines read, by the name of the argument that reads it."""
    arrays = {}
    for side, count in (('query', 3), ('gallery', 5)):
        feats = np.random.default_rng(count).random((count, 4), np.float32)
        arrays |= {f'{side}_feats': feats, f'{side}_pids': np.arange(count), f'{side}_camids': np.ones(count, int)}
    np.savez(tmp_path / 'feats.npz', **arrays)
    (tmp_path / 'notes.txt').write_text('no image, no weights, no config\n')
    (tmp_path / 'empty').mkdir()
    feats = tmp_path / 'feats.npz'
    return {'config': CONFIG, 'configs': CONFIG, 'features': feats, 'a': feats, 'b': feats, 'protocol': 'regdb'}


WRITTEN = ('root', 'out')  # positional arguments that a tool writes to
NONSENSE = ('notes.txt/below_a_file', 'notes.txt', 'empty')  # none can be read, and below the first none written


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda script: script.name)
def test_nonsense_in_place_of_each_file_ends_in_one_sentence(script, shelf, monkeypatch, tmp_path):
    if script.name == 'dist_run.py':  # torchrun's own arguments
        return
    actions = parser_of(script, monkeypatch)._actions
    places = [action for action in actions if not action.option_strings]
    needed = [action for action in actions if action.option_strings and action.required]
    files = [action for action in actions if action.option_strings and (action.type is Path or action.type is out_file)]
    for wrong in [*places, *files]:
        values = NONSENSE if wrong in places and wrong.dest not in WRITTEN else NONSENSE[:1]
        for value in values:
            given = {action.dest: value if action is wrong else shelf.get(action.dest, value) for action in places}
            options = [part for action in needed for part in (action.option_strings[0], shelf.get(action.dest, value))]
            if wrong in files:
                options += [wrong.option_strings[0], value]
            command = [sys.executable, script, *given.values(), *options]
            done = run(command, tmp_path, fails=True)
            assert done.code == 2 and 'Traceback' not in done.text, f'{command}\n{done.text}'
            assert re.match(r'(\S+: )?error: \S', done.error), done.text


def test_a_file_that_cannot_be_written_is_refused_before_the_work(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path('file').touch()
    Path('folder').mkdir()
    assert out_file('a/b/c.json') == 'a/b/c.json' and not Path('a').exists()
    with pytest.raises(NotADirectoryError, match=r'file/c.json cannot be written: .*/file is no folder'):
        out_file('file/c.json')
    with pytest.raises(IsADirectoryError, match='folder is a folder'):
        out_file('folder')
    monkeypatch.setattr(os, 'access', lambda *_: False)  # root may write anywhere
    with pytest.raises(PermissionError, match='folder/a/c.json cannot be written: nothing .* in .*/folder'):
        out_file('folder/a/c.json')


def test_a_traceback_is_shown_to_whom_asks_for_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TSGAN_TRACEBACK', '1')
    with pytest.raises(FileNotFoundError, match='no config file'):
        start(monkeypatch, REPO / 'tools/train.py', 'nothing.py')


def refuse():
    raise FloatingPointError('reid/loss is nan')


def fail():
    return torch.zeros(2, 3) @ torch.zeros(2, 3)


def wrap():  # as MMEngine's registry does
    try:
        refuse()
    except FloatingPointError as error:
        raise RuntimeError('class X in x.py: ...') from error


def test_what_the_package_refuses_is_its_sentence_and_other_errors_keep_their_traceback(monkeypatch, capsys):
    monkeypatch.setattr(command_line.signal, 'signal', lambda *_: None)
    monkeypatch.setattr(command_line, 'ours', lambda file, package: file == __file__)
    for refused in (refuse, wrap):
        with pytest.raises(SystemExit, match='2'):
            command_line.run(refused)
        assert re.match('error: (reid/loss is nan|class X)', capsys.readouterr().err)
    with pytest.raises(RuntimeError, match='shapes'):
        command_line.run(fail)
    with pytest.raises(ZeroDivisionError):
        command_line.run(lambda: 1 / 0)
    with pytest.raises(SystemExit, match='2'):
        command_line.run(lambda: open('nothing'))  # noqa: SIM115
    assert re.match('error: .*nothing', capsys.readouterr().err)


def test_whoever_reads_no_more_of_what_it_says_is_told_nothing(tmp_path):
    program = 'from tsgan.command_line import run\nrun(lambda: print("a line\\n" * 100_000))'
    ends = subprocess.run(
        f'{sys.executable} -c \'{program}\' 2>said | head -1; echo "${{PIPESTATUS[0]}}"',
        shell=True,
        executable='/bin/bash',
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(REPO)),
        capture_output=True,
        text=True,
    )
    assert ends.stdout == 'a line\n141\n' and (tmp_path / 'said').read_text() == ''


def test_another_pipe_that_breaks_is_an_error(monkeypatch, capsys):
    def write():
        raise BrokenPipeError(32, 'Broken pipe')

    monkeypatch.setattr(command_line.signal, 'signal', lambda *_: None)
    with pytest.raises(SystemExit, match='2'):
        command_line.run(write)
    assert 'Broken pipe' in capsys.readouterr().err


@pytest.fixture
def handlers(monkeypatch):
    """The tests' own handlers come back."""
    monkeypatch.setattr(sys, 'unraisablehook', sys.unraisablehook)
    before = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    yield
    for name, handler in before.items():
        signal.signal(name, handler)


def signalled(number):
    os.kill(os.getpid(), number)
    time.sleep(5)


def signalled_while_an_object_goes(number):
    class Going:
        def __del__(self):  # where Python drops what is raised
            signalled(number)

    Going()
    time.sleep(5)


def fails_after_a_signal(number):
    try:
        signalled(number)
    finally:
        raise RuntimeError('Connection closed by peer')


@pytest.mark.parametrize('body', [signalled, signalled_while_an_object_goes, fails_after_a_signal])
@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_a_sentence_with_its_exit_code(number, code, body, handlers, capsys):
    with pytest.raises(SystemExit) as stop:
        command_line.run(lambda: body(number), lambda: 'stopped after epoch 3')
    assert stop.value.code == code and capsys.readouterr().err == 'stopped after epoch 3\n'
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_what_has_kept_all_it_has_done_ends_with_a_code_of_its_own(handlers, capsys):
    def body():
        raise SavedAndStopped(signal.SIGTERM)

    with pytest.raises(SystemExit) as stop:
        command_line.run(body, lambda: 'stopped after epoch 3')
    assert stop.value.code == 75 and capsys.readouterr().err == 'stopped after epoch 3\n'


@pytest.mark.parametrize(
    ('note', 'said'),
    [
        ('run/epoch_3.pth', 'stopped after epoch 3; go on with --resume'),
        ('run/epoch_3_iter_17.pth', 'stopped after epoch 3 and 17 iterations; go on with --resume'),
        (None, 'stopped before the end of the first epoch'),
    ],
)
def test_a_stopped_training_says_where_it_is(note, said, tmp_path, monkeypatch):
    if note:
        (tmp_path / 'last_checkpoint').write_text(note)
    monkeypatch.setattr(sys, 'argv', ['train.py', str(CONFIG), '--work-dir', str(tmp_path)])
    assert load('tools/train.py').how_to_go_on() == said


def test_what_cleans_up_after_a_signal_is_not_disturbed(handlers):
    done = []

    def body():
        try:
            signalled(signal.SIGINT)
        finally:
            time.sleep(1.2)  # longer than a dropped signal waits
            done.append(True)

    with pytest.raises(SystemExit):
        command_line.run(body)
    assert done


@pytest.mark.slow
def test_two_ranks_stop_with_one_line_and_leave_nobody(workshop, tmp_path, free_port, stop_training):
    end = stop_training(tmp_path, ranks=2)
    assert end.code == 130 and 'Traceback' not in end.text
    said = r'stopped after epoch (\d+)( and \d+ iterations)?; go on with --resume'
    assert re.fullmatch(said, end.text.splitlines()[-1])
    assert end.text.count('stopped after') == 1
    with pytest.raises(ProcessLookupError):
        for _ in range(300):
            os.killpg(end.pid, 0)
            time.sleep(0.1)


@pytest.fixture
def stop_training(workshop):
    """Trains backbone.py until its second epoch, and interrupts it."""

    def start(work_dir, ranks):
        options = [*EPOCH, *STUDENT, 'train_cfg.max_epochs=1000', 'model.reid.encoder.checkpoint=None']
        command = ['bash', REPO / 'tools/dist_train.sh', REPO / 'configs/synthetic/backbone.py', str(ranks)]
        bin_dir = str(Path(sys.executable).parent)
        env = dict(os.environ, CUDA_VISIBLE_DEVICES='', PATH=bin_dir + os.pathsep + os.environ['PATH'])
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        process = subprocess.Popen(
            [*command, '--work-dir', work_dir, '--cfg-options', *options], cwd=workshop, env=env, **pipes
        )
        text = ''
        for line in process.stdout:
            text += line
            if 'Epoch(train)' in line and '[2]' in line:
                os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
                break
        rest, _ = process.communicate(timeout=60)
        return SimpleNamespace(text=text + rest, code=process.returncode, pid=process.pid)

    return start
