"""What somebody knows of images beside their files: read from a table, checked, and made columns of a gallery."""

import csv
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from .rows import TEXTS, check_field, encoded, seconds

MODALITIES = ('rgb', 'ir')
GIVEN = ('score', 'probability', 'candidate', 'nobody')  # by a search
EXPECTED = 'CSV with a header, or one JSON object a line, with a column `path`'


def read_metadata(source: Mapping[str, Mapping] | str | Path) -> dict[str, dict]:
    """Fields by the absolute path of an image.

    Args:
        source (Mapping | str | Path): path -> fields, or a file, :data:`EXPECTED`, relative to that file. In CSV, all
            fields are text, and empty ones are none.

    Raises:
        FileNotFoundError: When there is no such file.
        ValueError: When it is malformed, or tells of an image twice.
    """
    if isinstance(source, Mapping):
        return {os.path.abspath(path): checked(fields, path) for path, fields in source.items()}
    from tsgan.datasets.files import read_text

    file, told = Path(source), {}
    text = read_text(file, EXPECTED)
    for line, fields in read_json_lines(file, text) if text.lstrip().startswith('{') else read_csv(file, text):
        path = fields.pop('path', None)
        if not isinstance(path, str):
            raise ValueError(f'{file}, line {line}: no path; expected {EXPECTED}.')
        path = os.path.abspath(file.parent / path)
        if path in told:
            raise ValueError(f'{file}, line {line}: {path} is there twice.')
        told[path] = checked(fields, f'{file}, line {line}')
    return told


def checked(fields: object, where: object) -> dict:
    """Fields that can be kept: before images are looked at, which may take hours. Raises ValueError on others."""
    if not isinstance(fields, Mapping):
        raise ValueError(f'{where}: {fields!r} are no fields; expected name -> value.')
    try:
        columns_of(fields)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error
    return dict(fields)


def read_csv(file: Path, text: str) -> list[tuple[int, dict]]:
    reader, rows = csv.DictReader(io.StringIO(text), restkey=None), []
    try:
        if 'path' not in (reader.fieldnames or ()):
            raise ValueError(
                f'{file} has no column `path`, but {", ".join(reader.fieldnames or ())}: expected {EXPECTED}.'
            )
        for fields in reader:
            if None in fields:
                raise ValueError(f'{file}, line {reader.line_num}: more fields than the header has.')
            rows.append((reader.line_num, {name: value for name, value in fields.items() if value}))
    except csv.Error as error:
        raise ValueError(f'{file}, line {reader.reader.line_num}: {error}; expected {EXPECTED}.') from error
    return rows


def read_json_lines(file: Path, text: str) -> list[tuple[int, dict]]:
    rows = []
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f'{file}, line {number} is no JSON: {error}.') from error
        if not isinstance(fields, dict):
            raise ValueError(f'{file}, line {number} is no JSON object: expected {EXPECTED}.')
        rows.append((number, fields))
    return rows


def columns_of(fields: Mapping[str, object]) -> dict[str, object]:
    """Columns of :class:`Rows`, of those fields that are given; under 'own', those that are one's own.

    Raises:
        ValueError: On a value that cannot be kept, a time that is none, or a modality other than 'rgb' and 'ir'.
    """
    columns, own = {}, {}
    for name, value in fields.items():
        if name in TEXTS:
            columns[name] = text_of(name, value)
        elif name in GIVEN and value is not None:  # None takes away what an old gallery may have
            raise ValueError(f'{name} is what a search gives: a field of your own needs another name.')
        else:
            check_field(name)
            own[name] = plain(name, value)
    if columns.get('modality') not in (None, *MODALITIES):
        raise ValueError(f"modality is 'rgb' or 'ir', not {columns['modality']!r}.")
    if 'time' in own:
        columns['seconds'] = None if own['time'] is None else seconds(own['time'])
    return {**columns, 'own': own}


def text_of(name: str, value: object) -> str | None:
    """An identity, a camera and so on as text: 3 and '3' are the same."""
    if value is None or value == '':
        return None
    if isinstance(value, (bool, float)) or not isinstance(value, (str, int, np.integer, os.PathLike)):
        raise ValueError(f'{name} is text, not {value!r}.')
    return whole(name, os.fspath(value) if isinstance(value, os.PathLike) else str(value))


def plain(name: str, value: object) -> str | int | float | bool | None:
    """A value of a field of one's own as JSON has it; a date or a datetime becomes ISO 8601."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, float) and not math.isfinite(value) or not isinstance(value, (str, int, float, type(None))):
        raise ValueError(f'{name} is text, a number, True or False, not {value!r}.')
    return whole(name, value) if isinstance(value, str) else value


def whole(name: str, text: str) -> str:
    """A text that can be written. Raises ValueError on one with halves of letters, as JSON allows them."""
    try:
        encoded(text)
    except UnicodeEncodeError:
        raise ValueError(f'{name} is text, and {text!r} has half a letter in it.') from None
    return text


def values_of(name: str, values: object) -> list:
    """What a filter asks for, a value or a collection of them, as :func:`columns_of` keeps it."""
    several = isinstance(values, (Sequence, set, frozenset, np.ndarray)) and not isinstance(values, (str, bytes))
    kept = text_of if name in TEXTS else plain
    values = [kept(name, value) for value in (values if several else [values])]
    if name == 'modality' and not set(values) <= {None, *MODALITIES}:
        raise ValueError(f"modality is 'rgb' or 'ir', not {next(v for v in values if v not in (None, *MODALITIES))!r}.")
    return values
