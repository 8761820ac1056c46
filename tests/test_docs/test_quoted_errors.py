"""What pages quote as an error is a sentence that the code can say, word by word but for names and numbers."""

import ast
import re
from pathlib import Path

import pytest
from reader import blocks

REPO = Path(__file__).parents[2]
PAGES = sorted((REPO / 'docs').rglob('*.md'))
ERROR = re.compile(r'(?:error|ValueError): (.+)', re.DOTALL)


def quoted(text):
    """The errors of a block of text, each on one line."""
    return [' '.join(found[1].split()) for block in re.split(r'\n{2,}', text) if (found := ERROR.match(block))]


QUOTED = [
    pytest.param(error, id=f'{page.relative_to(REPO)}:{line}')
    for page in PAGES
    for language, line, text in blocks(page)
    if language == 'text'
    for error in quoted(text)
]


def pattern(node):
    """What a piece of code that makes a text can make, as a regular expression."""
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return ''.join(map(pattern, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return pattern(node.left) + pattern(node.right)
    return '.*'


@pytest.fixture(scope='module')
def sentences():
    """Patterns of all texts in the code that have three words of their own."""
    found = set()
    for file in [*(REPO / 'tsgan').rglob('*.py'), *(REPO / 'tools').rglob('*.py')]:
        for node in ast.walk(ast.parse(file.read_text(encoding='utf-8'))):
            if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
                found.add(pattern(node))
    return [re.compile(text) for text in found if len(re.findall(r'[a-z]{2,}', text)) >= 3]


def test_pages_quote_errors():
    assert len(QUOTED) > 20


@pytest.mark.parametrize('error', QUOTED)
def test_an_error_on_a_page_is_one_that_the_code_says(error, sentences):
    assert any(sentence.fullmatch(error) for sentence in sentences)
