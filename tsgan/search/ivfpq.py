"""Approximate search by short codes in lists."""

import numpy as np

from .indexed import Indexed

CENTRES = 256  # of each byte of a code: fewer rows cannot train them


class IVFPQ(Indexed):
    """Codes of a few bytes a row, in lists by the nearest of many centres: little memory at any size.

    Source: Jegou et al., "Product Quantization for Nearest Neighbor Search", TPAMI 2011; by faiss. What the codes name
    as near is scored by the vectors, which stay on disk.

    Args:
        dim (int): D.
        lists (int, optional): Number of lists. Defaults to None: 2 sqrt(N).
        code_bytes (int, optional): Bytes of a code, a divisor of D. Defaults to None: the largest up to D / 8.
        probes (int, optional): How many lists a search looks through: more find more. Defaults to None: an eighth of
            them, at least 32.
        refine (int): How many rows for each of the topk are scored by their vectors. Defaults to 20.
        exact_below (int): Up to so many rows, the search is exact. Defaults to 10,000.
    """

    name, kind = 'ivfpq', 'IndexIVFPQ'

    def __init__(
        self,
        dim: int,
        lists: int | None = None,
        code_bytes: int | None = None,
        probes: int | None = None,
        refine: int = 20,
        exact_below: int = 10_000,
    ) -> None:
        super().__init__(dim, max(exact_below, CENTRES - 1))
        if code_bytes is not None and (code_bytes < 1 or dim % code_bytes):
            raise ValueError(f'code_bytes={code_bytes} is no divisor of the {dim} numbers of a feature.')
        self.lists, self.probes, self.refine = lists, probes, refine
        self.code_bytes = code_bytes or max(n for n in range(1, max(dim // 8, 1) + 1) if dim % n == 0)
        self.settings = dict(
            type=self.name, lists=lists, code_bytes=code_bytes, probes=probes, refine=refine, exact_below=exact_below
        )

    def make_index(self, ids: np.ndarray) -> object:
        lists = min(self.lists or max(1, min(int(2 * len(ids) ** 0.5), len(ids) // 40)), len(ids))
        index = self.faiss.index_factory(
            self.dim, f'IVF{lists},PQ{self.code_bytes}x8np', self.faiss.METRIC_INNER_PRODUCT
        )
        wanted = max(40 * lists, 40 * 256)  # rows that faiss needs to find so many centres
        index.pq.cp.max_points_per_centroid = 40
        sample = np.random.default_rng(0).permutation(ids)[:wanted]
        index.train(self.exact.vectors(np.sort(sample)))
        return index

    def is_worn(self, count: int) -> bool:
        return count > 4 * self.made_for

    def insert(self, vectors: np.ndarray, ids: np.ndarray) -> None:
        self.index.add_with_ids(vectors, ids)

    def drop(self, ids: np.ndarray) -> None:
        self.index.remove_ids(self.faiss.IDSelectorBatch(ids))
        self.labels = self.labels[~np.isin(self.labels, ids)]

    def candidates(self, queries: np.ndarray, topk: int, allowed: np.ndarray | None) -> np.ndarray:
        lists = self.faiss.extract_index_ivf(self.index).nlist
        look = dict(nprobe=self.probes or max(lists // 8, 32))
        if allowed is not None:
            fits = np.zeros(allowed[-1] + 1, bool)  # by id
            fits[allowed] = True
            look['sel'] = self.faiss.IDSelectorBitmap(np.packbits(fits, bitorder='little'))
        count = min(self.refine * topk, len(self.labels))
        _, ids = self.index.search(queries, count, params=self.faiss.SearchParametersIVF(**look))
        return ids
