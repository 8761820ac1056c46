"""Command lines of ``tools/``, one after the other, each with its progress: what a demonstration is made of."""

import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tsgan.experiments.finished import last_checkpoint
from tsgan.experiments.options import load_config
from tsgan.places import ROOT

# one log line of a training: Epoch(train)  [3][20/50]  lr: ...  eta: 0:01:23
PROGRESS = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/(\d+)\].*?eta: ([\d:]+)')


class Steps:
    """Runs command lines, what they say going to one log.

    Args:
        log (Path): The log.
    """

    def __init__(self, log: Path) -> None:
        self.log, self.console = log, Console()
        log.parent.mkdir(parents=True, exist_ok=True)

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def call(self, tool: str, *arguments: object, label: str = '', epochs: int = 0) -> None:
        """Run ``tools/<tool>``; with ``epochs``, show a training's progress beside ``label``.

        Raises:
            RuntimeError: When it fails; says its last lines.
        """
        command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, arguments)]
        columns = [TextColumn('{task.description}'), BarColumn(), TextColumn('{task.percentage:>3.0f} %')]
        columns += [TimeElapsedColumn(), TextColumn('left {task.fields[left]}')]
        with (
            self.log.open('a', encoding='utf-8') as file,
            Progress(*columns, console=self.console, disable=not epochs) as progress,
        ):
            task = progress.add_task(label, total=1, left='-')
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            try:
                for line in process.stdout:
                    file.write(line)
                    if epochs and (match := PROGRESS.search(line)):
                        epoch, iteration, iterations = (int(match[i]) for i in (1, 2, 3))
                        progress.update(task, completed=(epoch - 1 + iteration / iterations) / epochs, left=match[4])
            finally:
                if process.poll() is None and sys.exc_info()[0]:
                    process.terminate()
                process.wait()
        if process.returncode:
            tail = ''.join(self.log.read_text(encoding='utf-8').splitlines(keepends=True)[-15:])
            raise RuntimeError(f'{tool} failed; all that it said is in {self.log}, its end:\n{tail}')

    def train(self, config: str, work_dir: Path, label: str, options: list[str] | None = None) -> Path:
        """Train ``configs/<config>``, or go on where an earlier run stopped.

        Returns:
            Path: The last checkpoint.
        """
        path, options = str(ROOT / 'configs' / config), options or []
        cfg = load_config(path, cfg_options=options)
        if found := last_checkpoint(work_dir, cfg):
            self.say(f'{label}: {found} is there')
            return found
        arguments = [path, '--resume', '--work-dir', work_dir]
        shown = [*options, 'default_hooks.logger.interval=10']
        self.call('train.py', *arguments, '--cfg-options', *shown, label=label, epochs=cfg.train_cfg.max_epochs)
        return last_checkpoint(work_dir, cfg)
