"""Writes a synthetic data set in the layout of SYSU-MM01."""

import json
import multiprocessing
import shutil
import signal
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from scipy.io import savemat

from tsgan.consoles import progress_console
from tsgan.machine import num_cores

from .hard import change, parts_of, weave
from .people import make_person
from .render import look, render_image
from .scene import CAMERAS, INFRARED_CAMERAS, RGB_CAMERAS

VERSION = 1  # raised when the same parameters begin to give other pictures
DONE, UNFINISHED = 'synthetic.json', 'synthetic.unfinished'
TRIALS = 10
JPEG_QUALITY = 92


def render_dataset(
    root,
    num_train=300,
    num_val=24,
    num_test=96,
    num_pretrain=150,
    frames=12,
    size=(96, 48),
    seed=1,
    workers=None,
    force=False,
    style='default',
):
    """Render a data set, or return at once when ``root`` already holds the very same one.

    ``cam1`` ... ``cam6`` hold one folder an identity with one picture a frame, ``exp`` the identity lists and
    ``rand_perm_cam.mat``, as SYSU-MM01 has them. Cameras 1, 2, 4, 5 are RGB, 3 and 6 infrared. Every camera sees
    every identity, except that the ``num_pretrain`` extra people of ``exp/pretrain_id.txt`` pass RGB cameras only and
    stand in no other list: they play the part of ImageNet. Pictures depend on the parameters alone, not on ``workers``.

    Args:
        root (str or Path): Folder to write to.
        num_train (int): Identities of ``train_id.txt``.
        num_val (int): Identities of ``val_id.txt``.
        num_test (int): Identities of ``test_id.txt``.
        num_pretrain (int): Identities of ``pretrain_id.txt``, which come last.
        frames (int): Pictures of an identity by a camera, 1-255. The multi-shot protocol needs 10.
        size (tuple[int, int]): Height and width of the pictures in pixels.
        seed (int): Decides people, places and pictures.
        workers (int, optional): Processes; by default as many as there are cores.
        force (bool): Delete a different synthetic data set in ``root`` first.
        style (str): 'default', or 'hard': the same people in the same poses at the same places, with all that
            :mod:`tsgan.datasets.synthetic.hard` adds; parts of it joined by ``+``, such as 'blur+framing'.

    Returns:
        Path: ``root``.

    Raises:
        ValueError: An argument is out of range.
        FileExistsError: ``root`` holds other pictures: a synthetic data set of other parameters, or somebody's own.
    """
    root = Path(root)
    counts = {'num_train': num_train, 'num_val': num_val, 'num_test': num_test, 'num_pretrain': num_pretrain}
    _check_arguments(counts, frames, size, seed, workers)
    parameters = dict(version=VERSION, **counts, frames=frames, size=list(size), seed=seed)
    if parts_of(style):  # the default goes without the word, as sets from before there were styles
        parameters['style'] = style
    if _is_finished(root, parameters, force):
        return root

    root.mkdir(parents=True, exist_ok=True)
    (root / UNFINISHED).touch()
    (root / DONE).unlink(missing_ok=True)
    for name in ('exp', *(f'cam{cam}' for cam in CAMERAS)):
        shutil.rmtree(root / name, ignore_errors=True)
    _write_lists(root / 'exp', counts, frames, seed)

    shown = num_train + num_val + num_test
    tasks = [(pid, tuple(CAMERAS) if pid <= shown else RGB_CAMERAS) for pid in range(1, shown + num_pretrain + 1)]
    render = partial(_render_identity, root=root, frames=frames, size=tuple(size), seed=seed, style=style)
    columns = (
        TextColumn('rendering'),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn('pictures'),
        TimeElapsedColumn(),
        TextColumn('left'),
        TimeRemainingColumn(),
    )
    workers = workers or num_cores()
    # Processes first: the bar draws from a thread of its own, which a forked process would inherit half.
    console = progress_console()
    with multiprocessing.Pool(workers, initializer=_start_worker) as pool, Progress(*columns, console=console) as bar:
        task = bar.add_task('', total=frames * sum(len(cams) for _, cams in tasks))
        for done in pool.imap_unordered(render, tasks):
            bar.advance(task, done)

    (root / DONE).write_text(json.dumps(parameters, indent=2) + '\n')
    (root / UNFINISHED).unlink()
    return root


def image_rng(seed, cam, pid, frame):
    """The generator of one picture, shared with no other picture of that person, camera or modality."""
    return np.random.default_rng([seed, 2, cam, pid, frame])


def identity(seed, pid, cam=None, style='default'):
    """The person of identity ``pid`` in the data set of ``seed``; in some styles, as dressed before camera ``cam``."""
    person, parts = make_person(np.random.default_rng([seed, 1, pid])), parts_of(style)
    if 'weave' in parts:
        person = weave(person, np.random.default_rng([seed, 5, pid]))
    if 'outfits' in parts and cam is not None:
        wardrobe, passage = np.random.default_rng([seed, 6, pid]), np.random.default_rng([seed, 7, pid, cam])
        person = change(person, wardrobe, passage)
    return person


def heading(seed, pid, cam, frame):
    """From where a picture shows its person, degrees in [0, 360): 0 from the front, 180 from behind; of any style."""
    view = look(identity(seed, pid), CAMERAS[cam], 2, 1, image_rng(seed, cam, pid, frame))
    return float(np.rad2deg(view.heading)) % 360


def _start_worker():
    cv2.setNumThreads(0)  # one process a core is enough
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer


def _render_identity(task, root, frames, size, seed, style):
    """Write all pictures of one identity; returns how many."""
    pid, cams = task
    for cam in cams:
        person = identity(seed, pid, cam, style)
        folder = root / f'cam{cam}' / f'{pid:04d}'
        folder.mkdir(parents=True)
        for frame in range(1, frames + 1):
            image = render_image(person, cam, image_rng(seed, cam, pid, frame), size, seed, style)
            path = folder / f'{frame:04d}.jpg'
            if not cv2.imwrite(str(path), image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
                raise OSError(f'{path} could not be written: is the disk full?')
    return len(cams) * frames


def _check_arguments(counts, frames, size, seed, workers):
    for name, count in counts.items():
        least = 1 if name in ('num_train', 'num_test') else 0
        if count < least:
            raise ValueError(f'{name} must be at least {least}, got {count}.')
    if sum(counts.values()) > 9999:
        raise ValueError(f'Folders have four digits, so at most 9999 identities fit, got {sum(counts.values())}.')
    if not 1 <= frames <= 255:
        raise ValueError(f'frames must be 1 to 255, the range of the official permutation file, got {frames}.')
    if len(size) != 2 or min(size) < 16 or max(size) > 1024:
        raise ValueError(f'size must be a height and a width of 16 to 1024 pixels, got {tuple(size)}.')
    if seed < 0:
        raise ValueError(f'seed must not be negative, got {seed}.')
    if workers is not None and workers < 1:
        raise ValueError(f'workers must be at least 1, got {workers}.')


def _is_finished(root, parameters, force):
    """Whether ``root`` holds this data set; raises where rendering would destroy another one."""
    if (root / DONE).exists():
        try:
            found = json.loads((root / DONE).read_text())
        except (ValueError, RecursionError):
            found = {}
        if found == parameters and not force:
            return True
        if not force:
            unsaid = {'style': 'default'}
            differ = ', '.join(
                f'{name} {found.get(name, unsaid.get(name))} instead of {parameters.get(name, unsaid.get(name))}'
                for name in {**parameters, **found}
                if found.get(name) != parameters.get(name)
            )
            raise FileExistsError(
                f'{root} holds a synthetic data set with other parameters ({differ}): '
                'render into another folder, or pass --force (force=True) to replace it.'
            )
    elif not (root / UNFINISHED).exists() and (root / 'exp').exists() | any(
        (root / f'cam{cam}').exists() for cam in CAMERAS
    ):
        raise FileExistsError(f'{root} holds pictures that were not rendered here: render into another folder.')
    return False


def _write_lists(folder, counts, frames, seed):
    """Identity lists, one line each, and the official gallery permutations."""
    folder.mkdir()
    last = np.cumsum(list(counts.values()))
    train, val, test, pretrain = (range(end - n + 1, end + 1) for end, n in zip(last, counts.values(), strict=True))
    lists = {'train': train, 'val': val, 'test': test, 'available': range(1, last[2] + 1), 'pretrain': pretrain}
    for name, pids in lists.items():
        (folder / f'{name}_id.txt').write_text(','.join(map(str, pids)) + '\n')

    rng = np.random.default_rng([seed, 4])
    cameras = np.empty((len(CAMERAS), 1), object)
    for cam in CAMERAS:
        cells = np.empty((last[3], 1), object)
        for pid in range(1, last[3] + 1):
            seen = 0 if pid in pretrain and cam in INFRARED_CAMERAS else frames
            order = np.tile(np.arange(1, seen + 1, dtype=np.uint8), (TRIALS, 1))
            cells[pid - 1, 0] = rng.permuted(order, axis=1) if seen else np.empty((TRIALS, 0), np.uint8)
        cameras[cam - 1, 0] = cells
    savemat(folder / 'rand_perm_cam.mat', {'rand_perm_cam': cameras})
