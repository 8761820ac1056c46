"""A gallery: features of many images, what is known of each, and the search for those that are nearest to others."""

import hashlib
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tsgan.apis.calibrated import (
    MAX_SAMPLED,
    SEEN,
    Asked,
    check_scale,
    first_of_each,
    judge,
    known,
    nobody_row,
    ready,
)
from tsgan.consoles import progress_console
from tsgan.evaluation.calibration import LEAST_QUERIES, Calibration
from tsgan.evaluation.features import l2_normalize
from tsgan.evaluation.rerank import k_reciprocal_rerank
from tsgan.search import Rows, exact_of, make_engine, switched
from tsgan.search.files import LIST, file_in, is_in, new_name, read_list, write_list, writing
from tsgan.search.metadata import GIVEN, columns_of, read_metadata, values_of
from tsgan.search.rows import COLUMNS, TEXTS, People, seconds

GONE = (-1, -1)  # size and time of a file that is not there any more
BLOCK = 256  # queries at a time, of which many rows are looked at
SAVE_SECONDS = 30  # between two savings while a gallery is built; longer, where saving takes long


class Gallery:
    """Features of images that can be searched, all of one model.

    A row has a ``key``, which no other has: its path, unless another is given. It may have a ``path``, an ``identity``,
    a ``camera`` and a ``modality`` ('rgb' or 'ir'), and fields of one's own: text, numbers, True or False. One named
    ``time`` is a number of seconds, a datetime, or ISO 8601 (UTC, where it names no zone).

    Args:
        model (str): Name of the model that its features are of.
        fingerprint (str): What tells that model, with its preprocessing, from all others.
        dim (int): D, the length of a feature.
        engine (str | dict): What searches: 'flat', exact, or another of :data:`tsgan.search.ENGINES`, by its name or as
            ``dict(type=NAME, ...)`` with arguments of its class. Defaults to 'flat'.

    Attributes:
        folder (Path | None): Where it was saved, or loaded from.
    """

    def __init__(self, model: str, fingerprint: str, dim: int, engine: str | dict = 'flat') -> None:
        self.model, self.fingerprint, self.dim = model, fingerprint, dim
        self.folder: Path | None = None
        self._engine = make_engine(engine, dim)
        self._rows = Rows()
        self._root: str | None = None  # folder that paths in _rows are relative to, once there is one
        self._revision = None  # of what lies in self.folder
        self._complete = True
        self._busy = threading.RLock()  # a page searches from several threads

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f'Gallery({len(self):,} rows, model={self.model!r}, dim={self.dim}, engine={self.engine["type"]!r})'

    @property
    def engine(self) -> dict:
        """What searches: ``type`` and arguments."""
        return self._engine.settings

    # Building

    @classmethod
    def build(
        cls,
        inferencer: object,
        inputs: object,
        *,
        metadata: Mapping[str, Mapping] | str | Path | None = None,
        engine: str | dict = 'flat',
        batch_size: int = 64,
        out: str | Path | None = None,
    ) -> 'Gallery':
        """Make a gallery of images; stderr shows how far it is, and how long the rest takes.

        With ``out``, it is saved there as it grows. The same call goes on with one that was interrupted, and brings a
        complete one up to date: files that have not changed, by size and time, are not computed again, and rows of
        files that are gone go too.

        Args:
            inferencer (object): What makes features of images, as :class:`tsgan.apis.ReIDInferencer`: has
                ``iter_features(images, batch_size)``, ``name``, ``fingerprint``, ``dim`` and ``skipped``.
            inputs (object): Folders, files, patterns, arrays, PIL images, see
                :func:`tsgan.datasets.loose_images.find_images`. A file that is named twice counts once, one that cannot
                be read is left out and listed in ``inferencer.skipped``.
            metadata (Mapping | str | Path, optional): What else is known of images: path -> fields, or a file, CSV with
                a header, or one JSON object a line, with a column ``path``, relative to that file. ``key``,
                ``identity``, ``camera`` and ``modality`` count for more than what folders say; all others are fields of
                one's own, in CSV text. Defaults to None.
            engine (str | dict): As of the class. Defaults to 'flat'.
            batch_size (int): Images at a time. Defaults to 64.
            out (str | Path, optional): Folder of the gallery. Defaults to None: it stays in memory.

        Raises:
            ValueError: When ``out`` is of another model, or of images that are not among ``inputs``; when metadata is
                malformed, or tells of none of the images; when none of them can be read.
            RuntimeError: When another process writes ``out``.
        """
        from tsgan.datasets.loose_images import find_images  # not needed where a gallery is searched

        images, inferencer.skipped = without_repeats(find_images(inputs)), []
        told = {} if metadata is None else read_metadata(metadata)
        if told and not any(image.row.path and os.path.abspath(image.row.path) in told for image in images):
            raise ValueError(
                f'metadata tells of none of the {len(images)} images; its first path is {next(iter(told))}.'
            )
        new = cls(inferencer.name, inferencer.fingerprint, inferencer.dim, engine)
        if out is None:
            new._extend(inferencer, images, told, batch_size, save=None)
            return new
        if any(image.row.path is None for image in images):
            raise ValueError('out= goes on with files, known by their paths: of images in memory, build, then save().')
        folder = Path(out)
        with writing(folder):
            gallery = cls._open(folder) if (folder / LIST).exists() else new
            gallery._check_model(inferencer, f'the gallery in {folder}')
            gallery._engine = switched(gallery._engine, engine, gallery._rows.select({}))
            gallery.folder = folder
            gallery._move_paths(folder.parent)
            todo = gallery._outdated(images, told, folder)
            gallery._extend(inferencer, todo, told, batch_size, save=lambda done: gallery._save(folder, done))
        return gallery

    @classmethod
    def of(
        cls,
        place: str | Path,
        inferencer: object,
        *,
        cache: str | Path | None = None,
        engine: str | dict | None = None,
        batch_size: int = 64,
    ) -> 'Gallery':
        """The gallery in a folder, or that of the images in it, which is made once and kept.

        The latter is kept beside the folder, named for it and for the model: ``photos.1f3a9c72.gallery``; where nothing
        can be written there, in ``~/.cache/tsgan``. It is brought up to date each time, see :meth:`build`.

        Args:
            place (str | Path): A gallery, or a folder of images.
            inferencer (object): As of :meth:`build`.
            cache (str | Path, optional): Folder to keep the gallery of images in. Defaults to None: as above.
            engine (str | dict, optional): As of the class. Defaults to None: as it was, of a new one 'flat'.
            batch_size (int): Images at a time. Defaults to 64.

        Raises:
            FileNotFoundError: When there is no such folder, or no image in it.
            ValueError: As of :meth:`load` and :meth:`build`.
        """
        place = Path(place)
        if (place / LIST).exists():
            gallery = cls.load(place, inferencer)
            if engine is not None:
                gallery.reindex(engine)
            return gallery
        if not place.is_dir():
            raise FileNotFoundError(f'{place} is no folder: expected a gallery, or a folder of images.')
        out = kept_place(place, inferencer.fingerprint, cache)
        gallery = cls.build(inferencer, place, engine=engine or 'flat', batch_size=batch_size, out=out)
        print(f'gallery: {out}, {len(gallery):,} images', file=sys.stderr)
        return gallery

    def reindex(self, engine: str | dict) -> None:
        """Search by another engine from now on, as of the class; what is saved anew is that of it."""
        with self._busy:
            self._engine = switched(self._engine, engine, self._rows.select({}))
            self._engine.prepare()

    def _outdated(self, images: Sequence, told: Mapping[str, dict], folder: Path) -> list:
        """The images that are not there as they are now. Takes away the rows of files that have changed, or are gone.

        Raises:
            ValueError: When rows were made of other files, which are still there.
        """
        todo, current, stale = [], [], []
        for image in images:
            path = image.row.path
            found = self._rows.of_path(self._stored(path))
            if found is None or found[1:] != file_state(path) or found[1:] == GONE:
                todo.append(image)
                stale += [] if found is None else [found[0]]
                continue
            current.append(found[0])
            if fields := told.get(os.path.abspath(path)):
                self._change(found[0], fields)
        others = np.setdiff1d(self._rows.select({}), np.array(current + stale, np.int64), assume_unique=True)
        for number, row in self._rows.get(others.tolist()).items():
            if row['file_size'] is None:  # of add()
                continue
            if os.path.exists(self._shown(row['path'])):
                raise ValueError(
                    f'{folder} is of other images, too ({self._shown(row["path"])}): give all that it is of, or '
                    'another place.'
                )
            stale.append(number)
        self._take_away(np.array(sorted(stale), np.int64))
        return todo

    def _extend(
        self,
        inferencer: object,
        images: Sequence,
        told: Mapping[str, dict],
        batch_size: int,
        save: Callable[[bool], None] | None,
    ) -> None:
        """Add images; ``save(complete)`` from time to time, at the end, and when interrupted."""
        last, pause, saved = self._rows.last, SAVE_SECONDS, monotonic()
        columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        columns += (TextColumn('ETA'), TimeRemainingColumn())
        try:
            with Progress(*columns, console=progress_console(stderr=True), disable=not images) as bar:
                task = bar.add_task('gallery', total=len(images))
                for rows, feats in features_of(inferencer, images, batch_size, some=len(self) > 0):
                    fields = [{**row._asdict(), **told.get(os.path.abspath(row.path or ''), {})} for row in rows]
                    self._add(feats, fields, [file_state(row.path) for row in rows])
                    last = self._rows.last
                    bar.advance(task, len(rows))
                    if save and monotonic() - saved > pause:
                        start = monotonic()
                        save(False)
                        saved = monotonic()
                        pause = max(SAVE_SECONDS, 20 * (saved - start))
        except BaseException:
            if save and last:  # what is whole is kept
                self._take_away(np.arange(last + 1, self._rows.last + 1))
                save(False)
            raise
        if save:
            save(True)

    # Files

    def save(self, path: str | Path | None = None) -> None:
        """Write the gallery to a folder of its own; what lies there as it is now is not written again.

        Paths of images below the folder that the gallery lies in are kept relative to it, so that both can move. What
        was removed is gone from the folder afterwards.

        Args:
            path (str | Path, optional): The folder; another gallery in it is replaced. Defaults to None: where it was
                loaded from or saved.

        Raises:
            ValueError: When there is no such folder to default to, or the gallery in it has changed since.
            FileExistsError: When something else is there.
            RuntimeError: When another process writes it.
        """
        if path is None and self.folder is None:
            raise ValueError('where to? expected save(path) of a gallery that has no folder yet.')
        folder = self.folder if path is None else Path(path)
        with self._busy, writing(folder):
            self._save(folder, self._complete)

    def _save(self, folder: Path, complete: bool) -> None:
        """:meth:`save`, by whoever is :func:`writing` the folder."""
        known = self._revision is not None and same_place(folder, self.folder) and (folder / LIST).exists()
        if known and read_list(folder)['revision'] != self._revision:
            raise ValueError(f'{folder} has been changed by somebody else since it was loaded: load it again.')
        self._move_paths(folder.parent)
        if complete:
            self._engine.prepare()
        state = self._engine.save(folder)
        if not is_in(folder, self._rows.file):
            self._rows.save(folder / f'{new_name("rows")}.sqlite')
        content = {
            'complete': complete,
            'model': self.model,
            'fingerprint': self.fingerprint,
            'dim': self.dim,
            'count': len(self),
            'engine': self.engine,
            'state': state,
            'rows': self._rows.file.name,
            'files': state['files'],
        }
        write_list(folder, {'revision': (revision := uuid.uuid4().hex), **content})
        self._revision, self._complete, self.folder = revision, complete, folder

    @classmethod
    def load(cls, path: str | Path, inferencer: object | None = None) -> 'Gallery':
        """Open a gallery; its vectors stay on disk until they are searched.

        Args:
            path (str | Path): Its folder.
            inferencer (object, optional): What will make the features of queries: has ``name`` and ``fingerprint``.
                Defaults to None: not checked.

        Raises:
            FileNotFoundError: When there is none.
            ValueError: When it is damaged, of another program or version, was made by another model than that of
                ``inferencer``, or has not been built to its end.
        """
        folder = Path(path)
        gallery = cls._open(folder)
        if inferencer is not None:
            gallery._check_model(inferencer, f'the gallery in {folder}')
        if not gallery._complete:
            raise ValueError(
                f'{folder} has {len(gallery)} rows and is not complete: build(..., out=...) goes on with it.'
            )
        return gallery

    @classmethod
    def _open(cls, folder: Path) -> 'Gallery':
        for again in (True, True, False):
            content = read_list(folder)
            try:
                gallery = cls(content['model'], content['fingerprint'], content['dim'], content['engine'])
                gallery._engine.load(folder, content['state'])
                gallery._rows = Rows(file_in(folder, content['rows']))
            except FileNotFoundError as error:
                if again and read_list(folder)['revision'] != content['revision']:
                    continue  # somebody has saved it in between
                raise ValueError(f'{folder} is damaged: {Path(error.filename).name} is missing.') from error
            except (KeyError, TypeError, AttributeError) as error:  # of another kind than what save() writes
                raise ValueError(f'{folder / LIST} is damaged: {type(error).__name__}: {error}.') from error
            break
        counts = len(gallery._rows), len(gallery._engine)
        if set(counts) != {content['count']}:
            raise ValueError(f'{folder} is damaged: {counts[0]} rows, {counts[1]} vectors, not {content["count"]}.')
        gallery.folder, gallery._root = folder, '' if folder.parent == Path() else str(folder.parent)
        gallery._revision, gallery._complete = content['revision'], content['complete']
        return gallery

    def _stored(self, path: str | None) -> str | None:
        """A path as it is kept: relative to the folder that the gallery lies in, if below it."""
        if path is None or self._root is None:
            return path
        path, root = os.path.abspath(path), os.path.join(os.path.abspath(self._root), '')
        return path.removeprefix(root).replace(os.sep, '/') if path.startswith(root) else path

    def _shown(self, path: str | None) -> str | None:
        """A path as it is given out. It is text, which nobody here opens."""
        return path if path is None or self._root is None else os.path.join(self._root, path)

    def _move_paths(self, root: Path) -> None:
        """Keep paths relative to this folder."""
        if self._root is not None and same_place(root, self._root):
            return
        old, self._root = self._root or '', '' if root == Path() else str(root)
        if len(self):
            self._rows.change_paths(lambda path: self._stored(os.path.join(old, path)))

    # Rows

    def add(
        self,
        feats: np.ndarray,
        rows: Sequence[Mapping | tuple | None] | None = None,
        *,
        keys: Sequence[str] | None = None,
        inferencer: object | None = None,
    ) -> list[str]:
        """Add images by their features.

        Args:
            feats (np.ndarray): (N, D), or (D,) of one image; they are kept at unit length.
            rows (Sequence, optional): What is known of each: fields, or an ImageRow. Defaults to None: nothing.
            keys (Sequence[str], optional): Defaults to None: each row's ``key``, or its path, or '#' and a number.
            inferencer (object, optional): What made the features: has ``name`` and ``fingerprint``. Defaults to None:
                not checked.

        Returns:
            list[str]: The keys.

        Raises:
            ValueError: When features are of another model or length, or not finite; when a key is there already; when
                rows, keys and features are not equally many, or fields cannot be kept.
        """
        if inferencer is not None:
            self._check_model(inferencer, 'this gallery')
        feats = self._checked(np.atleast_2d(feats))
        fields = [{} if row is None else row._asdict() if hasattr(row, '_asdict') else dict(row) for row in rows or ()]
        for name, given in {'rows': rows, 'keys': keys}.items():
            if given is not None and len(given) != len(feats):
                raise ValueError(f'{len(given)} {name} beside {len(feats)} features: expected one each.')
        fields = fields or [{} for _ in feats]
        if keys is not None:
            fields = [{**row, 'key': key} for row, key in zip(fields, keys, strict=True)]
        with self._busy:
            return self._add(feats, fields, [(None, None)] * len(feats))

    def _add(self, feats: np.ndarray, fields: Sequence[Mapping], files: Sequence[tuple]) -> list[str]:
        first, rows = self._rows.last + 1, []
        for number, (row, (size, mtime)) in enumerate(zip(fields, files, strict=True), start=first):
            columns = {**dict.fromkeys(COLUMNS), 'file_size': size, 'file_mtime': mtime, **columns_of(row)}
            columns['key'] = columns['key'] or columns['path'] or f'#{number}'
            rows.append({**columns, 'path': self._stored(columns['path'])})
        feats, ids = self._checked(feats), self._rows.add(rows)
        try:
            self._engine.add(ids, feats)
        except BaseException:
            self._rows.remove(ids)
            raise
        return [row['key'] for row in rows]

    def remove(
        self,
        keys: str | Sequence[str] | None = None,
        *,
        camera: object = None,
        modality: object = None,
        identity: object = None,
        where: Mapping[str, object] | Callable[[dict], bool] | None = None,
        time: tuple[object, object] | None = None,
    ) -> int:
        """Take rows away, by their keys or as :meth:`search` filters them; the next :meth:`save` erases them.

        Returns:
            int: How many.

        Raises:
            ValueError: When a key is not there, or nothing is said of which.
        """
        with self._busy:
            ids = self._allowed(camera, modality, identity, where, time)
            if (ids is None) == (keys is None):
                raise ValueError('remove which rows? expected keys, or filters such as identity=.')
            if keys is not None:
                ids = np.unique([self._id(key) for key in ([keys] if isinstance(keys, str) else keys)]).astype(np.int64)
            self._take_away(ids)
            return len(ids)

    def _take_away(self, ids: np.ndarray) -> None:
        if len(ids):
            self._engine.remove(ids)
            self._rows.remove(ids)

    def update(self, key: str, fields: Mapping[str, object] | None = None, feats: np.ndarray | None = None) -> None:
        """Change a row in place.

        Args:
            key (str): Its key.
            fields (Mapping, optional): Fields to change, ``key`` among them; None takes one away. Defaults to None.
            feats (np.ndarray, optional): Another feature, (D,). Defaults to None: it stays.

        Raises:
            ValueError: As of :meth:`add`, or when there is no such row.
        """
        with self._busy:
            number = self._id(key)
            if feats is not None:
                feats = self._checked(np.atleast_2d(feats))
                if len(feats) > 1:
                    raise ValueError(f'{len(feats)} features for one row, {key!r}: expected one.')
            self._change(number, fields or {})
            if feats is not None:
                self._engine.replace(np.array([number]), feats)

    def _change(self, number: int, fields: Mapping[str, object]) -> None:
        row = self._rows.get([number])[number]
        columns = columns_of(fields)
        own = {**row['own'], **columns['own']}
        columns['own'] = {name: value for name, value in own.items() if value is not None}
        if 'path' in columns:
            columns.update(path=self._stored(columns['path']), file_size=None, file_mtime=None)
        if columns.get('key', row['key']) is None:
            raise ValueError(f'{row["key"]!r} cannot be without a key.')
        changes = {name: value for name, value in columns.items() if value != row[name]}
        if changes:
            self._rows.update(number, changes)

    def row(self, key: str) -> dict:
        """What is known of a row: a hit without its score. Raises ValueError when there is none."""
        with self._busy:
            return self._told(self._rows.get([number := self._id(key)])[number])

    def rows(self) -> Iterator[dict]:
        """All rows, in their order, as :meth:`row` gives them."""
        for _, row in self._rows.each():
            yield self._told(row)

    def features(self, keys: Sequence[str]) -> np.ndarray:
        """Of some rows, (N, D) float32, of unit length. Raises ValueError when one is not there."""
        with self._busy:
            return self._engine.vectors(np.array([self._id(key) for key in keys], np.int64))

    def values(self, field: str) -> list:
        """The different values of ``identity``, ``camera``, ``modality``, or a field of one's own, sorted."""
        with self._busy:
            return self._rows.values(field)

    def _told(self, row: dict, score: float | None = None) -> dict:
        told = {name: row[name] for name in ('path', 'identity', 'camera', 'modality')}
        told['path'] = self._shown(told['path'])
        if score is None:
            return {**told, 'key': row['key'], **row['own']}
        own = {name: value for name, value in row['own'].items() if name not in GIVEN}  # an old gallery may have such
        return {**told, 'score': score, 'key': row['key'], **own}

    def _id(self, key: str) -> int:
        number = self._rows.id_of(str(key))
        if number is None:
            raise ValueError(f'no row has the key {key!r}.')
        return number

    # Search

    def search(
        self,
        feats: np.ndarray,
        topk: int = 10,
        *,
        camera: object = None,
        modality: object = None,
        identity: object = None,
        where: Mapping[str, object] | Callable[[dict], bool] | None = None,
        time: tuple[object, object] | None = None,
        group_by: str | None = None,
        pool: str | None = None,
        rerank: bool = False,
        rerank_topk: int = 1000,
        threshold: float | None = None,
        calibration: Calibration | str | Path | None = None,
        queries: object = None,
        enrolled: float = 0.5,
        level: float = 0.95,
    ) -> list[dict] | list[list[dict]]:
        """Find the rows that are nearest to queries, best first, of equal ones that which was added first.

        Filters act before the ranking: each query gets the best ``topk`` of the rows that fit.

        Args:
            feats (np.ndarray): (D,), one query, or (Nq, D).
            topk (int): How many hits of each query. Defaults to 10.
            camera, modality, identity (object): Only rows with this value, or one of these. Defaults to None: any.
            where (Mapping | Callable, optional): Field of one's own -> value, or values (None: that has no such
                field); or what says of a row, as :meth:`row` gives it, whether it counts. Defaults to None.
            time (tuple, optional): First and last time of rows with a field ``time``; None is open. Defaults to None.
            group_by (str, optional): 'identity': only the best row of each; rows without one count by themselves.
                Defaults to None.
            pool (str, optional): The queries are images of one person, and get one list: by their 'mean', or each row
                by the query that is nearest to it, 'best'. Defaults to None.
            rerank (bool): Rank anew, by k-reciprocal neighbours, each query by itself. Defaults to False.
            rerank_topk (int): How many rows, the nearest, are ranked anew, and shown at most: where no more fit, as if
                all were. Defaults to 1000.
            threshold (float, optional): Only hits with this score or a higher one. Defaults to None.
            calibration (Calibration | str | Path, optional): What the scores of this gallery's model mean, or the file
                that says it, see :class:`tsgan.evaluation.calibration.Calibration`: hits get a probability, and a row
                for nobody ends each list. Not with ``rerank`` or ``pool``. Defaults to None.
            queries (object, optional): With a calibration, what is known of each query, fields or an ImageRow, as
                ``ReIDInferencer.rows``: its ``modality``, and perhaps its ``camera``. Defaults to None.
            enrolled (float): With a calibration, the prior probability that the person of a query is among the rows
                that fit, each of the people there alike. Defaults to 0.5.
            level (float): With a calibration, the probability with which an image of this person, if there is one, is
                in the set of candidates. Defaults to 0.95.

        Returns:
            list[dict] | list[list[dict]]: Hits, of several queries a list of each: ``path``, ``identity``, ``camera``,
            ``modality``, ``score``, ``key``, and fields of one's own. The score is the cosine, from -1 to 1; after
            re-ranking, 1 - the distance of Zhong et al., from 0 to 1.

            With a calibration, a hit also has ``probability``, that it shows the query's person, and ``candidate``,
            whether it is in the set; grouped, whether any row of its identity is. All rows of an identity have one
            probability, which comes of all of them; a row without one counts as another person. The list ends
            with ``{'key': None, 'nobody': True, 'probability': ..., 'enrolled', 'level', 'candidates': ...}``, where
            ``path`` and so on are None: the probability that the person is in none of the rows that fit, what was asked
            for, and how many hits there are in the set, those beyond ``topk`` or below ``threshold`` among them. The
            probabilities of all people and of nobody add up to 1. Rows that an approximate engine misses are no
            candidates, and count as those do that are further down than it looked.

        Raises:
            ValueError: When features are of another length, or not finite; on filters that cannot be; when a
                calibration is of another model, or does not know the modalities of queries and rows, or such a level.

        Warns:
            UserWarning: When the scores of 20 queries or more are not distributed as those of the calibration.
        """
        check_count('topk', topk)
        check_count('rerank_topk', rerank_topk)
        if group_by not in (None, 'identity'):
            raise ValueError(f"group_by is None or 'identity', not {group_by!r}.")
        if pool not in (None, 'mean', 'best'):
            raise ValueError(f"pool is None, 'mean' or 'best', not {pool!r}.")
        vectors = self._checked(np.atleast_2d(feats))
        if pool and not len(vectors):
            raise ValueError('no query was given, and pool makes one list of several: expected one at least.')
        if calibration is not None:
            check_scale(rerank, pool)
            calibration = ready(calibration, enrolled, level, self.model, self.fingerprint)
            asked = Asked(calibration, known(queries, len(vectors)), enrolled, level)
        if pool == 'mean':
            vectors = self._checked(vectors.astype(np.float64).mean(axis=0, keepdims=True))
        with self._busy:
            allowed = self._allowed(camera, modality, identity, where, time)
            if calibration is not None:
                lists = self._judged(vectors, asked, topk, allowed, group_by, threshold)
                return lists[0] if np.ndim(feats) == 1 else lists
            if rerank:
                ranked = [self._reranked(vector, rerank_topk, allowed) for vector in vectors]
                if group_by:
                    ranked = [self._best_of_each(*list_) for list_ in ranked]
            elif group_by:
                ranked = [self._grouped(vector, topk, allowed) for vector in vectors]
            else:
                ranked = self._nearest(vectors, topk, allowed)
            if pool == 'best':
                ranked = [pooled(ranked)]
                if group_by:
                    ranked = [self._best_of_each(*ranked[0])]
            lists = [self._hits(scores[:topk], ids[:topk], threshold) for scores, ids in ranked]
        return lists[0] if pool or np.ndim(feats) == 1 else lists

    def _hits(self, scores: np.ndarray, ids: np.ndarray, threshold: float | None) -> list[dict]:
        pairs = [
            pair
            for pair in zip(scores.tolist(), ids.tolist(), strict=True)
            if threshold is None or pair[0] >= threshold
        ]
        rows = self._rows.get([number for _, number in pairs])
        if unknown := [number for _, number in pairs if number not in rows]:
            raise ValueError(f'{self.folder} is damaged: its list of images lacks the number {unknown[0]}.')
        return [self._told(rows[number], score) for score, number in pairs]

    def _judged(
        self,
        vectors: np.ndarray,
        asked: Asked,
        topk: int,
        allowed: np.ndarray | None,
        group_by: str | None,
        threshold: float | None,
    ) -> list[list[dict]]:
        """:meth:`search` with a calibration."""
        people = self._rows.people() if allowed is None else self._rows.people().among(allowed)
        scales = {query: asked.scales(query, people) for query in set(asked.queries)}
        if len(vectors) >= LEAST_QUERIES:
            asked.warn_of_drift(vectors, self._samples(people))
        lists, depth = [], max(topk, min(SEEN, self._engine.max_topk))
        for start in range(0, len(vectors), BLOCK):
            block = slice(start, start + BLOCK)
            found = self._nearest(vectors[block], depth, allowed)
            for vector, query, nearest in zip(vectors[block], asked.queries[block], found, strict=True):
                least = min((scale.least for scale in scales[query]), default=np.inf)
                num_persons = topk if group_by else 0
                scores, ids, places = self._down_to(least, num_persons, vector, nearest, depth, allowed, people)
                judged = judge(scores, places, people, scales[query], topk, asked.enrolled, group_by is not None)
                hits = self._hits(scores[judged.hits], ids[judged.hits], threshold)  # the first of them
                for hit, chance, inside in zip(hits, judged.probabilities, judged.inside, strict=False):
                    hit.update(probability=float(chance), candidate=bool(inside))
                lists.append([*hits, nobody_row(judged.nobody, asked, judged.candidates)])
        return lists

    def _down_to(
        self,
        least: float,
        num_persons: int,
        vector: np.ndarray,
        nearest: tuple[np.ndarray, np.ndarray],
        depth: int,
        allowed: np.ndarray | None,
        people: People,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores, ids and places of the rows nearest to a query: of the ``depth`` that are given, and of those further
        down to a score and to so many people."""
        (scores, ids), most = nearest, min(self._engine.max_topk, len(people.ids))
        while True:
            places = np.searchsorted(people.ids, ids)
            enough = not len(ids) or (scores[-1] < least and len(first_of_each(people.persons[places])) >= num_persons)
            if enough or depth >= most or len(ids) < depth:
                return scores, ids, places
            depth = min(4 * depth, most)
            ((scores, ids),) = self._nearest(vector[None], depth, allowed)

    def _samples(self, people: People) -> dict[str, tuple[np.ndarray, int]]:
        """By modality, vectors of some rows, evenly spaced, (n, D), and how many people they may show."""
        samples, modality_of = {}, np.array([modality for modality, _ in people.kind_of])
        for modality in sorted(set(modality_of.tolist())):
            rows = spaced(np.flatnonzero(modality_of[people.kinds] == modality), MAX_SAMPLED)
            samples[modality] = self._engine.vectors(people.ids[rows]), len(set(people.persons[rows].tolist()))
        return samples

    def _allowed(
        self, camera: object, modality: object, identity: object, where: object, time: tuple | None
    ) -> np.ndarray | None:
        """Ids of the rows that fit, (n,) int64, ascending; None without a filter."""
        fixed = {'camera': camera, 'modality': modality, 'identity': identity}
        wanted = {name: values_of(name, value) for name, value in fixed.items() if value is not None}
        own = where if isinstance(where, Mapping) else {}
        for name, value in own.items():
            if name in (*TEXTS, 'score'):
                raise ValueError(f'where is about fields of your own: expected {name}= beside it.')
            wanted[name] = values_of(name, value)
        if time is not None:
            if not isinstance(time, (tuple, list)) or len(time) != 2:
                raise ValueError(f'time is (from, to), either of them may be None, not {time!r}.')
            time = tuple(None if bound is None else seconds(bound) for bound in time)
        if where is not None and not isinstance(where, Mapping) and not callable(where):
            raise ValueError(f'where is field -> value, or a function of a row, not {where!r}.')
        if not wanted and time is None and not callable(where):
            return None
        ids = self._rows.select(wanted, time)
        if not len(ids):
            for name in own:
                if not self._rows.has_field(name):
                    raise ValueError(f'no row has a field {name!r}.')
        if callable(where):
            fits = [where(self._told(row)) for row in map(self._row_of, ids.tolist())]
            ids = ids[np.array(fits, bool)]
        return ids

    def _row_of(self, number: int) -> dict:
        return self._rows.get([number])[number]

    def _nearest(self, queries: np.ndarray, topk: int, allowed: np.ndarray | None) -> list[tuple]:
        """Scores and ids of each query, best first; of an engine that misses rows, those that it has found."""
        found = zip(*self._engine.search(queries, topk, allowed), strict=True)
        return [(scores[ids >= 0], ids[ids >= 0]) for scores, ids in found]

    def _grouped(self, query: np.ndarray, topk: int, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The best row of each identity, of the best ``topk``."""
        scores, ids = np.empty(0, np.float32), np.empty(0, np.int64)
        step = max(4 * topk, 64)
        while True:
            ((more, new),) = self._nearest(query[None], step, allowed)
            scores, ids = np.append(scores, more), np.append(ids, new)
            best = self._best_of_each(scores, ids)
            if len(best[0]) >= topk or len(new) < step:
                return best[0][:topk], best[1][:topk]
            # What is left: neither seen, nor of an identity that has been seen
            seen = {name for name in self._rows.identities(ids.tolist()).values() if name is not None}
            out = np.union1d(ids, self._rows.select({'identity': sorted(seen)})) if seen else np.sort(ids)
            allowed = self._rows.select({}) if allowed is None else allowed
            allowed = np.setdiff1d(allowed, out, assume_unique=True)

    def _best_of_each(self, scores: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of rows, best first, the first of each identity."""
        identities, seen, kept = self._rows.identities(ids.tolist()), set(), []
        for place, number in enumerate(ids.tolist()):
            name = identities[number]
            if name is None or name not in seen:
                seen.add(name)
                kept.append(place)
        return scores[kept], ids[kept]

    def _reranked(self, query: np.ndarray, topk: int, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The nearest ``topk`` rows, ranked anew: scores and ids."""
        ids = np.sort(self._nearest(query[None], topk, allowed)[0][1])
        if not len(ids):
            return np.empty(0, np.float32), ids
        try:
            distances = k_reciprocal_rerank(query[None], self._engine.vectors(ids))[0]  # (n,)
        except ImportError as error:
            raise ImportError(f're-ranking needs torch ({error}): pip install torch') from error
        order = np.argsort(distances, kind='stable')
        return 1 - distances[order], ids[order]

    def recall(self, k: int = 10, queries: np.ndarray | int = 100) -> float:
        """Measure and print how many of the ``k`` nearest rows the engine finds: recall@k against the exact search.

        Args:
            k (int): How many rows of each query. Defaults to 10.
            queries (np.ndarray | int): (Nq, D), or how many rows of the gallery, evenly spaced, are asked for those
                nearest to them, themselves apart. Defaults to 100.
        """
        check_count('k', k)
        with self._busy:
            exact = exact_of(self._engine, self._rows.select({}))
            own = isinstance(queries, int)
            if own:
                ids = self._rows.select({})
                chosen = spaced(ids, queries)
                queries, ids = self._engine.vectors(chosen), chosen.tolist()
            queries = self._checked(queries)
            found, true = (engine.search(queries, k + own)[1].tolist() for engine in (self._engine, exact))
        shares = []
        for number, (some, all_) in enumerate(zip(found, true, strict=True)):
            self_ = {ids[number]} if own else set()
            nearest = set([each for each in all_ if each not in self_][:k])
            shares.append(len(nearest & set(some)) / max(1, len(nearest)))
        value = float(np.mean(shares))
        print(f'recall@{k} of {self.engine["type"]} against flat, {len(queries)} queries: {value:.4f}')
        return value

    def _checked(self, feats: np.ndarray) -> np.ndarray:
        """Features, (N, D) float32, contiguous, of unit length.

        Raises:
            ValueError: When they are of another length, not finite, or zero.
        """
        feats = np.asarray(feats)
        if feats.ndim != 2 or feats.dtype.kind not in 'fiu':
            raise ValueError(f'features are real numbers, (N, {self.dim}), not {feats.dtype} of shape {feats.shape}.')
        if feats.shape[1] != self.dim:
            raise ValueError(
                f'features of {feats.shape[1]} numbers are of another model than the {self.dim} of the gallery, which '
                f'was made by {self.model}.'
            )
        bad = ~np.isfinite(feats).all(axis=1) | ~feats.any(axis=1)
        if bad.any():
            raise ValueError(
                f'{bad.sum()} of {len(feats)} features are zero, or not finite, the first is {bad.argmax()}.'
            )
        return l2_normalize(feats)

    def _check_model(self, inferencer: object, what: str) -> None:
        if inferencer.fingerprint != self.fingerprint:
            raise ValueError(
                f'{what} was made by {self.model} ({self.fingerprint[:12]}), not by {inferencer.name} '
                f'({inferencer.fingerprint[:12]}): weights or preprocessing differ, and so do features.'
            )


def pooled(ranked: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Ranked lists as one: each row by its best score."""
    scores, ids = (np.concatenate(parts) for parts in zip(*ranked, strict=True))
    order = np.lexsort((ids, -scores))
    _, first = np.unique(ids[order], return_index=True)
    order = order[np.sort(first)]
    return scores[order], ids[order]


def spaced(ids: np.ndarray, number: int) -> np.ndarray:
    """At most so many of some ids, (n,), evenly spaced."""
    return ids[np.unique(np.linspace(0, len(ids) - 1, min(number, len(ids))).astype(int))]


def features_of(inferencer: object, images: list, batch_size: int, some: bool) -> Iterator[tuple[list, np.ndarray]]:
    """Rows and features, batch by batch; where ``some`` are there already, it may be that no image can be read."""
    try:
        if images:
            yield from inferencer.iter_features(images, batch_size)
    except ValueError:
        if not some or len(inferencer.skipped) < len(images):
            raise


def without_repeats(images: Sequence) -> list:
    """Images, those of one file once."""
    seen, kept = set(), []
    for image in images:
        path = image.row.path and os.path.abspath(image.row.path)
        if path is None or path not in seen:
            seen.add(path)
            kept.append(image)
    return kept


def kept_place(folder: Path, fingerprint: str, cache: str | Path | None = None) -> Path:
    """Where the gallery of a folder of images is kept."""
    real = Path(os.path.realpath(folder))
    name = f'{real.name}.{fingerprint[:8]}.gallery'
    if cache is None and os.access(real.parent, os.W_OK):
        beside = Path(os.path.dirname(os.path.abspath(folder)))
        return Path(os.path.relpath(beside)) / name if not folder.is_absolute() else beside / name
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:8]  # of several folders of one name
    return Path(cache or Path.home() / '.cache/tsgan') / f'{digest}.{name}'


def file_state(path: str | None) -> tuple[int | None, int | None]:
    """Size, and time of the last change in ns; None of no file, -1 of one that has gone meanwhile."""
    if path is None:
        return None, None
    try:
        state = os.stat(path)
    except OSError:
        return GONE
    return state.st_size, state.st_mtime_ns


def same_place(one: Path | str | None, other: Path | str | None) -> bool:
    return one is not None and other is not None and os.path.realpath(one) == os.path.realpath(other)


def check_count(name: str, value: object) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f'{name} is a number of rows, at least 1, not {value!r}.')
