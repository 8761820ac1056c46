"""A ledger as a picture: what each convention adds to the first one, the protocol's own definition."""

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
        rows (Sequence[Row]): Of an audit, the protocol's own definition first.
        title (str): Above all panels. Defaults to ''.

    Returns:
        Figure: Of Matplotlib.

    Raises:
        ValueError: No convention beside the first.
    """
    base, *conventions = dict.fromkeys(row.convention for row in rows)
    if not conventions:
        raise ValueError(f'There is no convention beside {base}: nothing can be compared.')
    own = {row.setting: row for row in rows if row.convention == base}
    figure = plain_figure((3.2 + 2.4 * len(own), 1.4 + 0.36 * len(conventions)))
    axes = figure.subplots(1, len(own), sharex=True, sharey=True, squeeze=False)[0]
    for axis, (setting, first) in zip(axes, own.items(), strict=True):
        _panel(axis, [row for row in rows if row.setting == setting and row.convention != base], first, conventions)
    figure.legend(*axes[0].get_legend_handles_labels(), loc='outside upper right', ncols=3, frameon=False, fontsize=9)
    figure.supxlabel(f'points more than {base}', fontsize=9)
    if title:
        figure.suptitle(title, x=0.01, ha='left', fontsize=11, fontweight='bold')
    return figure


def _panel(axis: 'Axes', rows: list[Row], own: Row, conventions: list[str]) -> None:
    for line in range(0, len(conventions), 2):  # every other line lies on a band
        axis.axhspan(line - 0.5, line + 0.5, color='0.955', linewidth=0, zorder=0)
    axis.axvline(0, color='0.35', linewidth=1, zorder=1)
    for nth, ((name, marker), colour) in enumerate(zip(MEASURES.items(), RUNS, strict=False)):
        at = [conventions.index(row.convention) + 0.23 * (nth - 1) for row in rows]
        difference = [getattr(row, name) - getattr(own, name) for row in rows]
        axis.hlines(at, 0, difference, color=colour, linewidth=1.6, alpha=0.45)
        axis.plot(
            difference, at, marker, color=colour, markersize=5, markeredgecolor='w', markeredgewidth=0.5, label=name
        )
    axis.set_yticks(range(len(conventions)), conventions, fontsize=9)
    axis.set_ylim(len(conventions) - 0.5, -0.5)
    values = '   '.join(f'{name} {getattr(own, name):.1f}' for name in MEASURES)
    axis.set_title(own.setting, fontsize=10, fontweight='bold', loc='left', pad=17)
    place = dict(xy=(0, 1), xytext=(0, 5), xycoords='axes fraction', textcoords='offset points')
    axis.annotate(values, **place, fontsize=8, color='0.35')
    axis.xaxis.set_major_formatter(lambda points, _: f'{points:+g}' if points else '0')
    axis.tick_params(axis='y', length=0)
    axis.tick_params(axis='x', labelsize=8, length=2)
    axis.spines[['top', 'right', 'left']].set_visible(False)
    axis.grid(axis='x', linewidth=0.4, alpha=0.6, zorder=0)
