"""Choosing a checkpoint on the test set: what it adds to the last one's score, and what of that holds for others."""

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from mmengine.config import Config

from tsgan.evaluation import METRIC_NAMES
from tsgan.evaluation.compare import by_identity, identity_means
from tsgan.evaluation.progress import progress
from tsgan.unpacking import check_unpacked
from tsgan.whole_files import whole_file

from .building import parts_named
from .options import load_config
from .runs import build_runner, describe_tested
from .tables import mean_and_std, spread

KEPT = 'selection'  # folder in a work dir: the scores of each checkpoint, a file each
LAST, BEST = 'last checkpoint', 'best on test by {}'
CHOSEN_BY = ('R1', 'mAP')
OVER_LAST = {'difference': 'best - last', 'gain': 'gain for others', 'optimism': 'optimism'}  # of a Choice, in a table
SHOWN = ('R1', 'mAP', 'mINP')
SOURCE = (
    'AGW, CAJ, DEEN, RLE, PMT, ADCA and PGM keep the checkpoint that is best on the test set: '
    'ZYK100/LLCM DEEN/train.py:438, zesenwu23/USL-VI-ReID train_sysu.py'
)
SENTENCES = {
    LAST: 'The checkpoint is the last one of the training: no test score had a part in the choice.',
    BEST: 'The checkpoint was chosen by its {} on the test set, and is scored on the same test set.',
}


OneTest = dict[str, tuple[np.ndarray, np.ndarray]]  # setting -> sums (T, I, 6), counts (T, I) of one checkpoint


class Scores(NamedTuple):
    """The scores of C checkpoints of one training in one setting, of I identities in T trials.

    The sums are over the valid queries of an identity, in the order of ``METRIC_NAMES``.
    """

    sums: np.ndarray  # (C, T, I, 6)
    counts: np.ndarray  # (T, I)  valid queries

    def means(self, weights: np.ndarray) -> np.ndarray:
        """Scores in percent, with each identity taken as often as its weight, (R, I) -> (C, R, 6)."""
        return np.stack([identity_means(weights, sums, self.counts) for sums in self.sums])

    def whole(self) -> np.ndarray:
        """Scores on all identities, (C, 6)."""
        return self.means(np.ones((1, self.counts.shape[1])))[:, 0]


class Choice(NamedTuple):
    """What choosing a checkpoint by one metric makes of one training in one setting; (6,) each, in percent."""

    chosen: int  # which checkpoint is best on all of the test set
    score: np.ndarray  # its score
    difference: np.ndarray  # that less the last one's
    gain: np.ndarray
    optimism: np.ndarray


def choose(scores: Scores, metric: str, repeats: int = 1000, seed: int = 0) -> Choice:
    """Choose a checkpoint on the test set, and ask what of its lead over the last one holds for other people.

    ``difference`` is what a paper gains that chooses so: best less last, both on the whole test set. Part of it is no
    gain: of several checkpoints that are equally good, one is the best on these very people.

    To tell the two apart, the people who are searched for are split at random into halves A and B, ``repeats`` times,
    and both of A and B serve as the choosing half. s_c(H) is the score of checkpoint c over the queries of the people
    in H (mean over queries, then over trials); the gallery stays whole, so that every search remains the one that the
    protocol defines. With c* the checkpoint that is best by ``metric`` on A, the first of equals, and l the last one,

    - ``gain`` is the mean of s_c*(B) - s_l(B): what choosing brings for people who had no part in it;
    - ``optimism`` is the mean of (s_c*(A) - s_c*(B)) - (s_l(A) - s_l(B)): by how much the lead over the last one
      is larger on those who were chosen by than on the others. The last one's own difference of the halves is taken
      off, since some halves are easier for every checkpoint.

    The lead on the choosing half is ``gain + optimism``. It is not ``difference``: half of the people choose with
    more noise than all of them do, so that ``optimism`` is rather more than that of a choice by the whole test set, and
    ``gain`` rather less. And what leads on A by luck is behind on B, the two being one test set: where the last
    checkpoint is the best on the whole of it, ``gain`` cannot be above 0. It is right on average over test sets, so
    read it over several trainings.

    Args:
        scores (Scores): Of the checkpoints, in the order of training.
        metric (str): By which to choose, one of ``METRIC_NAMES``.
        repeats (int): How often people are split. Defaults to 1000.
        seed (int): Of the splits. Defaults to 0.

    Raises:
        ValueError: On fewer than two identities.
    """
    num_ids, by = scores.counts.shape[1], METRIC_NAMES.index(metric)
    if num_ids < 2:
        raise ValueError(f'the test set has {num_ids} identity to search for: two halves of them need at least 2.')
    order = np.random.default_rng(seed).random((repeats, num_ids)).argsort(axis=1)  # (R, I)
    half = order < num_ids // 2  # (R, I)
    choosing, other = scores.means(np.concatenate([half, ~half])), scores.means(np.concatenate([~half, half]))
    best = choosing[:, :, by].argmax(axis=0)  # (2R,): the first of equals, as where only a better one is kept
    rows = np.arange(2 * repeats)
    lead, gain = (means[best, rows] - means[-1] for means in (choosing, other))  # (2R, 6) each
    whole = scores.whole()  # (C, 6)
    chosen = int(whole[:, by].argmax())
    optimism = (lead - gain).mean(axis=0)
    return Choice(chosen, whole[chosen], whole[chosen] - whole[-1], gain.mean(axis=0), optimism)


def audit_checkpoints(
    work_dirs: Sequence[str | Path], cfg_options: list[str] | None = None, repeats: int = 1000, seed: int = 0
) -> list[dict]:
    """What choosing on the test set adds, over trainings that kept their checkpoints.

    Each checkpoint is tested as ``tools/test.py`` would with the config in the work dir, not re-ranked. Its scores are
    kept in ``<work dir>/selection``, and are taken from there until the checkpoint or the config changes.

    Args:
        work_dirs (Sequence[str | Path]): Of trainings that differ in their seed, with ``epoch_*.pth`` and their config.
        cfg_options (list[str], optional): Over the configs, such as ``data_root=DIR``. Defaults to None.
        repeats (int): See :func:`choose`.
        seed (int): See :func:`choose`.

    Returns:
        list[dict]: For each setting the last checkpoint, then the best on test by R1 and by mAP: ``convention``,
        ``setting``, ``R1``, ``mAP``, ``mINP`` (means over the trainings, percent), ``source``, ``sentence``, and
        ``runs``: for each training ``work_dir``, ``checkpoint``, ``checkpoints`` (how many there are) and the metrics.
        Where one was chosen also ``difference``, ``gain`` and ``optimism``, see :func:`choose`, a number a metric in
        each of the runs, and over them (mean, sample standard deviation; None of a single training).

    Raises:
        FileNotFoundError: A work dir that holds fewer than two checkpoints, or no config.
        ValueError: Several configs in one, or trainings that were not tested on the same people in the same settings.
    """
    checkpoints = {Path(work_dir): kept_checkpoints(Path(work_dir)) for work_dir in work_dirs}
    scores = score_checkpoints(checkpoints, cfg_options)
    check_same_test(scores)
    entries = []
    for setting in scores[next(iter(scores))]:
        rows = {work_dir: found[setting] for work_dir, found in scores.items()}
        runs = [run_of(d, checkpoints[d], -1, found.whole()[-1]) for d, found in rows.items()]
        entries.append(entry(setting, LAST, SENTENCES[LAST], runs))
        for metric in CHOSEN_BY:
            runs = []
            for work_dir, found in rows.items():
                choice = choose(found, metric, repeats, seed)
                over_last = {name: by_metric(getattr(choice, name)) for name in OVER_LAST}
                runs.append(run_of(work_dir, checkpoints[work_dir], choice.chosen, choice.score) | over_last)
            entries.append(entry(setting, BEST.format(metric), SENTENCES[BEST].format(metric), runs))
    return entries


def run_of(work_dir: Path, checkpoints: list[Path], chosen: int, score: np.ndarray) -> dict:
    """One training's part in an entry; its score is (6,)."""
    about = {'work_dir': str(work_dir), 'checkpoint': checkpoints[chosen].name, 'checkpoints': len(checkpoints)}
    return about | by_metric(score)


def by_metric(values: np.ndarray) -> dict[str, float]:
    return {metric: float(values[METRIC_NAMES.index(metric)]) for metric in SHOWN}


def entry(setting: str, convention: str, sentence: str, runs: list[dict]) -> dict:
    """Means over the trainings, and the trainings."""
    found = {'convention': convention, 'setting': setting}
    found |= {metric: float(np.mean([run[metric] for run in runs])) for metric in SHOWN}
    found |= {'source': 'tsgan' if convention == LAST else SOURCE, 'sentence': sentence}
    for name in OVER_LAST:
        if name in runs[0]:
            found[name] = {metric: mean_and_std([run[name][metric] for run in runs]) for metric in SHOWN}
    return found | {'runs': runs}


def checkpoints_table(entries: list[dict]) -> str:
    """What :func:`audit_checkpoints` returns, as two Markdown tables: scores, and what is chosen less the last one.

    Below them, what a paper must state of each convention.
    """
    lines = [f'| setting | convention | {" | ".join(SHOWN)} | checkpoint |', '|---' * (len(SHOWN) + 3) + '|']
    for row in entries:
        cells = [spread(*mean_and_std([run[metric] for run in row['runs']]), digits=2) for metric in SHOWN]
        names = ', '.join(Path(run['checkpoint']).stem.removeprefix('epoch_') for run in row['runs'])
        lines.append(f'| {row["setting"]} | {row["convention"]} | {" | ".join(cells)} | {names} |')
    num = len(entries[0]['runs'])
    counts = sorted({run['checkpoints'] for run in entries[0]['runs']})
    lines += [
        '',
        f'{num} training{"s" * (num > 1)} of {" or ".join(map(str, counts))} checkpoints; mean ± standard deviation.',
    ]
    columns = [f'{metric}: {name}' for metric in CHOSEN_BY for name in OVER_LAST.values()]
    lines += ['', f'| setting | chosen by | {" | ".join(columns)} |', '|---' * (len(columns) + 2) + '|']
    for row in entries:
        if 'difference' in row:
            cells = [signed(*row[name][metric]) for metric in CHOSEN_BY for name in OVER_LAST]
            lines.append(f'| {row["setting"]} | {row["convention"].split()[-1]} | {" | ".join(cells)} |')
    stated = {row['convention']: row for row in entries}
    lines += ['', 'What a paper must state:', *(f'{name}: {row["sentence"]}' for name, row in stated.items())]
    lines += ['', f'Read in: {SOURCE}.']
    return '\n'.join(lines)


def signed(mean: float, std: float | None) -> str:
    sign = '-' if round(mean, 2) < 0 else '+'
    return sign + spread(abs(mean), std, digits=2)


def kept_checkpoints(work_dir: Path) -> list[Path]:
    """``epoch_*.pth`` of a training, by epoch.

    Raises:
        FileNotFoundError: Fewer than two.
    """
    epochs = {re.fullmatch(r'epoch_(\d+)', file.stem): file for file in work_dir.glob('epoch_*.pth')}
    found = sorted((int(match[1]), file) for match, file in epochs.items() if match)
    if len(found) < 2:
        raise FileNotFoundError(
            f"{work_dir} holds {len(found)} of a training's epoch_*.pth, and to choose takes at least 2: train with "
            '`--cfg-options default_hooks.checkpoint.max_keep_ckpts=-1`, which keeps all.'
        )
    return [file for _, file in found]


def config_of_training(work_dir: Path) -> Path:
    """The config that a training leaves in its work dir.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several.
    """
    found = sorted(work_dir.glob('*.py'))
    if not found:
        raise FileNotFoundError(f'{work_dir} holds no config (.py): expected the work dir of a training.')
    if len(found) > 1:
        names = ', '.join(file.name for file in found)
        raise ValueError(f"{work_dir} holds several configs ({names}): expected the training's alone.")
    return found[0]


def score_checkpoints(
    checkpoints: dict[Path, list[Path]], cfg_options: list[str] | None = None
) -> dict[Path, dict[str, Scores]]:
    """Test what has no scores yet, and keep them; by work dir and setting."""
    options, tests, kept = cfg_options or [], [], {}
    for work_dir, files in checkpoints.items():
        cfg = load_config(str(config_of_training(work_dir)), str(work_dir), options)
        for file in files:
            state = state_of(file, cfg)
            kept[file] = read_scores(work_dir / KEPT / f'{file.stem}.npz', state)
            if kept[file] is None:
                tests.append((work_dir, file, cfg, state))
    for work_dir, file, cfg, state in progress(tests, 'Testing checkpoints', quiet_seconds=0):
        kept[file] = test(cfg, file)
        write_scores(work_dir / KEPT / f'{file.stem}.npz', kept[file], state)
    return {work_dir: stacked([kept[file] for file in files]) for work_dir, files in checkpoints.items()}


def stacked(tests: list[OneTest]) -> dict[str, Scores]:
    """Of the checkpoints of one training."""
    counts = {setting: count for setting, (_, count) in tests[0].items()}
    return {name: Scores(np.stack([test[name][0] for test in tests]), count) for name, count in counts.items()}


def test(cfg: Config, checkpoint: Path) -> OneTest:
    """Test a checkpoint as ``tools/test.py`` does, without re-ranking, and leave no other trace of it."""
    cfg = copy.deepcopy(cfg)
    with TemporaryDirectory() as folder, redirect_stdout(StringIO()):  # MMEngine prints which file it loads
        cfg.work_dir, cfg.load_from, cfg.log_level = folder, str(checkpoint), 'ERROR'
        cfg.default_hooks.pop('ranked_list', None)
        cfg.visualizer.vis_backends = []
        cfg.test_evaluator.update(rerank=False, json_file=None, features_file=None)  # whatever the last test wanted
        with parts_named(cfg):
            runner = build_runner(cfg)
            describe_tested(cfg, cfg.load_from)  # here, where what it logs is left out
            runner.test()
    last = runner.test_evaluator.metrics[0].last
    sums = {name: by_identity(last.features.pids, scored) for name, scored in last.scored.items()}
    return {name: (np.stack(sums), np.stack(counts)) for name, (sums, counts) in sums.items()}


def state_of(checkpoint: Path, cfg: Config) -> str:
    """What a test hangs on, but for the images: the checkpoint's file, and the parts of the config that test it."""
    stat = checkpoint.stat()
    evaluator = {name: cfg.test_evaluator.get(name) for name in ('protocol', 'normalize')}
    evaluator |= {name: value for name in ('features', 'mirror') if (value := cfg.test_evaluator.get(name))}
    parts = {'model': cfg.model, 'test_dataloader': cfg.test_dataloader, 'evaluator': evaluator}
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
    return f'{stat.st_size} bytes, {stat.st_mtime_ns} ns, {digest}'


def write_scores(file: Path, scores: OneTest, state: str) -> None:
    arrays = {'state': np.array(state)}
    for setting, (sums, counts) in scores.items():
        arrays |= {f'{setting}/sums': sums, f'{setting}/counts': counts}
    with whole_file(file) as unfinished, unfinished.open('wb') as opened:
        np.savez(opened, **arrays)


def read_scores(file: Path, state: str) -> OneTest | None:
    """What :func:`write_scores` wrote of this state; None where there is no such file."""
    try:
        check_unpacked(file)
        with np.load(file) as content:
            if str(content['state']) != state:
                return None
            settings = [name.removesuffix('/sums') for name in content.files if name.endswith('/sums')]
            return {name: (content[f'{name}/sums'], content[f'{name}/counts']) for name in settings}
    except (
        OSError,
        KeyError,
        ValueError,
        EOFError,
        MemoryError,
        BadZipFile,
    ):  # not there, or damaged: it is made again
        return None


def check_same_test(scores: dict[Path, dict[str, Scores]]) -> None:
    """Raises ValueError where trainings were not tested in the same settings on as many queries of each identity."""
    first, *others = scores
    for other in others:
        a, b = scores[first], scores[other]
        if list(a) != list(b):
            raise ValueError(
                f'only trainings with one test are averaged: {first} was tested in {", ".join(a)}, {other} in '
                f'{", ".join(b)}.'
            )
        for setting in a:
            if not np.array_equal(a[setting].counts, b[setting].counts):
                raise ValueError(
                    f'only trainings with one test are averaged: in {setting}, {first} and {other} were tested on '
                    'queries of other people.'
                )
