"""The model zoo: a page that the metafiles give, whole, and that follows them."""

import re
import shutil
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from command_lines import run
from scripts import load

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'docs/make_model_zoo.py'
PAGE = REPO / 'docs/model_zoo.md'


@pytest.fixture(scope='module')
def zoo():
    return load('docs/make_model_zoo.py')


@pytest.fixture(scope='module')
def metafiles(zoo):
    return zoo.load(REPO / 'model-index.yml')


@pytest.fixture(scope='module')
def copy(tmp_path_factory):
    """A checkout's configs and index, to be changed."""
    root = tmp_path_factory.mktemp('checkout')
    shutil.copytree(REPO / 'configs', root / 'configs')
    shutil.copy(REPO / 'model-index.yml', root)
    return root


@pytest.fixture
def changed(copy):
    """Puts one piece of text in place of another in a metafile, until the test ends; the index."""
    kept = {}

    def change(name, old, new):
        file = copy / name
        kept.setdefault(file, file.read_text(encoding='utf-8'))
        assert old in kept[file]
        file.write_text(kept[file].replace(old, new, 1), encoding='utf-8')
        return copy / 'model-index.yml'

    yield change
    for file, text in kept.items():
        file.write_text(text, encoding='utf-8')


def rows_of(text):
    """The cells of the lines of all tables."""
    return [[cell.strip() for cell in x.strip('|\n').split('|')] for x in text.splitlines() if x[:1] == '|']


def test_the_page_is_what_the_metafiles_give():
    done = run([sys.executable, SCRIPT, '--check'], REPO, anew=True)
    assert 'is what' in done.text


def test_a_metafile_that_changes_is_said_so_and_changes_the_page(changed, tmp_path):
    index = changed('configs/metafile.yml', 'R1 (paper): 49.8', 'R1 (paper): 49.90')
    page = shutil.copy(PAGE, tmp_path)
    arguments = [SCRIPT, '--index', index, '--out', page]
    said = run([sys.executable, *arguments, '--check'], REPO, fails=True)
    assert said.code == 2 and 'is not what' in said.error
    assert Path(page).read_text(encoding='utf-8') == PAGE.read_text(encoding='utf-8')
    run([sys.executable, *arguments], REPO)
    before, after = (file.read_text(encoding='utf-8').splitlines() for file in (PAGE, Path(page)))
    assert [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]] == [
        ('| `tsgan-jd` | 49.8 | 87.3 | 93.8 | 47.4 |', '| `tsgan-jd` | 49.90 | 87.3 | 93.8 | 47.4 |')
    ]


def test_every_model_every_config_and_every_figure_of_the_metafiles_is_on_the_page():
    text = PAGE.read_text(encoding='utf-8')
    cells = [cell for row in rows_of(text) for cell in row if re.match(r'\d', cell)]
    numbers = [number for cell in cells for number in cell.split(' ± ') if '.' in number]
    expected, weights = [], []
    for name in yaml.safe_load((REPO / 'model-index.yml').read_text())['Import']:
        written = (REPO / name).read_text(encoding='utf-8')
        for model in yaml.safe_load(written)['Models']:
            assert f'| `{model["Name"]}`<br>`{model["Config"]}` |' in text
            weights += [model['Weights']] if 'Weights' in model else []
        expected += re.findall(r'\((?:paper|measured|measured, re-ranked|std over seeds)\): (\S+)', written)
    assert sorted(map(Decimal, numbers)) == sorted(map(Decimal, expected)) and len(expected) > 500
    assert weights and all(f'`{file}` |' in text and (REPO / file).is_file() for file in weights)


def test_measured_and_printed_figures_never_share_a_table(zoo, metafiles):
    for name, metafile in metafiles.items():
        for wanted in ('measured', 'printed'):
            for rows in zoo.figures(metafile['Models'], wanted).values():
                assert {zoo.KINDS[kind][0] for _, kind, _ in rows} == {wanted}, name
    text = PAGE.read_text(encoding='utf-8')
    assert 'Printed, **synthetic' not in text and 'Measured, **SYSU' not in text


def test_what_a_model_needs_first_is_what_its_config_begins_with(zoo):
    needs = {name: zoo.needs(REPO / f'configs/{name}.py') for name in ('tsgan_jd', 'synthetic/tsgan_jd', 'modern/adca')}
    assert needs['tsgan_jd'] == 'data: `data/SYSU-MM01`<br>teacher: `configs/teacher_ir.py`<br>ImageNet weights'
    small = needs['synthetic/tsgan_jd'].split('<br>')
    assert small[1:] == ['network: `configs/synthetic/pretrain.py`', 'teacher: `configs/synthetic/teacher_ir.py`']
    assert needs['modern/adca'].endswith('`tsgan[unsupervised]`')


def test_conventions_of_printed_figures_stand_beside_them(zoo, metafiles):
    agw = next(row for row in rows_of(PAGE.read_text(encoding='utf-8')) if row[0] == '`agw`' and row[1] == '47.50')
    assert 'gallery agw' in agw[-1] and 'chosen on test yes' in agw[-1] and 'github.com/mangye16' in agw[-1]


SHIPPED = 'configs/synthetic/shipped/metafile.yml'
MISTAKES = {
    'a figure of another name': (
        'R1 (measured): 30.2',
        'rank1 (measured): 30.2',
        'rank1 .measured. is no figure',
    ),
    'a figure of another kind': ('R1 (measured): 30.2', 'R1 (guessed): 30.2', 'R1 .guessed. is no figure'),
    'no command': ('Measured By', 'Measured', 'TS-GAN, shipped has no Measured By or no Seeds'),
    'no seeds': ('      Seeds: 0\n', '', 'TS-GAN, shipped has no Measured By or no Seeds'),
    'a config that is not there': ('shipped/tsgan_jd.py', 'shipped/tsgan_jp.py', 'tsgan_jp.py, which is not there'),
    'another collection': ('In Collection: TS-GAN', 'In Collection: GAN', 'in GAN, shipped, which is no collection'),
    'no YAML': ('Collections:', 'Collections: [', 'is no YAML'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_mistake_in_a_metafile_is_named(mistake, zoo, changed):
    old, new, said = MISTAKES[mistake]
    index = changed(SHIPPED, old, new)
    with pytest.raises(ValueError, match=said):
        zoo.load(index)


def test_a_metafile_without_a_heading_is_named(zoo, changed):
    index = changed('model-index.yml', 'Import:\n', 'Import:\n  - configs/new/metafile.yml\n')
    with pytest.raises(ValueError, match=r'configs/new/metafile.yml has no heading'):
        zoo.load(index)
