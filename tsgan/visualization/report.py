"""A test run as one page: results, distances by camera pair, the hardest queries with their ranked lists."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tsgan.checkpoints import config_entries
from tsgan.evaluation import METRIC_NAMES, FeatureTable, described_protocol, evaluate, load_features
from tsgan.evaluation.progress import progress
from tsgan.visualization.files import encode
from tsgan.visualization.page import report_page
from tsgan.visualization.rankings import (
    RankedList,
    Ranking,
    camera_names,
    choose,
    display_ranges,
    identity_names,
    open_image,
    rank,
    with_files,
)
from tsgan.whole_files import write_whole

THUMBNAIL = (192, 96)  # height and width, at most
TOLERANCE = 0.05  # percent points, by which two computers may differ


class CameraPair(NamedTuple):
    """Distances from the queries of one camera to the gallery images of another."""

    query: str  # 'IR camera 3'
    gallery: str
    true: np.ndarray  # (T,)  of one identity
    false: np.ndarray  # (F,)  of two

    @property
    def nearer(self) -> float | None:
        """float | None: The chance that a true distance is smaller than a false one, in percent; ties are half."""
        if not len(self.true) or not len(self.false):
            return None
        false = np.sort(self.false)
        below, upto = (np.searchsorted(false, self.true, side) for side in ('left', 'right'))  # (T,)
        return 100 * float(1 - np.mean(below + upto) / 2 / len(false))


class HardQuery(NamedTuple):
    """A query, its ranked list, and what it was given for it."""

    ranked: RankedList
    ranks: list[int]  # (K,)  from 1, of the images of the list
    first_match: int  # rank of the first match, from 1
    ap: float  # average precision, in percent


@dataclass(frozen=True, eq=False)
class Report:
    """What a page shows.

    Attributes:
        results (dict[str, dict]): By setting, as `evaluate` gives them.
        about (dict): What the results must be published with.
        setting (str): The setting whose first trial is shown.
        features (FeatureTable): All test images, with their files.
        identities (dict[int, str]): Name by pid.
        cameras (list[str]): Name by row.
        num_queries (int): With a match in the first trial.
        num_gallery (int): Of the first trial.
        pairs (list[CameraPair]): Of cameras.
        queries (list[HardQuery]): The hardest first.
    """

    results: dict[str, dict]
    about: dict
    setting: str
    features: FeatureTable
    identities: dict[int, str]
    cameras: list[str]
    num_queries: int
    num_gallery: int
    pairs: list[CameraPair]
    queries: list[HardQuery]


def write_report(
    work_dir: str | Path,
    features: str | Path | None = None,
    root: str | Path | None = None,
    out: str | Path | None = None,
    setting: str | None = None,
    queries: int = 50,
    topk: int = 10,
) -> Path:
    """Write a test run as one HTML file, which needs no other file and no network.

    Args:
        work_dir (str | Path): Where ``tools/test.py`` has written ``results.json``.
        features (str | Path, optional): What it wrote by ``--out``. Defaults to None: ``features.npz`` in the work dir.
        root (str | Path, optional): The data set's folder. Defaults to None: as the config in the work dir says.
        out (str | Path, optional): The page. Defaults to None: ``report.html`` in the work dir.
        setting (str, optional): Whose first trial is shown. Defaults to None: the first one.
        queries (int): How many of the hardest are shown: the size of the file hangs on it. Defaults to 50.
        topk (int): Gallery images of each. Defaults to 10.

    Returns:
        Path: The page.

    Raises:
        FileNotFoundError: A file is missing; says how to get it.
        ValueError: The results are not of these features, or there is no such setting.
    """
    if queries < 1 or topk < 1:
        raise ValueError(f'{queries} queries, {topk} images of each: expected at least one.')
    results, about = read_results(Path(work_dir, 'results.json'))
    file = Path(features or Path(work_dir, 'features.npz'))
    if not file.is_file():
        model = f'{about.get("config", "CONFIG")} {about.get("checkpoint", "CKPT")}'
        raise FileNotFoundError(f'there are no features at {file}: `tools/test.py {model} --out {file}` writes them.')
    root = Path(root or data_root(Path(work_dir)))
    table = with_files(load_features(str(file)), root)
    report = make_report(results, relocated(about, root), table, setting, queries, topk)
    page = report_page(report, thumbnails(report))
    out = Path(out or Path(work_dir, 'report.html'))
    write_whole(out, page.encode('utf-8', 'replace'))  # a file's name need not be UTF-8
    return out


def read_results(file: Path) -> tuple[dict[str, dict], dict]:
    """Results by setting, and what they must be published with.

    Raises:
        FileNotFoundError: When no model was tested.
        ValueError: When the file is no results of a test.
    """
    if not file.is_file():
        raise FileNotFoundError(
            f'there is no {file}: test a model there first, `tools/test.py CONFIG CKPT --work-dir`.'
        )
    try:
        content = json.loads(file.read_text(encoding='utf-8'))
        about = content.pop('about')
        complete = all(name in row for row in content.values() for name in (*METRIC_NAMES, 'num_trials', 'reranked'))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f'{file} is not what tools/test.py writes ({error!r}): test the model again.') from error
    if not content or not complete:
        raise ValueError(f'{file} is not what tools/test.py writes: test the model again.')
    return content, about


def data_root(work_dir: Path) -> str:
    """The data set's folder, by the config that a test leaves in its work dir.

    Raises:
        ValueError: When there is none that says it.
    """
    configs = sorted(work_dir.glob('*.py'), key=lambda file: file.stat().st_mtime, reverse=True)
    found = [config_entries(file.read_text(encoding='utf-8', errors='replace')).get('data_root') for file in configs]
    for root in found:
        if isinstance(root, str):
            return root
    raise ValueError(f'{work_dir} has no config that says where the images are: expected --data-root FOLDER.')


def relocated(about: dict, root: Path) -> dict:
    """The same, with a permutation file that has moved with its data set."""
    file = about.get('perm_file')
    if file and not Path(file).is_file() and (root / 'exp' / Path(file).name).is_file():
        return {**about, 'perm_file': str(root / 'exp' / Path(file).name)}
    return about


def make_report(
    results: dict[str, dict], about: dict, features: FeatureTable, setting: str | None, queries: int, topk: int
) -> Report:
    """What a page shows of results and the features that gave them; arguments as of :func:`write_report`."""
    normalize = about.get('normalize', True)
    protocol = described_protocol(about)
    check_same(results, evaluate(features, protocol, normalize=normalize))
    settings = protocol.settings(features)
    name = setting or next(iter(settings))
    if name not in settings:
        raise ValueError(f'there is no setting {name}: expected one of {", ".join(settings)}.')
    ranking = rank(features, settings[name], normalize=normalize)
    return Report(
        results=results,
        about=about,
        setting=name,
        features=features,
        identities=identity_names(features),
        cameras=camera_names(features),
        num_queries=len(ranking.query),
        num_gallery=len(ranking.gallery),
        pairs=camera_pairs(ranking),
        queries=hardest(ranking, queries, topk),
    )


def check_same(results: dict[str, dict], found: dict[str, dict]) -> None:
    """Raises ValueError where results are not those of the features."""
    for name, row in found.items():
        for metric in METRIC_NAMES:
            written = results.get(name, {}).get(metric)
            if written is None or abs(written - row[metric]) > TOLERANCE:
                raise ValueError(
                    f'the features are of another test than results.json: {metric} of {name} is {row[metric]:.2f} by '
                    f'them, and {"not" if written is None else f"{written:.2f}"} there. Write both by one run of '
                    'tools/test.py.'
                )


def camera_pairs(ranking: Ranking) -> list[CameraPair]:
    """Distances of all pairs that are seen, by camera pair; in the order of the cameras' numbers."""
    cameras = np.array(camera_names(ranking.features))
    order = dict(zip(cameras.tolist(), ranking.features.camids.tolist(), strict=True))
    sides = [cameras[ranking.query], cameras[ranking.gallery]]
    query_names, gallery_names = (sorted(set(side.tolist()), key=lambda name: (order[name], name)) for side in sides)
    same, pairs = ranking.same, []
    for query in query_names:
        for gallery in gallery_names:
            cell = np.ix_(sides[0] == query, sides[1] == gallery)
            seen, true, distances = ~ranking.hidden[cell], same[cell], ranking.distances[cell]
            if seen.any():
                pairs.append(CameraPair(query, gallery, distances[seen & true], distances[seen & ~true]))
    return pairs


def hardest(ranking: Ranking, number: int, topk: int) -> list[HardQuery]:
    """The queries of the lowest average precision, with their lists, and the first match where it comes later."""
    scores, found = ranking.scores(), []
    places = choose(ranking, 'hardest', number)
    whole = max(topk, int(scores.first_match[places].max()) + 1)
    for place, ranked in zip(places.tolist(), ranking.lists(places, whole), strict=True):
        first = int(scores.first_match[place])
        shown = [*range(min(topk, len(ranked.gallery))), *([first] if first >= topk else [])]
        part = RankedList(ranked.query, *(column[shown] for column in ranked[1:]))
        found.append(HardQuery(part, [at + 1 for at in shown], first + 1, 100 * float(scores.ap[place])))
    return found


def thumbnails(report: Report) -> Callable[[int], bytes]:
    """Gives the image of a row as a small JPEG file."""
    ranges = display_ranges(report.features)
    rows = {row for hard in report.queries for row in (hard.ranked.query, *hard.ranked.gallery.tolist())}
    made = {}
    for row in progress(sorted(rows), 'Thumbnails'):
        image = open_image(report.features, row, ranges)
        size = [min(most, there) for most, there in zip(THUMBNAIL, image.shape, strict=False)]
        made[row] = encode(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), '.jpg', quality=80)
    return made.__getitem__
