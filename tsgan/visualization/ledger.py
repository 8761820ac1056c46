"""A ledger as a picture: what each convention adds to the protocol's own definition."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsgan.evaluation.conventions import Row
from tsgan.visualization.palette import RUNS, plain_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES = {'R1': 'o', 'mAP': 's', 'mINP': 'D'}


def plot_ledger(rows: Sequence[Row], title: str = '') -> 'Figure':
    """Plot a panel a setting, a line a convention, a dot a measure: its difference to the first convention in points.

    Args:
        rows (Sequence[Row]): Of an audit, the protocol's own definition (of checkpoints, the last one) first.
        title (str): Above all panels. Defaults to ''.

    Returns:
        Figure: Of Matplotlib.
    """
    base, *conventions = dict.fromkeys(row.convention for row in rows)
    own = {row.setting: row for row in rows if row.convention == base}
    figure = plain_figure((3.2 + 3.1 * len(own), 1.3 + 0.36 * len(conventions)))
    axes = figure.subplots(1, len(own), sharey=True, squeeze=False)[0]
    for axis, (setting, first) in zip(axes, own.items(), strict=True):
        _panel(axis, [row for row in rows if row.setting == setting and row.convention != base], first, conventions)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc='outside upper right', ncols=len(MEASURES), frameon=False, fontsize=9)
    if title:
        figure.suptitle(title, x=0.01, ha='left', fontsize=11, fontweight='bold')
    return figure


def _panel(axis: 'Axes', rows: list[Row], own: Row, conventions: list[str]) -> None:
    for nth, ((name, marker), colour) in enumerate(zip(MEASURES.items(), RUNS, strict=False)):
        at = [conventions.index(row.convention) + 0.22 * (nth - 1) for row in rows]
        difference = [getattr(row, name) - getattr(own, name) for row in rows]
        axis.hlines(at, 0, difference, color=colour, linewidth=1.6, alpha=0.45)
        axis.plot(difference, at, marker, color=colour, markersize=5, label=name, clip_on=False)
    axis.axvline(0, color='0.3', linewidth=1)
    axis.set_yticks(range(len(conventions)), conventions, fontsize=9)
    axis.set_ylim(len(conventions) - 0.5, -0.5)
    for line in range(1, len(conventions)):
        axis.axhline(line - 0.5, color='0.92', linewidth=0.8, zorder=0)
    values = '   '.join(f'{name} {getattr(own, name):.1f}' for name in MEASURES)
    axis.set_title(f'{own.setting}\n{values}', fontsize=9, loc='left')
    axis.set_xlabel(f'points more than {own.convention}', fontsize=8)
    axis.tick_params(axis='y', length=0)
    axis.tick_params(axis='x', labelsize=8)
    axis.spines[['top', 'right', 'left']].set_visible(False)
    axis.grid(axis='x', linewidth=0.4, alpha=0.5)
