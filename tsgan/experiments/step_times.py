"""What a step of each row takes on this machine, and what a test image costs it: measured once, kept in a file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tsgan.machine import machine_name, num_cores
from tsgan.whole_files import write_whole

from .cost import ImageCost, image_costs
from .estimate import seconds_a_step
from .rows import Rows

STEPS, BATCH_SIZE, REPEATS = 15, 32, 11  # timed steps of a row; of a test: images a batch, timed batches


class StepTime(NamedTuple):
    """What one row's steps and test images cost."""

    seconds: float | None  # a step, with loading; None where steps do not make up a training
    images: dict[str, ImageCost]  # by modality


class StepTimes:
    """Times of the rows, and the file in which they stay, so that lengths that hang on them stay the same.

    Rows that come later are timed beside one that is there, and scaled to what was measured of that one at first: a
    machine is not equally fast every day.

    Args:
        rows (Rows): The data set's rows, each at its own length.
        file (Path): The file.
        jobs (int): Trainings that share the machine's cores. Defaults to 1.
        keep (bool): Whether to write the file; without, test images are left out, too. Defaults to True.
    """

    def __init__(self, rows: Rows, file: Path, jobs: int = 1, keep: bool = True) -> None:
        self.rows, self.file, self.keep = rows, file, keep
        if jobs > 1 and 'OMP_NUM_THREADS' not in os.environ:  # as many as each of the trainings will have
            torch.set_num_threads(max(1, num_cores() // jobs))
        gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
        self.machine = ', '.join([machine_name(), f'{torch.get_num_threads()} threads', *gpu])
        self.times: dict[str, StepTime] = {}
        if file.is_file():
            self.read()

    def read(self) -> None:
        """Raises ValueError where the file is not one of these."""
        try:
            content = json.loads(self.file.read_text(encoding='utf-8'))
            self.measured_on = content['machine']
            for row, time in content['rows'].items():
                images = {modality: ImageCost(**cost) for modality, cost in time['images'].items()}
                self.times[row] = StepTime(time['seconds'], images)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f'{self.file} holds no times of steps: remove it, and they are measured anew.') from error

    def measure(self, wanted: Sequence[str]) -> None:
        """Time those rows that nobody has timed.

        Raises:
            RuntimeError: Where others were timed on another machine.
        """
        missing = [row for row in wanted if row not in self.times]
        if not missing:
            return
        if self.times and self.measured_on != self.machine:
            raise RuntimeError(
                f'{self.file} was measured on {self.measured_on}, and {", ".join(missing)} would be on {self.machine}: '
                'go on there, or remove the file, and all lengths are settled anew.'
            )
        trained = [row for row in missing if self.rows.in_steps(row)]
        before = [row for row, time in self.times.items() if time.seconds][:1] if trained else []
        found = dict(zip([*before, *trained], self.steps([*before, *trained]), strict=True))
        scale = self.times[before[0]].seconds / found[before[0]] if before else 1.0
        costs = self.costs(missing) if self.keep else {}
        for row in missing:
            images = {modality: cost for (name, modality), cost in costs.items() if name == row}
            self.times[row] = StepTime(found[row] * scale if row in found else None, images)
        self.measured_on = self.machine
        if self.keep:
            content = {'machine': self.machine, 'rows': {row: written(time) for row, time in self.times.items()}}
            write_whole(self.file, json.dumps(content, indent=2) + '\n')

    def steps(self, rows: Sequence[str]) -> list[float]:
        return seconds_a_step([self.rows.config(row) for row in rows], STEPS)

    def costs(self, rows: Sequence[str]) -> dict[tuple[str, str], ImageCost]:
        device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        return image_costs({row: self.rows.config(row) for row in rows}, device, BATCH_SIZE, REPEATS)


def written(time: StepTime) -> dict:
    return {'seconds': time.seconds, 'images': {name: cost._asdict() for name, cost in time.images.items()}}
