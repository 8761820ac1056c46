"""What a reader of a page does, from top to bottom: ``python tests/reader.py PAGE``, in a small checkout.

- ``bash``: given to a real bash, in which ``python tools/...`` and ``tsgan`` are run by forks of this process, which
  spares the seconds of their imports. What is shorter, or done instead of a command, is below, and is said.
- ``python``: run, the blocks of a page one after the other. One that begins with ``# NAME.py`` is written to that file,
  and if it is a config, shown by ``tools/misc/print_config.py``; where the toolbox has that file, it is a quotation.
- ``text``: layouts, formulas, what is printed. A block of no language is an error.
"""

import json
import multiprocessing
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import urllib.request
from contextlib import suppress
from pathlib import Path

from command_lines import free_port, run
from packaging.requirements import Requirement
from scripts import load

from tsgan.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
PYTHON = sys.executable
FORK = multiprocessing.get_context('fork')

BLOCK = re.compile(r'^```([^\n`]*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(r'\{[\w:-]+\}')  # of MyST: ```{include} FILE
# The programs that are ours in the shell: each asks this process to do its work, but for a python of other files.
SHIM = """\
#!{python} -SE
import json, os, socket, sys
name, *arguments = os.path.basename(sys.argv[0]), *sys.argv[1:]
if name == 'python' and '/tools/' not in '/' + arguments[0] and arguments[:2] != ['-m', 'pytest']:
    os.execv({python!r}, [{python!r}, *arguments])
with socket.socket(socket.AF_UNIX) as reader:
    reader.connect({address!r})
    reader.sendall(json.dumps([[name, *arguments], os.getcwd(), dict(os.environ)]).encode() + b'\\n')
    answer = json.loads(reader.makefile().read())
sys.stdout.write(answer['text'])
sys.exit(answer['code'])
"""
PROGRAMS = ('make', 'pip', 'python', 'srun', 'tsgan')
LONG = re.compile(r'(?<=\bmax_epochs=)\d{2,}|(?<=\bepoch_)\d{2,}(?=\.pth)')  # numbers of epochs
SMALL_SET = '--num-train 6 --num-val 3 --num-test 4 --num-pretrain 6 --frames 10 --size 64 32'  # of small_checkout.py


def blocks(page):
    """The language, first line's number and text of each block of code, without those for the builder of the site."""
    text = Path(page).read_text(encoding='utf-8')
    for match in BLOCK.finditer(text):
        if not DIRECTIVE.match(match[1]):
            yield match[1], text.count('\n', 0, match.start()) + 2, match[2]


def read(page):
    """Do what a page says, in the current folder.

    Raises:
        AssertionError: With the place of the block that fails; what it said has been printed.
    """
    names = {'__name__': 'page'}
    do = dict(bash=bash, python=lambda text: python(text, names), text=lambda text: None)
    for language, line, text in blocks(page):
        assert language in do, f'{page}:{line}: a block of {language or "no language"}, expected {", ".join(do)}'
        print(f'--- {page}:{line}', flush=True)
        try:
            do[language](text)
        except Exception as error:
            raise AssertionError(f'{page}:{line}: {error!r}') from error


def python(text, names):
    named = re.match(r'# ([\w./-]+\.py)\b.*\n', text)
    if not named:
        exec(compile(text, 'block', 'exec'), names)
    elif (file := Path(named[1])).is_file():
        lines = [line.strip() for line in file.read_text(encoding='utf-8').splitlines()]
        for line in text.splitlines()[1:]:
            assert line.strip() in lines, f'{file} has no line {line.strip()!r}'
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding='utf-8')
        if '_base_' in text:
            bash(f'python tools/misc/print_config.py {file}')


def bash(text):
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX) as server:
        address = f'{place}/socket'
        server.bind(address)
        server.listen()
        server.settimeout(0.1)
        for name in PROGRAMS:
            shim = Path(place, name)
            shim.write_text(SHIM.format(python=PYTHON, address=address))
            shim.chmod(0o755)
        environment = dict(os.environ, PATH=place + os.pathsep + os.environ['PATH'], PORT=str(free_port()))
        with tempfile.TemporaryFile('w+') as said:
            shell = subprocess.Popen(
                ['bash', '-e', '-c', text], env=environment, stdout=said, stderr=said, start_new_session=True
            )
            while shell.poll() is None:
                with suppress(TimeoutError):
                    connection = server.accept()[0]
                    FORK.Process(target=answer, args=(connection, f'{place}/python')).start()
                    connection.close()
                FORK.active_children()  # none of which stays a zombie
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGTERM)  # what it left in the background
            said.seek(0)
            print(said.read(), flush=True)
    assert shell.returncode == 0, f'exit code {shell.returncode}'


def answer(connection, program):
    """Do what a program in the shell asks for, and tell it what was said and how it ended.

    What a tool starts with ``sys.executable`` asks here, too: ``program`` is the python of the shell.
    """
    sys.executable = program
    with connection, connection.makefile() as asked:
        connection.settimeout(None)
        command, cwd, environment = json.loads(asked.readline())
        try:
            told = dict(code=0, text=done(command, cwd, environment))
        except Exception as error:
            wrong = error if isinstance(error, AssertionError) else traceback.format_exc()
            told = dict(code=1, text=f'{" ".join(command)}\n{wrong}\n')
        connection.sendall(json.dumps(told).encode())


def done(command, cwd, environment):
    """Run a command, or what stands for it; what it says."""
    name, *arguments = command
    if name == 'make':  # its targets have tests of their own, or are the tests
        program = shutil.which('make', path=os.defpath)
        return instead(command, 'its commands, listed', run([program, '-n', *arguments], cwd).text)
    if name == 'pip':
        return instead(command, 'what it names is there', installable(arguments))
    if name == 'srun':  # which needs a cluster
        script = [word for word in arguments[arguments.index('python') :] if word not in ('-u', '--launcher=slurm')]
        return instead(command, 'one task of it, without a cluster', done(script, cwd, environment))
    if arguments[:2] == ['-m', 'pytest']:
        collected = run([PYTHON, *arguments, '--collect-only', '-q'], cwd).text
        return instead(command, 'collected', collected)
    if arguments[0] == 'tools/make_weights.py':
        config, place = 'configs/synthetic/shipped/start.py', 'work_dirs/shipped/start'
        first = done(['python', 'tools/train.py', config, '--work-dir', place], cwd, environment)
        return instead(command, 'the first training of its hours', first)
    if command[:2] == ['tsgan', 'page']:
        return instead(command, 'opened, and closed', opened(arguments[1:]))
    if name == 'tsgan':
        start, tool = [str(ROOT / 'tsgan/__main__.py'), arguments[0]], COMMANDS.get(arguments[0])
    else:
        start, tool = arguments[:1], arguments[0]
    arguments = shorter(tool, arguments[1:])
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        return run([sys.executable, *start, *arguments], cwd).text
    finally:
        os.environ.clear()
        os.environ.update(before)


def shorter(script, arguments):
    """The arguments with which a command is short, said where they are others."""
    short = list(arguments)
    if script in ('tools/train.py', 'tools/test.py'):  # not those that tools start, by their whole path
        short = [LONG.sub('2', word) for word in short]
    if script == 'tools/train.py' and not short[0].startswith('configs/'):  # small_checkout.py has shortened those
        short += [] if '--cfg-options' in short else ['--cfg-options']
        short += ['train_cfg.max_epochs=2']
    if script == 'tools/dataset_tools/render_synthetic.py' and '--num-test' not in short:
        short += SMALL_SET.split()
    if script == 'tools/dist_run.py':  # at most two ranks, which six people are enough for
        short = [re.sub(r'(?<=^--nproc_per_node=)\d+$', '2', word) for word in short]
    if script == 'tools/regdb_splits.py':
        short += ['--splits', '1', '2']
    if script == 'tools/reproduce.py':  # no rows by a pattern, and one seed unless others are read below
        short = ['backbone' if '*' in word else word for word in short]
        short += [] if '--rows' in short else ['--rows', 'backbone']
        short += [] if {'--seeds', '--work-dir'} <= set(short) else ['--seeds', '1']
        short += ['--rows', 'backbone', '--epochs', '1', '2'] if '--epochs' in short else []
    if short != arguments:
        print(f'shortened: {script} {" ".join(short)}', flush=True)
    return short


def instead(command, what, said):
    return f'instead of {" ".join(command)}: {what}\n{said}'


def installable(arguments):
    """What is to be installed: files that are there, extras of this package, and packages of others."""
    assert arguments[0] == 'install', arguments
    listed = re.search(r'^EXTRAS = \((.*?)^\)', Path('setup.py').read_text(), re.DOTALL | re.MULTILINE)[1]
    extras, words = set(re.findall(r"'(\w+)'", listed)), iter(arguments[1:])
    for word in words:
        if word in ('-c', '-r'):
            assert Path(next(words)).is_file(), arguments
        elif not word.startswith('-'):
            requirement = Requirement(f'tsgan{word[1:]}' if word.startswith('.') else word)
            assert requirement.name != 'tsgan' or requirement.extras <= extras, word
    return ''


def opened(arguments):
    with load('demo/screenshot.py').served(*arguments) as address, urllib.request.urlopen(address) as page:
        return f'{address}: {page.status}\n'


if __name__ == '__main__':
    import tsgan.experiments  # noqa: F401  what forks of this process need not import

    assert Path(tsgan.__file__).is_relative_to(Path.cwd()), f'{tsgan.__file__} is not of this checkout'
    read(sys.argv[1])
