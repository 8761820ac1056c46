"""Pages about the project itself: its version, what is stable, where links of the pages outside the site lead."""

import inspect
import re
from pathlib import Path

import pytest
import yaml

from tsgan import __version__, apis, evaluation
from tsgan.__main__ import COMMANDS
from tsgan.evaluation import calibration

REPO = Path(__file__).parents[2]
OUTSIDE = [REPO / name for name in ('README.md', 'CONTRIBUTING.md', 'SECURITY.md')]  # which GitHub shows
FORMS = sorted((REPO / '.github/ISSUE_TEMPLATE').glob('*.yml'))


def text_of(name):
    return (REPO / name).read_text(encoding='utf-8')


def anchors(page):
    """Of a page's headings, as GitHub makes them."""
    headings = re.findall(r'^#+ (.*)$', re.sub(r'```.*?```', '', page, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).strip().replace(' ', '-') for heading in headings}


def test_one_version_stands_everywhere():
    assert yaml.safe_load(text_of('CITATION.cff'))['version'] == __version__
    releases = re.findall(r'^## (.*)$', text_of('docs/changelog.md'), re.MULTILINE)
    assert releases[:2] == ['Unreleased', __version__]
    assert f'This is version {__version__.rpartition(".")[0]}.' in text_of('docs/stability.md')


def test_readme_is_one_screen():
    assert len(text_of('README.md').splitlines()) <= 65


@pytest.mark.parametrize('file', OUTSIDE, ids=lambda file: file.name)
def test_links_of_pages_outside_the_site_lead_somewhere(file):
    links = re.findall(r'\]\(([^)\s]+)\)', file.read_text(encoding='utf-8'))
    assert links
    for link in links:
        if link.startswith('https://'):
            continue
        path, _, anchor = link.partition('#')
        assert (REPO / path).exists(), link
        assert not anchor or anchor in anchors(text_of(path)), link


@pytest.mark.parametrize('module', [apis, evaluation, calibration], ids=lambda module: module.__name__)
def test_what_python_may_rely_on_is_named_is_there_and_says_what_it_is(module):
    assert len(module.__all__) == len(set(module.__all__)) > 3
    for name in module.__all__:
        found = getattr(module, name)
        assert inspect.getdoc(found) or not callable(found), name
    assert f'`{module.__name__}`' in text_of('docs/stability.md')


def test_commands_that_are_promised_are_those_that_are_listed():
    assert 'the commands that `tsgan --help` lists' in text_of('docs/stability.md')
    assert {'train', 'test', 'search', 'page', 'extract', 'calibrate', 'export', 'audit', 'open-set'} <= COMMANDS.keys()


@pytest.mark.parametrize('file', [file for file in FORMS if file.name != 'config.yml'], ids=lambda file: file.name)
def test_a_form_for_issues_is_one(file):
    form = yaml.safe_load(file.read_text(encoding='utf-8'))
    assert form['name'] and form['description'] and form['body']
    fields = [field for field in form['body'] if field['type'] != 'markdown']
    assert len({field['id'] for field in fields}) == len(fields)
    for field in fields:
        assert field['type'] in ('textarea', 'input', 'dropdown', 'checkboxes') and field['attributes']['label']
        options = field['attributes'].get('options', [])
        assert all(isinstance(option, str) for option in options) and bool(options) == (field['type'] == 'dropdown')


def test_make_has_what_contributing_and_readme_name():
    targets = set(re.findall(r'^([\w-]+):', text_of('Makefile'), re.MULTILINE))
    pages = text_of('CONTRIBUTING.md') + text_of('README.md')
    named = set(re.findall(r'(?:^|`)make ([a-z-]+)', pages, re.MULTILINE))
    assert {'test', 'test-all', 'lint', 'docs'} <= named <= targets
