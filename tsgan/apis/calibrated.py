"""What a calibration makes of a search: the probability of each hit, the set that the person is in, and nobody."""

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tsgan.evaluation.calibration import Calibration, Group, person_probabilities
from tsgan.evaluation.features import camera_number

SEEN = 1000  # rows of a query, the nearest, that are looked at at least; of those below, their mean is enough
MIN_QUERIES = 20  # from which on scores are compared with those of the calibration
MAX_SAMPLED = 300  # rows by which they are

Row = tuple[str | None, str | None, str | None]  # identity, modality and camera
Kind = tuple[str | None, str | None]  # modality and camera of a row


class Query(NamedTuple):
    """What is known of a query."""

    modality: str
    camera: int  # its number; -1: not known


class Scale(NamedTuple):
    """What the scores of a query mean on one kind of row."""

    group: Group
    least: float  # score of a candidate


class Asked(NamedTuple):
    """What a search is to say of probabilities.

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

    @classmethod
    def of(
        cls,
        calibration: Calibration | str | Path,
        queries: object,
        count: int,
        enrolled: float,
        level: float,
        model: str,
        fingerprint: str,
    ) -> 'Asked':
        """As of :meth:`tsgan.apis.Gallery.search`, of ``count`` queries to a gallery of this model.

        Raises:
            ValueError: When the calibration is of another model, or it is not known what the queries are.
        """
        calibration = ready(calibration, enrolled, level, model, fingerprint)
        return cls(calibration, known(queries, count), float(enrolled), float(level))

    def scales(self, query: Query, rows_of: Mapping[Kind, int]) -> dict[Kind, Scale]:
        """What the scores of a query mean, by the kind of row.

        Raises:
            ValueError: When a modality is not known, or was not calibrated for such a query, or not for this level.
        """
        if unknown := sum(count for (modality, _), count in rows_of.items() if modality is None):
            raise ValueError(
                f'scores are calibrated by modality, and that of {unknown:,} of {sum(rows_of.values()):,} rows is not '
                "known: search with modality='rgb' or 'ir', which leaves them out, or update() them."
            )
        scales = {}
        for modality, camera in rows_of:
            group = self.calibration.group(query.modality, modality, query.camera, camera_number(camera))
            try:
                least = group.candidates(self.level)
            except (
                ValueError
            ):  # two cameras with too few identities for this level: all of the modality may have enough
                least = self.calibration.group(query.modality, modality).candidates(self.level)
            scales[modality, camera] = Scale(group, least)
        return scales

    def warn_of_drift(self, queries: np.ndarray, samples: Mapping[str, tuple[np.ndarray, int]]) -> None:
        """Warn, once, where scores are not distributed as those of the calibration.

        Args:
            queries (np.ndarray): (Nq, D), of unit length.
            samples (Mapping): Modality -> some rows that are searched, (n, D), of unit length, and how many people they
                may show.
        """
        sentences = []
        for modality in ('rgb', 'ir'):
            asking = queries[[query.modality == modality for query in self.queries]]
            for other, (rows, num_persons) in samples.items() if len(asking) >= MIN_QUERIES else ():
                drift = self.calibration.group(modality, other).check(list(asking @ rows.T), num_persons)
                sentences += [drift.sentence] if drift.drifted else []
        if sentences:
            warnings.warn(' '.join(sentences), stacklevel=4)  # by whoever searches


class Judged(NamedTuple):
    """The hits of a query, H of them, and nobody."""

    places: np.ndarray  # (H,) of the hits among the rows that were looked at; grouped, the first of each identity
    probabilities: np.ndarray  # (H,) that a hit shows the query's person
    inside: np.ndarray  # (H,) bool, whether it is in the set of candidates; grouped, whether any of its identity is
    nobody: float  # probability that no row shows this person, those not looked at among them


def judge(
    scores: np.ndarray,
    rows: Sequence[Row],
    further: Mapping[Row, int],
    scales: Mapping[Kind, Scale],
    rows_of: Mapping[Kind, int],
    num_persons: int,
    enrolled: float,
    grouped: bool,
) -> Judged:
    """Judge the rows of a query that were looked at, the nearest of all that are searched.

    The evidence for a person is the mean ratio of all rows of this person. A ratio is of one image, and has mean 1
    among other people than the query's; the best of many images has not: it tells of somebody where nobody is. Rows
    that were not looked at count with the ratio that is to be expected below the last score.

    Args:
        scores (np.ndarray): Of K rows, (K,), best first.
        rows (Sequence[Row]): What is known of each, (K,).
        further (Mapping[Row, int]): How many rows of these people were not looked at.
        scales (Mapping[Kind, Scale]): What scores mean, by the kind of row.
        rows_of (Mapping[Kind, int]): How many rows of a kind are searched.
        num_persons (int): How many people these may show.
        enrolled (float): As of :class:`Asked`.
        grouped (bool): Whether the best row of each identity is the only hit.
    """
    kinds, persons = [row[1:] for row in rows], [row[0] for row in rows]
    seen, ratios, inside = Counter(kinds), np.empty(len(rows)), np.empty(len(rows), bool)
    numbers = {kind: number for number, kind in enumerate(seen)}
    kind_of = np.array([numbers[kind] for kind in kinds], np.int64)  # (K,)
    for kind, number in numbers.items():
        these, scale = kind_of == number, scales[kind]
        ratios[these] = scale.group.ratio(scores[these])
        inside[these] = scores[these] >= scale.least
    # What is to be expected of a row further down; 1 where nothing was found at all
    below = {kind: scales[kind].group.unseen(float(scores[-1])) if len(rows) else 1.0 for kind in rows_of}
    sums, counts = Counter(), Counter()  # of people
    for person, ratio in zip(persons, ratios.tolist(), strict=True):
        sums[person] += ratio
        counts[person] += 1
    left = Counter(rows_of) - seen  # rows of people of whom none was looked at
    for (person, *kind), count in further.items():
        sums[person] += count * below[tuple(kind)]
        counts[person] += count
        left[tuple(kind)] -= count
    unseen = sum(count * below[kind] for kind, count in left.items()) / max(1, sum(left.values()))
    means = {person: sums[person] / counts[person] for person in sums}
    ratios = np.array([r if person is None else means[person] for person, r in zip(persons, ratios, strict=True)])
    probabilities, nobody = np.empty(0), 1.0  # who is in no row
    if num_persons:
        probabilities, nobody = person_probabilities(ratios, persons, num_persons, enrolled, unseen)
    places = np.arange(len(rows))
    if grouped:
        places = np.array(first_of_each(persons), np.int64)
        found = {person for person, is_in in zip(persons, inside, strict=True) if is_in} - {None}
        inside |= np.array([person in found for person in persons], bool)
    return Judged(places, probabilities[places], inside[places], float(nobody))


def first_of_each(persons: Sequence[str | None]) -> list[int]:
    """Places of those that come first; of those not known, all."""
    first = {}
    for place, person in enumerate(persons):
        first.setdefault(place if person is None else person, place)
    return list(first.values())


def nobody_row(probability: float, level: float, candidates: int) -> dict:
    """What ends the list of a query."""
    of_hits = dict.fromkeys(('path', 'identity', 'camera', 'modality', 'score'))
    about = dict(probability=probability, level=level, candidates=candidates)
    return {'key': None, 'nobody': True, **of_hits, **about}


def without_nobody(found: Sequence[dict]) -> tuple[list[dict], dict | None]:
    """Hits, and the row that ends their list, None of a search without a calibration."""
    return (list(found[:-1]), found[-1]) if found and found[-1].get('nobody') is True else (list(found), None)


def in_words(nobody: Mapping, shown: int) -> str:
    """What the set of candidates says: 'among these 7 with 95 %, or not enrolled'.

    Args:
        nobody (Mapping): The row that ends the list.
        shown (int): How many hits of the list are candidates.
    """
    count, level = nobody['candidates'], nobody['level']
    if not count:
        return f'not among these: not enrolled, or one of the {100 * (1 - level):.3g} % whom the set misses'
    which = f'among {count:,}' if shown < count else 'this one' if count == 1 else f'among these {count:,}'
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
        camera = about.get('camera')
        found.append(Query(about['modality'], camera_number(None if camera is None else str(camera))))
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
