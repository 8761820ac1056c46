"""What the approximate engines share: an index of faiss names candidates, and their vectors give the exact scores."""

import sys
import zlib
from pathlib import Path

import numpy as np

from tsgan.extras import need
from tsgan.unpacking import most

from .files import file_in, is_in, new_name, open_array, write_array
from .flat import Flat

MANY = 16  # are asked for: one row in so many
BLOCK = 16_384  # rows that an index gets at a time


class Indexed:
    """Base of the approximate engines.

    Where few rows are there, or few are allowed, the search is exact; so it is where many are asked for, which would
    take the index longer, and of a query for which it names too few.

    Args:
        dim (int): D.
        exact_below (int): How many are few.
    """

    name: str
    kind: str  # class of its index
    max_topk = Flat.max_topk

    def __init__(self, dim: int, exact_below: int) -> None:
        self.faiss = need('faiss', 'search')
        self.dim, self.exact_below = dim, exact_below
        self.exact = Flat(dim)
        self.index = None
        self.labels = np.empty(0, np.int64)  # id of each entry of the index; -1: it was removed
        self.made_for = 0  # how many rows the index was trained for
        self.file: Path | None = None  # without its ending, where the index lies on disk as it is here
        self.current = False  # whether all rows are in the index

    def make_index(self, ids: np.ndarray) -> object:
        """An index that is trained, but empty, for these rows."""
        raise NotImplementedError

    def is_worn(self, count: int) -> bool:
        """Whether to make the index anew, which is to hold ``count`` rows."""
        raise NotImplementedError

    def insert(self, vectors: np.ndarray, ids: np.ndarray) -> None:
        raise NotImplementedError

    def drop(self, ids: np.ndarray) -> None:
        """Erase entries of the index, and their labels."""
        raise NotImplementedError

    def candidates(self, queries: np.ndarray, topk: int, allowed: np.ndarray | None) -> np.ndarray:
        """Ids of rows that seem near, (Nq, c) int64, c >= topk; -1 where there is none."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.exact)

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        return self.exact.vectors(ids)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        self.exact.add(ids, vectors)
        self.current = False

    def remove(self, ids: np.ndarray) -> None:
        self.exact.remove(ids)
        self._drop(ids)

    def replace(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        self.exact.replace(ids, vectors)
        self._drop(ids)
        self.current = False

    def _drop(self, ids: np.ndarray) -> None:
        if np.isin(self.labels, ids).any():
            self.drop(ids)
            self.file = None

    def prepare(self) -> None:
        """Bring the index up to date."""
        if self.current or len(self) <= self.exact_below:
            return
        ids = self.exact.ids()
        if self.index is None or self.is_worn(len(ids)):
            self.index, self.labels, self.made_for = self.make_index(ids), np.empty(0, np.int64), len(ids)
        new = np.setdiff1d(ids, self.labels)
        for start in range(0, len(new), BLOCK):
            block = new[start : start + BLOCK]
            self.insert(self.exact.vectors(block), block)
            self.labels = np.append(self.labels, block)
            self.file = None
        self.current = True

    def search(
        self, queries: np.ndarray, topk: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Flat.search`; the scores are exact, rows may be missed."""
        count = len(self) if allowed is None else len(allowed)
        if count <= self.exact_below or MANY * topk >= count:
            return self.exact.search(queries, topk, allowed)
        self.prepare()
        ids = self.candidates(queries, topk, allowed)
        scores = self.exact.scores(queries, ids)
        order = np.lexsort((ids, -scores))[:, :topk]
        scores, ids = np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1)
        short = np.flatnonzero(ids[:, -1] < 0)
        if len(short):
            scores[short], ids[short] = self.exact.search(queries[short], topk, allowed)
        return scores, ids

    def save(self, folder: Path) -> dict:
        state = self.exact.save(folder)
        if self.index is None:
            return state
        if not is_in(folder, self.file and self.file.with_suffix('.faiss')):
            self.file = folder / new_name('index')
            self.faiss.write_index(self.index, str(self.file.with_suffix('.faiss')))
            write_array(self.file.with_suffix('.ids.npy'), self.labels)
        name = self.file.name
        files = [*state['files'], f'{name}.faiss', f'{name}.ids.npy']
        about = {'index': name, 'sum': check_sum(self.file.with_suffix('.faiss')), 'made_for': self.made_for}
        return {**state, **about, 'files': files}

    def load(self, folder: Path, state: dict) -> None:
        self.exact.load(folder, state)
        if 'index' not in state:
            return
        name = state['index']
        file, index, labels = folder / name, file_in(folder, f'{name}.faiss'), file_in(folder, f'{name}.ids.npy')
        labels = open_array(labels)
        found = self.read_index(index, len(labels)) if check_sum(index) == state['sum'] else None
        if found is None:
            print(f'{index} is damaged, and is made anew', file=sys.stderr)
            return
        self.index, self.labels, self.file, self.made_for = found, labels, file, state['made_for']

    def read_index(self, file: Path, count: int) -> object | None:
        """The index in a file, which may be of anybody; None where it is none of this engine over so many entries."""
        faiss = self.faiss
        limited = hasattr(faiss, 'set_deserialization_vector_byte_limit')  # in older ones it is not
        before = faiss.get_deserialization_vector_byte_limit() if limited else None
        try:
            if limited:  # of each part: room is made before it is read
                faiss.set_deserialization_vector_byte_limit(most(file))
            # lists may lie in a file of their own, which the index names
            index = faiss.read_index(str(file), faiss.IO_FLAG_READ_ONLY | faiss.IO_FLAG_ONDISK_SAME_DIR)
        except (RuntimeError, MemoryError):
            return None
        finally:
            if limited:
                faiss.set_deserialization_vector_byte_limit(before)
        whole = type(index).__name__ == self.kind and (index.d, index.ntotal) == (self.dim, count)
        return index if whole and index.metric_type == faiss.METRIC_INNER_PRODUCT else None


def check_sum(file: Path) -> int:
    value = 0
    with file.open('rb') as opened:
        while block := opened.read(2**20):
            value = zlib.crc32(block, value)
    return value
