"""What docs/methods.md names is there: rows, files, classes, commands with their options, and lines of code."""

import re
from pathlib import Path

import pytest

from tsgan.models.reid import ReIDNet
from tsgan.registry import DATA_SAMPLERS, HOOKS, MODELS, TRANSFORMS

REPO = Path(__file__).parents[2]
PAGE = (REPO / 'docs/methods.md').read_text(encoding='utf-8')
FENCES = re.findall(r'```(\w*)\n(.*?)```', PAGE, re.DOTALL)
PROSE = re.sub(r'```.*?```', '', PAGE, flags=re.DOTALL)
NAMED = re.findall(r'`([^`\n]+)`', PROSE)
COMMANDS = re.findall(r'^python (\S+\.py.*)$', '\n'.join(text for _, text in FENCES).replace('\\\n', ''), re.MULTILINE)


@pytest.mark.parametrize('folder', ['modern', 'synthetic/modern'])
def test_every_row_is_on_the_page(folder):
    assert {file.stem for file in (REPO / 'configs' / folder).glob('*.py')} <= set(NAMED)


def test_no_heading_stands_twice():
    headings = re.findall(r'^#+ .*', PROSE, re.MULTILINE)
    assert sorted(set(headings)) == sorted(headings)


def test_files_that_it_names_are_there():
    paths = [name for name in NAMED if re.match(r'(configs|docs|tests|tools|tsgan)/\S+$', name)]
    assert len(paths) > 20
    for path in paths:
        assert list(REPO.glob(path)), path
    for name in [name for name in NAMED if re.fullmatch(r'\w+\.py', name)]:  # in the folder of the file before it
        assert list((REPO / 'tsgan/models/losses').glob(name)), name


def test_classes_that_it_names_are_registered():
    names = [name for name in NAMED if re.fullmatch(r'[A-Z]\w*[a-z]\w*', name)]
    types = re.findall(r"type='(?:tsgan\.)?([A-Z]\w+)'", PAGE)
    assert len(names) > 15 and len(types) > 5
    for name in {*names, *types} - {'SpreadLoss'}:  # which a reader writes
        assert any(registry.get(name) for registry in (MODELS, TRANSFORMS, HOOKS, DATA_SAMPLERS)), name
    assert callable(ReIDNet.pool)


def test_commands_that_it_shows_have_their_scripts_options_and_configs():
    shared = (REPO / 'tsgan/experiments/options.py').read_text()
    assert len(COMMANDS) > 6
    for command in COMMANDS:
        script, *words = command.split('#')[0].split()
        source = (REPO / script).read_text() + shared
        for word in words:
            if word.startswith('--'):
                assert f"'{word}'" in source, command
            if word.startswith(('configs/', 'tests/')):
                assert (REPO / word).is_file(), command


def test_code_that_it_quotes_from_a_file_is_in_the_file():
    quotes = [text.split('\n', 1) for _, text in FENCES if re.match(r'# \w+/', text)]
    assert len(quotes) == 2
    for head, text in quotes:
        lines = [line.strip() for line in (REPO / head.removeprefix('# ')).read_text().splitlines()]
        for line in text.splitlines():
            assert line in lines, (head, line)
