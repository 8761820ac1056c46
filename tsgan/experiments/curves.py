"""Learning curves: what rows reach in trainings of several lengths, each with the whole of its schedule."""

from pathlib import Path

from .row_names import network, own_length
from .rows import Rows
from .tables import Numbers, headline_settings, markdown_table, spread

SHOWN = ('R1', 'mAP')


def curves(rows: Rows, measured: Numbers) -> dict[str, list[dict]]:
    """Row -> its lengths, shortest first: ``epochs``, ``iterations``, and ``measured`` as of `over_seeds`."""
    found: dict[str, list[dict]] = {}
    for row, settings in measured.items():
        if not settings:
            continue
        epochs = rows.config(network(row)).train_cfg.max_epochs
        point = {'row': row, 'epochs': epochs, 'iterations': epochs * rows.iterations(network(row))}
        found.setdefault(own_length(row), []).append(point | {'measured': settings})
    return {row: sorted(points, key=lambda point: point['iterations']) for row, points in found.items()}


def curves_markdown(data: str, found: dict[str, list[dict]]) -> str:
    """A table: a line a row and length."""
    lines = [
        f'Measured here on {data}, mean ± standard deviation over seeds, R1 / mAP in %. Each length is a training of '
        'its own, to the end of its schedule.',
        '',
    ]
    settings = headline_settings([point['measured'] for points in found.values() for point in points])
    table = []
    for row, points in found.items():
        for point in points:
            numbers = [point['measured'].get(setting) for setting in settings]
            seeds = max((each['seeds'] for each in numbers if each), default=0)
            cells = [' / '.join(spread(*each[metric]) for metric in SHOWN) if each else '-' for each in numbers]
            table.append((row, point['epochs'], f'{point["iterations"]:,}', seeds, *cells))
    return '\n'.join([*lines, *markdown_table(('row', 'epochs', 'steps', 'seeds', *settings.values()), table)]) + '\n'


def draw_curves(data: str, found: dict[str, list[dict]], file: str | Path) -> None:
    """R1 and mAP over iterations, a line a row with its spread over seeds; a row of one length is a level."""
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    settings = headline_settings([point['measured'] for points in found.values() for point in points])
    setting, words = next(iter(settings.items()))
    lengths = sorted({point['iterations'] for points in found.values() for point in points if len(points) > 1})
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout='constrained')
    for axis, metric in zip(axes, SHOWN, strict=True):
        for row, points in found.items():
            points = [point for point in points if setting in point['measured']]
            if not points:
                continue
            steps = [point['iterations'] for point in points]
            means, stds = zip(*(point['measured'][setting][metric] for point in points), strict=True)
            if len(points) == 1:
                axis.axhline(means[0], linestyle='--', linewidth=1, color='gray', label=f'{row}, {steps[0]:,} steps')
                continue
            axis.errorbar(steps, means, yerr=[std or 0 for std in stds], marker='o', capsize=3, label=row)
        axis.set_xscale('log')
        axis.minorticks_off()
        axis.set_xticks(lengths, [f'{length:,}' for length in lengths])
        axis.set_xlabel('steps of the training')
        axis.set_ylabel(f'{metric}, %, {words}')
    axes[0].legend(title=data)
    figure.savefig(file, dpi=120)
    plt.close(figure)
