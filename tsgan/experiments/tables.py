"""The paper's tables: what it prints, what was measured over seeds, and the two beside each other."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from tsgan.evaluation import METRIC_NAMES

from .row_names import own_length

RIVALS = ('hog', 'lomo_xqda', 'two_stream', 'one_stream', 'zero_padding', 'cmgan', 'distance_based', 'align_gan')
TABLES = {  # rows: configs by their path below configs/, without .py
    'I': (*(f'rivals/{name}' for name in RIVALS), 'tsgan_jd', 'tsgan_jd_rerank'),
    'II': ('backbone', 'tsgan_od_single_ts', 'tsgan_od', 'tsgan_jd', 'tsgan_jd_rerank'),
    'III': ('teacher_ir', 'baseline_rgb'),
}
TITLES = {'I': 'Table I, systems', 'II': 'Table II, settings of TS-GAN', 'III': 'Table III, one modality'}
MODERN_TITLE, OTHER_TITLE = 'Methods since 2021, and all before', 'rows that the paper does not have'
SETTINGS = {
    'all_single': 'all-search, single-shot',
    'all_multi': 'all-search, multi-shot',
    'indoor_single': 'indoor-search, single-shot',
    'indoor_multi': 'indoor-search, multi-shot',
    'ir_to_rgb': 'IR to RGB',
    'rgb_to_ir': 'RGB to IR',
    'single_modality': 'within one modality',
}
HEADLINES = (('all_single', 'all_multi'), ('ir_to_rgb', 'rgb_to_ir'), ('single_modality',))  # of a data set
PRINTED = ('R1', 'R10', 'R20', 'mAP')  # by the paper

Numbers = dict[str, dict[str, dict]]  # row -> setting -> metric -> number, or (mean, standard deviation)


def papers_numbers(*metafiles: str | Path) -> Numbers:
    """What papers print for SYSU-MM01: row -> setting -> metric, from the metafiles of ``configs/`` that are there."""
    numbers = {}
    for file in filter(os.path.isfile, metafiles):
        for model in yaml.safe_load(Path(file).read_text(encoding='utf-8'))['Models']:
            row = model['Config'].removeprefix('configs/').removesuffix('.py')
            for result in model.get('Results', []):
                words = result['Dataset']
                setting = next((key for key, text in SETTINGS.items() if text in words), 'single_modality')
                paper = {key.split()[0]: value for key, value in result['Metrics'].items() if '(paper)' in key}
                numbers.setdefault(row, {})[setting] = paper
    return numbers


def over_seeds(runs: Sequence[dict[str, dict]]) -> dict[str, dict]:
    """Mean and standard deviation (sample) over trainings.

    Args:
        runs (Sequence[dict[str, dict]]): For each seed, what `evaluate` returns, or the JSON of `tools/test.py`.

    Returns:
        dict[str, dict]: Setting -> ``seeds``, in how many it is; and metric -> (mean, standard deviation), %, the
        latter None where there is one.
    """
    found = {}
    for setting in dict.fromkeys(name for run in runs for name in run if name != 'about'):
        values = [run[setting] for run in runs if setting in run]
        found[setting] = {'seeds': len(values)}
        found[setting] |= {metric: mean_and_std([value[metric] for value in values]) for metric in METRIC_NAMES}
    return found


def mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; None for that of a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def spread(mean: float, std: float | None, digits: int = 1) -> str:
    return f'{mean:.{digits}f}' if std is None else f'{mean:.{digits}f} ± {std:.{digits}f}'


def headline_settings(measured: Sequence[dict[str, dict]]) -> dict[str, str]:
    """The settings by which rows are compared where there is no room for all: name -> words.

    Args:
        measured (Sequence[dict[str, dict]]): What `over_seeds` returns, of several rows.
    """
    there = [[name for name in names if any(name in row for row in measured)] for names in HEADLINES]
    return {name: SETTINGS[name] for name in next(filter(None, there), HEADLINES[0])}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Lines of a table."""
    first, *others = (f'| {" | ".join(map(str, cells))} |' for cells in (header, *rows))
    return [first, '|---' * len(header) + '|', *others]


def tables_markdown(data: str, measured: Numbers, paper: Numbers) -> str:
    """Tables I, II and III, one of the methods since, one of the others; each setting that was measured.

    Args:
        data (str): Name of the data set that was measured on.
        measured (Numbers): Row -> what `over_seeds` returns.
        paper (Numbers): What `papers_numbers` returns.
    """
    lines = [f"Measured here on {data}, mean ± standard deviation over seeds, %; the papers' figures are on SYSU-MM01."]
    for title, names in sections(list(measured)).items():
        for setting, words in SETTINGS.items():
            if title == TITLES['II'] and setting in (
                'all_multi',
                'indoor_single',
                'indoor_multi',
            ):  # not in the paper's
                continue
            shown = [row for row in names if setting in measured[row]]
            if not shown:
                continue
            lines += ['', f'**{title}: {words}**', '']
            rows = []
            for row in shown:
                numbers, printed = measured[row][setting], paper.get(own_length(row), {}).get(setting, {})
                cells = [spread(*numbers[metric]) for metric in PRINTED]
                beside = ' / '.join(str(printed.get(metric, '-')) for metric in PRINTED) if printed else '-'
                rows.append((row, numbers['seeds'], *cells, beside))
            lines += markdown_table(('row', 'seeds', *PRINTED, f'the paper: {" / ".join(PRINTED)}'), rows)
    return '\n'.join(lines) + '\n'


def sections(rows: Sequence[str]) -> dict[str, list[str]]:
    """The tables that rows, of any length, stand in: title -> rows, in the table's order."""

    def in_order(names: Sequence[str]) -> list[str]:
        return [row for name in names for row in rows if own_length(row) == name]

    papers = {TITLES[table]: in_order(names) for table, names in TABLES.items()}
    modern = [row for row in rows if row.startswith('modern/')]
    before = in_order((*TABLES['I'][: len(RIVALS)], *TABLES['II']))
    known = {*modern, *(row for names in papers.values() for row in names)}
    others = [row for row in rows if row not in known]
    return {**papers, MODERN_TITLE: [*before, *modern] if modern else [], OTHER_TITLE: others}


def draw_tables(data: str, measured: Numbers, paper: Numbers, file: str | Path) -> None:
    """R1 and mAP of all-search, single-shot: bars with standard deviations, the paper's figures as marks.

    Rows without that setting are left out; arguments as of :func:`tables_markdown`.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    rows = [row for row, settings in measured.items() if 'all_single' in settings]
    figure, axes = plt.subplots(1, 2, figsize=(11, 0.35 * len(rows) + 1.2), sharey=True, layout='constrained')
    for axis, metric in zip(axes, ('R1', 'mAP'), strict=True):
        means, stds = zip(*(measured[row]['all_single'][metric] for row in rows), strict=True)
        axis.barh(rows, means, xerr=[std or 0 for std in stds], color='#7aa6c2', label=f'measured, {data}')
        marks = [paper.get(own_length(row), {}).get('all_single', {}).get(metric, np.nan) for row in rows]
        axis.plot(marks, rows, 'kd', label='the paper, SYSU-MM01')
        axis.set_xlabel(f'{metric}, %, all-search, single-shot')
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc='outside upper center', ncols=2)
    figure.savefig(file, dpi=120)
    plt.close(figure)
