"""tests/reader.py, which runs the blocks of a page: what is wrong with a page makes it fail, and says where."""

import shutil
from pathlib import Path

import pytest
import reader

REPO = Path(__file__).parents[2]


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads a page of blocks, each a language and a text, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').symlink_to(REPO / 'tools')
    for name in ('setup.py', 'Makefile'):
        shutil.copy(REPO / name, tmp_path)

    def start(*blocks):
        Path('page.md').write_text('A page.\n' + ''.join(f'\n```{language}\n{text}```\n' for language, text in blocks))
        reader.read('page.md')

    return start


def test_blocks_of_a_page_go_on_where_those_before_them_ended(read):
    read(
        ('python', 'number = 3\n'),
        ('python', '# script.py\nimport sys\n\nprint(sys.argv[1], file=open("written", "a"))\n'),
        ('bash', 'for word in one two; do\n    python script.py $word  # twice\ndone\ntsgan --version\n'),
        ('text', 'this is no command\n'),
        ('python', 'assert number == 3 and open("written").read().split() == ["one", "two"]\n'),
    )


WRONG = {
    'a command fails': ('bash', 'false\n'),
    'a command in the middle fails': ('bash', 'false\ntrue\n'),
    'no such command': ('bash', 'tsgann search\n'),
    'no such option': ('bash', 'tsgan render people --colour red\n'),
    'no such target': ('bash', 'make nonsense\n'),
    'no such extra': ('bash', 'pip install "tsgan[nonsense]"\n'),
    'no such file of requirements': ('bash', 'pip install -c requirements/nonsense.txt -e .\n'),
    'Python fails': ('python', '1 / 0\n'),
    'a quotation that is none': ('python', '# setup.py\nthere is no such line\n'),
    'a config that cannot be read': ('python', "# mine.py\n_base_ = 'nonsense.py'\n"),
    'no language': ('', 'true\n'),
    'another language': ('shell', 'true\n'),
}


@pytest.mark.parametrize('wrong', WRONG)
def test_a_block_that_does_not_run_is_named_by_its_line(wrong, read):
    with pytest.raises(AssertionError, match=r'^page\.md:8: '):
        read(('text', 'fine\n'), WRONG[wrong])


def test_the_builders_blocks_are_left_to_it(tmp_path):
    (tmp_path / 'page.md').write_text('```{include} ../README.md\n```\n\n```bash\ntrue\n```\n')
    assert list(reader.blocks(tmp_path / 'page.md')) == [('bash', 5, 'true\n')]
