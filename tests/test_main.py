"""The command `tsgan`: one for all tools."""

import subprocess
import sys

import pytest
from command_lines import run

from tsgan import __main__ as command
from tsgan.places import ROOT

NO_COMMANDS = {'tools/dist_run.py', 'tools/make_weights.py'}  # what the wrappers start; what makes the package


def start(*arguments, cwd=ROOT, fails=False):
    return run([sys.executable, command.__file__, *arguments], cwd, fails)


def test_every_tool_is_a_command_and_every_command_a_tool():
    tools = {file.relative_to(ROOT).as_posix() for file in ROOT.glob('tools/**/*.py')} | {'demo/app.py'}
    assert sorted(command.COMMANDS.values()) == sorted(tools - NO_COMMANDS)


def test_a_list_of_commands_says_what_each_does_and_imports_none_of_it():
    code = (
        'import sys; from tsgan.__main__ import main; sys.argv[1:] = []; main(); print(*sys.modules, file=sys.stderr)'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines()[4:]}
    assert lines.keys() == command.COMMANDS.keys() and lines['train'] == 'Train a model'
    assert not any('python' in line or line.endswith('.') for line in lines.values())
    assert {'torch', 'mmengine', 'numpy', 'cv2', 'rich'}.isdisjoint(done.stderr.split())


@pytest.mark.parametrize('arguments', [[], ['-h'], ['--help']])
def test_without_a_command_it_lists_them(arguments, capsys, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tsgan', *arguments])
    command.main()
    assert capsys.readouterr().out == command.usage() + '\n'


def test_its_version_is_the_packages():
    assert start('--version').text == f'tsgan {command.__version__}\n'


@pytest.mark.parametrize(
    ('name', 'said'), [('trian', 'did you mean train?'), ('pudding', '`tsgan --help` lists them.'), ('', '`tsgan --')]
)
def test_an_unknown_command_is_refused_with_the_nearest(name, said):
    done = start(name, fails=True)
    assert done.code == 2 and done.text.startswith(f'error: there is no command {name}; {said}')


def test_a_commands_help_is_its_tools_under_its_own_name():
    tool = run([sys.executable, ROOT / 'tools/train.py', '--help'], ROOT).text
    assert ' '.join(start('train', '--help').text.split()) == ' '.join(tool.replace('train.py', 'tsgan train').split())


def test_what_a_tool_refuses_ends_the_command_as_it_ends_the_tool(tmp_path):
    done = start('train', 'nothing.py', cwd=tmp_path, fails=True)
    assert done.code == 2 and done.text == 'error: no config file at nothing.py.\n'


def test_a_tool_is_the_main_module_so_that_its_own_refusals_are_sentences(tmp_path):
    done = start('seeds-table', 'nowhere', cwd=tmp_path, fails=True)
    assert done.code == 2 and done.text.startswith('error: no results.json below nowhere')
