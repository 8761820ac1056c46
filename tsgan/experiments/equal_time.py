"""Every row twice: with as many images seen as one of them sees, and in the time that this one takes."""

from collections.abc import Callable, Sequence

from .campaign import duration
from .row_names import network, own_length
from .rows import Rows
from .step_times import StepTimes
from .tables import Numbers, headline_settings, markdown_table, spread

EQUAL = 'images', 'time'  # what is


class EqualTime:
    """Lengths of rows beside one of them, and the table of both.

    Args:
        rows (Rows): The data set's rows.
        reference (str): The row whose images and time, at its own length, all others get.
        times (StepTimes): What a step of each takes.

    Raises:
        ValueError: Where the reference takes no time that its steps would tell.
    """

    def __init__(self, rows: Rows, reference: str, times: StepTimes) -> None:
        self.rows, self.reference, self.times = rows, network(own_length(reference)), times
        if not rows.in_steps(self.reference):
            raise ValueError(
                f'{reference} is not trained in steps alone, whose time others could take: expected another row.'
            )

    def lengths(self, wanted: Sequence[str]) -> dict[str, tuple[str, str | None]]:
        """Each row at equal images, and at equal time, at least one epoch.

        What learns nothing is as long as it is. None is of a row that learns, but whose steps do not tell its time.
        """
        own = list(dict.fromkeys(own_length(row) for row in [*wanted, self.reference]))
        self.times.measure(list(dict.fromkeys([self.reference, *map(network, own)])))
        found = {row: self.length(row, self.images) for row in own}
        unknown = [row for row in own if self.rows.learns(network(row)) and not self.rows.in_steps(network(row))]
        times = {row: None if row in unknown else self.length(row, self.seconds) for row in own}
        return {row: (found[row], times[row]) for row in own}

    def length(self, row: str, of_an_epoch: Callable[[str], float]) -> str:
        """The row in as many epochs as make up the whole of the reference, of what ``of_an_epoch`` gives."""
        own = network(row)
        if not self.rows.learns(own):
            return row
        whole = of_an_epoch(self.reference) * self.rows.config(self.reference).train_cfg.max_epochs
        return self.rows.at_length(row, max(1, round(whole / of_an_epoch(own))))

    def images(self, row: str) -> int:
        """Images that an epoch reads; of several views of an image, one."""
        return self.rows.iterations(row) * self.rows.config(row).train_dataloader.batch_size

    def seconds(self, row: str) -> float:
        """Of an epoch's steps."""
        return self.rows.iterations(row) * self.times.times[row].seconds

    def entries(self, lengths: dict[str, tuple[str, str | None]], measured: Numbers) -> list[dict]:
        """What the table says of each row."""
        found = []
        for row, pair in lengths.items():
            own = network(row)
            time = self.times.times[own]
            entry = {'row': row, 'seconds_a_step': time.seconds}
            for name, trained in zip(EQUAL, pair, strict=True):
                if trained is None:
                    entry[f'equal_{name}'] = None
                    continue
                epochs = self.rows.config(network(trained)).train_cfg.max_epochs
                entry[f'equal_{name}'] = {
                    'row': trained,
                    'epochs': epochs,
                    'iterations': epochs * self.rows.iterations(own),
                    'images': epochs * self.images(own),
                    'seconds': time.seconds and epochs * self.seconds(own),
                    'measured': measured.get(trained, {}),
                }
            entry['test_image'] = {modality: cost._asdict() for modality, cost in time.images.items()}
            found.append(entry)
        return found

    def markdown(self, data: str, entries: list[dict]) -> str:
        """One table: rows, at equal images and at equal time, and what a step and a test image cost."""
        whole = next(entry for entry in entries if entry['row'] == self.reference)['equal_images']
        lines = [
            f'Measured here on {data}, mean ± standard deviation over seeds, R1 / mAP in %. Equal images: the '
            f'{whole["images"]:,} that {self.reference} reads in {whole["epochs"]} epochs. Equal time: the '
            f'{duration(whole["seconds"])} that its {whole["iterations"]:,} steps take. To the nearest epoch, and at '
            'least one.',
            f'A step is the median of several, rows in turn, on {self.times.measured_on}; a test image RGB / IR where '
            'the two differ.',
            '',
        ]
        halves = [entry[f'equal_{name}'] for entry in entries for name in EQUAL]
        settings = headline_settings([half['measured'] for half in halves if half])
        header = ['row', 's a step']
        for name in EQUAL:
            header += [f'equal {name}: epochs', 'steps', 'seeds', *settings.values()]
        header += ['parameters that run, M', 'GFLOPs', 'images/s']
        rows = []
        for entry in entries:
            cells = [entry['row'], f'{entry["seconds_a_step"]:.3f}' if entry['seconds_a_step'] else '-']
            for name in EQUAL:
                half = entry[f'equal_{name}']
                if half is None:
                    cells += ['-'] * (3 + len(settings))
                    continue
                seeds = max((half['measured'][key]['seeds'] for key in settings if key in half['measured']), default=0)
                cells += [half['epochs'], f'{half["iterations"]:,}', seeds]
                for setting in settings:
                    numbers = half['measured'].get(setting)
                    cells.append(f'{spread(*numbers["R1"])} / {spread(*numbers["mAP"])}' if numbers else '-')
            rows.append([*cells, *cost_cells(entry['test_image'])])
        return '\n'.join([*lines, *markdown_table(header, rows)]) + '\n'


def cost_cells(images: dict[str, dict]) -> list[str]:
    """Millions of parameters, GFLOPs, images a second; one where both modalities have the same."""
    cells = []
    for key, unit, digits in (('parameters', 1e6, 2), ('operations', 1e9, 3), ('images_a_second', 1, 0)):
        both = [f'{cost[key] / unit:.{digits}f}' if cost[key] else '-' for cost in images.values()]
        cells.append(' / '.join(dict.fromkeys(both)))
    return cells
