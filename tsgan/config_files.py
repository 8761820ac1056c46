"""The one place where a config file is read: a program, of which anything may come."""

import sys
from functools import cache
from pathlib import Path
from textwrap import shorten

from mmengine.config import Config

from tsgan.machine import is_first_rank
from tsgan.places import ROOT


class FormattedOnce(Config):
    """A config that is formatted once for as long as it says the same.

    MMEngine asks for its text five times when a training starts, and formatting takes half a second each time.
    """

    @property
    def pretty_text(self) -> str:
        said = repr(self._cfg_dict)
        if said not in FORMATTED:
            FORMATTED.clear()
            FORMATTED[said] = super().pretty_text
        return FORMATTED[said]


FORMATTED = {}  # the last one, by what it says: copies of a config share it


def read_config(path: str | Path) -> Config:
    """A config as its file says it.

    Args:
        path (str | Path): The file; one that is not there, such as ``configs/tsgan_jd.py`` in a folder of your own, is
            the package's, which is then said on stderr.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is no config, or that of no model.
    """
    file = Path(path)
    if not file.is_file():
        file = ROOT / path if file.parts[:1] == ('configs',) else file
        if not file.is_file():
            raise FileNotFoundError(f'no config file at {path}.')
        note_package_config(path, file)
    if file.suffix != '.py':  # of YAML, MMEngine runs what a tag asks for, where nobody expects a program
        raise ValueError(f'{path} is no config: expected Python, in a file whose name ends with .py.')
    try:
        cfg = Config.fromfile(file)
    except Exception as error:  # of any kind: a config is a program
        raise ValueError(f'{path} cannot be read as a config: {why(error)}') from error
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'{path} is no config of a model: expected `model = dict(...)` in it, or in one of its bases.')
    return FormattedOnce(cfg._cfg_dict, cfg.text, cfg.filename, cfg.env_variables)


@cache
def note_package_config(path: str | Path, file: Path) -> None:
    """Once, and of several ranks by the first."""
    if is_first_rank():
        print(f'{path} is not in this folder: taken from the package, {file}', file=sys.stderr)


def why(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, SyntaxError):  # MMEngine says it of a copy
        return f'{error.msg} in line {error.lineno}, {(error.text or "").strip()!r}, of it or of one of its bases.'
    text = shorten(str(error), 400, placeholder=' ...')
    return text if ' ' in text else f'{type(error).__name__} {text}'  # a name alone says little
