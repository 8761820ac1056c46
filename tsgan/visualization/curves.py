"""Curves of what trainings have logged: loss terms, gradients, learning rates, measures."""

import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tsgan.evaluation import METRIC_NAMES
from tsgan.visualization.palette import RUNS, plain_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABOUT_A_LINE = ('step', 'iter', 'epoch')
OF_THE_MACHINE = ('time', 'data_time', 'memory')
MOST_COLUMNS = 7


class Curve(NamedTuple):
    """What was logged under one name."""

    steps: np.ndarray  # (N,)  ascending; iterations, of a measure epochs
    values: np.ndarray  # (N,)


def read_curves(work_dir: str | Path) -> dict[str, Curve]:
    """Read what a training has logged, by name.

    A training that was resumed has a folder for each start: where a later one begins, the earlier ones end.

    Args:
        work_dir (str | Path): The training's folder.

    Raises:
        FileNotFoundError: When nothing was logged there.
        ValueError: When a log is damaged; names file and line.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'{work_dir} has no */vis_data/scalars.json: expected the work dir of a training, as of tools/train.py.'
        )
    found: dict[str, dict[int, float]] = {}
    for file in files:
        lines = list(_lines(file))
        steps = [line['step'] for line in lines if not any(map(_is_measure, line))]
        epochs = [line['epoch'] for line in lines if 'epoch' in line]
        for name, curve in found.items():
            begin = min(epochs if _is_measure(name) else steps, default=np.inf)
            found[name] = {step: value for step, value in curve.items() if step < begin}
        for line in lines:
            for name, value in line.items():
                if name not in ABOUT_A_LINE and isinstance(value, (int, float)):
                    found.setdefault(name, {})[line['step']] = value
    curves = {name: sorted(curve.items()) for name, curve in found.items() if curve}
    return {name: Curve(*map(np.array, zip(*curve, strict=True))) for name, curve in curves.items()}


def _lines(file: Path):
    """The lines of a log; the last one may be cut off, where its training was killed."""
    texts = file.read_text(encoding='utf-8', errors='replace').splitlines()
    for number, text in enumerate(texts, start=1):
        try:
            line = json.loads(text)
            line['step'] = int(line['step'])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number == len(texts):
                return
            raise ValueError(
                f'{file}, line {number}, is no line of a training\'s log: expected {{"...": 0.1, "step": 50}}.'
            ) from error
        yield line


def _is_measure(name: str) -> bool:
    """Whether a name is of a validation, whose steps are epochs."""
    return name.rsplit('/', 1)[-1] in METRIC_NAMES


def select(names: Sequence[str], patterns: Sequence[str] = ()) -> list[str]:
    """Those names that one of the patterns fits, in their order; without a pattern, all but the machine's.

    Args:
        names (Sequence[str]): Names of curves.
        patterns (Sequence[str]): Such as ``reid/*``, ``*grad*``. Defaults to ().

    Raises:
        ValueError: When none does; lists what is there.
    """
    if patterns:
        chosen = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
    else:
        chosen = [name for name in names if name not in OF_THE_MACHINE]
    if not chosen:
        asked = ', '.join(patterns) or 'anything of a training'
        raise ValueError(f'nothing that was logged is called {asked}; there are {", ".join(names)}.')
    return chosen


def _place(name: str) -> tuple[str, str, int]:
    """(phase, column, row) of a curve: a term above its gradient, the sum of the terms above the learning rate."""
    if match := re.fullmatch(r'(?:(.*)[./])?(lr|loss)', name):
        return match[1] or '', 'sum', int(match[2] == 'lr')
    phase, _, term = name.rpartition('/')
    return phase, term.removeprefix('grad_').removeprefix('loss_'), int(term.startswith('grad_'))


def _title(name: str) -> str:
    term = re.split('[./]', name)[-1]
    if term.startswith('grad_'):
        return f'|∇| {term.removeprefix("grad_").removeprefix("loss_")}'
    return {'lr': 'learning rate', 'loss': 'sum of the terms'}.get(term, term.removeprefix('loss_'))


def plot_curves(runs: Mapping[str, Mapping[str, Curve]], patterns: Sequence[str] = ()) -> 'Figure':
    """Plot small multiples: a block a phase, a panel a name, a colour a run.

    In a block the terms of the loss stand in the upper row, the norms of their gradients below, each under its term;
    the first column has the sum of the terms and the learning rate.

    Args:
        runs (Mapping[str, Mapping[str, Curve]]): Name of the run -> what :func:`read_curves` gave.
        patterns (Sequence[str]): As of :func:`select`. Defaults to ().

    Returns:
        Figure: Of Matplotlib.

    Raises:
        ValueError: When a pattern fits nothing, or there are more runs than colours that can be told apart.
    """
    if len(runs) > len(RUNS):
        raise ValueError(f'{len(runs)} runs are more than can be told apart: expected at most {len(RUNS)}.')
    names = select(list(dict.fromkeys(name for curves in runs.values() for name in curves)), patterns)
    blocks: dict[str, dict[str, dict[int, str]]] = {}  # phase -> column -> row -> name
    for name in names:
        phase, column, row = _place(name)
        blocks.setdefault('validation' if _is_measure(name) else phase, {}).setdefault(column, {})[row] = name
    rows = []  # of panels: (phase, names), top to bottom; phase of the first row of a block alone
    for phase, columns in sorted(blocks.items(), key=lambda block: block[0] == 'validation'):
        columns = dict(sorted(columns.items(), key=lambda column: column[0] != 'sum'))
        for start in range(0, len(columns), MOST_COLUMNS):
            part = list(columns.values())[start : start + MOST_COLUMNS]
            for row in (0, 1):
                if any(row in column for column in part):
                    rows.append((phase, [column.get(row) for column in part]))
    return _draw(runs, rows)


def _draw(runs: Mapping[str, Mapping[str, Curve]], rows: list[tuple[str, list[str | None]]]) -> 'Figure':
    from matplotlib.lines import Line2D

    width = max(len(names) for _, names in rows)
    figure = plain_figure((max(1.9 * width, 4.6), 1.45 * len(rows) + 0.4))
    axes = figure.subplots(len(rows), width, squeeze=False)
    colours = dict(zip(runs, RUNS, strict=False))
    for row, (phase, names) in enumerate(rows):
        for column, axis in enumerate(axes[row]):
            name = names[column] if column < len(names) else None
            if name is None:
                axis.set_axis_off()
            else:
                _panel(axis, name, runs, colours)
        if row == 0 or rows[row - 1][0] != phase:
            place = dict(xy=(0, 1), xytext=(0, 17), xycoords='axes fraction', textcoords='offset points')
            axes[row, 0].annotate(phase or 'training', **place, fontsize=10, fontweight='bold')
        if row + 1 == len(rows) or rows[row + 1][0] != phase:
            for column in range(len(names)):  # the lowest panel of each says what it runs over
                above = row - (names[column] is None and row > 0 and rows[row - 1][0] == phase)
                axes[above, column].set_xlabel('epoch' if phase == 'validation' else 'iteration', fontsize=7)
    if len(runs) > 1:
        lines = [Line2D([], [], color=colour, linewidth=2) for colour in colours.values()]
        figure.legend(lines, runs, loc='outside upper left', ncols=min(len(runs), 4), frameon=False, fontsize=9)
    return figure


def _panel(axis: 'Axes', name: str, runs: Mapping[str, Mapping[str, Curve]], colours: Mapping[str, str]) -> None:
    found = {run: curves[name] for run, curves in runs.items() if name in curves}
    for run, curve in found.items():
        marker = 'o' if len(curve.steps) == 1 else None  # a line of one point cannot be seen
        axis.plot(curve.steps, curve.values, color=colours[run], linewidth=1.3, marker=marker, markersize=3)
    values = np.concatenate([curve.values for curve in found.values()])
    axis.set_title(_title(name), fontsize=8, loc='left', pad=3)
    axis.tick_params(labelsize=7, length=2, pad=1.5)
    axis.locator_params(nbins=4)
    axis.spines[['top', 'right']].set_visible(False)
    axis.grid(axis='y', linewidth=0.4, alpha=0.5)
    if not name.endswith('lr') and (values > 0).all() and values.max() > 30 * values.min():
        axis.set_yscale('log')  # else the smaller runs would lie on the axis
    else:
        axis.ticklabel_format(axis='y', scilimits=(-3, 4), useMathText=True)
        axis.yaxis.get_offset_text().set_fontsize(7)
