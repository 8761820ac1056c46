"""The leaderboard: what its YAML may hold, and the page that comes of it, also in a real browser."""

import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from textwrap import indent

import jsonschema
import pytest
from command_lines import run

REPO = Path(__file__).parents[2]
SCRIPT = REPO / 'docs/make_leaderboard.py'

SMALL = """\
sources:
  paper: {title: a table of a paper, url: https://example.org/paper}
differences: []
rows:
  - method: First
    year: 2021
    venue: TPAMI
    labels: both
    backbone: R50
    repository: who/first
    figures:
      sysu_all: {R1: 47.50, mAP: 7.6, source: who/first}
      regdb_rgb_to_ir: {R1: 100, mAP: 0, source: paper}
    conventions:
      gallery: {value: agw, by: data.py}
      mirror: {value: yes, by: test.py}
    runs: {value: 3, by: its Table 2}
  - method: Second
    labels: none
    figures:
      sysu_all: {R1: 5.5, mAP: 6.65, source: paper}
      sysu_indoor: {R1: 60.1, mAP: 70.2, source: who/second#12}
"""


@pytest.fixture
def board(tmp_path):
    """Writes a leaderboard with one piece of text in place of another; its path."""

    def write(old='', new=''):
        assert old in SMALL
        file = tmp_path / 'board.yml'
        file.write_text(SMALL.replace(old, new, 1), encoding='utf-8')
        return file

    return write


@pytest.fixture(scope='module')
def rows(maker):
    return maker.load(REPO / 'docs/leaderboard.yml')['rows']


def test_the_page_is_what_the_yaml_gives():
    done = run([sys.executable, SCRIPT, '--check'], REPO, anew=True)
    assert 'is what' in done.text


def test_a_page_that_is_not_what_the_yaml_gives_is_said_so_and_left_alone(board, tmp_path):
    arguments = [SCRIPT, '--yaml', board(), '--out', tmp_path / 'page.md']
    missing = run([sys.executable, *arguments, '--check'], REPO, fails=True)
    assert missing.code == 2 and missing.error.startswith('error: ') and 'is not what' in missing.error
    run([sys.executable, *arguments], REPO)
    run([sys.executable, *arguments, '--check'], REPO)
    page = (tmp_path / 'page.md').read_text().replace('47.50', '47.51')
    (tmp_path / 'page.md').write_text(page)
    assert run([sys.executable, *arguments, '--check'], REPO, fails=True).code == 2
    assert (tmp_path / 'page.md').read_text() == page


def test_the_schema_is_one(maker):
    jsonschema.Draft202012Validator.check_schema(json.loads(maker.SCHEMA.read_text()))


FIRST = 'sysu_all: {R1: 47.50, mAP: 7.6, source: who/first}'
MISTAKES = {
    'unknown column': ('    runs:', '    mINP: {value: 3}\n    runs:', 'row First, mINP is no field, expected method,'),
    'unknown setting': ('sysu_all: {R1: 47', 'sysu_outdoor: {R1: 47', 'row First, figures.sysu_outdoor is no field'),
    'unknown metric': ('mAP: 7.6', 'map: 7.6', 'row First, figures.sysu_all.(mAP is missing|map is no field)'),
    'more than 100': ('47.50', '147.5', 'row First, figures.sysu_all.R1 is 147.5, expected 100 or less'),
    'less than 0': ('47.50', '-1', 'row First, figures.sysu_all.R1 is -1, expected 0 or more'),
    'no number': ('47.50', '"47.50"', 'row First, figures.sysu_all.R1 is 47.50, expected a number'),
    'not a number': ('47.50', '.nan', 'line 12: .nan is no figure'),
    'a number in base 60': ('47.50', '1:47.50', 'line 12: 1:47.50 is no figure'),
    'no mAP': ('mAP: 7.6, ', '', 'row First, figures.sysu_all.mAP is missing'),
    'no source': (', source: who/first', '', 'row First, figures.sysu_all.source is missing'),
    'empty source': ('source: who/first', 'source: ""', 'row First, figures.sysu_all.source is empty, expected A key'),
    'source not listed': (
        'source: paper}\n    conv',
        'source: papers}\n    conv',
        'figures.regdb_rgb_to_ir: source papers',
    ),
    'source not used': (
        'differences',
        '  thesis: {title: one}\ndifferences',
        'sources.thesis is the source of no figure',
    ),
    'no such convention': ('mirror:', 'mirrors:', 'row First, conventions.mirrors is no field, expected gallery,'),
    'misspelt value': ('value: yes', 'value: yess', 'row First, conventions.mirror.value is yess, expected yes or no'),
    'unknown is left out': ('value: agw', 'value: unknown', 'gallery.value is unknown, expected official or agw'),
    'no evidence': (', by: test.py', '', 'row First, conventions.mirror.by is missing'),
    'empty evidence': ('by: test.py', 'by: " "', 'row First, conventions.mirror.by is empty, expected One line'),
    'half a run': ('value: 3', 'value: 3.5', 'row First, runs.value is 3.5, expected a integer'),
    'no figures': (
        SMALL[SMALL.index('      sysu_all: {R1: 5.5') :],
        '      {}',
        'row Second, figures is {}, expected at',
    ),
    'no method': ('  - method: Second\n    labels', '  - labels', 'row 2, method is missing'),
    'no row': (SMALL[SMALL.index('rows:') :], 'rows: []', r'rows is \[\], expected at least one'),
    'row of text': (SMALL[SMALL.index('  - method: Second') :], '  - Second', 'row 2, this is Second, expected fields'),
    'twice': ('method: Second', 'method: First', 'row First is there twice'),
    'key twice': ('labels: none', 'labels: none\n    labels: both', 'line 20: labels is there twice'),
    'a cell too many': ('method: Second', 'method: Second | 99', 'row Second . 99, method is .*expected One line'),
    'gallery of RegDB': (
        FIRST,
        'llcm_ir_to_rgb: {R1: 4, mAP: 7, source: paper}',
        'gallery needs a figure of sysu_all or',
    ),
    'roles of SYSU-MM01': (
        'mirror: {value: yes',
        'roles: {value: asked',
        'conventions.roles needs a figure of llcm_rgb',
    ),
    'files of nobody': ('    repository: who/first\n', '', 'row First: repository is missing'),
    'another list': (SMALL, '- 1\n', r'this is \[1\], expected fields'),
    'nothing': (SMALL, '', 'this is None, expected fields'),
    'no YAML': ('rows:', 'rows: [', r'board.yml, line \d+: '),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_is_one_sentence_with_row_and_field(name, maker, board):
    old, new, expected = MISTAKES[name]
    with pytest.raises(ValueError, match=expected) as error:
        maker.load(board(old, new))
    text = str(error.value)
    assert text.endswith('.') and '\n' not in text and 'board.yml' in text


def test_a_mistake_ends_the_command_line_in_that_sentence(board, tmp_path):
    old, new, _ = MISTAKES['misspelt value']
    done = run([sys.executable, SCRIPT, '--yaml', board(old, new), '--out', tmp_path / 'page.md'], REPO, fails=True)
    assert done.code == 2 and done.error.endswith('row First, conventions.mirror.value is yess, expected yes or no.')
    assert not (tmp_path / 'page.md').exists()


def test_text_in_another_encoding_is_refused(maker, tmp_path):
    (tmp_path / 'board.yml').write_bytes(SMALL.replace('First', 'Först').encode('latin-1'))
    with pytest.raises(ValueError, match='is no YAML in UTF-8'):
        maker.load(tmp_path / 'board.yml')


def test_figures_keep_their_digits_and_yes_is_a_word(maker, board):
    row = maker.load(board())['rows'][0]
    assert row['figures']['sysu_all'] == {'R1': Decimal('47.5'), 'mAP': Decimal('7.6'), 'source': 'who/first'}
    assert str(row['figures']['sysu_all']['R1']) == '47.50'
    assert row['conventions']['mirror']['value'] == 'yes'


def test_tables_of_a_small_leaderboard(maker, board):
    small = maker.load(board())
    *_, first, second = maker.table('SYSU-MM01', small).splitlines()
    assert first == (
        '| [First](https://github.com/who/first) | 47.50 | 7.6 | - | - | agw | yes | ? | ? | ? | both | R50 '
        '| 2021 TPAMI | 3 | [1] |'
    )
    assert second == '| Second | 5.5 | 6.65 | 60.1 | 70.2 | ? | ? | ? | ? | ? | none | ? | ? | - | [2] / [3] |'
    *_, regdb = maker.table('RegDB', small).splitlines()
    assert regdb == (
        '| [First](https://github.com/who/first) | 100 | 0 | - | - | yes | ? | ? | ? | both | R50 | 2021 TPAMI | [2] |'
    )
    assert len(maker.table('LLCM', small).splitlines()) == 2  # no row
    page = maker.page(small)
    assert '1. [who/first](https://github.com/who/first)\n' in page
    assert '2. [a table of a paper](https://example.org/paper)\n' in page
    assert '3. [who/second#12](https://github.com/who/second/issues/12)\n' in page
    assert 'gallery agw (data.py); mirror yes (test.py); runs 3 (its Table 2).\n' in page


def test_every_table_has_as_many_cells_in_each_row(maker):
    text = (REPO / 'docs/leaderboard.md').read_text(encoding='utf-8')
    blocks = re.findall(r'<div class="leaderboard".*?\n\n(.*?)\n\n</div>', text, flags=re.DOTALL)
    assert len(blocks) == len(maker.TABLES) == 3
    for block in blocks:
        assert len({line.count('|') for line in block.splitlines()}) == 1


def test_the_example_of_a_row_is_a_row_of_the_leaderboard(maker, tmp_path, rows):
    file = tmp_path / 'example.yml'
    file.write_text(f'sources: {{}}\ndifferences: []\nrows:\n{indent(maker.EXAMPLE, "  ")}')
    [example] = maker.load(file)['rows']
    [row] = [row for row in rows if row['method'] == example['method']]
    assert example['figures']['sysu_all'] == row['figures']['sysu_all']
    said = {key: entry['value'] for key, entry in example['conventions'].items()}
    assert said.items() <= {key: entry['value'] for key, entry in row['conventions'].items()}.items()


def test_each_row_is_after_those_of_earlier_years(rows):
    for labels in ('both', 'none'):
        years = [row['year'] for row in rows if row['labels'] == labels and 'year' in row]
        assert years == sorted(years)


def test_what_the_head_says_of_re_ranking_is_what_the_rows_say(rows):
    text = ' '.join((REPO / 'docs/leaderboard.md').read_text(encoding='utf-8').split('## SYSU-MM01')[0].split())
    without, ranked = ({row['method']: row for row in rows}[name] for name in ('CEIL', 'CEIL, re-ranked'))
    for metric in ('R1', 'mAP'):
        before, after = (row['figures']['sysu_all'][metric] for row in (without, ranked))
        assert f'{round(after - before, 1)}' in text and f'({before} to {after})' in text


def test_the_papers_own_figures_are_those_of_its_configs(rows):
    text = (REPO / 'configs/metafile.yml').read_text(encoding='utf-8')
    names = {'TS-GAN': 'tsgan-jd_resnet50_sysu-mm01', 'TS-GAN, re-ranked': 'tsgan-jd-rerank_resnet50_sysu-mm01'}
    for method, config in names.items():
        [row] = [row for row in rows if row['method'] == method]
        model = text.split(f'Name: {config}\n')[1].split('  - Name: ')[0]
        for setting, name in (('sysu_all', 'all-search'), ('sysu_indoor', 'indoor-search')):
            part = model.split(f'({name}, single-shot)')[1].split('- Task')[0]
            printed = [re.search(rf'^ *{metric} \(paper\): (.*)$', part, re.MULTILINE)[1] for metric in ('R1', 'mAP')]
            assert [str(row['figures'][setting][metric]) for metric in ('R1', 'mAP')] == printed


# ---------------------------------------------------------------------------------------------------- as it is built


@pytest.fixture
def opened(built, chromium):
    """The built page, opened from disk; fails on what the browser complains of or fetches from elsewhere."""
    noted = []
    page = chromium.new_page()
    page.on('pageerror', lambda error: noted.append(str(error)))
    page.on('console', lambda said: noted.append(said.text))
    page.on('request', lambda asked: asked.url.startswith('file:') or noted.append(asked.url))
    page.goto((built[0] / 'leaderboard.html').as_uri())
    yield page
    page.close()
    assert noted == []


def column(page, head, table=0):
    """What the shown rows of a table have below a head, from the top."""
    holder = page.locator('.leaderboard').nth(table)
    heads = holder.locator('th').all_inner_texts()
    cells = holder.locator('tbody tr:visible').all()
    return [cell.locator('td').nth(heads.index(head)).inner_text() for cell in cells]


def head_of(page, head, table=0):
    return page.locator('.leaderboard').nth(table).locator('th', has=page.get_by_role('button', name=head, exact=True))


@pytest.mark.slow
def test_a_click_sorts_numbers_as_numbers_and_what_is_missing_stays_last(opened, rows):
    figures = [row['figures']['sysu_indoor']['mAP'] for row in rows if 'sysu_indoor' in row['figures']]
    head = head_of(opened, 'indoor: mAP')
    assert head.get_attribute('aria-sort') is None
    for order in ('descending', 'ascending', 'descending'):
        head.get_by_role('button').click()
        assert head.get_attribute('aria-sort') == order
        shown = column(opened, 'indoor: mAP')
        assert [Decimal(text) for text in shown[: len(figures)]] == sorted(figures, reverse=order == 'descending')
        assert set(shown[len(figures) :]) == {'-'}


@pytest.mark.slow
def test_a_hundred_comes_before_nine(opened):
    opened.locator('.leaderboard tbody tr').first.locator('td').nth(1).evaluate('cell => cell.textContent = "100"')
    opened.locator('.leaderboard tbody tr').nth(1).locator('td').nth(1).evaluate('cell => cell.textContent = "9.5"')
    head_of(opened, 'all: R1').get_by_role('button').click()
    shown = column(opened, 'all: R1')
    assert shown[0] == '100' and shown[-1] == '9.5'


@pytest.mark.slow
def test_the_keyboard_sorts_text_and_one_column_is_marked_in_its_table_only(opened, rows):
    head_of(opened, 'all: R1').get_by_role('button').click()
    button = head_of(opened, 'gallery').get_by_role('button')
    button.focus()
    opened.keyboard.press('Enter')
    known = [
        row.get('conventions', {}).get('gallery', {}).get('value', '?') for row in rows if 'sysu_all' in row['figures']
    ]
    expected = sorted(value for value in known if value != '?') + ['?'] * known.count('?')
    assert column(opened, 'gallery') == expected
    opened.keyboard.press('Space')  # the focus stays
    assert head_of(opened, 'gallery').get_attribute('aria-sort') == 'descending'
    assert column(opened, 'gallery')[0] == 'official' and column(opened, 'gallery')[-1] == '?'
    assert opened.locator('[aria-sort]').count() == 1
    regdb = column(opened, 'method', table=1)
    head_of(opened, 'V to T: R1', table=1).get_by_role('button').click()
    assert opened.locator('[aria-sort]').count() == 2
    assert sorted(column(opened, 'method', table=1)) == sorted(regdb) != regdb


@pytest.mark.slow
def test_a_row_moves_as_a_whole(opened):
    def whole():
        return {
            tuple(row.locator('td').all_inner_texts())
            for row in opened.locator('.leaderboard').first.locator('tbody tr').all()
        }

    before = whole()
    head_of(opened, 'published').get_by_role('button').click()
    assert whole() == before
    years = [text for text in column(opened, 'published') if text != '?']
    assert years == sorted(years, key=str.lower)


@pytest.mark.slow
def test_the_box_leaves_rows_whose_conventions_are_all_known(opened, rows):
    needed = {'gallery', 'mirror', 'branches', 'rerank', 'selection'}
    sysu = [row for row in rows if 'sysu_all' in row['figures']]
    known = {row['method'] for row in sysu if needed <= set(row.get('conventions', {}))}
    box = opened.get_by_label('only rows whose conventions are all known').first
    assert len(column(opened, 'method')) == len(sysu) > len(known) > 0
    box.check()
    assert set(column(opened, 'method')) == known
    assert opened.locator('label output').first.inner_text() == f'{len(known)} of {len(sysu)}'
    assert len(column(opened, 'method', table=1)) == sum(
        bool({'regdb_rgb_to_ir', 'regdb_ir_to_rgb'} & set(row['figures'])) for row in rows
    )
    box.uncheck()
    assert len(column(opened, 'method')) == len(sysu)
