"""What lies in a work dir: a training that has reached its end, a test of it."""

import json
from pathlib import Path

from mmengine.config import Config

from tsgan.checkpoints import noted_checkpoint


def last_checkpoint(work_dir: Path, cfg: Config) -> Path | None:
    """The last checkpoint of a training that has reached its end."""
    noted = noted_checkpoint(work_dir)  # once it is complete
    finished = noted and noted.is_file() and noted.name == f'epoch_{cfg.train_cfg.max_epochs}.pth'
    return noted if finished else None


def is_tested(work_dir: Path, cfg: Config, rerank: bool) -> bool:
    """Whether a test has written results of the last checkpoint, and re-ranked ones if those are wanted."""
    file, checkpoint = work_dir / 'results.json', last_checkpoint(work_dir, cfg)
    if not checkpoint or not file.is_file() or file.stat().st_mtime < checkpoint.stat().st_mtime:
        return False
    try:
        about = json.loads(file.read_text())['about']
    except (ValueError, KeyError, TypeError, RecursionError):  # not the whole of a file
        return False
    return Path(about.get('checkpoint', '')).name == checkpoint.name and (about.get('rerank', False) or not rerank)
