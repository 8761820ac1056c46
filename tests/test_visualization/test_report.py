import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from small_test_run import NAMES, write_test_run

from tsgan.evaluation import (
    METRIC_NAMES,
    CrossModalityProtocol,
    FeatureTable,
    SingleModalityProtocol,
    described_protocol,
    evaluate,
    load_features,
    save_features,
    write_results,
)
from tsgan.evaluation.protocols.base import same_identity_and_camera
from tsgan.visualization.rankings import Ranking
from tsgan.visualization.report import CameraPair, camera_pairs, write_report

VOID = {'meta', 'img', 'br'}


class Page(HTMLParser):
    """A page as a tree of (tag, attributes, [text or tree]), which is well-formed or the test fails."""

    def __init__(self, text):
        super().__init__()
        self.root = ('page', {}, [])
        self.path = [self.root]
        self.feed(text)
        self.close()
        assert self.path == [self.root]

    def handle_starttag(self, tag, attrs):
        node = (tag, dict(attrs), [])
        self.path[-1][2].append(node)
        if tag not in VOID:
            self.path.append(node)

    def handle_startendtag(self, tag, attrs):
        self.path[-1][2].append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self.path.pop()[0] == tag

    def handle_data(self, data):
        self.path[-1][2].append(data)

    def find(self, tag, css='', node=None):
        """All of a tag, of a class where one is given, in their order."""
        for child in (node or self.root)[2]:
            if not isinstance(child, str):
                if child[0] == tag and (not css or css in child[1].get('class', '').split()):
                    yield child
                yield from self.find(tag, css, child)


def text(node):
    return ' '.join(''.join(c if isinstance(c, str) else f' {text(c)} ' for c in node[2]).split())


@pytest.fixture(scope='module')
def written(test_run):
    out = write_report(test_run.run, out=test_run.root / 'report.html', queries=9, topk=4)
    return out.read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def tree(written):
    return Page(written)


@pytest.fixture(scope='module')
def searched(test_run):
    """For each query of the first trial: (row, [(gallery row, distance)], AP, rank of the first match), slowly."""
    table = test_run.table
    query, gallery = next(iter(test_run.protocol.settings(table).values())).trials[0]
    unit = table.feats.astype(float) / np.linalg.norm(table.feats.astype(float), axis=1, keepdims=True)
    found = []
    for q in query.tolist():
        # cameras 2 and 3 are in one room: a probe of 3 never sees images of 2
        seen = [g for g in gallery.tolist() if not (table.camids[q] == 3 and table.camids[g] == 2)]
        ranked = sorted((float(np.linalg.norm(unit[q] - unit[g])), g) for g in seen)
        places = [i for i, (_, g) in enumerate(ranked, start=1) if table.pids[g] == table.pids[q]]
        ap = sum(nth / place for nth, place in enumerate(places, start=1)) / len(places)
        found.append((q, [(g, distance) for distance, g in ranked], ap, places[0]))
    return found


def test_settings_are_those_of_results_json(tree, test_run):
    (table,) = tree.find('table')
    rows = [[text(cell) for cell in tree.find('td', node=row)] for row in tree.find('tr', node=table)][1:]
    results = json.loads((test_run.run / 'results.json').read_text())
    for cells, (name, row) in zip(rows, list(results.items())[:-1], strict=True):
        assert cells[0] == name
        for cell, metric in zip(cells[1:], METRIC_NAMES, strict=False):
            assert cell == f'{row[metric]:.2f} ± {row[f"{metric}_std"]:.1f}'
        assert cells[-3:] == ['24', '24' if name == 'all_single' else '12', '2']
    assert list(tree.find('tr', 'shown')) and text(next(tree.find('h1'))) == 'mine'


def test_hardest_queries_come_first_with_their_lists(tree, test_run, searched):
    table = test_run.table
    articles = list(tree.find('article'))
    assert len(articles) == 9
    shown = []
    for article in articles:
        titles = [image[1]['title'] for image in tree.find('img', node=article)]
        rows = [[str(test_run.data / path) for path in table.paths].index(title) for title in titles]
        facts = re.search(r'average precision ([\d.]+) % · first match at rank (\d+)', text(article))
        shown.append((rows[0], rows[1:], float(facts[1]), int(facts[2])))
    slow = {q: (ranked, ap, first) for q, ranked, ap, first in searched}
    aps = [slow[q][1] for q, *_ in shown]
    assert aps == sorted(ap for _, _, ap, _ in searched)[:9]
    for (q, hits, ap, first), article in zip(shown, articles, strict=True):
        ranked, slow_ap, slow_first = slow[q]
        ranks = [1, 2, 3, 4] + ([slow_first] if slow_first > 4 else [])
        assert hits == [ranked[rank - 1][0] for rank in ranks]
        assert (ap, first) == (round(100 * slow_ap, 2), slow_first)
        for item, rank in zip(tree.find('li', 'hit', article), ranks, strict=True):
            row, distance = ranked[rank - 1]
            same = table.pids[row] == table.pids[q]
            assert text(item).split()[:2] == [str(rank), '✓' if same else '✗']
            assert text(item).endswith(f'd = {distance:.2f}')
            assert ('same' in item[1]['class'].split()) == same
            assert item[1]['data-gallery'] == f'RGB camera {table.camids[row]}'
    assert any(first > 4 for *_, first in shown)  # else the last image of a list is not tried


def test_distances_are_told_apart_by_camera_pair(tree, test_run, searched):
    table, slow = test_run.table, {}
    for q, ranked, *_ in searched:
        for g, distance in ranked:
            key = f'IR camera {table.camids[q]}', f'RGB camera {table.camids[g]}'
            slow.setdefault(key, ([], []))[int(table.pids[q] != table.pids[g])].append(distance)
    figures = list(tree.find('figure', 'pair'))
    assert [(f[1]['data-query'], f[1]['data-gallery']) for f in figures] == sorted(slow)
    assert ('IR camera 3', 'RGB camera 2') not in slow and len(slow) == 7
    for figure, (true, false) in zip(figures, (slow[key] for key in sorted(slow)), strict=True):
        nearer = np.mean([(a < b) + (a == b) / 2 for a in true for b in false])
        said = text(figure)
        assert f'{100 * nearer:.1f} % nearer' in said
        assert f'medians {np.median(true):.2f} / {np.median(false):.2f}' in said
        assert f'{len(true)} / {len(false)} pairs' in said


def test_histograms_have_the_heights_of_their_counts(tree, test_run, searched):
    table = test_run.table
    everything = [distance for _, ranked, *_ in searched for _, distance in ranked]
    edges = np.linspace(min(everything), max(everything), 49)
    figure = next(tree.find('figure', 'pair'))  # of camera 3 and camera 1
    drawn = {}
    for path in tree.find('path', node=figure):
        if path[1]['class'] != 'axis':
            tops = re.findall(r'V([\d.]+)H', path[1]['d'])
            drawn[path[1]['class']] = 64 - np.array(tops, float)
    counts = {'true': np.zeros(48), 'false': np.zeros(48)}
    for q, ranked, *_ in searched:
        for g, distance in ranked:
            if table.camids[q] == 3 and table.camids[g] == 1:
                place = min(int(np.searchsorted(edges, distance + 1e-7, 'right')) - 1, 47)
                counts['true' if table.pids[q] == table.pids[g] else 'false'][place] += 1
    shares = {name: count / count.sum() for name, count in counts.items()}
    most = max(share.max() for share in shares.values())
    for name, share in shares.items():
        np.testing.assert_allclose(drawn[name], 62 * share / most, atol=0.06)


def test_ties_are_half_of_a_chance():
    assert CameraPair('a', 'b', np.array([1.0, 2.0]), np.array([1.0, 3.0])).nearer == 100 * (0.5 + 1 + 0 + 1) / 4
    assert CameraPair('a', 'b', np.array([1.0]), np.array([])).nearer is None


def test_names_reach_the_page_as_text_alone(tree, written):
    assert NAMES[0] not in written and '</title>.pth' not in written
    headings = [text(heading) for heading in tree.find('h3')]
    assert all(any(name in heading for name in NAMES) for heading in headings)
    assert not any(name.startswith('on') or name == 'style' for node in tree.find('img') for name in node[1])
    for image in tree.find('img'):
        assert image[1]['src'].startswith('data:image/jpeg;base64,') and image[1]['alt']
    assert len(list(tree.find('script'))) == 1


def test_the_page_needs_nothing_from_elsewhere_and_allows_nothing_else(tree, written):
    assert not re.findall(r'(?:https?:)?//[\w.]+|url\(|@import|<link|<iframe', re.sub(r'base64,[\w+/=]+', '', written))
    policies = [meta[1]['content'] for meta in tree.find('meta') if meta[1].get('http-equiv')]
    for tag in ('style', 'script'):
        (node,) = tree.find(tag)
        digest = base64.b64encode(hashlib.sha256(''.join(node[2]).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policies[0]
    assert policies[0].startswith("default-src 'none'; img-src data:;")


def test_images_are_small_ones_of_the_rows(tree, test_run):
    image = next(tree.find('img'))
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(image[1]['src'].split(',')[1]), np.uint8), cv2.IMREAD_COLOR)
    row = [str(test_run.data / path) for path in test_run.table.paths].index(image[1]['title'])
    assert pixels.shape == (20, 10, 3) and abs(int(pixels.mean()) - row) <= 2


def test_large_images_are_made_smaller(test_run, tmp_path):
    data = tmp_path / 'data'
    for path in test_run.table.paths:
        (data / path).parent.mkdir(parents=True, exist_ok=True)
        cv2.imencode('.png', np.random.default_rng(0).integers(0, 256, (400, 300, 3), np.uint8))[1].tofile(data / path)
    out = write_report(test_run.run, root=data, out=tmp_path / 'r.html', queries=2, topk=2)
    sizes = [len(image[1]['src']) for image in Page(out.read_text()).find('img')]
    assert max(sizes) < 40_000 and out.stat().st_size < 300_000


def test_another_setting_can_be_shown(test_run, tmp_path):
    out = write_report(test_run.run, out=tmp_path / 'r.html', setting='indoor_single', queries=2)
    tree = Page(out.read_text())
    assert text(next(tree.find('tr', 'shown'))).startswith('indoor_single')
    assert {figure[1]['data-gallery'] for figure in tree.find('figure', 'pair')} == {'RGB camera 1', 'RGB camera 2'}
    with pytest.raises(ValueError, match='no setting val_single: expected one of all_single, indoor_single'):
        write_report(test_run.run, setting='val_single')


def test_pairs_that_are_never_seen_are_in_no_distribution():
    table = FeatureTable(np.eye(5), [1, 2, 1, 1, 2], [3, 3, 3, 1, 1], modalities=['ir', 'ir', 'rgb', 'rgb', 'rgb'])
    same_camera = same_identity_and_camera(table, np.array([0, 1]), np.array([2, 3, 4]))
    ranking = Ranking(table, np.array([0, 1]), np.array([2, 3, 4]), np.arange(6.0).reshape(2, 3), same_camera, False)
    found = {pair.gallery: (pair.true.tolist(), pair.false.tolist()) for pair in camera_pairs(ranking)}
    assert found == {'RGB camera 1': ([1, 5], [2, 4]), 'RGB camera 3': ([], [3])}  # not 0, of person 1 in camera 3


@pytest.mark.parametrize('protocol', [SingleModalityProtocol('rgb', 2), CrossModalityProtocol(num_trials=2)])
def test_other_protocols_are_reported_too(run, protocol):
    results = evaluate(run.table, protocol)
    write_results(str(run.run / 'results.json'), results, **protocol.describe(), normalize=True)
    tree = Page(write_report(run.run, queries=2).read_text())
    assert text(next(tree.find('tr', 'shown'))).startswith(next(iter(results)))
    assert len(list(tree.find('article'))) == 2


@pytest.fixture
def run(tmp_path):
    return write_test_run(tmp_path)


def test_what_is_missing_is_said_with_what_brings_it(run, tmp_path):
    (run.run / 'features.npz').unlink()
    with pytest.raises(FileNotFoundError, match='tools/test.py configs/mine.py .*--out .*features.npz` writes them'):
        write_report(run.run)
    with pytest.raises(FileNotFoundError, match='results.json: test a model there first'):
        write_report(tmp_path)


def test_features_of_another_test_are_refused(run):
    table = load_features(str(run.run / 'features.npz'))
    shuffled = np.random.default_rng(1).permutation(table.feats)
    save_features(str(run.run / 'features.npz'), type(table)(shuffled, *list(vars(table).values())[1:]))
    with pytest.raises(ValueError, match='the features are of another test than results.json: R1 of all_single'):
        write_report(run.run)


@pytest.mark.parametrize('content', ['{"all_single": ', '[]', '{}', '{"about": {}}', '{"all_single": {}, "about": {}}'])
def test_a_file_that_is_no_results_is_refused(run, content):
    (run.run / 'results.json').write_text(content)
    with pytest.raises(ValueError, match='results.json is not what tools/test.py writes'):
        write_report(run.run)


def test_images_are_looked_for_where_the_config_says_or_where_one_is_told(run):
    shutil.move(run.data, run.root / 'moved')
    with pytest.raises(FileNotFoundError, match='there is no image .*data/cam3'):
        write_report(run.run)
    assert write_report(run.run, root=run.root / 'moved', queries=1) == run.run / 'report.html'
    (run.run / 'mine.py').unlink()
    with pytest.raises(ValueError, match='expected --data-root FOLDER'):
        write_report(run.run)


def test_a_protocol_is_made_anew_from_its_description(test_run):
    about = json.loads((test_run.run / 'results.json').read_text())['about']
    again = described_protocol(about)
    assert again.describe() == test_run.protocol.describe()
    first, second = (protocol.settings(test_run.table)['all_single'].trials for protocol in (again, test_run.protocol))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.gallery, b.gallery)
    with pytest.raises(ValueError, match="a result of protocol 'SYSU-MM01' without modes"):
        described_protocol({'protocol': 'SYSU-MM01'})
    with pytest.raises(ValueError, match="a result of protocol 'Market'"):
        described_protocol({'protocol': 'Market'})


@pytest.mark.slow
@pytest.mark.parametrize(('width', 'scheme'), [(1280, 'light'), (390, 'dark')])
def test_a_browser_opens_it_from_disk_without_a_network(chromium, test_run, written, width, scheme):
    context = chromium.new_context(viewport={'width': width, 'height': 844}, color_scheme=scheme, offline=True)
    page, said, asked = context.new_page(), [], []
    page.on('console', lambda message: said.append(message.text))
    page.on('pageerror', lambda error: said.append(str(error)))
    page.on('request', lambda request: asked.append(request.url))
    page.goto((test_run.root / 'report.html').as_uri())
    assert said == [] and [url for url in asked if not url.startswith(('file:', 'data:'))] == []
    assert page.title() == 'mine: test report'
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    assert page.evaluate('[...document.images].every(image => image.complete && image.naturalWidth > 0)')
    background = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (sum(map(int, re.findall(r'\d+', background))) > 380) == (scheme == 'light')

    page.get_by_label('Query camera').select_option('IR camera 6')
    shown = page.locator('article:visible')
    cameras = {shown.nth(i).get_attribute('data-query') for i in range(shown.count())}
    assert cameras == {'IR camera 6'} and shown.count() < 9
    assert page.locator('output').inner_text() == f'{shown.count()} of 9 queries'
    page.get_by_label('Gallery camera').select_option('RGB camera 2')
    hits = page.locator('.hit:visible')
    assert {hits.nth(i).get_attribute('data-gallery') for i in range(hits.count())} == {'RGB camera 2'}
    assert page.locator('.pair:visible').count() == 1
    page.get_by_label('Query camera').select_option('')
    page.get_by_label('Gallery camera').select_option('')
    assert page.locator('article:visible').count() == 9
