"""The page of the method: its figures, its equations, and the classes that it says compute them."""

import importlib
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_lines import run
from scripts import load

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'docs/make_figures.py'
PAGE = (REPO / 'docs/method.md').read_text(encoding='utf-8')
ROLE = re.compile(r'\{py:(?:class|meth|func)\}`~?([\w.]+)`')
# each equation: its target, what it says, and the text up to the next one or the next section
EQUATION = re.compile(r'^\(eq-(\d+)\)=\n\$\$\n(.+?)\n\$\$\n(.*?)(?=^\(eq-|^## )', re.MULTILINE | re.DOTALL)


def named(path):
    """What a dotted path names; raises where there is no such thing."""
    parts = path.split('.')
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(path)


def test_figures_are_what_the_script_draws():
    done = run([sys.executable, SCRIPT, '--check'], REPO)
    assert '3 figures are what' in done.text


@pytest.fixture
def figures(tmp_path):
    """The figures, in a folder where they may be changed."""
    for file in (REPO / 'docs/images').glob('method_*.svg'):
        shutil.copy(file, tmp_path)
    return tmp_path


@pytest.mark.parametrize('change', ['a stroke', 'cut off', 'gone'])
def test_a_figure_that_is_another_is_named_and_left_alone(change, figures):
    file = figures / 'method_phases.svg'
    text = file.read_text()
    changed = dict(zip(['a stroke', 'cut off'], [text.replace('M 0 ', 'M 1 ', 1), text[:-1]], strict=True)).get(change)
    file.write_text(changed) if changed else file.unlink()
    done = run([sys.executable, SCRIPT, '--check', '--out', figures], REPO, fails=True)
    assert done.code == 2 and 'method_phases.svg' in done.error and 'method_model.svg' not in done.error
    assert (file.read_text() if file.exists() else None) == changed


def test_figures_can_be_drawn_anew_without_background_or_fonts(tmp_path):
    run([sys.executable, SCRIPT, '--out', tmp_path], REPO)
    run([sys.executable, SCRIPT, '--out', tmp_path, '--check'], REPO)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ['method_model.svg', 'method_phases.svg', 'method_test.svg']
    for file in files:
        assert f'](images/{file.name})' in PAGE
        tags = {element.tag.split('}')[1] for element in ElementTree.parse(file).iter()}
        assert 'path' in tags and not tags & {'text', 'image'}
        background = re.search(r'<g id="patch_1">.*?style="(.*?)"', file.read_text(), re.DOTALL)[1]
        assert background == 'fill: none'


def test_the_sixteen_equations_stand_in_order_each_with_its_number():
    found = EQUATION.findall(PAGE)
    assert [int(number) for number, _, _ in found] == list(range(1, 17))
    assert [re.findall(r'\\tag\{(\d+)\}', latex) for _, latex, _ in found] == [[str(n)] for n in range(1, 17)]


@pytest.mark.parametrize('number', range(1, 17))
def test_beside_an_equation_stands_what_computes_it(number):
    text = {int(n): text for n, _, text in EQUATION.findall(PAGE)}[number]
    paths = ROLE.findall(text)
    assert any(path.startswith('tsgan.models.') for path in paths)
    assert [path for path in paths if not callable(named(path))] == []


def test_whatever_the_page_names_is_there():
    paths = set(ROLE.findall(PAGE))
    assert len(paths) > 20 and all(named(path) is not None for path in paths)
    files = set(re.findall(r'`((?:tsgan|configs)/[\w/]+\.py)`', PAGE))
    assert len(files) > 15 and {file for file in files if not (REPO / file).is_file()} == set()


@pytest.fixture(scope='module')
def svg_math():
    return load('docs/_ext/svg_math.py')


def test_a_formula_takes_colour_and_size_from_its_text_and_needs_nothing_else(svg_math):
    svg = ElementTree.fromstring(svg_math.drawn(r'\frac{1}{2} X_R', inline=False))
    text = ElementTree.tostring(svg, encoding='unicode')
    assert 'currentColor' in text and 'black' not in text
    assert re.search(r'width:\d+\.\d+em', svg.get('style')) and not {'width', 'height'} & svg.attrib.keys()
    assert svg.get('aria-label') == r'\frac{1}{2} X_R'
    assert not any('id' in element.attrib or 'href' in ' '.join(element.attrib) for element in svg.iter())


def test_a_formula_that_cannot_be_drawn_ends_the_build_with_its_text(svg_math):
    with pytest.raises(Exception, match=r'cannot be drawn.*\\frac\{1\}'):
        svg_math.drawn(r'\frac{1}', inline=True)


def test_every_equation_can_be_drawn_at_the_width_of_a_page(svg_math):
    for number, latex, _ in EQUATION.findall(PAGE):
        svg = svg_math.drawn(svg_math.NUMBER.sub('', latex), inline=False)
        assert float(re.search(r'width:([\d.]+)em', svg)[1]) < 40, number


def test_a_page_with_formulas_asks_for_nothing_from_elsewhere(tmp_path):
    for name in ('_ext', '_static'):
        shutil.copytree(REPO / 'docs' / name, tmp_path / 'docs' / name)
    shutil.copy(REPO / 'docs/conf.py', tmp_path / 'docs')
    text = '# Page\n\nSee [Eq. 1](#eq-1) on $X_R$.\n\n(eq-1)=\n$$\nX = 1 \\tag{1}\n$$\n\n$$\nY = 2\n$$\n'
    (tmp_path / 'docs/index.md').write_text(text)
    run([sys.executable, '-m', 'sphinx', '-W', '-q', 'docs', 'site'], tmp_path, anew=True)
    html = (tmp_path / 'site/index.html').read_text()
    assert html.count('id="eq-1"') == 1 and html.count('class="math"') == 3 and '<span class="eqno">(1)' in html
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', html)
