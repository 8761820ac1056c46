"""Whether calibrations keep what they promise: ``python benchmarks/calibration.py --folder work_dirs/calibration``.

People are rendered by the thousand, under the same cameras; the model that comes with its weights has seen none of
them. Each calibration is on people of its own; all are tried on the same people, whom none of them has seen. Then the
cameras are others (another render seed), or the queries' style is another. Pictures, features and calibrations stay in
the folder: what is there is not made again. Prints Markdown.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.stats import norm

from tsgan.command_line import MODEL, run
from tsgan.datasets.loose_images import LooseImage, find_images
from tsgan.datasets.synthetic import render_dataset
from tsgan.evaluation import FeatureTable, load_image_features, save_image_features
from tsgan.evaluation.calibration import Calibration, Group, coverage_range, person_probabilities, reliability
from tsgan.evaluation.calibration.calibration import checked_images, pairs_of
from tsgan.evaluation.calibration.pairs import Images, Pairs
from tsgan.evaluation.calibration.threshold import FalseAlarms

DIRECTIONS = (('ir', 'rgb'), ('rgb', 'ir'), ('rgb', 'rgb'), ('ir', 'ir'))
LEVELS, RATES, SIZES = (0.9, 0.95), (0.01, 0.1), (1, 10, 50, 100)
SEARCHED = 100  # people in the gallery, where one size is shown
CHECKED = (20, 50), (100, 100), (300, 300)  # queries and people of a drift check
TRIALS = 10  # of searches and of drift checks, for each calibration


def gamma(image: np.ndarray) -> np.ndarray:
    return (255 * (image / 255) ** 2).round().astype(np.uint8)


def blur(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def jpeg(image: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], cv2.IMREAD_COLOR)


def half_size(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


STYLES = {'gamma 2': gamma, 'blur, 1.5 pixels': blur, 'JPEG, quality 10': jpeg, 'half the size': half_size}


class World(NamedTuple):
    """People whom no calibration has seen, with one direction's pairs."""

    images: Images
    pairs: Pairs
    alarms: FalseAlarms

    @classmethod
    def of(cls, table: FeatureTable, direction: tuple[str, str]) -> 'World':
        images, _ = checked_images(table.feats, table.pids, table.camids, table.modalities)
        pairs = pairs_of(images, (*direction, -1, -1), 0)
        return cls(images, pairs, FalseAlarms(pairs.different))

    def coverage(self, score: float) -> float:
        """Share of pairs of one person at or above a score, all identities alike."""
        return float(self.pairs.weights @ (self.pairs.same >= score))

    def set_size(self, score: float, people: int) -> float:
        """Mean number of candidates among people, one image each, the query's person one of them."""
        return self.coverage(score) + (people - 1) * float((self.alarms.scores >= score).mean())


def features(
    file: Path, root: Path, people: Iterable[int] | None = None, changed: Callable | None = None
) -> FeatureTable:
    """Features of people of a rendered data set, or with ``changed`` of their IR images in another style; cached.

    Without ``people``, of a folder whose own folders say what is IR.
    """
    if not file.exists():
        from tsgan.apis import ReIDInferencer

        images = find_images(str(root))
        if people is not None:
            wanted = {f'{pid:04d}' for pid in people}
            images = [image for image in images if image.row.identity in wanted]
            images = [
                image._replace(row=image.row._replace(modality=modality_of(image.row.camera))) for image in images
            ]
        if changed:
            images = [
                LooseImage(image.row._replace(path=None), changed(cv2.imread(image.row.path)))
                for image in images
                if image.row.modality == 'ir'
            ]
        reid = ReIDInferencer(MODEL)
        feats = reid.extract(images)
        save_image_features(str(file), feats, reid.rows, reid.name, reid.fingerprint)
    return load_image_features(str(file))


def modality_of(camera: str) -> str:
    return 'ir' if camera in ('cam3', 'cam6') else 'rgb'


def some(table: FeatureTable, pids: np.ndarray) -> FeatureTable:
    rows = np.isin(table.pids, pids)
    return FeatureTable(table.feats[rows], table.pids[rows], table.camids[rows], modalities=table.modalities[rows])


def calibrations(folder: Path, name: str, table: FeatureTable, parts: list[np.ndarray]) -> list[Calibration]:
    """One on each part of the people; cached."""
    found = []
    for number, pids in enumerate(parts):
        file = folder / 'calibrations' / f'{name}-{len(pids)}-{number}.json'
        if not file.exists():
            part = some(table, pids)
            labels = part.pids, part.camids, part.modalities
            sizes = [size for size in SIZES if 2 * size <= len(pids)]
            Calibration.fit(part.feats, *labels, gallery_sizes=sizes, model=MODEL, data=name, seed=number).save(file)
        found.append(Calibration.load(file))
    return found


def table_of(head: list[str], rows: Iterator[list]) -> str:
    lines = [[cell if isinstance(cell, str) else f'{cell:,}' for cell in row] for row in rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in [head, ['---'] * len(head), *lines]) + '\n'


def percent(values: list[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    return f'{100 * np.mean(values):.{digits}f} ± {100 * np.std(values, ddof=1):.{digits}f}'


def named(direction: tuple[str, str]) -> str:
    return ' -> '.join(direction).upper()


def coverage_rows(fits: dict[int, list[Calibration]], worlds: dict) -> Iterator[list]:
    for direction, world in worlds.items():
        for count, of_count in fits.items():
            for level in LEVELS:
                scores = [c.group(*direction).candidates(level) for c in of_count]
                found = np.array([world.coverage(score) for score in scores])
                low, high = coverage_range(level, count)
                within = ((low <= found) & (found <= high)).sum()
                sizes = (f'{np.mean([world.set_size(score, n) for score in scores]):.0f}' for n in (100, 1000))
                yield [
                    named(direction), count, f'{100 * level:.0f}', percent(found),
                    f'{100 * found.min():.1f} to {100 * found.max():.1f}', f'{100 * low:.1f} to {100 * high:.1f}',
                    f'{within} of {len(found)}', *sizes,
                ]  # fmt: skip


def camera_rows(fits: dict[int, list[Calibration]], table: FeatureTable) -> Iterator[list]:
    images, _ = checked_images(table.feats, table.pids, table.camids, table.modalities)
    for count, of_count in fits.items():
        kinds = [(g.query_modality, g.gallery_modality, g.query_camera, g.gallery_camera) for g in of_count[0].groups]
        for level in LEVELS:
            whole, own = [], []
            for kind in (kind for kind in kinds if kind[2] >= 0 and kind[:2] == ('ir', 'rgb')):
                pairs = pairs_of(images, kind, 0)
                for found, cameras in ((whole, (-1, -1)), (own, kind[2:])):
                    scores = [c.group(*kind[:2], *cameras).candidates(level) for c in of_count]
                    found.append([float(pairs.weights @ (pairs.same >= score)) for score in scores])
            whole, own = (np.mean(found, axis=1) for found in (whole, own))  # by pair of cameras, over calibrations
            spans = (
                f'{100 * found.mean():.1f} ({100 * found.min():.1f} to {100 * found.max():.1f})'
                for found in (whole, own)
            )
            yield [count, f'{100 * level:.0f}', *spans]


def alarm_rows(fits: dict[int, list[Calibration]], worlds: dict) -> Iterator[list]:
    for direction, world in worlds.items():
        for count, of_count in fits.items():
            for size in (size for size in SIZES if 2 * size <= count):
                rates = world.alarms.rates(size)
                for rate in RATES:
                    found = [c.group(*direction).threshold(rate, size) for c in of_count]
                    true = [world.alarms.rate_and_count(t.score, size)[0] for t in found]
                    right = world.alarms.score_at(rate, rates)
                    _, pairs = world.alarms.rate_and_count(right, size)
                    by_rate = sum(t.rate_low <= r <= t.rate_high for t, r in zip(found, true, strict=True))
                    by_score = sum(t.low <= right <= t.high for t in found)
                    span = ' to '.join(
                        f'{100 * np.mean(ends):.2f}'
                        for ends in zip(*((t.rate_low, t.rate_high) for t in found), strict=True)
                    )
                    yield [
                        named(direction), count, size, f'{100 * rate:.0f}', percent(true, 2),
                        f'{100 * (rate * (1 - rate) / pairs) ** 0.5:.2f}', span,
                        f'{by_rate} of {len(found)}', f'{by_score} of {len(found)}',
                    ]  # fmt: skip


def images_rows(of_count: list[Calibration], worlds: dict) -> Iterator[list]:
    """Galleries of as many images, but several of each person."""
    for direction, world in worlds.items():
        groups = [c.group(*direction) for c in of_count]
        images, draws = world.images, np.random.default_rng(0)
        queries, gallery = (
            [np.flatnonzero(chosen & (images.people == person)) for person in range(images.people.max() + 1)]
            for chosen in (images.modalities == direction[0], images.modalities == direction[1])
        )
        for people in (SEARCHED // 2, SEARCHED // 4):
            best = []
            for _ in range(20 * TRIALS):
                order = draws.permutation(len(gallery))
                there = [draws.choice(gallery[person], SEARCHED // people, replace=False) for person in order[:people]]
                asked = [draws.choice(queries[person]) for person in order[people:]]
                best.append((images.feats[asked] @ images.feats[np.concatenate(there)].T).max(axis=1))
            best = np.concatenate(best)
            rates = (
                [(best >= group.threshold(0.01, size).score).mean() for group in groups] for size in (people, SEARCHED)
            )
            yield [named(direction), people, SEARCHED // people, *(percent(each, 2) for each in rates)]


def searches(world: World, group: Group, enrolled: float, people: int, draws: np.random.Generator) -> Iterator[tuple]:
    """Probability and truth of each search's best row, and of nobody, in galleries of so many."""
    rounds, count, _ = world.pairs.different.shape
    queries = draws.integers(count, size=20)
    for query in queries:
        there = draws.random() < enrolled
        others = draws.choice(np.delete(np.arange(count), query), people - there, replace=False)
        scores = world.pairs.different[draws.integers(rounds), query, others]
        if there:
            scores = np.append(scores, draws.choice(world.pairs.same[world.pairs.same_people == query]))
        seen = np.argsort(-scores)[:10]
        p, nobody = person_probabilities(
            group.ratio(scores[seen]), seen.tolist(), people, enrolled, group.unseen(scores[seen[-1]])
        )
        yield p[0], bool(there and seen[0] == people - 1), nobody, not there


def reliability_rows(fits: dict[int, list[Calibration]], worlds: dict) -> Iterator[list]:
    for direction, world in worlds.items():
        for count, of_count in fits.items():
            groups = [c.group(*direction) for c in of_count]
            scores = np.concatenate([world.pairs.same, world.alarms.scores])
            is_same = np.arange(len(scores)) < len(world.pairs.same)
            rest = np.full(len(world.alarms.scores), 1 / len(world.alarms.scores))
            weights = np.concatenate([world.pairs.weights, rest])
            of_pairs = [reliability(group.probability(scores), is_same, weights).error for group in groups]
            for enrolled, people in ((0.5, 100), (0.9, 100), (0.5, 1000)):
                draws = np.random.default_rng(0)
                said = [
                    np.array(
                        [each for _ in range(TRIALS) for each in searches(world, group, enrolled, people, draws)], float
                    )
                    for group in groups
                ]
                whole = np.concatenate(said)
                best, nobody = (reliability(whole[:, column], whole[:, column + 1]) for column in (0, 2))
                means = (f'{100 * whole[:, a].mean():.1f} / {100 * whole[:, a + 1].mean():.1f}' for a in (0, 2))
                yield [
                    named(direction), count, percent(of_pairs), f'{100 * enrolled:.0f}', people, *means,
                    f'{100 * best.error:.1f}', f'{100 * nobody.error:.1f}',
                ]  # fmt: skip


def change_rows(of_count: list[Calibration], worlds: dict[str, World], direction: tuple[str, str]) -> Iterator[list]:
    for name, world in worlds.items():
        groups = [c.group(*direction) for c in of_count]
        cells = [percent([world.coverage(group.candidates(level)) for group in groups]) for level in LEVELS]
        for size in (1, SEARCHED):
            scores = [group.threshold(0.01, size).score for group in groups]
            cells.append(percent([world.alarms.rate_and_count(score, size)[0] for score in scores], 2))
        for queries, people in CHECKED:
            draws, warned = np.random.default_rng(0), []
            rounds, count, _ = world.pairs.different.shape
            if queries + people > count:
                cells.append('')
                continue
            for group in groups:
                for _ in range(TRIALS):
                    drawn = draws.choice(count, queries + people, replace=False)
                    scores = world.pairs.different[draws.integers(rounds)][np.ix_(drawn[:queries], drawn[queries:])]
                    warned.append(group.check(list(scores)).drifted)
            cells.append(f'{100 * np.mean(warned):.1f}')
        yield [name, *cells]


def simulated_rows(repeats: int, count: int = 100) -> Iterator[list]:
    """Intervals where the truth is known: score = effect of the query + of the person in the gallery + the rest.

    People in the gallery differ normally, or else a few of them score higher with everybody.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    for of_query, of_gallery, few in ((0.1, 0.1, None), (0.33, 0.33, None), (0.1, 0.75, None), (0.1, 0.2, 0.03)):
        rest = 1 - of_query - of_gallery  # shares of the spread
        higher = (of_gallery / (few * (1 - few))) ** 0.5 if few else 0.0

        def true_rate(
            score: float,
            people: int,
            of_query: float = of_query,
            few: float | None = few,
            rest: float = rest,
            higher: float = higher,
        ) -> float:
            score = np.inf if score == 1 else 10 * score  # 1 is above all cosines
            score = score - of_query**0.5 * nodes
            if few:
                clear = (1 - few) * norm.cdf(score / rest**0.5) + few * norm.cdf((score - higher) / rest**0.5)
            else:
                clear = norm.cdf(score / (1 - of_query) ** 0.5)
            return float(weights @ (1 - clear**people) / weights.sum())

        for people, rate in ((people, rate) for people in SIZES if 2 * people <= count for rate in RATES):
            draws, found = np.random.default_rng(0), []
            for _ in range(repeats):
                scores = of_query**0.5 * draws.normal(size=(1, count, 1))
                scores = scores + (
                    higher * (draws.random(count) < few) if few else of_gallery**0.5 * draws.normal(size=count)
                )
                scores = scores + rest**0.5 * draws.normal(size=(1, count, count))
                scores = (scores / 10).astype(np.float32)  # as cosines, within -1 and 1
                scores[:, np.arange(count), np.arange(count)] = -np.inf
                (told,) = FalseAlarms(scores).thresholds([rate], people)
                true = true_rate(told.score, people)
                by_score = true_rate(told.high, people) <= rate <= true_rate(told.low, people)
                found.append((true, told.rate_low <= true <= told.rate_high, by_score))
            true, *covered = np.array(found, float).T
            cells = (f'{100 * each.mean():.1f}' for each in covered)
            of_people = f'{of_gallery:.2f}{f", {few:.0%} of the people" if few else ""}'
            yield [f'{of_query:.2f}', of_people, people, f'{100 * rate:.0f}', percent(true, 2), *cells]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='What calibrations promise, and what they keep')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/calibration'), help='default: %(default)s')
    parser.add_argument('--ids', nargs='+', type=int, default=[100, 300], help='of a calibration; default: 100 300')
    parser.add_argument('--calibrations', type=int, default=20, help='of each size; default: %(default)s')
    parser.add_argument('--fresh', type=int, default=1500, help='people that none has seen; default: %(default)s')
    parser.add_argument('--others', type=int, default=1000, help='people under other cameras; default: %(default)s')
    parser.add_argument('--images', help='a folder of people of your own, rgb/ and ir/, as one more change')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    folder = args.folder
    total = args.calibrations * max(args.ids) + args.fresh
    few = dict(num_train=1, num_val=0, num_pretrain=0, frames=2)
    render_dataset(folder / 'seed1', num_test=total - 1, seed=1, **few)
    render_dataset(folder / 'seed2', num_test=args.others - 1, seed=2, **few)
    whole = features(folder / 'seed1.npz', folder / 'seed1', range(1, total + 1))
    order = np.random.default_rng(0).permutation(np.arange(1, total + 1))
    unseen, order = order[: args.fresh], order[args.fresh :]
    fresh = some(whole, unseen)
    fits = {
        count: calibrations(folder, 'seed1', whole, np.split(order[: count * args.calibrations], args.calibrations))
        for count in args.ids
    }
    worlds = {direction: World.of(fresh, direction) for direction in DIRECTIONS}
    print(f'{args.calibrations} calibrations of each size, tried on {len(unseen):,} people; ± is over calibrations\n')
    head = ['pairs', 'identities', 'level, %', 'coverage, %', 'least to most', 'expected of 19 in 20', 'within']
    print(table_of([*head, 'set among 100', 'set among 1,000'], coverage_rows(fits, worlds)), flush=True)
    head = [
        'identities',
        'level, %',
        'modalities alone: coverage by pair of cameras, %',
        'calibrated by camera pair, %',
    ]
    print(table_of(head, camera_rows(fits, fresh)), flush=True)
    head = ['pairs', 'identities', 'people in gallery', 'wished rate, %', 'rate, %']
    head += ['error by the people tried on', 'its interval (mean)', 'rate in its interval', 'score in its interval']
    print(table_of(head, alarm_rows(fits, worlds)), flush=True)
    head = ['pairs', 'people in gallery', 'images of each', 'rate at the 1 % threshold for the people, %']
    print(table_of([*head, 'for the images, %'], images_rows(fits[max(args.ids)], worlds)), flush=True)
    head = ['pairs', 'identities', 'ECE of a pair, %', 'enrolled, %', 'people', 'best row: said / true, %']
    head += ['nobody: said / true, %', 'ECE of best row', 'ECE of nobody']
    print(table_of(head, reliability_rows(fits, worlds)), flush=True)

    direction = DIRECTIONS[0]
    changed = {'nothing': worlds[direction]}
    others = features(folder / 'seed2.npz', folder / 'seed2', range(1, args.others + 1))
    changed['cameras (another render seed)'] = World.of(others, direction)
    rgb = fresh.modalities == 'rgb'
    for name, style in STYLES.items():
        file = folder / f'seed1 {name}.npz'
        ir = features(file, folder / 'seed1', unseen.tolist(), style)
        columns = zip(
            (fresh.feats[rgb], fresh.pids[rgb], fresh.camids[rgb], fresh.modalities[rgb]),
            (ir.feats, ir.pids, ir.camids, ir.modalities),
            strict=True,
        )
        feats, pids, camids, modalities = (np.concatenate(pair) for pair in columns)
        changed[f'queries: {name}'] = World.of(FeatureTable(feats, pids, camids, modalities=modalities), direction)
    if args.images:
        own = features(folder / f'{Path(args.images).name}.npz', Path(args.images))
        changed[f'all: {Path(args.images).name}, {len(np.unique(own.pids))} people'] = World.of(own, direction)
    head = ['IR -> RGB; what has changed', *(f'coverage of the {100 * level:.0f} % set, %' for level in LEVELS)]
    head += ['rate, % (1 % wished), 1 person', f'among {SEARCHED}']
    head += [f'warned, % ({q} queries, {g} people)' for q, g in CHECKED]
    print(f'{max(args.ids)} identities\n')
    print(table_of(head, change_rows(fits[max(args.ids)], changed, direction)), flush=True)

    pids = np.random.default_rng(1).permutation(np.unique(others.pids))
    count = len(pids) // 3
    anew = calibrations(folder, 'seed2', others, [pids[:count], pids[count : 2 * count]])
    world = World.of(some(others, pids[2 * count :]), direction)
    print(f'calibrated anew on {count} people under the other cameras, tried on {len(pids) - 2 * count}\n')
    print(table_of(head, change_rows(anew, {'nothing': world}, direction)), flush=True)
    head = ['spread of the query', 'of the person in the gallery', 'people in gallery', 'wished rate, %', 'rate, %']
    print('drawn scores, 200 calibrations of 100 people\n')
    print(table_of([*head, 'rate in its interval, %', 'score in its interval, %'], simulated_rows(200)))


if __name__ == '__main__':
    run(main)
