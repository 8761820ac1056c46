"""Open-set search and verification as curves over false alarms, and the scores that they come of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tsgan.visualization.palette import RUNS, plain_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEARCH, PAIRS = ('FPIR', 'TPIR'), ('FAR', 'TAR')  # false rate, true rate
BELOW = {  # of the scores: name of a distribution -> label, colour, line
    'search': {
        'right': ('in the gallery, right person first', RUNS[0], '-'),
        'wrong': ('in the gallery, somebody else first', RUNS[3], '--'),
        'unenrolled': ('not in the gallery', RUNS[1], '-'),
    },
    'pairs': {'genuine': ('one person', RUNS[0], '-'), 'impostor': ('two people', RUNS[1], '-')},
}


def plot_open_set(results: Mapping[str, Mapping], confidence: float = 95.0) -> 'Figure':
    """Plot TPIR over FPIR and TAR over FAR, a colour a setting, and below the scores of each setting.

    Marked are the rates of the table, with their intervals; on the dotted line as many are falsely accepted as refused,
    so a TAR curve crosses it at its EER.

    Args:
        results (Mapping[str, Mapping]): By setting, as `evaluate_open_set` gives them.
        confidence (float): Of the intervals, in percent, for the title. Defaults to 95.

    Returns:
        Figure: Of Matplotlib.

    Raises:
        ValueError: When there are more settings than colours that can be told apart.
    """
    if len(results) > len(RUNS):
        raise ValueError(f'{len(results)} settings are more than can be told apart: expected at most {len(RUNS)}.')
    figure = plain_figure((9.6, 3.9 + 2.3 * len(results)))
    axes = figure.subplots(1 + len(results), 2, squeeze=False, height_ratios=[1.6, *[1] * len(results)])
    for axis, (false, true), title in zip(axes[0], (SEARCH, PAIRS), ('Search', 'Verification'), strict=True):
        _curves(axis, results, false, true)
        axis.set_title(f'{title}, with {confidence:g} % intervals over identities', fontsize=9, loc='left')
    axes[0, 0].legend(frameon=False, fontsize=8, loc='upper left')
    for row, (name, result) in zip(axes[1:], results.items(), strict=True):
        for axis, what, of in zip(row, ('search', 'pairs'), ('best candidates', 'pairs'), strict=True):
            _distributions(axis, result['distributions'], BELOW[what])
            axis.set_title(f'{name}: scores of {of}', fontsize=9, loc='left')
    for axis in axes[1]:
        axis.legend(frameon=False, fontsize=8, loc='upper right')
    for axis in axes[-1]:
        axis.set_xlabel('cosine', fontsize=8)
    return figure


def _curves(axis: 'Axes', results: Mapping[str, Mapping], false: str, true: str) -> None:
    for number, ((name, result), colour) in enumerate(zip(results.items(), RUNS, strict=False)):
        # What a level allows holds up to the next one: between two points nothing is measured.
        axis.step(
            result['curves'][false], result['curves'][true], where='post', color=colour, linewidth=1.3, label=name
        )
        for metric in result['intervals']:
            if metric.startswith(f'{true}@') and result[metric] is not None:
                level = 100 * float(metric.split('=')[1]) * 1.05**number  # side by side, not one above the other
                axis.plot(level, result[metric], 'o', color=colour, markersize=4)
                if result['intervals'][metric]:
                    axis.vlines(level, *result['intervals'][metric], color=colour, linewidth=2.5, alpha=0.4)
    axis.set(xscale='log', ylim=(0, 100), xlabel=f'{false} %', ylabel=f'{true} %')
    if true == 'TAR':
        error = np.geomspace(*axis.get_xlim(), 200)
        axis.plot(error, 100 - error, ':', color='#555555', linewidth=1)
        axis.set_xlim(error[0], 100)
    axis.set_xlim(right=100)
    axis.xaxis.set_major_formatter('{x:g}')
    axis.grid(linewidth=0.4, alpha=0.5)
    _plain(axis)


def _distributions(axis: 'Axes', distributions: Mapping[str, list], shown: Mapping[str, tuple[str, str, str]]) -> None:
    edges = np.array(distributions['edges'])
    highest = []
    for name, (label, colour, line) in shown.items():
        counts = np.array(distributions[name], float)
        if counts.sum():
            share = 100 * counts / counts.sum()
            axis.stairs(share, edges, color=colour, linewidth=1.3, linestyle=line, label=label)
            axis.stairs(share, edges, color=colour, alpha=0.15, fill=True)
            highest.append(np.flatnonzero(counts)[[0, -1]])
    first, last = np.array(highest).min(), np.array(highest).max()
    axis.set(xlim=(edges[first], edges[last + 1]), ylim=(0, None), ylabel='% of them')
    _plain(axis)


def _plain(axis: 'Axes') -> None:
    axis.tick_params(labelsize=8)
    axis.xaxis.label.set_fontsize(8)
    axis.yaxis.label.set_fontsize(8)
    axis.spines[['top', 'right']].set_visible(False)
