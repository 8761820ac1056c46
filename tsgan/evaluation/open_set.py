"""Open-set search: is this person in the gallery at all, and if so, who?

As NIST's 1:N evaluations define it, at rank one: FPIR(t) is the share of the searches for people who are not enrolled
in which any candidate scores t or more; TPIR(t) is the share of the searches for enrolled people whose best candidate
is the right person and scores t or more (FNIR = 1 - TPIR).

Source: Grother, Ngan and Hanaoka, "Face Recognition Vendor Test, Part 2: Identification", NISTIR 8271, 2019.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .bootstrap import check_resampling, draw_identities, interval
from .evaluate import by_queries_and_rules, comparable
from .features import FeatureTable
from .progress import progress
from .protocols import OpenSetProtocol, Setting
from .rerank import MIB
from .verification import (
    VERIFICATION_NAMES,
    WHOLE,
    ScoreCurve,
    resample_verification,
    sort_pairs,
    verification_rates,
)

FPIRS = (0.01, 0.1)
SEARCH_NAMES = tuple(f'TPIR@FPIR={fpir:g}' for fpir in FPIRS)
OPEN_SET_NAMES = (*SEARCH_NAMES, *VERIFICATION_NAMES)
LEVELS = 10 ** (np.arange(-120, 1) / 20)  # of the curves: twenty a decade
BIN_EDGES = np.linspace(-1, 1, 101)  # of the distributions


class Searches(NamedTuple):
    """What each search gives, (S,) each.

    Attributes:
        valid (np.ndarray): Whether it counts, bool: one for an enrolled person whose images it may not see does not,
            nor one that sees no gallery image at all.
        enrolled (np.ndarray): Whether the person is in the gallery, bool.
        best (np.ndarray): Score of the best candidate; -inf where it sees none.
        hit (np.ndarray): Whether the best candidate is the person, bool. Who is only as good as another is not.
    """

    valid: np.ndarray
    enrolled: np.ndarray
    best: np.ndarray
    hit: np.ndarray


def search(scores: np.ndarray, query_pids: np.ndarray, gallery_pids: np.ndarray) -> Searches:
    """Looks for each query's person in a gallery.

    Args:
        scores (np.ndarray): (S, G), higher where more alike; -inf where a query never sees a gallery image: no
            candidate.
        query_pids (np.ndarray): Identities of the queries, (S,).
        gallery_pids (np.ndarray): Identities of the gallery images, (G,).
    """
    same = np.asarray(query_pids)[:, None] == np.asarray(gallery_pids)  # (S, G)
    right = np.where(same, scores, -np.inf).max(axis=1, initial=-np.inf)
    wrong = np.where(same, -np.inf, scores).max(axis=1, initial=-np.inf)
    best, enrolled = np.maximum(right, wrong), same.any(axis=1)
    return Searches(np.where(enrolled, right, best) > -np.inf, enrolled, best, right > wrong)


def fpir_tpir(best: np.ndarray, hit: np.ndarray, enrolled: np.ndarray) -> ScoreCurve:
    """FPIR, the curve's false rate, and TPIR, its true rate, by threshold.

    Args:
        best (np.ndarray): Score of the best candidate of each search, (S,).
        hit (np.ndarray): Whether that candidate is the person who is searched for, (S,) bool.
        enrolled (np.ndarray): Whether that person is in the gallery, (S,) bool.

    Raises:
        ValueError: No search for an enrolled person, none for an unenrolled one, or scores that are not finite.
    """
    best, hit, enrolled = np.asarray(best), np.asarray(hit, bool), np.asarray(enrolled, bool)
    for who, there in (('an enrolled', enrolled), ('an unenrolled', ~enrolled)):
        if not there.any():
            raise ValueError(f'There is no search for {who} person: neither TPIR nor FPIR can be measured.')
    return ScoreCurve(best[enrolled & hit], best[~enrolled], int(enrolled.sum()))


def evaluate_open_set(
    features: FeatureTable,
    protocol: OpenSetProtocol,
    num_resamples: int = 1000,
    confidence: float = 95.0,
    seed: int = 0,
    memory_mb: float = 1024,
) -> dict[str, dict]:
    """Measures open-set search and verification by the cosine of features.

    At unit length, cosine and Euclidean distance d rank alike: cosine = 1 - d^2 / 2. Nothing is re-ranked: a distance
    that hangs on the rest of the gallery has no threshold.

    Searches are those of `protocol`, means over its trials and repeats. Verification takes all pairs of a query and a
    gallery image that the closed protocol lets the query see, whoever is unknown: means over its trials. A camera pair
    is measured as if the gallery had the images of its camera alone.

    TPIR and TAR are at the lowest threshold that keeps FPIR or FAR at or below the wished level.

    Args:
        features (FeatureTable): All test images.
        protocol (OpenSetProtocol): For example `OpenSetProtocol(SYSUMM01Protocol())`.
        num_resamples (int): Bootstrap samples of identities, for the intervals. Defaults to 1,000.
        confidence (float): Of the intervals, in percent. Defaults to 95.
        seed (int): Of the resampling. Defaults to 0.
        memory_mb (float): Budget for scores in MiB, beside the features and some copies of them. Defaults to 1024.

    Returns:
        dict[str, dict]: For each setting of the protocol:

        - `TPIR@FPIR=0.01 TPIR@FPIR=0.1 TAR@FAR=0.001 TAR@FAR=0.01 EER`, in percent; None where it cannot be measured;
        - `intervals`: by the same names (low, high) over identities, drawn anew with all their images in all trials;
          None where fewer than two people are on a side of it;
        - `not_measured`: by name, a sentence that says why;
        - `counts`, of a trial (mean): searches and people enrolled and unenrolled, people and images in the gallery,
          pairs genuine and impostor;
        - `curves`: `FPIR TPIR FAR TAR` in percent, point by point, as far down as every trial can tell;
        - `distributions`: how many `genuine` and `impostor` pairs, and best candidates of searches for enrolled people
          (`right`, `wrong`) and for `unenrolled` ones, have a cosine between two of the `edges`, a trial (mean);
        - `camera_pairs`: by 'query camera -> gallery camera' the first four of these;
        - `num_trials`, `repeats`, `sampling`.

    Raises:
        ValueError: Features that tell nobody apart, a setting without searches of a kind or pairs of a kind, scores
            that do not fit in `memory_mb`, or whatever the protocol finds wrong with the table.
    """
    check_resampling(num_resamples, confidence, seed)
    settings = protocol.closed.settings(features)
    unknown = {name: protocol.unknown_people(features, name, setting) for name, setting in settings.items()}
    draws, weights = np.random.default_rng(seed), {}
    for name, setting in settings.items():
        everybody = np.unique(features.pids[np.concatenate([np.concatenate(trial) for trial in setting.trials])])
        weights[name] = everybody, draw_identities(draws, len(everybody), num_resamples)  # (N,), (R, N)
    measured = {name: {} for name in settings}  # setting -> camera pair, or None for all -> what was measured
    for name, trial in _scored_trials(features, settings, memory_mb):
        for pair, part in trial.parts():
            tally = measured[name].setdefault(pair, _Tally(whole=pair is None))
            _measure(tally, part, unknown[name], *weights[name], memory_mb)
    result = {}
    for name, parts in measured.items():
        whole = parts.pop(None)
        whole.check(name)
        pairs = {f'{a} -> {b}': tally.row(confidence) for (a, b), tally in sorted(parts.items())}
        more = {'camera_pairs': pairs, 'num_trials': len(settings[name].trials), 'repeats': protocol.repeats}
        result[name] = whole.row(confidence) | more | {'sampling': settings[name].sampling}
    return result


def open_set_table(results: dict[str, dict], confidence: float = 95.0) -> str:
    """What `evaluate_open_set` returns, as a table: a row a setting and camera pair; what it is of stands below."""
    rows = {}
    for name, row in results.items():
        rows[name] = row
        rows |= {f'{name}, {pair}': part for pair, part in row['camera_pairs'].items()}
    width = max(map(len, ['setting', *rows]))
    lines = [
        f'Percent, with {confidence:g} % intervals over identities.',
        f'{"setting":<{width}}{"".join(f"{name:>25}" for name in OPEN_SET_NAMES)}',
    ]
    for name, row in rows.items():
        lines.append(f'{name:<{width}}{"".join(_cell(row[m], row["intervals"][m]) for m in OPEN_SET_NAMES)}'.rstrip())
    for name, row in results.items():
        count = {key: f'{value:,.0f}' for key, value in row['counts'].items()}
        lines.append(
            f'{name}: {row["num_trials"]} trials ({row["sampling"]}) x {row["repeats"]} repeats, each of '
            f'{count["searches_enrolled"]} searches for {count["people_enrolled"]} enrolled people and '
            f'{count["searches_unenrolled"]} for {count["people_unenrolled"]} unenrolled ones, among '
            f'{count["images_in_gallery"]} images of {count["people_in_gallery"]} people; '
            f'{count["pairs_genuine"]} genuine and {count["pairs_impostor"]} impostor pairs a trial.'
        )
    for name, row in rows.items():
        for reason in dict.fromkeys(row['not_measured'].values()):
            lines.append(f'{name}: {reason}')
    return '\n'.join(lines)


def _cell(value: float | None, ends: list[float] | None) -> str:
    if value is None:
        return f'{"-":>25}'
    return f'{value:8.2f} ' + (f'[{ends[0]:6.2f}, {ends[1]:6.2f}]' if ends else ' ' * 16)


class _ScoredTrial(NamedTuple):
    """Queries and gallery of a closed trial, each sorted by camera: identities, cameras, and scores.

    The scores are (Q, G), float32, -inf where a query never sees a gallery image.
    """

    query_pids: np.ndarray
    query_cameras: np.ndarray
    gallery_pids: np.ndarray
    gallery_cameras: np.ndarray
    scores: np.ndarray

    def parts(self) -> Iterator[tuple[tuple[int, int] | None, '_ScoredTrial']]:
        """All of it under the name None, then each camera pair of which a pair of images is seen."""
        yield None, self
        sides = [_runs(cameras) for cameras in (self.query_cameras, self.gallery_cameras)]
        for a, rows in sides[0].items():
            for b, columns in sides[1].items():
                scores = self.scores[rows, columns]
                if (scores > -np.inf).any():
                    query, gallery = (column[rows] for column in self[:2]), (column[columns] for column in self[2:4])
                    yield (a, b), _ScoredTrial(*query, *gallery, scores)


def _runs(labels: np.ndarray) -> dict[int, slice]:
    """Where each label stands among sorted ones."""
    values, starts, counts = np.unique(labels, return_index=True, return_counts=True)
    return {int(v): slice(start, start + count) for v, start, count in zip(values, starts, counts, strict=True)}


def _scored_trials(
    features: FeatureTable, settings: dict[str, Setting], memory_mb: float
) -> Iterator[tuple[str, _ScoredTrial]]:
    """Each trial of each setting, with its name; scores of all that share queries and rules are computed once."""
    feats = comparable(features)  # (N, D)
    groups = by_queries_and_rules(settings)
    tasks = [(rules, name, trial) for rules, trials in groups.items() for name, _, trial in trials]
    computed = None
    for rules, name, trial in progress(tasks, 'Open-set search and verification, trials'):
        if computed != rules:
            trials = [trial for _, _, trial in groups[rules]]
            query = trials[0].query[np.argsort(features.camids[trials[0].query], kind='stable')]  # (Q,)
            gallery = np.unique(np.concatenate([trial.gallery for trial in trials]))  # (G,): of all these trials
            largest = max(len(trial.gallery) for trial in trials)
            needed = len(query) * (4 * len(gallery) + 32 * largest) / MIB
            if needed > memory_mb:
                raise ValueError(
                    f"The {len(query)} x {largest} pairs of setting '{name}' need {np.ceil(needed):.0f} MiB to be "
                    f'sorted: expected a budget (memory_mb, --memory-mb) of as much, not {memory_mb:g}.'
                )
            scores = _cosines(feats, query, gallery)  # (Q, G)
            if settings[name].exclude:
                scores[settings[name].exclude(features, query, gallery)] = -np.inf
            computed = rules
        rows = trial.gallery[np.lexsort((features.pids[trial.gallery], features.camids[trial.gallery]))]
        labels = [column[side] for side in (query, rows) for column in (features.pids, features.camids)]
        yield name, _ScoredTrial(*labels, scores[:, np.searchsorted(gallery, rows)])


def _cosines(feats: np.ndarray, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Products of features of unit length, (Q, G) float32.

    In float64, and rounded: float32 products of equal features may differ by the block that they are in.
    """
    scores = np.empty((len(query), len(gallery)), np.float32)
    for column in range(0, len(gallery), 2048):
        right = feats[gallery[column : column + 2048]].astype(np.float64).T
        for row in range(0, len(query), 2048):
            block = feats[query[row : row + 2048]].astype(np.float64) @ right
            scores[row : row + 2048, column : column + 2048] = block
    return scores


@dataclass
class _Tally:
    """What was measured in the trials of a setting, or of a camera pair in it.

    Attributes:
        whole (bool): Whether of all cameras: then with curves and distributions.
        rates (dict[str, list[float]]): By metric, trial by trial, in [0, 1]; NaN where it cannot be measured.
        resampled (dict[str, list]): By metric the sum of what the trials gave with people drawn anew, (R,), and in how
            many of them each resample had any.
        counts (dict[str, list[int]]): By name, trial by trial.
        curves (dict[str, list[np.ndarray]]): `TPIR`, `TAR`: at LEVELS, trial by trial.
        distributions (dict[str, list[np.ndarray]]): By name, counts between BIN_EDGES, trial by trial.
    """

    whole: bool
    rates: dict = field(default_factory=dict)
    resampled: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    curves: dict = field(default_factory=dict)
    distributions: dict = field(default_factory=dict)

    def add_rates(self, names: tuple, rates: list[float | None], resampled: np.ndarray | None) -> None:
        for m, (name, rate) in enumerate(zip(names, rates, strict=True)):
            self.rates.setdefault(name, []).append(np.nan if rate is None else rate)
            if resampled is not None:
                there = ~np.isnan(resampled[m])
                total = self.resampled.setdefault(name, [0, 0])
                total[0] = total[0] + np.where(there, resampled[m], 0)
                total[1] = total[1] + there

    def add_counts(self, **counts: int) -> None:
        for name, count in counts.items():
            self.counts.setdefault(name, []).append(int(count))

    def add_curve(self, name: str, curve: ScoreCurve) -> None:
        rates = [curve.true_rate_at(level) for level in LEVELS]
        self.curves.setdefault(name, []).append(np.array(rates, float))  # None becomes NaN

    def add_distribution(self, name: str, scores: np.ndarray) -> None:
        self.distributions.setdefault(name, []).append(np.histogram(scores.clip(-1, 1), BIN_EDGES)[0])

    def least(self, name: str) -> int:
        return min(self.counts[name])

    def check(self, setting: str) -> None:
        """Raises ValueError where a trial of the setting lacks searches or pairs of a kind."""
        for name in ('searches_enrolled', 'searches_unenrolled', 'pairs_genuine', 'pairs_impostor'):
            if not self.least(name):
                what, kind = name.split('_')
                of = f'searches for {kind} people' if what == 'searches' else f'{kind} pairs'
                raise ValueError(
                    f"Setting '{setting}' is empty: a trial has no {of} in the gallery that queries may see."
                )

    def reason(self, name: str) -> str:
        """Why a metric cannot be measured."""
        if name in SEARCH_NAMES:
            level, needs = name.split('@')[1], 'searches_unenrolled'
            kinds = {'searches_enrolled': 'searches for enrolled people', needs: 'searches for unenrolled people'}
        else:
            level, needs = name.split('@')[-1], 'pairs_impostor'
            kinds = {'pairs_genuine': 'genuine pairs', needs: 'impostor pairs'}
        for kind, words in kinds.items():
            if not self.least(kind):
                return f'there are no {words}' + (' in some trial.' if max(self.counts[kind]) else '.')
        number = int(np.ceil(1 / float(level.split('=')[1]) - WHOLE))
        return f'{level} takes at least {number:,} {kinds[needs]}; there are {self.least(needs):,}.'

    def row(self, confidence: float) -> dict:
        """What is told of it."""
        means = {name: float(100 * np.mean(self.rates[name])) for name in OPEN_SET_NAMES}
        measured = {name: mean for name, mean in means.items() if not np.isnan(mean)}
        row = {name: measured.get(name) for name in OPEN_SET_NAMES}
        row['intervals'] = {
            name: self._interval(name, confidence) if name in measured else None for name in OPEN_SET_NAMES
        }
        row['not_measured'] = {name: self.reason(name) for name in OPEN_SET_NAMES if name not in measured}
        row['counts'] = {name: float(np.mean(counts)) for name, counts in self.counts.items()}
        if self.whole:
            row['curves'] = {}
            for false, true in (('FPIR', 'TPIR'), ('FAR', 'TAR')):
                curve = np.mean(self.curves[true], axis=0)  # (L,)
                there = ~np.isnan(curve)
                row['curves'] |= {false: (100 * LEVELS[there]).tolist(), true: (100 * curve[there]).tolist()}
            counts = {name: np.mean(counts, axis=0).tolist() for name, counts in self.distributions.items()}
            row['distributions'] = {'edges': BIN_EDGES.tolist(), **counts}
        return row

    def _interval(self, name: str, confidence: float) -> list[float] | None:
        sides = ('people_enrolled', 'people_unenrolled') if name in SEARCH_NAMES else ('people_genuine',)
        if min(map(self.least, sides)) < 2:
            return None
        total, number = self.resampled[name]
        there = number > 0
        return (100 * interval(total[there] / number[there], confidence)).tolist() if there.any() else None


def _measure(
    tally: _Tally,
    part: _ScoredTrial,
    unknown: list[np.ndarray],
    everybody: np.ndarray,
    weights: np.ndarray,
    memory_mb: float,
) -> None:
    """Adds a trial, or of it a camera pair, to a tally; people are columns of the weights, (R, N)."""
    query, gallery = (np.searchsorted(everybody, pids) for pids in (part.query_pids, part.gallery_pids))
    _measure_pairs(tally, part.scores, query, gallery, weights, memory_mb)
    order = np.argsort(gallery, kind='stable')
    people, starts = np.unique(gallery[order], return_index=True)  # (P,)
    scores = np.maximum.reduceat(part.scores[:, order], starts, axis=1)  # (Q, P): of each person the best image
    sizes = np.diff(starts, append=len(gallery))
    drawn = np.ascontiguousarray(weights.T, np.int32)  # (N, R)
    for pids in unknown:
        stays = ~np.isin(everybody[people], pids)
        found = search(scores[:, stays], query, people[stays])
        searches = Searches(*(column[found.valid] for column in found))
        _measure_searches(tally, searches, query[found.valid], drawn, memory_mb)
        tally.add_counts(people_in_gallery=stays.sum(), images_in_gallery=sizes[stays].sum())


def _measure_pairs(
    tally: _Tally, scores: np.ndarray, query: np.ndarray, gallery: np.ndarray, weights: np.ndarray, memory_mb: float
) -> None:
    pairs = sort_pairs(scores, query, gallery)
    same = pairs.genuine.ravel()[pairs.cells]  # (P,)
    genuine, impostor = pairs.scores[same], pairs.scores[~same]
    people = len(np.unique(pairs.cells[same]))
    tally.add_counts(people_genuine=people, pairs_genuine=len(genuine), pairs_impostor=len(impostor))
    if not len(genuine) or not len(impostor):
        tally.add_rates(VERIFICATION_NAMES, [None] * 3, None)
        return
    curve = ScoreCurve(genuine, impostor)
    resampled = resample_verification(pairs, weights, memory_mb)
    tally.add_rates(VERIFICATION_NAMES, verification_rates(curve), resampled)
    if tally.whole:
        tally.add_curve('TAR', curve)
        tally.add_distribution('genuine', genuine)
        tally.add_distribution('impostor', impostor)


def _measure_searches(
    tally: _Tally, searches: Searches, person: np.ndarray, drawn: np.ndarray, memory_mb: float
) -> None:
    enrolled = searches.enrolled
    tally.add_counts(searches_enrolled=enrolled.sum(), searches_unenrolled=(~enrolled).sum())
    tally.add_counts(
        people_enrolled=len(np.unique(person[enrolled])), people_unenrolled=len(np.unique(person[~enrolled]))
    )
    if enrolled.all() or not enrolled.any():
        tally.add_rates(SEARCH_NAMES, [None] * 2, None)
        return
    curve = fpir_tpir(searches.best, searches.hit, enrolled)
    rates = [curve.true_rate_at(fpir) for fpir in FPIRS]
    tally.add_rates(SEARCH_NAMES, rates, resample_searches(searches, person, drawn, memory_mb))
    if tally.whole:
        tally.add_curve('TPIR', curve)
        kinds = {'right': enrolled & searches.hit, 'wrong': enrolled & ~searches.hit, 'unenrolled': ~enrolled}
        for name, rows in kinds.items():
            tally.add_distribution(name, searches.best[rows])


def resample_searches(searches: Searches, person: np.ndarray, drawn: np.ndarray, memory_mb: float = 1024) -> np.ndarray:
    """TPIR at FPIRS with people drawn anew: a search counts as often as its person; thresholds are found anew.

    Args:
        searches (Searches): S of them, all valid.
        person (np.ndarray): Whom each is for, a row of `drawn`, (S,).
        drawn (np.ndarray): How often each person was drawn in each resample, (N, R) int.
        memory_mb (float): Budget in MiB. Defaults to 1024.

    Returns:
        np.ndarray: In [0, 1], (2, R); NaN where a resample has no search of a kind.
    """
    step = max(1, int(memory_mb * MIB // (32 * len(person))))
    if drawn.shape[1] > step:
        parts = [drawn[:, start : start + step] for start in range(0, drawn.shape[1], step)]
        return np.concatenate([resample_searches(searches, person, part, memory_mb) for part in parts], axis=1)
    falling = np.argsort(-searches.best, kind='stable')
    false = falling[~searches.enrolled[falling]]  # (F,)
    true = falling[(searches.enrolled & searches.hit)[falling]]  # (T,)
    false_scores, true_scores = searches.best[false], searches.best[true]
    accepted = np.cumsum(drawn[person[false]], axis=0)  # (F, R)
    hits = np.concatenate([np.zeros((1, drawn.shape[1]), int), np.cumsum(drawn[person[true]], axis=0)])  # (T + 1, R)
    enrolled = drawn[person[searches.enrolled]].sum(axis=0)  # (R,)
    refused = np.append(false_scores, -np.inf)  # (F + 1,)
    rates = []
    for fpir in FPIRS:
        place = (accepted <= fpir * accepted[-1] + WHOLE).sum(axis=0)  # (R,): the first that must not be accepted...
        above = len(true) - np.searchsorted(true_scores[::-1], refused[place], 'right')  # ... with all that equal it
        rates.append(np.take_along_axis(hits, above[None], axis=0)[0] / np.maximum(enrolled, 1))
    return np.where((enrolled > 0) & (accepted[-1] > 0), np.stack(rates), np.nan)
