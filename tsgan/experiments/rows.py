"""The rows of a table: their configs, what each begins with, and where their runs lie."""

import json
from fnmatch import fnmatchcase
from pathlib import Path

from mmengine.config import Config

from tsgan.config_files import read_config
from tsgan.places import ROOT

from .estimate import iterations_an_epoch
from .finished import is_tested, last_checkpoint
from .lengths import options_of_length
from .options import load_config, taken_options
from .row_names import RERANKED, epochs_of, network, of_length, own_length
from .tables import SETTINGS, over_seeds

CONFIGS = {'sysu-mm01': '.', 'synthetic': 'synthetic', 'llcm': 'llcm'}  # below configs/
MODERN = {'sysu-mm01': 'modern', 'synthetic': 'synthetic/modern', 'llcm': 'modern/llcm'}  # of the rows modern/...


class Rows:
    """The rows of one data set: their configs, what they begin with, and where their runs lie.

    A row ``backbone_40e`` is ``backbone`` trained for 40 epochs, its schedule stretched, see :mod:`.lengths`.

    Args:
        data (str): Key of ``CONFIGS``.
        out (Path): Folder of the runs, ``out/<seed>/<row>``.
        options (list[str]): Overrides of every config, ``key=value``.
    """

    def __init__(self, data: str, out: Path, options: list[str]):
        self.folder, self.modern = ROOT / 'configs' / CONFIGS[data], ROOT / 'configs' / MODERN[data]
        self.out, self.options = out, options
        self.configs: dict[str, tuple[list[str], Config]] = {}  # read once
        self.steps: dict[str, int] = {}  # of an epoch, counted once
        folders = self.folder, self.folder / 'rivals', self.modern
        self.files = {self._name(file): file for folder in folders for file in sorted(folder.glob('*.py'))}

    def _name(self, file: Path) -> str:
        """The row that a config is: its path below the data set's folder, or ``modern/...``."""
        if file.parent == self.modern:
            return f'modern/{file.stem}'
        return file.relative_to(self.folder).with_suffix('').as_posix()

    def path(self, row: str) -> Path:
        return self.files[own_length(row)]

    def work_dir(self, row: str, seed: int) -> Path:
        return self.out / str(seed) / row

    def names(self) -> set[str]:
        """All rows of this data set, each at its own length."""
        return set(self.files)

    def named(self, patterns: list[str]) -> list[str]:
        """The rows that those names and patterns mean, ``rivals/*``, of any length, re-ranked ones too.

        Raises:
            ValueError: Where one means none.
        """
        found = {
            pattern: [row for row in self.files if fnmatchcase(row, pattern)]
            or [pattern] * (own_length(network(pattern)) in self.files)
            for pattern in patterns
        }
        missing = [pattern for pattern, rows in found.items() if not rows]
        if missing:
            raise ValueError(f'expected rows of these, or patterns: {", ".join(self.files)}; not {", ".join(missing)}.')
        return list(dict.fromkeys(row for rows in found.values() for row in rows))

    def at_length(self, row: str, epochs: int) -> str:
        """The row trained so long; itself where that is its own length, or where it learns nothing."""
        own = own_length(row)
        same = epochs == self.config(network(own)).train_cfg.max_epochs or not self.learns(network(own))
        return own if same else of_length(row, epochs)

    def learns(self, row: str) -> bool:
        """Whether a training moves weights, and would move them further were it longer."""
        return any(name != 'constructor' for name in self.config(row).get('optim_wrapper', {}))

    def in_steps(self, row: str) -> bool:
        """Whether the time of its steps makes up a training: not where clusters are made before each epoch."""
        hooks = self.config(row).get('custom_hooks') or []
        return self.learns(row) and not any(hook.type == 'PseudoLabelHook' for hook in hooks)

    def iterations(self, row: str) -> int:
        """Of one epoch, which are the same at every length."""
        own = own_length(row)
        if own not in self.steps:
            self.steps[own] = iterations_an_epoch(self.config(own))
        return self.steps[own]

    def taken(self, row: str) -> list[str]:
        """The options that this row's config takes."""
        return self._read(row)[0]

    def config(self, row: str) -> Config:
        return self._read(row)[1]

    def _read(self, row: str) -> tuple[list[str], Config]:
        if row not in self.configs:
            path = self.path(row)
            taken = taken_options(self.options, read_config(path))
            cfg, epochs = load_config(str(path), cfg_options=taken), epochs_of(row)
            if epochs is not None:
                try:
                    taken = [*taken, *options_of_length(cfg, epochs)]
                except ValueError as error:
                    raise ValueError(f'{row}: {error}') from error
                cfg = load_config(str(path), cfg_options=taken)
            self.configs[row] = taken, cfg
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
                found[f'model.{child}.encoder.checkpoint'] = self._name(ROOT / encoder.trained_by.split()[0])
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
            trained = network(row)
            there = [
                self.work_dir(trained, seed) for seed in seeds if self.state(trained, seed, tested=True) == 'there'
            ]
            found = over_seeds([json.loads((work_dir / 'results.json').read_text()) for work_dir in there])
            suffix = RERANKED if row.endswith(RERANKED) else ''
            numbers[row] = {setting: found[setting + suffix] for setting in SETTINGS if setting + suffix in found}
        return numbers
