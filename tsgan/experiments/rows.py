"""The rows of a table: their configs, what each begins with, and where their runs lie."""

import json
from pathlib import Path

from mmengine.config import Config

from tsgan.config_files import read_config
from tsgan.places import ROOT

from .finished import is_tested, last_checkpoint
from .options import load_config, taken_options
from .tables import SETTINGS, over_seeds

CONFIGS = {'sysu-mm01': '.', 'synthetic': 'synthetic', 'llcm': 'llcm'}  # below configs/
RERANKED = '_rerank'  # such a row is the network of the row without it, re-ranked


class Rows:
    """The rows of one data set: their configs, what they begin with, and where their runs lie.

    Args:
        data (str): Key of ``CONFIGS``.
        out (Path): Folder of the runs, ``out/<seed>/<row>``.
        options (list[str]): Overrides of every config, ``key=value``.
    """

    def __init__(self, data: str, out: Path, options: list[str]):
        self.folder, self.out, self.options = ROOT / 'configs' / CONFIGS[data], out, options
        self.configs: dict[str, tuple[list[str], Config]] = {}  # read once

    def path(self, row: str) -> Path:
        return self.folder / f'{row}.py'

    def work_dir(self, row: str, seed: int) -> Path:
        return self.out / str(seed) / row

    def names(self) -> set[str]:
        """All rows of this data set."""
        files = [*self.folder.glob('*.py'), *self.folder.glob('rivals/*.py')]
        return {file.relative_to(self.folder).with_suffix('').as_posix() for file in files}

    def taken(self, row: str) -> list[str]:
        """The options that this row's config takes."""
        return self._read(row)[0]

    def config(self, row: str) -> Config:
        return self._read(row)[1]

    def _read(self, row: str) -> tuple[list[str], Config]:
        if row not in self.configs:
            taken = taken_options(self.options, read_config(self.path(row)))
            self.configs[row] = taken, load_config(str(self.path(row)), cfg_options=taken)
        return self.configs[row]

    def check_options(self, rows: list[str]) -> None:
        """Raises ValueError on an option that no row takes, that is set here, or that the runs there do not have."""
        own = {'randomness.seed', *(key for row in rows for key in self.begins_with(row))}
        for option in self.options:
            if option.lstrip('+').split('=')[0] in own:
                raise ValueError(f'{option}: each row has its own, which is set here.')
            if not any(option in self.taken(row) for row in rows):
                raise ValueError(f'{option}: no config of {", ".join(rows)} has such an entry; write a config for it.')

    def note_options(self) -> None:
        """Say beside the runs which options they have. Raises ValueError where there are runs with others."""
        note = self.out / 'options.json'
        if any(self.out.glob('*/**/last_checkpoint')) and note.is_file():
            noted = json.loads(note.read_text(encoding='utf-8'))
            if sorted(noted) != sorted(self.options):
                raise ValueError(f'{self.out} holds runs with the options {noted}: give another --work-dir.')
        note.write_text(json.dumps(self.options), encoding='utf-8')

    def begins_with(self, row: str) -> dict[str, str]:
        """The rows whose networks this one begins with, by the option that takes their work dir."""
        found = {}
        for child in ('reid', 'teacher'):
            encoder = self.config(row).model.get(child, {}).get('encoder', {})
            if encoder.get('checkpoint') and encoder.get('trained_by'):
                trainer = (ROOT / encoder.trained_by.split()[0]).with_suffix('')
                found[f'model.{child}.encoder.checkpoint'] = str(trainer.relative_to(self.folder.resolve()))
        return found

    def with_all_before(self, rows: list[str]) -> list[str]:
        """The rows to train, each after those that it begins with."""
        ordered = {}
        for row in rows:
            ordered |= dict.fromkeys([*self.with_all_before(list(self.begins_with(row).values())), row])
        return list(ordered)

    def options_of(self, row: str, seed: int) -> list[str]:
        before = [f'{key}={self.work_dir(other, seed)}' for key, other in self.begins_with(row).items()]
        return [f'randomness.seed={seed}', *before, *self.taken(row)]

    def state(self, row: str, seed: int, tested: bool) -> str:
        """'there', 'to test' or 'to train'."""
        cfg, work_dir = self.config(row), self.work_dir(row, seed)
        if not last_checkpoint(work_dir, cfg):
            return 'to train'
        return 'to test' if tested and not is_tested(work_dir, cfg, rerank=True) else 'there'

    def measured(self, wanted: list[str], seeds: list[int]) -> dict[str, dict[str, dict]]:
        """Row -> mean and deviation over the seeds that have results; a re-ranked row has those of its network."""
        numbers = {}
        for row in wanted:
            network = row.removesuffix(RERANKED)
            there = [
                self.work_dir(network, seed) for seed in seeds if self.state(network, seed, tested=True) == 'there'
            ]
            found = over_seeds([json.loads((work_dir / 'results.json').read_text()) for work_dir in there])
            suffix = RERANKED if row.endswith(RERANKED) else ''
            numbers[row] = {setting: found[setting + suffix] for setting in SETTINGS if setting + suffix in found}
        return numbers
