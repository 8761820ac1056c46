"""Ranked lists of a features table: which queries, in which order their galleries, and how they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tsgan.evaluation import FeatureTable, QueryScores, Setting, k_reciprocal_rerank, score_queries
from tsgan.images import any_deep, common_range, evenly, read_image
from tsgan.visualization.grids import ranked_list

Ranges = Mapping[str, tuple[float, float]]  # modality -> (low, high) of its images of more than eight bits


class RankedList(NamedTuple):
    """A query and its nearest gallery images, best first."""

    query: int  # row of the table
    gallery: np.ndarray  # (K,)  rows of the table
    distances: np.ndarray  # (K,)  from the query
    same: np.ndarray  # (K,)  whether it shows the query's identity


@dataclass(frozen=True, eq=False)
class Ranking:
    """The distances of queries to a gallery, and who is seen.

    Attributes:
        features (FeatureTable): All images, N rows.
        query (np.ndarray): Rows of the queries, (Q,).
        gallery (np.ndarray): Rows of the gallery, (G,).
        distances (np.ndarray): (Q, G), float32; of what a query never sees, too.
        hidden (np.ndarray): What a query never sees, (Q, G), bool.
        reranked (bool): Whether the distances are k-reciprocal ones, rather than Euclidean.
    """

    features: FeatureTable
    query: np.ndarray
    gallery: np.ndarray
    distances: np.ndarray
    hidden: np.ndarray
    reranked: bool

    @property
    def same(self) -> np.ndarray:
        """np.ndarray: Pairs of one identity, (Q, G), bool; hidden ones, too."""
        return self.features.pids[self.query][:, None] == self.features.pids[self.gallery]

    def scores(self) -> QueryScores:
        """Rank of the first match, AP and INP of each query, over images."""
        pids = self.features.pids
        return score_queries(self.distances, pids[self.query], pids[self.gallery], self.hidden)

    def lists(self, queries: Sequence[int], topk: int) -> list[RankedList]:
        """The lists of some of the queries, by their place among :attr:`query`; equal distances by gallery index."""
        found = []
        for place in queries:
            seen = np.flatnonzero(~self.hidden[place])
            best = seen[np.argsort(self.distances[place, seen], kind='stable')[:topk]]
            rows = self.gallery[best]
            row = int(self.query[place])
            same = self.features.pids[rows] == self.features.pids[row]
            found.append(RankedList(row, rows, self.distances[place, best], same))
        return found


def rank(
    features: FeatureTable,
    setting: Setting,
    queries: np.ndarray | None = None,
    normalize: bool = True,
    rerank: bool = False,
    device: str | None = None,
    memory_mb: float = 1024,
) -> Ranking:
    """Rank the gallery of a setting's first trial.

    Args:
        features (FeatureTable): All test images.
        setting (Setting): One setting of the protocol.
        queries (np.ndarray, optional): Rows of the queries to rank for. Defaults to None: all that have a match.
        normalize (bool): Whether features are compared at unit length. Defaults to True.
        rerank (bool): By k-reciprocal re-ranking, which all queries of the trial have a part in. Defaults to False.
        device (str, optional): Where re-ranking computes. Defaults to None: the GPU where there is one.
        memory_mb (float): Of re-ranking, for blocks of distances. Defaults to 1024.

    Returns:
        Ranking: Distances, (Q, G).

    Raises:
        ValueError: When no query has a match in the gallery that it may see.
    """
    everyone, gallery = setting.trials[0]
    if queries is None:
        queries = with_match(features, setting)
    if rerank:
        feats = [
            _unit_length(features.feats[rows]) if normalize else features.feats[rows] for rows in (everyone, gallery)
        ]
        place = {row: place for place, row in enumerate(everyone.tolist())}
        distances = k_reciprocal_rerank(*feats, device=device, memory_mb=memory_mb)
        distances = distances[[place[row] for row in queries.tolist()]]  # (Q, G)
    else:
        distances = euclidean(features.feats[queries], features.feats[gallery], normalize)
    return Ranking(features, queries, gallery, distances, _hidden(features, setting, queries), rerank)


def with_match(features: FeatureTable, setting: Setting) -> np.ndarray:
    """Rows of the queries that have an image of their identity in the first trial's gallery, and may see it, (V,).

    Raises:
        ValueError: When there are none.
    """
    query, gallery = setting.trials[0]
    match = features.pids[query][:, None] == features.pids[gallery]  # (Q, G)
    valid = query[(match & ~_hidden(features, setting, query)).any(axis=1)]
    if not len(valid):
        raise ValueError('No query has an image of its identity in the gallery that it may see: nothing to rank.')
    return valid


def euclidean(a: np.ndarray, b: np.ndarray, normalize: bool = True) -> np.ndarray:
    """Distances of (Q, D) to (G, D), at unit length or as they are: (Q, G), float32."""
    a, b = (_unit_length(feats) if normalize else feats.astype(np.float64) for feats in (a, b))
    squared = a @ b.T  # (Q, G)
    squared *= -2
    squared += (a**2).sum(axis=1)[:, None]
    squared += (b**2).sum(axis=1)
    return np.sqrt(squared.clip(0, out=squared), out=squared).astype(np.float32)


def choose(ranking: Ranking, which: str, number: int, seed: int = 0) -> np.ndarray:
    """Choose queries of a ranking.

    Args:
        ranking (Ranking): The ranking.
        which (str): 'hardest', those of the lowest average precision, the hardest first; or 'random'.
        number (int): How many, where there are as many.
        seed (int): Of the random choice. Defaults to 0.

    Returns:
        np.ndarray: Places among its queries.
    """
    if which == 'random':
        return np.random.default_rng(seed).permutation(len(ranking.query))[:number]
    if which != 'hardest':
        raise ValueError(f"queries are 'hardest' or 'random', not {which!r}.")
    scores = ranking.scores()
    return np.lexsort((-scores.first_match, scores.ap))[:number]


def named_queries(features: FeatureTable, setting: Setting, names: Sequence[str]) -> np.ndarray:
    """Rows of queries that somebody names.

    Args:
        features (FeatureTable): All test images.
        setting (Setting): One setting of the protocol.
        names (Sequence[str]): Numbers of queries, from 0, or the ends of their paths.

    Raises:
        ValueError: When a name is of no query, or of several.
    """
    query, _ = setting.trials[0]
    rows = []
    for name in names:
        if name.isdecimal():
            found = query[int(name) : int(name) + 1]
        else:
            parts = Path(name).parts
            found = query[[Path(path).parts[-len(parts) :] == parts for path in features.paths[query]]]
        if len(found) != 1:
            raise ValueError(
                f'{len(found)} of {len(query)} queries are called {name}: expected a number from 0 to '
                f'{len(query) - 1}, or the path of one image.'
            )
        rows.append(found[0])
    return np.array(rows)


def with_files(features: FeatureTable, root: str | Path | None) -> FeatureTable:
    """The table with paths that can be opened.

    Args:
        features (FeatureTable): A table, with paths relative to ``root``.
        root (str | Path, optional): The data set's folder. Defaults to None: paths are as the table has them.

    Raises:
        ValueError: When the table does not know its files.
        FileNotFoundError: When the first of them is not there.
    """
    if features.paths is None or '' in features.paths:
        raise ValueError(
            'the features do not say which images they are of: expected query_paths and gallery_paths beside them, '
            'which `tools/test.py CONFIG CKPT --out FEATURES.npz` writes.'
        )
    if root is not None:
        features = replace(features, paths=[str(Path(root, path)) for path in features.paths.tolist()])
    first = Path(features.paths[0])
    if not first.is_file():
        raise FileNotFoundError(
            f'there is no image {first}: expected the folder of the data set as the root of its paths.'
        )
    return features


def display_ranges(features: FeatureTable) -> dict[str, tuple[float, float]]:
    """Modality -> (low, high) that become black and white, of those with more than eight bits; for pictures alone."""
    ranges = {}
    for modality in ('rgb', 'ir'):
        paths = features.paths[features.modalities == modality].tolist()
        if any_deep(evenly(paths, 3)):
            ranges[modality] = common_range(paths)
    return ranges


def open_image(features: FeatureTable, row: int, ranges: Ranges) -> np.ndarray:
    """The image of a row: RGB, uint8, (h, w, 3)."""
    return read_image(str(features.paths[row]), ranges.get(features.modalities[row]), 'rgb')


def draw_ranked_lists(features: FeatureTable, lists: Sequence[RankedList], ranges: Ranges | None = None) -> np.ndarray:
    """Draw ranked lists (paper, Fig. 4).

    Under an image stand its identity by the name of its folder, its modality and camera, and its distance from the
    query.

    Args:
        features (FeatureTable): All test images, with their files.
        lists (Sequence[RankedList]): What to draw.
        ranges (Ranges, optional): Modality -> (low, high) of images of more than eight bits. Defaults to None.

    Returns:
        np.ndarray: RGB, uint8, (height, width, 3).
    """
    identities, cameras = identity_names(features), camera_names(features)

    def caption(row: int) -> str:
        return f'{identities[features.pids[row]]}\n{cameras[row]}'

    return ranked_list(
        [open_image(features, ranked.query, ranges or {}) for ranked in lists],
        [[open_image(features, row, ranges or {}) for row in ranked.gallery] for ranked in lists],
        [ranked.same for ranked in lists],
        [caption(ranked.query) for ranked in lists],
        [
            [
                f'{caption(row)}\ndistance {distance:.2f}'
                for row, distance in zip(ranked.gallery, ranked.distances, strict=True)
            ]
            for ranked in lists
        ],
    )


def identity_names(features: FeatureTable) -> dict[int, str]:
    """By pid the name of the folder of its images, which is what people call it; 'id 7' where folders are shared."""
    folders, owners = {}, {}
    paths = [''] * len(features) if features.paths is None else features.paths.tolist()
    for pid, path in zip(features.pids.tolist(), paths, strict=True):
        folder = Path(path).parent.name
        folders.setdefault(pid, folder)
        owners.setdefault(folder, set()).add(pid)
    return {pid: folder if folder and owners[folder] == {pid} else f'id {pid}' for pid, folder in folders.items()}


def camera_names(features: FeatureTable) -> list[str]:
    """By row 'IR camera 3', or 'IR' where the modality has one camera: its number is then no more than our own."""
    numbers = {name: set(features.camids[features.modalities == name].tolist()) for name in ('rgb', 'ir')}
    pairs = zip(features.modalities.tolist(), features.camids.tolist(), strict=True)
    return [name.upper() + (f' camera {cam}' if len(numbers[name]) > 1 else '') for name, cam in pairs]


def _hidden(features: FeatureTable, setting: Setting, query: np.ndarray) -> np.ndarray:
    """What queries never see of the first trial's gallery, (Q, G)."""
    _, gallery = setting.trials[0]
    if setting.exclude is None:
        return np.zeros((len(query), len(gallery)), bool)
    return setting.exclude(features, query, gallery)


def _unit_length(feats: np.ndarray) -> np.ndarray:
    """Rows of unit length, (N, D) float64; a row of zeros stays as it is."""
    feats = feats.astype(np.float64)
    return feats / np.linalg.norm(feats, axis=1, keepdims=True).clip(np.finfo(np.float64).tiny)
