"""What a calibration is made of: scores by kind of pair, what they mean, and whether that holds."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from tsgan.evaluation.calibration import Calibration, Group, Reliability
from tsgan.visualization.palette import RUNS, plain_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DIFFERENT, SAME = RUNS[0], RUNS[1]
LEVEL, RATE = 0.95, 0.01  # what is marked, where there is enough for it
BINS = 60


def plot_calibration(calibration: Calibration, reliabilities: Mapping[str, Reliability] | None = None) -> 'Figure':
    """Plot a row for each two modalities: distributions of scores, their probability, and its reliability.

    Args:
        calibration (Calibration): What is shown.
        reliabilities (Mapping[str, Reliability], optional): By name of the group, as of
            :func:`tsgan.evaluation.calibration.held_out_reliability`. Defaults to None: without that column.

    Returns:
        Figure: Of Matplotlib.
    """
    groups = [group for group in calibration.groups if group.query_camera < 0]
    width = 3 if reliabilities else 2
    figure = plain_figure((3.3 * width, 2.5 * len(groups) + 0.3))
    axes = figure.subplots(len(groups), width, squeeze=False)
    for row, group in zip(axes, groups, strict=True):
        _distributions(row[0], group)
        _probability(row[1], group)
        if reliabilities:
            _reliability(row[2], reliabilities.get(group.name))
        for axis in row:
            axis.spines[['top', 'right']].set_visible(False)
            axis.tick_params(labelsize=7, length=2)
            axis.xaxis.label.set_size(8)
            axis.yaxis.label.set_size(8)
    return figure


def _distributions(axis: 'Axes', group: Group) -> None:
    edges = np.linspace(group.scores[0], group.scores[-1], BINS)
    for below, colour, name in (
        (group.different_below, DIFFERENT, 'two people'),
        (group.same_below, SAME, 'one person'),
    ):
        density = np.diff(np.interp(edges, group.scores, below)) / np.diff(edges)
        axis.stairs(density, edges, color=colour, fill=True, alpha=0.25)
        axis.stairs(density, edges, color=colour, label=name)
    marks = []
    if LEVEL in group.candidate_scores:
        marks.append((group.candidates(LEVEL), '--', f'{100 * LEVEL:.0f} % set'))
    found = [known for known in group.thresholds if known.false_alarm_rate == RATE]
    if found:
        best = min(found, key=lambda known: known.gallery_size)
        people = 'person' if best.gallery_size == 1 else 'people'
        marks.append((best.score, ':', f'{100 * RATE:.0f} % alarms, {best.gallery_size} {people}'))
    for score, style, name in marks:
        axis.axvline(score, color='#000000', linestyle=style, linewidth=1, label=name)
    axis.legend(fontsize=6, frameon=False)
    axis.set_title(f'{group.name}, {group.num_ids:,} identities', fontsize=9, loc='left')
    axis.set(xlabel='score', ylabel='density', yticks=[])


def _probability(axis: 'Axes', group: Group) -> None:
    scores = np.linspace(group.scores[0], group.scores[-1], 400)
    for prior, colour in ((0.5, RUNS[2]), (0.01, RUNS[3])):
        axis.plot(scores, group.probability(scores, prior), color=colour, label=f'prior {prior:g}')
    axis.legend(fontsize=6, frameon=False)
    axis.set(xlabel='score', ylabel='probability of one person', ylim=(0, 1))


def _reliability(axis: 'Axes', found: Reliability | None) -> None:
    axis.plot([0, 1], [0, 1], color='#999999', linewidth=0.8)
    if found is None:
        axis.set_title('too few identities to hold half back', fontsize=8, loc='left')
    else:
        axis.plot(found.predicted, found.observed, color=RUNS[2], linewidth=0.8)
        axis.scatter(found.predicted, found.observed, s=4 + 200 * found.weight, color=RUNS[2])
        axis.set_title(f'expected error {100 * found.error:.1f} %', fontsize=8, loc='left')
    axis.set(xlabel='probability that is given', ylabel='share that is so', xlim=(0, 1), ylim=(0, 1))
