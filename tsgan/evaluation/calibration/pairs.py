"""Pairs of images, a query and one of the gallery, so that every identity counts alike."""

from typing import NamedTuple

import numpy as np

MOST_SAME = 256  # pairs of one identity; of more, so many are drawn
MOST_DIFFERENT = 1_000_000  # pairs of two identities, in all rounds; the first round is whole, though it has more
MOST_PEOPLE = 3000  # of a round
MOST_ROUNDS = 16


class Images(NamedTuple):
    """What pairs are made of, row by row."""

    feats: np.ndarray  # (N, D) float32, of unit length
    people: np.ndarray  # (N,) int, 0 ... P-1
    camids: np.ndarray  # (N,) int; -1: not known
    modalities: np.ndarray  # (N,) 'rgb' or 'ir'


class Pairs(NamedTuple):
    """Scores of pairs of images: cosines.

    In a round, every identity gives one query image and one gallery image: it is a search for each of them in a gallery
    with one image a person. So pairs of different people are there equally often for any two identities.
    """

    same: np.ndarray  # (K,)  one person
    same_people: np.ndarray  # (K,) int, 0 ... M-1: whose
    different: np.ndarray  # (R, m, m): rounds, query's person, gallery's person; m <= M; -inf where they are the same

    @property
    def num_ids(self) -> int:
        """M, the identities with a pair of their own."""
        return int(self.same_people[-1]) + 1 if len(self.same_people) else 0

    @property
    def weights(self) -> np.ndarray:
        """Of pairs of one person, (K,): each identity's add up to 1 / M."""
        return (1 / np.bincount(self.same_people))[self.same_people] / self.num_ids


def make_pairs(
    images: Images, is_query: np.ndarray, is_gallery: np.ndarray, same_modality: bool, draws: np.random.Generator
) -> Pairs:
    """All pairs of one identity, up to :data:`MOST_SAME` of each, and rounds of pairs of different ones.

    No image is paired with itself, and no two images of one identity by one known camera in one modality are: they may
    be frames of one passage. Identities without a pair of their own take no part at all.

    Args:
        images (Images): All images.
        is_query (np.ndarray): Which of them may be queries, (N,) bool.
        is_gallery (np.ndarray): Which of them may be in the gallery, (N,) bool.
        same_modality (bool): Whether queries and gallery are of one modality.
        draws (np.random.Generator): Decides what is drawn.
    """
    queries, gallery = (_by_person(images.people, is_) for is_ in (is_query, is_gallery))
    same, people, taking_part = [], [], []
    for person in sorted(queries.keys() & gallery.keys()):
        rows, columns = queries[person], gallery[person]
        allowed = rows[:, None] != columns  # (q, g)
        if same_modality:
            cams = images.camids[rows], images.camids[columns]
            allowed &= (cams[0][:, None] != cams[1]) | (cams[0][:, None] < 0)
        row, column = np.nonzero(allowed)
        if not len(row):
            continue
        if len(row) > MOST_SAME:
            chosen = draws.choice(len(row), MOST_SAME, replace=False)
            row, column = row[chosen], column[chosen]
        same.append(np.einsum('kd,kd->k', *(images.feats[at].astype(float) for at in (rows[row], columns[column]))))
        people.append(np.full(len(row), len(taking_part)))
        taking_part.append(person)
    if not same:
        return Pairs(np.empty(0, np.float32), np.empty(0, np.int64), np.empty((0, 0, 0), np.float32))
    if len(taking_part) > MOST_PEOPLE:
        taking_part = np.sort(draws.choice(taking_part, MOST_PEOPLE, replace=False))
    count = len(taking_part)
    sides = [[draws.permutation(side[person]) for person in taking_part] for side in (queries, gallery)]
    most = max(len(rows) for side in sides for rows in side)
    num_rounds = max(1, min(MOST_ROUNDS, most, MOST_DIFFERENT // count**2))
    different = np.empty((num_rounds, count, count), np.float32)
    for number, scores in enumerate(different):
        query, member = ([rows[number % len(rows)] for rows in side] for side in sides)
        # In float64, and rounded: products in float32 hang on how many threads share them
        scores[:] = images.feats[query].astype(float) @ images.feats[member].astype(float).T
        np.fill_diagonal(scores, -np.inf)
    return Pairs(np.concatenate(same).astype(np.float32), np.concatenate(people), different)


def _by_person(people: np.ndarray, chosen: np.ndarray) -> dict[int, np.ndarray]:
    """Person -> rows of those chosen."""
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(people[rows], kind='stable')]
    found, start = np.unique(people[rows], return_index=True)
    return dict(zip(found.tolist(), np.split(rows, start[1:]), strict=True))
