"""The documentation as a site: it is built without a warning, and docs/_ext/cross_links.py links what pages name."""

import re
from pathlib import Path

import pytest
from scripts import load

REPO = Path(__file__).parents[2]
CONFIGS = sorted(
    file.relative_to(REPO).as_posix() for file in (REPO / 'configs').rglob('*.py') if '_base_' not in file.parts
)


@pytest.fixture(scope='module')
def links():
    return load('docs/_ext/cross_links.py')


@pytest.fixture
def targets(built):
    """Where the links of a page lead whose text is the given one."""

    def find(page, text):
        html = (built[0] / page).read_text(encoding='utf-8')
        found = re.findall(r'<a\b[^>]*\bhref="([^"]*)"[^>]*>(.*?)</a>', html, re.DOTALL)
        return {href for href, inner in found if re.sub(r'<[^>]+>', '', inner) == text}

    return find


@pytest.mark.slow
def test_all_pages_are_built_without_a_warning(built):
    assert built[1] == ''
    assert (built[0] / 'api/models.html').is_file()


@pytest.mark.slow
def test_links_to_what_a_page_names_are_made(built, targets):
    assert targets('methods.html', 'tsgan/models/losses/hetero_centre.py') == {
        '_files/tsgan/models/losses/hetero_centre.py.html'
    }
    assert targets('methods.html', 'hetero_centre.py') == set()  # a file of no folder
    assert targets('methods.html', 'TeacherStudent') == {'api/models.html#tsgan.models.TeacherStudent'}
    assert targets('api/losses.html', 'Eq. 11') == {'../method.html#eq-11'}
    assert (built[0] / '_files/tsgan/models/losses/hetero_centre.py.html').is_file()


@pytest.mark.slow
def test_each_config_has_a_page_that_leads_to_its_bases_and_classes(built, targets):
    for config in CONFIGS:
        assert (built[0] / f'_files/{config}.html').is_file(), config
    page = '_files/configs/tsgan_jd_rerank.py.html'
    assert targets(page, './tsgan_jd.py') == {'tsgan_jd.py.html'}
    assert targets('_files/configs/modern/vit.py.html', '../_base_/models/vit_base.py') == {
        '../_base_/models/vit_base.py.html'
    }
    [place] = targets('_files/configs/_base_/models/tsgan_resnet50.py.html', 'TSGAN')
    assert place == '../../../../api/models.html#tsgan.models.TSGAN'


@pytest.mark.parametrize(
    ('text', 'file'),
    [
        ('configs/tsgan_jd.py', 'configs/tsgan_jd.py'),
        ('test_tools/test_ranks.py::test_a_rank', 'tests/test_tools/test_ranks.py'),
        ('evaluation/metric.py', 'tsgan/evaluation/metric.py'),
        ('configs/*.py', None),
        ('configs/no_such.py', None),
        ('setup.py', None),
        ('../../etc/passwd.txt', None),
    ],
)
def test_a_text_that_is_a_path_of_the_repository_names_a_file(links, text, file):
    assert links.file_named(text) == file
