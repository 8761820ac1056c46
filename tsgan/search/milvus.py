"""Search beyond one machine: vectors in Milvus, by the URI of a server, or of a file for the embedded Milvus Lite."""

import logging.config
import os
import uuid
from functools import cached_property
from pathlib import Path
from types import ModuleType

import numpy as np

from tsgan.extras import need

MAX_ROWS = 1000  # that are sent or fetched at a time
MAX_ALLOWED = 8192  # ids that a search is limited to at a time
MAX_TOPK = 16_384  # of Milvus


def import_pymilvus() -> ModuleType:
    """pymilvus, without what it does to logging when it is imported: that closes the log files of all others."""
    configure = logging.config.dictConfig
    logging.config.dictConfig = lambda _: None
    try:
        return need('pymilvus', 'milvus')
    finally:
        logging.config.dictConfig = configure


class Milvus:
    """Vectors in a collection of Milvus, which nothing else writes.

    Rows that were removed are no longer found, and go when the gallery is saved; when Milvus erases them from its files
    is up to its compaction. The token in the environment, ``MILVUS_TOKEN``, is given to the server that ``MILVUS_URI``
    names alone: a gallery of somebody else names its own server.

    Args:
        dim (int): D.
        uri (str): ``http://host:19530``, or a file whose name ends in ``.db``.
    """

    name, max_topk = 'milvus', MAX_TOPK

    def __init__(self, dim: int, uri: str) -> None:
        self.dim = dim
        if not isinstance(uri, str):
            raise ValueError(f'{uri!r} is no place of Milvus: expected http://host:19530, or a file FILE.db.')
        self.uri = uri if '://' in uri else os.path.abspath(uri)
        if '://' not in uri and not uri.endswith('.db'):
            raise ValueError(f'{uri!r} is no place of Milvus: expected http://host:19530, or a file FILE.db.')
        self.collection = f'tsgan_{uuid.uuid4().hex}'
        self.last = 0  # the highest id: others may come of a process that did not save them
        self.removed: set[int] = set()  # since the last save
        self.settings = dict(type=self.name, uri=self.uri)

    @cached_property
    def client(self) -> object:
        """The connection; the first one makes the collection, where there is none.

        Raises:
            ImportError: When pymilvus, or for a file milvus-lite, is not installed.
            RuntimeError: When there is no Milvus.
        """
        pymilvus = import_pymilvus()
        if '://' not in self.uri:
            need('milvus_lite', 'milvus')
        try:
            known = os.environ.get('MILVUS_URI') == self.uri
            client = pymilvus.MilvusClient(self.uri, token=os.environ.get('MILVUS_TOKEN', '') if known else '')
            if not client.has_collection(self.collection):
                schema = client.create_schema(auto_id=False)
                schema.add_field('id', pymilvus.DataType.INT64, is_primary=True)
                schema.add_field('vector', pymilvus.DataType.FLOAT_VECTOR, dim=self.dim)
                index = client.prepare_index_params()
                index.add_index('vector', index_type='AUTOINDEX', metric_type='IP')
                client.create_collection(self.collection, schema=schema, index_params=index, consistency_level='Strong')
            client.load_collection(self.collection)
        except pymilvus.MilvusException as error:
            raise RuntimeError(f'no Milvus at {self.uri}: {" ".join(str(error).split())}') from error
        return client

    def __len__(self) -> int:
        found = self.client.query(self.collection, filter=f'id <= {self.last}', output_fields=['count(*)'])
        return found[0]['count(*)'] - len(self.removed)

    def add(self, ids: np.ndarray, vectors: np.ndarray) -> None:
        for start in range(0, len(ids), MAX_ROWS):
            block = slice(start, start + MAX_ROWS)
            rows = zip(ids[block].tolist(), vectors[block], strict=True)
            self.client.upsert(self.collection, [{'id': number, 'vector': vector} for number, vector in rows])
        self.removed.difference_update(ids.tolist())  # an id is given again
        self.last = max(self.last, int(ids.max(initial=0)))

    replace = add

    def remove(self, ids: np.ndarray) -> None:
        self.removed.update(ids.tolist())

    def vectors(self, ids: np.ndarray) -> np.ndarray:
        found = {}
        for start in range(0, len(ids), MAX_ROWS):
            block = ids[start : start + MAX_ROWS].tolist()
            for row in self.client.get(self.collection, ids=block, output_fields=['id', 'vector']):
                found[row['id']] = row['vector']
        return np.array([found[number] for number in ids.tolist()], np.float32).reshape(-1, self.dim)

    def prepare(self) -> None:
        """Milvus makes its index itself."""

    def search(
        self, queries: np.ndarray, topk: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Flat.search`; a server may miss rows. Raises ValueError when topk is more than Milvus gives."""
        if allowed is None:
            gone = f' and id not in {sorted(self.removed)}' if self.removed else ''
            filters, count = [f'id <= {self.last}{gone}'], len(self)
        else:
            starts = range(0, len(allowed), MAX_ALLOWED)
            filters = [f'id in {allowed[start : start + MAX_ALLOWED].tolist()}' for start in starts]
            count = len(allowed)
        k = min(topk, count)
        if k > MAX_TOPK:
            raise ValueError(f'{k} rows of a query are more than Milvus gives: expected {MAX_TOPK:,} at most.')
        scores, ids = np.full((len(queries), k), -np.inf, np.float32), np.full((len(queries), k), -1)
        if k == 0:
            return scores, ids
        for number, query in enumerate(queries):
            hits = [hit for which in filters for hit in self._hits(query, k, which)]
            hits = sorted(hits, key=lambda hit: (-hit['distance'], hit['id']))[:k]
            scores[number, : len(hits)] = [hit['distance'] for hit in hits]
            ids[number, : len(hits)] = [hit['id'] for hit in hits]
        return scores, ids

    def _hits(self, query: np.ndarray, topk: int, which: str) -> list[dict]:
        found = self.client.search(self.collection, data=[query], limit=topk, filter=which, output_fields=['id'])
        return found[0]

    def save(self, folder: Path) -> dict:
        ids = sorted(self.removed)
        for start in range(0, len(ids), MAX_ROWS):
            self.client.delete(self.collection, ids=ids[start : start + MAX_ROWS])
        self.removed.clear()
        self.client.flush(self.collection)
        return {'collection': self.collection, 'last': self.last, 'files': []}

    def load(self, folder: Path, state: dict) -> None:
        """Know the collection of a gallery again.

        Raises:
            ValueError: When its vectors are with a server that ``MILVUS_URI`` does not name, or in a file elsewhere
                than beside the gallery: a gallery of somebody else could name any.
        """
        if self.uri != os.environ.get('MILVUS_URI') and not self.is_beside(folder):
            raise ValueError(
                f'{folder} has its vectors in {self.uri}, which is not beside it: where that is right, set MILVUS_URI '
                'in the environment to it.'
            )
        self.collection, self.last = str(state['collection']), int(state['last'])

    def is_beside(self, folder: Path) -> bool:
        """Whether the vectors lie in a file that is there, in the folder of a gallery's folder or below it."""
        file = Path(os.path.realpath(self.uri))
        return '://' not in self.uri and file.exists() and file.is_relative_to(os.path.realpath(folder.parent))
