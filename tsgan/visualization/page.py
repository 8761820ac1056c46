"""The HTML of a report. Names and paths come from whoever made the files: none of them reaches the page unescaped."""

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tsgan.evaluation import METRIC_NAMES

if TYPE_CHECKING:
    from tsgan.visualization.report import CameraPair, HardQuery, Report

BINS = 48
WIDTH, HEIGHT, AXIS = 190, 64, 15  # of a histogram, in its own units; below it the axis

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --card: #f6f7f8; --text: #1b1d1f; --faint: #5c6268; --line: #dfe2e5;
  --true: #00669e; --false: #b84e00; --true-fill: #0072b2; --false-fill: #d55e00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141618; --card: #1d2023; --text: #e8eaec; --faint: #a0a7ae; --line: #34393e;
    --true: #6cc0f2; --false: #f0a03c; --true-fill: #56b4e9; --false-fill: #e69f00;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body {
  margin: 0 auto; padding: 32px 24px 64px; max-width: 1240px; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 4px; }
p { margin: 0 0 12px; max-width: 75ch; }
.faint { color: var(--faint); }
.path { overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }
th, td { padding: 5px 12px 5px 0; text-align: right; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--faint); font-size: 13px; }
th:first-child, td:first-child { text-align: left; }
td small { color: var(--faint); }
tr.shown td:first-child { font-weight: 650; }
details { margin: 12px 0 0; }
summary { cursor: pointer; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 8px 0 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.key { display: inline-flex; align-items: center; gap: 6px; margin-right: 18px; }
.key svg { width: 14px; height: 14px; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 14px; margin: 14px 0; }
.pair { margin: 0; padding: 10px 12px; background: var(--card); border-radius: 8px; }
.pair svg { display: block; width: 100%; height: auto; margin: 4px 0; }
.pair b { font-weight: 600; font-size: 13px; }
.pair figcaption { font-size: 12.5px; line-height: 1.4; color: var(--faint); }
path.true { fill: var(--true-fill); fill-opacity: .35; stroke: var(--true-fill); }
path.false { fill: var(--false-fill); fill-opacity: .28; stroke: var(--false-fill); stroke-dasharray: 3 1.5; }
.axis { stroke: var(--faint); stroke-width: .6; }
.pair text { fill: var(--faint); font-size: 11px; }
form {
  position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: 6px 18px; align-items: center;
  padding: 10px 0; margin: 4px 0 10px; background: var(--page); border-bottom: 1px solid var(--line);
}
label { display: inline-flex; align-items: center; gap: 8px; font-size: 14px; }
select {
  font: inherit; padding: 4px 8px; border: 1px solid var(--line); border-radius: 6px;
  background: var(--card); color: var(--text);
}
.query { padding: 14px 0 16px; border-bottom: 1px solid var(--line); }
.query h3 { margin: 0 0 8px; font-size: 15px; font-weight: 600; }
.query h3 span { font-weight: 400; color: var(--faint); font-size: 13.5px; }
.list { display: flex; gap: 16px; }
.hits { display: flex; gap: 8px; margin: 0; padding: 0 0 6px; list-style: none; overflow-x: auto; min-width: 0; }
figure { margin: 0; }
.image { width: 84px; flex: none; }
.image img { display: block; width: 84px; height: 168px; border-radius: 4px; background: var(--card); }
.image figcaption { font-size: 12px; line-height: 1.35; margin-top: 4px; overflow-wrap: anywhere; }
.image .mark { font-weight: 650; font-size: 12.5px; display: flex; justify-content: space-between; }
.hit img { border: 4px solid var(--false-fill); }
.hit.same img { border-color: var(--true-fill); }
.hit .mark { color: var(--false); }
.hit.same .mark { color: var(--true); }
.asked { padding-right: 16px; border-right: 1px solid var(--line); width: 101px; }
.later { margin-left: 14px; }
@media (max-width: 600px) {
  body { padding: 20px 14px 48px; }
  .list { gap: 10px; }
  .asked { padding-right: 10px; width: 77px; }
  .image:not(.asked), .image img { width: 66px; }
  .image img { height: 132px; }
  .image figcaption { font-size: 11.5px; }
  .pairs { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 10px; margin: 10px 0; }
  .pair { padding: 8px; }
  form { position: static; gap: 6px 12px; }
  label { font-size: 13px; }
}
@media print { form { display: none; } .hits { flex-wrap: wrap; } .query { break-inside: avoid; } }
"""

SCRIPT = """
'use strict';
const form = document.querySelector('form');
const [query, gallery] = form.querySelectorAll('select');
const queries = document.querySelectorAll('.query');
const fits = (select, camera) => !select.value || select.value === camera;

function filter() {
  let seen = 0;
  for (const one of queries) {
    one.hidden = !fits(query, one.dataset.query);
    seen += !one.hidden;
    let left = 0;
    for (const hit of one.querySelectorAll('.hit')) {
      hit.hidden = !fits(gallery, hit.dataset.gallery);
      left += !hit.hidden;
    }
    one.querySelector('.none').hidden = left > 0;
  }
  for (const pair of document.querySelectorAll('.pair')) {
    pair.hidden = !fits(query, pair.dataset.query) || !fits(gallery, pair.dataset.gallery);
  }
  form.querySelector('output').textContent = seen + ' of ' + queries.length + ' queries';
}

form.hidden = false;
form.addEventListener('change', filter);
form.addEventListener('submit', (event) => event.preventDefault());
filter();
"""


def report_page(report: 'Report', thumbnail: Callable[[int], bytes]) -> str:
    """The page of a report.

    Args:
        report (Report): What it shows.
        thumbnail (Callable[[int], bytes]): Gives the JPEG file of a row's image.

    Returns:
        str: HTML. Its policy allows what is in it, and nothing from elsewhere.
    """
    about = report.about
    name = str(about.get('config', 'a test')).replace('\\', '/').rsplit('/', 1)[-1].removesuffix('.py')
    epoch = '' if about.get('epoch') is None else f', epoch {about["epoch"]}'
    policy = f"default-src 'none'; img-src data:; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(name)}: test report</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(name)}</h1>
<p class="faint path">{escape(str(about.get('checkpoint', '')))}{escape(epoch)}</p>
</header>
<main>
<section id="results">
<h2>Results</h2>
{_results(report)}
</section>
<section id="distances">
<h2>Distances by camera pair</h2>
{_distances(report)}
</section>
<section id="queries">
<h2>Hardest queries</h2>
{_queries(report, thumbnail)}
</section>
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _hash(text: str) -> str:
    """A source of a content security policy: the text of this digest alone."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _results(report: 'Report') -> str:
    names = ('setting', *(f'{name} %' for name in METRIC_NAMES), 'queries', 'gallery', 'trials')
    head = ''.join(f'<th scope="col">{name}</th>' for name in names)
    rows = '\n'.join(_row(name, row, shown=name == report.setting) for name, row in report.results.items())
    return f"""<p class="faint">Means over trials, ± their standard deviation. Below, trial 1 of
<b>{escape(report.setting)}</b> is shown: {_count(report.num_queries, 'query', 'queries')} with a match,
{_count(report.num_gallery, 'gallery image')}, before any re-ranking.</p>
<div class="wide"><table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<details><summary>How it was tested</summary><dl>{_described(report.about)}</dl></details>"""


def _row(name: str, row: dict, shown: bool) -> str:
    cells = [escape(name)]
    for key in METRIC_NAMES:
        spread = f' <small>± {row[f"{key}_std"]:.1f}</small>' if row['num_trials'] > 1 else ''
        cells.append(f'{row[key]:.2f}{spread}')
    cells += [f'{row["num_queries"]:,.0f}', f'{row["num_gallery"]:,.0f}', f'{row["num_trials"]}']
    return f'<tr{" class=shown" if shown else ""}>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _described(about: Mapping) -> str:
    def text(value: object) -> str:
        if isinstance(value, (list, tuple)):
            return ', '.join(map(text, value))
        if isinstance(value, bool):
            return 'yes' if value else 'no'
        return 'not given' if value is None else str(value)

    entries = ((str(key).replace('_', ' '), text(value)) for key, value in about.items())
    return ''.join(f'<dt>{escape(key)}</dt><dd>{escape(value)}</dd>' for key, value in entries)


def _distances(report: 'Report') -> str:
    everything = [values for pair in report.pairs for values in (pair.true, pair.false) if len(values)]
    low, high = min(values.min() for values in everything), max(values.max() for values in everything)
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    figures = {}  # a row of them for each camera of queries
    for pair in report.pairs:
        figures.setdefault(pair.query, []).append(_pair(pair, edges))
    rows = '\n'.join(f'<div class="pairs">\n{"".join(row)}</div>' for row in figures.values())
    unit = ' (features at unit length: 0 to 2)' if report.about.get('normalize', True) else ''
    return f"""<p class="faint">Euclidean distances between a query and a gallery image{unit}, each distribution with
the same area. What a query never sees is not in them. The percentage is the chance that an image of the right person is
nearer than one of somebody else: 50&nbsp;% is a guess.</p>
<p>{_key('true', 'same person')}{_key('false', 'somebody else')}</p>
{rows}"""


def _key(name: str, meaning: str) -> str:
    square = f'<svg viewBox="0 0 14 14" aria-hidden="true"><path class="{name}" d="M1 1H13V13H1Z"/></svg>'
    return f'<span class="key">{square}{meaning}</span>'


def _pair(pair: 'CameraPair', edges: np.ndarray) -> str:
    sides = {'false': pair.false, 'true': pair.true}  # the true ones above
    heights = {name: np.histogram(values, edges)[0] / max(len(values), 1) for name, values in sides.items()}
    most = max(height.max() for height in heights.values()) or 1
    drawn = ''.join(f'<path class="{name}" d="{_steps(height / most)}"/>' for name, height in heights.items())
    medians = [f'{np.median(values):.2f}' if len(values) else 'none' for values in (pair.true, pair.false)]
    said = f'Median distance of the same person {medians[0]}, of somebody else {medians[1]}'
    chance = '' if pair.nearer is None else f'<b>{pair.nearer:.1f}&nbsp;%</b> nearer<br>'
    return f"""<figure class="pair" data-query="{escape(pair.query)}" data-gallery="{escape(pair.gallery)}">
<b>{escape(_short(pair.query))} → {escape(_short(pair.gallery))}</b>
<svg viewBox="0 0 {WIDTH} {HEIGHT + AXIS}" role="img" aria-label="{said}">{drawn}{_axis(edges[0], edges[-1])}</svg>
<figcaption>{chance}medians {medians[0]} / {medians[1]}<br>
{len(pair.true):,} / {len(pair.false):,} pairs</figcaption>
</figure>
"""


def _axis(low: float, high: float) -> str:
    parts = [f'<path class="axis" d="M0 {HEIGHT}H{WIDTH}"/>']
    for tick in _ticks(low, high):
        x = (tick - low) / (high - low) * WIDTH
        anchor = 'start' if x < 8 else 'end' if x > WIDTH - 8 else 'middle'
        parts.append(f'<path class="axis" d="M{x:.1f} {HEIGHT}v3"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT + 13}" text-anchor="{anchor}">{tick:g}</text>')
    return ''.join(parts)


def _steps(heights: np.ndarray) -> str:
    """The outline of a histogram whose highest bin is 1."""
    step = WIDTH / len(heights)
    tops = HEIGHT - heights * (HEIGHT - 2)
    return f'M0 {HEIGHT}' + ''.join(f'V{y:.1f}H{(i + 1) * step:.1f}' for i, y in enumerate(tops)) + f'V{HEIGHT}Z'


def _ticks(low: float, high: float) -> Iterable[float]:
    """Round numbers in a range, three to six of them."""
    step = 10.0 ** np.floor(np.log10(high - low))
    step *= next(part for part in (0.2, 0.5, 1) if (high - low) / (step * part) < 6 or part == 1)
    return [round(step * i, 10) for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _queries(report: 'Report', thumbnail: Callable[[int], bytes]) -> str:
    articles = '\n'.join(
        _article(report, number, hard, thumbnail) for number, hard in enumerate(report.queries, start=1)
    )
    return f"""<p class="faint">The {_count(len(report.queries), 'query', 'queries')} of the lowest average precision,
the hardest first. Blue and ✓ is the right person, orange and ✗ somebody else; d is the distance from the query. Where
the first match comes later, it stands behind the others with its rank.</p>
<form hidden>
<label>Query camera <select>{_options([pair.query for pair in report.pairs])}</select></label>
<label>Gallery camera <select>{_options([pair.gallery for pair in report.pairs])}</select></label>
<output class="faint"></output>
</form>
{articles}"""


def _options(cameras: list[str]) -> str:
    names = dict.fromkeys(cameras)
    return '<option value="">all</option>' + ''.join(f'<option value="{escape(n)}">{escape(n)}</option>' for n in names)


def _article(report: 'Report', number: int, hard: 'HardQuery', thumbnail: Callable[[int], bytes]) -> str:
    ranked = hard.ranked
    name, camera = report.identities[report.features.pids[ranked.query]], report.cameras[ranked.query]
    facts = f'{camera} · average precision {hard.ap:.2f} % · first match at rank {hard.first_match}'
    query = _figure(report, ranked.query, 'query', '<span class="mark">query</span>', thumbnail)
    hits, before = [], 0
    for row, distance, same, rank in zip(*ranked[1:], hard.ranks, strict=True):
        kind = 'hit image' + (' same' if same else '') + (' later' if rank > before + 1 else '')
        alt = f'rank {rank}, {"the right person" if same else "somebody else"}'
        mark = f'<span class="mark"><span>{rank}</span><span>{"✓" if same else "✗"}</span></span>'
        figure = _figure(report, int(row), alt, mark, thumbnail, f'd = {distance:.2f}')
        hits.append(f'<li class="{kind}" data-gallery="{escape(report.cameras[row])}">{figure}</li>\n')
        before = rank
    return f"""<article class="query" data-query="{escape(camera)}">
<h3>{number}. {escape(name)} <span>· {escape(facts)}</span></h3>
<div class="list">
<div class="asked image">{query}</div>
<ol class="hits">
{''.join(hits)}<li class="none faint" hidden>None of these images is of that camera.</li></ol>
</div>
</article>"""


def _figure(report: 'Report', row: int, alt: str, mark: str, thumbnail: Callable[[int], bytes], more: str = '') -> str:
    name, camera = report.identities[report.features.pids[row]], report.cameras[row]
    image = (
        f'<img src="data:image/jpeg;base64,{base64.b64encode(thumbnail(row)).decode()}"'
        f' alt="{escape(f"{alt}: {name}, {camera}")}" title="{escape(str(report.features.paths[row]))}">'
    )
    caption = '<br>'.join(escape(line) for line in (name, _short(camera), more) if line)
    return f'<figure>{image}<figcaption>{mark}{caption}</figcaption></figure>'


def _short(camera: str) -> str:
    return camera.replace(' camera ', ' cam ')


def _count(number: int, one: str, many: str = '') -> str:
    return f'{number:,} {one if number == 1 else many or one + "s"}'
