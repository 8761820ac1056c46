"""Commands in the text of a page, in backticks, name scripts, options and targets that are there.

Those in blocks run: tests/test_tools/test_commands_of_docs.py.
"""

import re
from pathlib import Path

import pytest

from tsgan.__main__ import COMMANDS

REPO = Path(__file__).parents[2]
FILES = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'benchmarks/README.md']
FILES += [str(file.relative_to(REPO)) for file in (REPO / 'docs').rglob('*.md')]
SHARED = [
    REPO / name
    for name in ('tsgan/experiments/options.py', 'tsgan/evaluation/command_line.py', 'tsgan/command_line.py')
]
TARGETS = set(re.findall(r'^([\w-]+):', (REPO / 'Makefile').read_text(), re.MULTILINE))


def commands():
    """The page and the words of each command in backticks."""
    for file in filter(lambda file: (REPO / file).is_file(), FILES):
        prose = re.sub(r'^```.*?^```$', '', (REPO / file).read_text(encoding='utf-8'), flags=re.DOTALL | re.MULTILINE)
        for text in re.findall(r'(?<!`)`([^`]+)`(?!`)', prose):
            words = text.split()
            if words[0] in ('python', 'bash', 'tsgan', 'make') and len(words) > 1:
                yield file, words
            elif re.fullmatch(r'(tools|demo|benchmarks|docs)/\S+\.(py|sh)', words[0]):
                yield file, ['python', *words]


@pytest.mark.parametrize('where', sorted({file for file, _ in commands()}))
def test_a_command_in_the_text_has_its_script_and_options(where):
    for file, (program, name, *words) in commands():
        if file != where or name.startswith('-') or not re.fullmatch(r'[\w./-]+', name):
            continue  # `python -m ...`, `tsgan COMMAND`
        command = ' '.join([program, name, *words])
        if program == 'make':
            assert name in TARGETS, command
            continue
        script = REPO / (COMMANDS.get(name, 'no such command') if program == 'tsgan' else name)
        assert script.is_file(), command
        source = ''.join(place.read_text(encoding='utf-8') for place in [script, *SHARED])
        for word in words:
            if re.fullmatch(r'--[a-z][\w-]+', word) and word != '--help':
                assert f"'{word}'" in source or script.suffix == '.sh', command
