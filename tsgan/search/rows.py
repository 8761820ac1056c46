"""What is known of each row of a gallery, in a table of SQLite: quick to open, to filter, and to change at any size."""

import errno
import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timezone
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

TEXTS = ('key', 'path', 'identity', 'camera', 'modality')
COLUMNS = (*TEXTS, 'seconds', 'file_size', 'file_mtime', 'own')
SCHEMA = """
    CREATE TABLE rows (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, path TEXT, identity TEXT, camera TEXT, modality TEXT,
        seconds REAL, file_size INTEGER, file_mtime INTEGER, own TEXT NOT NULL
    );
    CREATE INDEX by_path ON rows (path);
    CREATE INDEX by_identity ON rows (identity);
"""
# A name of a file that is not UTF-8 is text to SQLite all the same, byte by byte
MARKS = {name: 'CAST(? AS TEXT)' if name in (*TEXTS, 'own') else '?' for name in COLUMNS}
CACHED = 8  # filters whose ids are kept


class People(NamedTuple):
    """Whom rows show, by number: an identity is a person, and each row without one shows another."""

    ids: np.ndarray  # (n,) int64, ascending
    persons: np.ndarray  # (n,) int64, 0, 1, ...
    kinds: np.ndarray  # (n,) int64, places in kind_of
    kind_of: list[tuple[str | None, str | None]]  # modality and camera

    def among(self, ids: np.ndarray) -> 'People':
        """Those of some of the rows, (m,), ascending, numbered anew."""
        places = np.searchsorted(self.ids, ids)
        persons = np.unique(self.persons[places], return_inverse=True)[1]
        there, kinds = np.unique(self.kinds[places], return_inverse=True)
        return People(ids, persons, kinds, [self.kind_of[kind] for kind in there])


class Rows:
    """The rows by id, 1, 2, ...: text columns, the file's size and time of change, and fields of one's own as JSON.

    What is opened from a file is copied before the first change: the file stays as it is.

    Args:
        file (Path, optional): Of :meth:`save`. Defaults to None: no row yet.

    Raises:
        ValueError: When the file is none of rows.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file  # that holds just these rows
        self._opened = file is not None  # and is not to be changed
        self._ids = {}  # filter -> ids
        self._people = None
        if file is None:
            self._connect('')  # a temporary file of SQLite's own, once it is larger than its cache
            self._db.executescript(SCHEMA)
            return
        if not file.is_file():
            raise FileNotFoundError(errno.ENOENT, 'no rows of a gallery', str(file))
        self._connect(f'{file.resolve().as_uri()}?mode=ro&immutable=1')
        made = "type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'"  # of other things, and rows without end
        if found := self._query(f'SELECT type, name FROM sqlite_master WHERE {made}'):
            raise ValueError(f'{file}: no rows of a gallery, but a {found[0][0]} {found[0][1]}: expected tables alone.')
        self._query(f'SELECT id, {", ".join(COLUMNS)} FROM rows LIMIT 1')

    def _connect(self, place: str) -> None:
        self._db = sqlite3.connect(place, uri=True, check_same_thread=False, isolation_level=None)
        self._db.execute('PRAGMA trusted_schema = OFF')
        self._db.text_factory = lambda text: text.decode('utf-8', 'surrogateescape')

    def _query(self, query: str, values: Iterable = ()) -> list[tuple]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise ValueError(f'{self.file or "a gallery"}: damaged, or no rows of a gallery: {error}.') from error

    def __len__(self) -> int:
        return self._query('SELECT COUNT(*) FROM rows')[0][0]

    @property
    def last(self) -> int:
        """The highest id; 0 without a row."""
        return self._query('SELECT COALESCE(MAX(id), 0) FROM rows')[0][0]

    def add(self, rows: list[dict]) -> np.ndarray:
        """Add rows, dicts of :data:`COLUMNS`; their ids, above all others.

        Raises:
            ValueError: When a key is there already.
        """
        first, db = self.last + 1, self._changing()
        ids = np.arange(first, first + len(rows))
        values = [(number, *bound(row)) for number, row in zip(ids.tolist(), rows, strict=True)]
        marks = ', '.join(['?', *MARKS.values()])
        db.execute('BEGIN')
        try:
            db.executemany(f'INSERT INTO rows (id, {", ".join(COLUMNS)}) VALUES ({marks})', values)
        except sqlite3.IntegrityError:
            db.execute('ROLLBACK')
            raise ValueError(
                f'{self._twice(rows)!r} would be the key of two rows: update() changes the one there.'
            ) from (None)
        except BaseException:
            db.execute('ROLLBACK')
            raise
        db.execute('COMMIT')
        return ids

    def _twice(self, rows: list[dict]) -> str:
        seen = set()
        for row in rows:
            if row['key'] in seen or self.id_of(row['key']) is not None:
                return row['key']
            seen.add(row['key'])
        raise AssertionError('no key is there twice')

    def remove(self, ids: np.ndarray) -> None:
        db = self._changing()
        db.execute('BEGIN')
        db.executemany('DELETE FROM rows WHERE id = ?', ((number,) for number in ids.tolist()))
        db.execute('COMMIT')

    def update(self, number: int, changes: Mapping) -> None:
        """Change columns of a row."""
        names = ', '.join(f'{name} = {MARKS[name]}' for name in COLUMNS if name in changes)
        try:
            self._changing().execute(f'UPDATE rows SET {names} WHERE id = ?', (*bound(changes), number))
        except sqlite3.IntegrityError:
            raise ValueError(f'{changes["key"]!r} is the key of another row.') from None

    def change_paths(self, change: Callable[[str], str]) -> None:
        """Put ``change(path)`` in the place of every path."""
        db = self._changing()
        db.create_function('change', 1, lambda path: encoded(change(path.decode('utf-8', 'surrogateescape'))))
        db.execute('UPDATE rows SET path = CAST(change(CAST(path AS BLOB)) AS TEXT) WHERE path IS NOT NULL')

    def id_of(self, key: str) -> int | None:
        found = self._query('SELECT id FROM rows WHERE key = CAST(? AS TEXT)', (encoded(key),))
        return found[0][0] if found else None

    def of_path(self, path: str) -> tuple[int, int | None, int | None] | None:
        """Id, size and time of change of the first row of a path."""
        query = 'SELECT id, file_size, file_mtime FROM rows WHERE path = CAST(? AS TEXT) ORDER BY id LIMIT 1'
        return next(iter(self._query(query, (encoded(path),))), None)

    def get(self, ids: Iterable[int]) -> dict[int, dict]:
        """Rows by id, those that are there."""
        rows = {}
        for number in set(ids):
            for row in self._query(f'SELECT {", ".join(COLUMNS)} FROM rows WHERE id = ?', (number,)):
                rows[number] = as_dict(row)
        return rows

    def each(self) -> Iterator[tuple[int, dict]]:
        """All rows by id, in their order."""
        query = f'SELECT id, {", ".join(COLUMNS)} FROM rows WHERE id > ? ORDER BY id LIMIT 1000'
        number = 0
        while rows := self._query(query, (number,)):
            for number, *row in rows:
                yield number, as_dict(row)

    def identities(self, ids: Iterable[int]) -> dict[int, str | None]:
        query = 'SELECT id, identity FROM rows WHERE id IN (SELECT value FROM json_each(?))'
        return dict(self._query(query, (json.dumps(list(ids)),)))

    def people(self) -> People:
        """Whom all rows show; read once between two changes."""
        if self._people is None:
            table, persons, kinds = [np.empty((0, 3), np.int64)], {}, {}
            query = 'SELECT id, identity, modality, camera FROM rows WHERE id > ? ORDER BY id LIMIT 10000'
            number = 0
            while rows := self._query(query, (number,)):
                block = []
                for number, identity, *kind in rows:
                    person = number if identity is None else identity  # which is text, and never a number
                    person = persons.setdefault(person, len(persons))
                    block.append((number, person, kinds.setdefault(tuple(kind), len(kinds))))
                table.append(np.array(block, np.int64))
            self._people = People(*np.concatenate(table).T, list(kinds))
        return self._people

    def values(self, field: str) -> list:
        """The different values of a column or of a field of one's own, sorted, without None."""
        found = self._query(f'SELECT DISTINCT {column_of(field)} AS value FROM rows ORDER BY value')
        return [value for (value,) in found if value is not None]

    def has_field(self, field: str) -> bool:
        """Whether any row has a field of one's own of this name."""
        query = 'SELECT 1 FROM rows, json_each(rows.own) AS field WHERE field.key = ? LIMIT 1'
        return bool(self._query(query, (field,)))

    def select(self, wanted: Mapping[str, list], time: tuple[float | None, float | None] | None = None) -> np.ndarray:
        """Ids of the rows whose columns and fields have one of the values wanted, ascending, int64.

        Args:
            wanted (Mapping[str, list]): Column or own field -> values; None means that there is none.
            time (tuple[float | None, float | None], optional): First and last second; rows without a time are in none.
        """
        conditions, values = [], []
        for field, choice in wanted.items():
            at = column_of(field)
            none = f' OR {at} IS NULL' if None in choice else ''
            conditions.append(f'({at} IN (SELECT value FROM json_each(CAST(? AS TEXT))){none})')
            values.append(encoded(json.dumps(choice, ensure_ascii=False)))
        for bound, sign in zip(time or (None, None), ('>=', '<='), strict=True):
            if bound is not None:
                conditions.append(f'seconds {sign} ?')
                values.append(bound)
        if time is not None:
            conditions.append('seconds IS NOT NULL')
        query = f'SELECT id FROM rows WHERE {" AND ".join(conditions or ["1"])} ORDER BY id'
        asked = (query, *values)
        if asked not in self._ids:
            found = self._query(query, values)
            while len(self._ids) >= CACHED:
                del self._ids[next(iter(self._ids))]
            self._ids[asked] = np.fromiter(chain.from_iterable(found), np.int64, len(found))
        return self._ids[asked]

    def _changing(self) -> sqlite3.Connection:
        """What may be changed: a copy, where the rows are still those of a file."""
        self._ids.clear()
        self._people = None
        self.file = None
        if self._opened:
            saved, self._opened = self._db, False
            self._connect('')
            saved.backup(self._db)
            saved.close()
        return self._db

    def save(self, file: Path) -> None:
        """Write all rows to a new file, in which nothing is left of those that were removed."""
        self._db.execute('VACUUM INTO ?', (str(file),))
        with file.open('rb+') as opened:
            os.fsync(opened.fileno())
        self.file = file


def as_dict(row: Iterable) -> dict:
    row = dict(zip(COLUMNS, row, strict=True))
    try:
        row['own'] = dict(json.loads(row['own']))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f'the row {row["key"]!r} of a gallery is damaged: {error}.') from error
    return row


def bound(row: Mapping) -> list:
    """Values for :data:`MARKS`, in the order of the columns."""
    values = {name: row[name] for name in COLUMNS if name in row}
    if 'own' in values:
        values['own'] = json.dumps(values['own'], ensure_ascii=False, allow_nan=False)
    return [encoded(value) if isinstance(value, str) else value for value in values.values()]


def encoded(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')


def column_of(field: str) -> str:
    """In SQL, a column, or a field of one's own."""
    if field in TEXTS:
        return field
    return f"json_extract(own, '{json_path(field)}')"


def json_path(field: str) -> str:
    check_field(field)
    return f'$."{field}"'.replace("'", "''")


def check_field(field: object) -> None:
    """Raises ValueError on a name that no field can have."""
    if not isinstance(field, str) or not field or any(letter in field for letter in '"\\') or not field.isprintable():
        raise ValueError(f'{field!r} is no name of a field: expected printable text without quotes and backslashes.')


def seconds(time: object) -> float:
    """Seconds since 1970 of a time: a number of seconds, a datetime, or ISO 8601; without a zone, UTC.

    Raises:
        ValueError: On anything else.
    """
    try:
        if isinstance(time, str):
            try:
                time = float(time)
            except ValueError:
                time = datetime.fromisoformat(time.strip().replace('Z', '+00:00'))
        if isinstance(time, np.generic):
            time = time.item()
        if isinstance(time, date) and not isinstance(time, datetime):
            time = datetime(time.year, time.month, time.day)
        if isinstance(time, datetime):
            time = (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
        if isinstance(time, (int, float)) and not isinstance(time, bool) and math.isfinite(time):
            return float(time)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f'{time!r} is no time: expected seconds, a datetime, or ISO 8601 such as 2026-11-26T14:30:00.')
