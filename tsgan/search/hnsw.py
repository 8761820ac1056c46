"""Approximate search by a graph of neighbours."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from .indexed import Indexed


class HNSW(Indexed):
    """A graph in which a search steps from row to row, ever nearer: fast, and needs much memory.

    Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
    Small World graphs", TPAMI 2020; by faiss, over vectors in half precision. The graph is made by one thread: by
    several, it would be another each time.

    Args:
        dim (int): D.
        m (int): Neighbours of a row in the graph; twice as many in its lowest layer. Defaults to 16.
        ef_construction (int): How many rows are looked at to find them. Defaults to 64.
        ef_search (int): How many a search looks at: more find more. Defaults to 512.
        exact_below (int): Up to so many rows, the search is exact. Defaults to 10,000.
    """

    name, kind = 'hnsw', 'IndexHNSWSQ'

    def __init__(
        self, dim: int, m: int = 16, ef_construction: int = 64, ef_search: int = 512, exact_below: int = 10_000
    ) -> None:
        super().__init__(dim, exact_below)
        self.m, self.ef_construction, self.ef_search = m, ef_construction, ef_search
        self.settings = dict(
            type=self.name, m=m, ef_construction=ef_construction, ef_search=ef_search, exact_below=exact_below
        )

    def make_index(self, ids: np.ndarray) -> object:
        faiss = self.faiss
        index = faiss.IndexHNSWSQ(self.dim, faiss.ScalarQuantizer.QT_fp16, self.m, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.ef_construction
        index.train(np.empty((0, self.dim), np.float32))  # halves need none
        return index

    def is_worn(self, count: int) -> bool:
        return (self.labels < 0).mean() > 0.25

    def insert(self, vectors: np.ndarray, ids: np.ndarray) -> None:
        with one_thread(self.faiss):
            self.index.add(vectors)

    def drop(self, ids: np.ndarray) -> None:
        entries = np.isin(self.labels, ids)
        self.labels[entries] = -1
        codes = self.faiss.downcast_index(self.index.storage).codes
        numbers = self.faiss.rev_swig_ptr(codes.data(), codes.size()).reshape(len(self.labels), -1)
        numbers[entries] = 0  # the entry stays in the graph; of the vector, nothing does

    def candidates(self, queries: np.ndarray, topk: int, allowed: np.ndarray | None) -> np.ndarray:
        count = min(2 * topk, len(self.labels))
        look = dict(efSearch=max(self.ef_search, count))
        if allowed is not None or (self.labels < 0).any():
            fits = self.labels >= 0 if allowed is None else np.isin(self.labels, allowed)
            look['sel'] = self.faiss.IDSelectorBitmap(np.packbits(fits, bitorder='little'))
        params = self.faiss.SearchParametersHNSW(**look)
        _, entries = self.index.search(queries, count, params=params)
        return np.where(entries < 0, -1, self.labels[entries])


@contextmanager
def one_thread(faiss: object) -> Iterator[None]:
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
