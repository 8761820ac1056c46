"""Exact search: the vectors themselves, in parts that lie in memory or in files that are mapped into it."""

import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from .files import file_in, is_in, new_name, open_array, write_array

PART_BYTES = 2**27  # of a full part: what removing one row makes anew
MAX_QUERIES = 256  # at a time: a product of them and a part is 64 MiB at 512 dimensions
MAX_PAIRS = 2**22  # numbers of a block of pairs in float64: 32 MiB


class Part(NamedTuple):
    """Some rows, which never change: what changes is another part."""

    ids: np.ndarray  # (n,) int64, ascending
    vectors: np.ndarray  # (n, D) float32, in memory or mapped
    file: Path | None = None  # where they lie on disk, without the ending


class Flat:
    """Vectors of unit length by id, and the exact search of them: inner products, summed in float64.

    The candidates are those of a product in float32, by faiss, or by NumPy where it is not installed: all that its
    rounding could have left out are among them. So scores depend on the two vectors alone, and equal ones rank by id.

    Args:
        dim (int): D.
        part_rows (int, optional): Rows of a full part. Defaults to None: 128 MiB of them.
    """

    name, max_topk = 'flat', sys.maxsize

    def __init__(self, dim: int, part_rows: int | None = None) -> None:
        self.dim = dim
        self.part_rows = part_rows or max(1024, PART_BYTES // (4 * dim))
        self.parts: list[Part] = []  # ids ascend from each to the next
        self.pending: list[Part] = []  # added since, in small pieces
        self.settings = {'type': 'flat'} | ({'part_rows': part_rows} if part_rows else {})

    def __len__(self) -> int:
        return sum(len(part.ids) for part in (*self.parts, *self.pending))

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Add rows: ids (n,) int64, ascending, above all that are there; vectors (n, D) float32."""
        self.pending.append(Part(ids, vectors))

    def remove(self, ids: np.ndarray) -> None:
        """Take rows away, (n,) int64; ids that are not there are passed over."""
        self._settle()
        parts = []
        for part in self.parts:
            stays = ~np.isin(part.ids, ids)
            if stays.all():
                parts.append(part)
            elif stays.any():
                parts.append(Part(part.ids[stays], part.vectors[stays]))
        self.parts = parts

    def replace(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        """Give rows that are there other vectors: ids (n,) int64, vectors (n, D) float32."""
        self._settle()
        for number, part in enumerate(self.parts):
            inside = np.isin(ids, part.ids)
            if inside.any():
                changed = np.array(part.vectors)
                changed[np.searchsorted(part.ids, ids[inside])] = vectors[inside]
                self.parts[number] = Part(part.ids, changed)

    def ids(self) -> np.ndarray:
        """Of all rows, (N,) int64, ascending."""
        return np.concatenate([np.empty(0, np.int64), *(part.ids for part in (*self.parts, *self.pending))])

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        """Of rows that are there, (n,) -> (n, D) float32, in the order of ``ids``."""
        self._settle()
        found = np.empty((len(ids), self.dim), np.float32)
        number = np.searchsorted([part.ids[0] for part in self.parts], ids, side='right') - 1  # (n,): whose part
        for this in np.unique(number):
            inside, part = number == this, self.parts[this]
            found[inside] = part.vectors[np.searchsorted(part.ids, ids[inside])]
        return found

    def search(
        self, queries: np.ndarray, topk: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest rows, best first, of equal ones the first.

        Args:
            queries (np.ndarray): (Nq, D) float32, of unit length.
            topk (int): How many of each query.
            allowed (np.ndarray, optional): Ids among which to search, (n,) int64, ascending, all there. Defaults to
                None: all.

        Returns:
            tuple[np.ndarray, np.ndarray]: Scores, float32, and ids, int64, both (Nq, k), k = topk or all there are.
        """
        self._settle()
        count = len(self) if allowed is None else len(allowed)
        k = min(topk, count)
        scores, ids = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        for start in range(0, len(queries) if k else 0, MAX_QUERIES):
            block = slice(start, start + MAX_QUERIES)
            scores[block], ids[block] = self._search(queries[block], k, allowed, count, min(2 * k + 32, count))
        return scores, ids

    def _search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None, count: int, fetch: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """:meth:`search` of some queries, by way of ``fetch`` candidates each, k <= fetch <= count."""
        products, ids = self._candidates(queries, fetch, allowed)  # (Nq, fetch), in no order
        scores = self.scores(queries, ids)
        order = np.lexsort((ids, -scores))[:, :k]
        least = products.min(axis=1)  # (Nq,): no product of another row is larger
        scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
        rounding = self.dim * np.finfo(np.float32).eps
        unclear = np.flatnonzero(least + rounding >= scores[:, -1]) if fetch < count else []
        if len(unclear):
            scores[unclear], ids[unclear] = self._search(queries[unclear], k, allowed, count, min(4 * fetch, count))
        return scores, ids

    def scores(self, queries: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Inner products of queries (Nq, D) with rows of their own, (Nq, c) -> (Nq, c) float32; -inf for id -1."""
        owner, row = np.repeat(np.arange(len(queries)), ids.shape[1]), ids.ravel()
        scores = np.full(len(row), -np.inf, np.float32)
        there = np.flatnonzero(row >= 0)
        step = max(1, MAX_PAIRS // self.dim)
        for start in range(0, len(there), step):
            pairs = there[start : start + step]
            a, b = queries[owner[pairs]].astype(np.float64), self.vectors(row[pairs]).astype(np.float64)  # (p, D)
            scores[pairs] = np.einsum('pd,pd->p', a, b)
        return scores.reshape(ids.shape)

    def _candidates(self, queries: np.ndarray, count: int, allowed: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The ``count`` largest products of each query in float32, in no order, and their ids, (Nq, count)."""
        products, ids = np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        for part in self.parts:
            part_ids, vectors = part.ids, part.vectors
            if allowed is not None:
                first, last = np.searchsorted(allowed, [part_ids[0], part_ids[-1] + 1])
                if last - first < len(part_ids):
                    part_ids = allowed[first:last]
                    vectors = vectors[np.searchsorted(part.ids, part_ids)]
            if len(part_ids):
                best, place = largest_products(queries, vectors, min(count, len(part_ids)))
                products, ids = np.hstack([products, best]), np.hstack([ids, part_ids[place]])
                if products.shape[1] > count:
                    largest = np.argpartition(products, -count, axis=1)[:, -count:]
                    products, ids = np.take_along_axis(products, largest, 1), np.take_along_axis(ids, largest, 1)
        return products, ids

    def prepare(self) -> None:
        """Do what else the first search would wait for."""
        self._settle()

    def _settle(self) -> None:
        """Put what was added into parts; the last one may be smaller than the others."""
        if not self.pending:
            return
        if self.parts and len(self.parts[-1].ids) < self.part_rows:
            self.pending.insert(0, self.parts.pop())
        ids, vectors = (np.concatenate([part[i] for part in self.pending]) for i in (0, 1))
        self.pending = []
        for start in range(0, len(ids), self.part_rows):
            block = slice(start, start + self.part_rows)
            self.parts.append(Part(ids[block], vectors[block]))

    def save(self, folder: Path) -> dict:
        """Write what does not lie in a folder yet, each part to new files, and map it.

        Returns:
            dict: For :meth:`load`; under 'files', the names of all files.
        """
        self._settle()
        for number, (ids, vectors, file) in enumerate(self.parts):
            if not is_in(folder, file and file.with_suffix('.npy')):
                file = folder / new_name('vectors')
                write_array(file.with_suffix('.npy'), vectors)
                write_array(file.with_suffix('.ids.npy'), ids)
                self.parts[number] = Part(ids, open_array(file.with_suffix('.npy'), mapped=True), file)
        names = [part.file.name for part in self.parts]
        return {'parts': names, 'files': [f'{name}{end}' for name in names for end in ('.npy', '.ids.npy')]}

    def load(self, folder: Path, state: dict) -> None:
        """Open what :meth:`save` has written; vectors stay on disk until they are searched.

        Raises:
            ValueError: When the files do not hold what they should.
        """
        last = -1
        for name in state['parts']:
            file = folder / name
            ids = open_array(file_in(folder, f'{name}.ids.npy'))
            vectors = open_array(file_in(folder, f'{name}.npy'), mapped=True)
            if ids.dtype != np.int64 or vectors.dtype != np.float32 or vectors.shape != (*ids.shape, self.dim):
                raise ValueError(
                    f'{file}.npy holds {vectors.dtype} {vectors.shape}, where {self.dim} numbers for each of its ids, '
                    f'{ids.shape}, were expected.'
                )
            if np.any(np.diff(ids, prepend=last) <= 0):
                raise ValueError(f'{file}.ids.npy holds ids that do not ascend from 0 on: it is damaged.')
            last = ids[-1] if len(ids) else last
            self.parts.append(Part(ids, vectors, file))


def largest_products(queries: np.ndarray, vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` largest inner products of each query and their places, in no order, (Nq, count)."""
    faiss = find_faiss()
    if faiss:
        return faiss.knn(queries, vectors, count, metric=faiss.METRIC_INNER_PRODUCT)
    products = queries @ vectors.T  # (Nq, n)
    place = np.argpartition(products, -count, axis=1)[:, -count:]
    return np.take_along_axis(products, place, 1), place


@cache
def find_faiss() -> ModuleType | None:
    try:
        import faiss
    except ImportError:
        return None
    return faiss
