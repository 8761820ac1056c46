"""What a calibration makes of a search: the probability of each hit, the set that the person is in, and nobody."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tsgan.evaluation.calibration import LEAST_QUERIES, Calibration, Group, person_probabilities
from tsgan.evaluation.features import camera_number
from tsgan.search.rows import People

SEEN = 1000  # rows of a query, the nearest, that are looked at at least; of those below, their mean is enough
MAX_SAMPLED = 300  # rows by which they are


class Query(NamedTuple):
    """What is known of a query."""

    modality: str
    camera: int  # its number; -1: not known
    identity: str | None  # whom it shows; None: not known


class Scale(NamedTuple):
    """What the scores of a query mean on rows of one modality and camera."""

    group: Group
    least: float  # score of a candidate


class Asked(NamedTuple):
    """What a search is to say of probabilities; as of :meth:`tsgan.apis.Gallery.search`.

    Attributes:
        calibration (Calibration): Of the gallery's model.
        queries (list[Query]): What is known of each.
        enrolled (float): Prior probability that the person of a query is among the rows that are searched.
        level (float): With which an image of this person is in the set of candidates.
    """

    calibration: Calibration
    queries: list[Query]
    enrolled: float
    level: float

    def scales(self, query: Query, people: People) -> list[Scale]:
        """What the scores of a query mean, for each of ``people.kind_of``.

        Raises:
            ValueError: When a modality is not known, or was not calibrated for such a query, or not for this level.
        """
        if unknown := [kind for kind, (modality, _) in enumerate(people.kind_of) if modality is None]:
            raise ValueError(
                f'scores are calibrated by modality, and that of {np.isin(people.kinds, unknown).sum():,} of '
                f"{len(people.ids):,} rows is not known: search with modality='rgb' or 'ir', which leaves them out, or "
                'update() them.'
            )
        scales = []
        for modality, camera in people.kind_of:
            group = self.calibration.group(query.modality, modality, query.camera, camera_number(camera))
            try:
                least = group.candidates(self.level)
            except ValueError:  # two cameras have too few identities for this level: the modality may have enough
                least = self.calibration.group(query.modality, modality).candidates(self.level)
            scales.append(Scale(group, least))
        return scales

    def warn_of_drift(self, queries: np.ndarray, samples: Mapping[str, tuple[np.ndarray, int]]) -> None:
        """Warn, once, where scores are not distributed as those of the calibration; of each known person by one query.

        Args:
            queries (np.ndarray): (Nq, D), of unit length.
            samples (Mapping): Modality -> some rows that are searched, (n, D), of unit length, and how many people they
                may show.
        """
        sentences, people = [], {}
        for row, query in enumerate(self.queries):  # one of each person: frames of somebody are alike
            people.setdefault((query.modality, row if query.identity is None else query.identity), row)
        for modality in ('rgb', 'ir'):
            asking = queries[[row for (of, _), row in people.items() if of == modality]]
            for other, (rows, num_persons) in samples.items() if len(asking) >= LEAST_QUERIES else ():
                drift = self.calibration.group(modality, other).check(list(asking @ rows.T), num_persons)
                sentences += [drift.sentence] if drift.drifted else []
        if sentences:
            warnings.warn(' '.join(sentences), stacklevel=4)  # by whoever searches


class Judged(NamedTuple):
    """The hits of a query, H of them, and nobody."""

    hits: np.ndarray  # (H,) int, which of the rows that were looked at
    probabilities: np.ndarray  # (H,) that a hit shows the query's person
    inside: np.ndarray  # (H,) bool, whether it is in the set of candidates
    candidates: int  # in the set, all of those that were looked at
    nobody: float  # probability that no row shows this person


def judge(
    scores: np.ndarray,
    places: np.ndarray,
    people: People,
    scales: Sequence[Scale],
    topk: int,
    enrolled: float,
    grouped: bool,
) -> Judged:
    """Judge the rows of a query that were looked at, the nearest of all that are searched.

    The evidence for a person is the mean ratio of all rows of this person. A ratio is of one image, and has mean 1
    among other people than the query's; the best of many images has not: it tells of somebody where nobody is. A row
    that was not looked at has the ratio that is to be expected below the last score.

    Args:
        scores (np.ndarray): Of K rows, (K,), best first.
        places (np.ndarray): Where these are among the rows that are searched, (K,) int.
        people (People): Of all rows that are searched.
        scales (Sequence[Scale]): As of :meth:`Asked.scales`.
        topk (int): How many hits.
        enrolled (float): As of :class:`Asked`.
        grouped (bool): Whether the best row of each person is the only hit, in the set if any of the rows is.
    """
    below = np.array([scale.group.unseen(float(scores[-1])) if len(scores) else 1.0 for scale in scales])
    ratios, inside = below[people.kinds], np.empty(len(scores), bool)  # (n,), (K,)
    persons, kinds = people.persons[places], people.kinds[places]  # (K,)
    for kind, scale in enumerate(scales):
        these = kinds == kind
        ratios[places[these]] = scale.group.ratio(scores[these])
        inside[these] = scores[these] >= scale.least
    hits = np.arange(len(scores))
    if grouped:
        hits = first_of_each(persons)
        inside = np.isin(persons, persons[inside])
    candidates, hits = int(inside[hits].sum()), hits[:topk]
    if not len(ratios):
        return Judged(hits, np.empty(0), inside, candidates, nobody=1.0)
    means = np.bincount(people.persons, ratios) / np.bincount(people.persons)  # (P,)
    shown, others = persons[hits], np.delete(means, persons[hits])
    unseen = float(others.mean()) if len(others) else 1.0
    chances, nobody = person_probabilities(means[shown], shown.tolist(), len(means), enrolled, unseen)
    return Judged(hits, chances, inside[hits], candidates, float(nobody))


def first_of_each(persons: np.ndarray) -> np.ndarray:
    """Places at which a number comes for the first time, ascending."""
    return np.sort(np.unique(persons, return_index=True)[1])


def nobody_row(probability: float, asked: Asked, candidates: int) -> dict:
    """What ends the list of a query."""
    of_hits = dict.fromkeys(('path', 'identity', 'camera', 'modality', 'score'))
    about = dict(probability=probability, enrolled=asked.enrolled, level=asked.level, candidates=candidates)
    return {'key': None, 'nobody': True, **of_hits, **about}


def without_nobody(found: Sequence[dict]) -> tuple[list[dict], dict | None]:
    """Hits, and the row that ends their list, None of a search without a calibration."""
    return (list(found[:-1]), found[-1]) if found and found[-1].get('nobody') is True else (list(found), None)


def in_words(nobody: Mapping, shown: int) -> str:
    """Where the query's person is, by the set of candidates: 'among these 7 with 95 %, or not enrolled'.

    Args:
        nobody (Mapping): The row that ends the list.
        shown (int): How many hits of the list are candidates.
    """
    count, level = nobody['candidates'], nobody['level']
    if not count:
        return f'not among these: not enrolled, or one of the {100 * (1 - level):.3g} % whom the set misses'
    which = f'among {count:,}' if shown < count else 'the marked one' if count == 1 else f'among these {count:,}'
    here = f' ({shown:,} of them here)' if shown < count else ''
    return f'{which} with {100 * level:.4g} %{here}, or not enrolled'


def percent(probability: float) -> str:
    """A probability in words, as sure as it can be: '<1 %', '12 %', '>99 %'."""
    if 0.01 <= probability <= 0.99:
        return f'{round(100 * probability)} %'
    return '<1 %' if probability < 0.5 else '>99 %'


def known(queries: object, count: int) -> list[Query]:
    """What is known of queries: of each a row, or that of the only one. Raises ValueError when it is too little."""
    rows = [queries] if isinstance(queries, Mapping) or hasattr(queries, '_asdict') else queries
    if rows is None or len(rows) != count:
        given = 'nothing' if rows is None else f'{len(rows)} rows'
        raise ValueError(
            f'queries is {given} beside {count} features, and scores are calibrated by modality: expected a row with '
            'it for each.'
        )
    found = []
    for number, row in enumerate(rows):
        about = row._asdict() if hasattr(row, '_asdict') else row or {}
        if about.get('modality') not in ('rgb', 'ir'):
            raise ValueError(
                f'scores are calibrated by modality, and that of query {number} is {about.get("modality")!r}: expected '
                "'rgb' or 'ir'."
            )
        camera, identity = about.get('camera'), about.get('identity')
        number = camera_number(None if camera is None else str(camera))
        found.append(Query(about['modality'], number, None if identity is None else str(identity)))
    return found


def ready(
    calibration: Calibration | str | Path, enrolled: float, level: float, model: str, fingerprint: str
) -> Calibration:
    """A calibration, or that in a file, for searches with features of this model.

    Raises:
        OSError: When there is no such file.
        ValueError: When it is of another model, or for no two modalities of this level; on what is no probability.
    """
    for name, value in {'enrolled': enrolled, 'level': level}.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < 1:
            raise ValueError(f'{name} is a probability, above 0 and below 1, not {value!r}.')
    if isinstance(calibration, (str, os.PathLike)):
        calibration = Calibration.load(calibration)
    calibration.check_model(fingerprint, model)
    refused = []
    for group in calibration.groups:
        try:
            group.candidates(level)
        except ValueError as error:
            refused.append(error)
    if len(refused) == len(calibration.groups):
        raise refused[0]
    return calibration


def check_scale(rerank: bool, pool: str | None) -> None:
    """Raises ValueError where a calibration says nothing of the scores."""
    if rerank or pool:
        what = 're-ranking' if rerank else f'pool={pool!r}'
        raise ValueError(
            f'{what} gives scores of another kind than those of pairs of images, which were calibrated: expected it '
            'or a calibration.'
        )
