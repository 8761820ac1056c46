import copy
import os
import random
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from tsgan.datasets.transforms import ModalityViews
from tsgan.images import any_deep, common_range, evenly, image_error

MODALITIES = ('rgb', 'ir')


class ReIDDataset(BaseDataset):
    """A checked table of visible and infrared images of people: the base class of every data set here.

    A subclass writes :meth:`load_records` and :attr:`TRAINING`; everything else reads the table. One row is

    =========== ====== ===========================================================================
    key         type   meaning
    =========== ====== ===========================================================================
    img_path    str    the file
    pid         int    identity number, as the data set itself numbers its identities
    camid       int    camera number, 1-based
    modality    str    'rgb' or 'ir'
    frame       int    the image's 1-based number within its camera's folder of this identity
    gt_label    int    class number, 0-based: the place of ``pid`` among the sorted pids of this table
    value_range tuple  (low, high), which become 0 and 255: only where ``value_range`` has the modality
    =========== ====== ===========================================================================

    Images of more than eight bits are scaled by the range of their modality: the argument ``value_range``, else that of
    the *training* images, in a test too, so that both see a value alike. It is logged, and kept in
    ``metainfo['value_range']``, which MMEngine writes into checkpoints.

    Args:
        data_root (str): The data set's folder.
        pipeline (Sequence[dict | Callable]): Transforms. Defaults to (), which gives the row itself. Of a training set,
            the last one may be :class:`ModalityViews`.
        modality (str, optional): Keep the images of this modality only, 'rgb' or 'ir'. Defaults to None: both.
        test_mode (bool): Whether the images are to be searched rather than trained on. A training set of both
            modalities must have both of every identity, a test set need not. Defaults to False.
        value_range (dict[str, tuple[float, float]], optional): Modality -> (low, high), which become 0 and 255 in
            images of more than eight bits. Defaults to None: the range of the training images of the modality.

    Raises:
        FileNotFoundError: If a folder or a list is missing, or an identity folder is empty.
        ValueError: If an argument or what a file says is wrong, an identity lacks one modality, images of more than
            eight bits have no range, or the pipeline makes views of images to be searched, or none of a modality.
    """

    TRAINING: dict[str, str] = {}  # arguments that select the images to train on, whose range scales all others
    KNOWS_IDENTITIES = True  # whether ``pid`` says who is in the image

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence[dict | Callable] = (),
        modality: str | None = None,
        test_mode: bool = False,
        value_range: dict[str, tuple[float, float]] | None = None,
    ) -> None:
        if modality not in (None, *MODALITIES):
            raise ValueError(f"modality is {modality!r}: expected 'rgb', 'ir', or None for both")
        self.modality = modality
        self.clusters: np.ndarray | None = None  # (N, ), see `relabel`
        self.epoch_seed: int | None = None  # see `__getitems__`
        self.value_range = _checked_ranges(value_range or {})
        super().__init__(data_root=str(data_root), pipeline=pipeline, test_mode=test_mode)
        self._check_views()

    def _check_views(self) -> None:
        for place, transform in enumerate(self.pipeline.transforms, start=1):
            if not isinstance(transform, ModalityViews):
                continue
            if self.test_mode:
                raise ValueError('The pipeline of images to be searched has ModalityViews: expected one view of each')
            if place < len(self.pipeline.transforms):
                after = type(self.pipeline.transforms[place]).__name__
                raise ValueError(f'The pipeline has {after} after ModalityViews: expected ModalityViews last')
            lacking = [modality for modality in self.wanted_modalities if not transform.views[modality]]
            if lacking:
                raise ValueError(f'ModalityViews has no view of {lacking[0]} images, which the data set holds')

    def load_records(self) -> list[dict]:
        """Read the rows of the modalities in :attr:`wanted_modalities` from disk, all keys but ``gt_label``."""
        raise NotImplementedError

    @property
    def wanted_modalities(self) -> tuple[str, ...]:
        """tuple[str, ...]: The modalities that the table holds, 'rgb' first."""
        return MODALITIES if self.modality is None else (self.modality,)

    def load_data_list(self) -> list[dict]:
        """Read the rows, check them and number their classes.

        Returns:
            list[dict]: The table.
        """
        if not Path(self.data_root).is_dir():
            raise FileNotFoundError(f'{self.data_root} is no folder: expected the root of a {type(self).__name__}')
        records = self.load_records()
        if not records:
            raise FileNotFoundError(f'{self.data_root} holds no {" or ".join(self.wanted_modalities)} image to load')
        if self.modality is None and not self.test_mode:
            self._check_pairs(records)
        self._metainfo['data_root'] = self.data_root  # for the metric, which writes paths relative to it
        labels = {pid: label for label, pid in enumerate(sorted({record['pid'] for record in records}))}
        ranges = self._value_ranges(records)
        if ranges:
            self._metainfo['value_range'] = ranges
        # what all rows of a modality have in common
        ranges = {modality: {'value_range': value_range} for modality, value_range in ranges.items()}
        return [record | {'gt_label': labels[record['pid']]} | ranges.get(record['modality'], {}) for record in records]

    def _value_ranges(self, records: list[dict]) -> dict[str, tuple[float, float]]:
        """Modality -> (low, high), of those that were given and those that have images of more than eight bits."""
        samples = {}
        for record in records:  # cameras and formats may differ in their bits
            kind = record['modality'], record['camid'], os.path.splitext(record['img_path'])[1]
            samples.setdefault(kind, []).append(record['img_path'])
        ranges = dict(self.value_range)
        for (modality, *_), paths in samples.items():
            if modality not in ranges and any_deep(evenly(paths, 3)):
                ranges[modality] = self._training_range(modality)
        return ranges

    def _training_range(self, modality: str) -> tuple[float, float]:
        training = copy.copy(self)
        vars(training).update(self.TRAINING, modality=modality)
        wanted = f'expected one to scale them by, such as value_range=dict({modality}=(low, high))'
        problem = f'{self.data_root} has {modality} images of more than 8 bits'
        try:
            paths = sorted(record['img_path'] for record in training.load_records() if record['modality'] == modality)
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(f'{problem}, and no range of training images ({error}): {wanted}') from error
        found = common_range(paths)
        if found is None:
            raise ValueError(f'{problem}, and none among the {len(paths)} training images to take a range of: {wanted}')
        low, high = found
        if low == high:
            raise ValueError(f'{problem}, and all training images have the value {low} alone: {wanted}')
        print_log(
            f'{problem}: {low} to {high} become 0 to 255, the range of the training images. To keep it when images are '
            f'added, give the data sets value_range=dict({modality}=({low}, {high})).',
            logger='current',
        )
        return low, high

    def _check_pairs(self, records: list[dict]) -> None:
        """Training pairs need an RGB and an IR image of every identity."""
        seen = {modality: {} for modality in MODALITIES}
        for record in records:
            seen[record['modality']].setdefault(record['pid'], record['img_path'])
        for modality, other in zip(MODALITIES, reversed(MODALITIES), strict=True):
            lacking = sorted(seen[other].keys() - seen[modality].keys())
            if lacking:
                raise ValueError(
                    f'{self.data_root} has no {modality} image of {len(lacking)} identities, such as that of '
                    f'{Path(seen[other][lacking[0]]).parent}: expected both modalities of each training identity '
                    f"(modality='{other}' trains on {other} images alone)"
                )

    def relabel(self, clusters: np.ndarray) -> None:
        """Have the rows say what they were clustered into, in place of who they show: ``gt_label`` becomes the cluster.

        Args:
            clusters (np.ndarray): Shape (N, ), int; -1: in none, and no image to train on.

        Raises:
            ValueError: If there are not as many as rows.
        """
        if np.shape(clusters) != (len(self),):
            raise ValueError(f'{len(self)} images were given clusters of shape {np.shape(clusters)}: expected one each')
        self.clusters = np.array(clusters, np.int64)

    def get_data_info(self, idx: int) -> dict:
        """One row of the table; after :meth:`relabel`, with its cluster as ``gt_label``."""
        record = super().get_data_info(idx)
        if self.clusters is not None:
            record['gt_label'] = int(self.clusters[idx])
        return record

    def prepare_data(self, idx: int) -> dict | list[dict]:
        """Run the pipeline on one row.

        Args:
            idx (int): The row.

        Returns:
            dict | list[dict]: What the pipeline makes of it; a list of views, where it ends in ModalityViews.

        Raises:
            ValueError: If the row's file is no image, or the pipeline drops it; names the file.
        """
        record = self.get_data_info(idx)
        path = record['img_path']
        try:
            data = self.pipeline(record)
        except Exception as error:
            reason = image_error(path)
            if reason is None:  # the image is sound, the pipeline is not
                raise
            raise ValueError(f'{path} is no image that can be read: {reason}') from error
        if data is None:  # MMEngine would take another image, and break the identity pairs of the batch
            raise ValueError(f'{path} was dropped by the pipeline: expected it to give back every image')
        return data

    def __getitems__(self, rows: Sequence[int]) -> list[dict | list[dict]]:
        """Run the pipeline on the rows of a batch, as a data loader asks for them.

        With an ``epoch_seed``, which a training sets anew before each epoch, what the pipeline draws for an image
        follows from it, the rows of the batch and the image's place among them: the same in whatever process.
        """
        if self.epoch_seed is None:
            return [self[row] for row in rows]
        seeds = np.random.SeedSequence([self.epoch_seed, *rows]).generate_state(len(rows))
        return [self._drawn(row, int(seed)) for row, seed in zip(rows, seeds, strict=True)]

    def _drawn(self, row: int, seed: int) -> dict | list[dict]:
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)  # the CPU's alone
        return self[row]

    def column(self, key: str) -> np.ndarray:
        """Read one column of the table, row by row: keep the result rather than asking again.

        Args:
            key (str): A key of the rows.

        Returns:
            np.ndarray: Shape (N, ): int64 for numbers, str for text.
        """
        return np.array([self.get_data_info(idx)[key] for idx in range(len(self))])

    @property
    def labels(self) -> np.ndarray:
        """np.ndarray: Class number of every image, int64, shape (N, )."""
        return self.column('gt_label')

    @property
    def modalities(self) -> np.ndarray:
        """np.ndarray: 'rgb' or 'ir' for every image, shape (N, )."""
        return self.column('modality')

    @property
    def pids(self) -> np.ndarray:
        """np.ndarray: The sorted identity numbers, int64, shape (num_ids, ); a class number is an index into it."""
        return np.unique(self.column('pid'))

    @property
    def num_ids(self) -> int:
        """int: How many identities, that is classes, the table holds."""
        return len(self.pids)

    def identity_name(self, record: dict) -> str:
        """What a row's person is called in all splits of the data set; by default, the ``pid``."""
        return str(record['pid'])

    @property
    def identities(self) -> set[str]:
        """set[str]: Who is in the table, as ``class/folder/name``: the same person is called so in every split."""
        prefix = f'{type(self).__name__}/{Path(self.data_root).absolute().name}'
        return {f'{prefix}/{self.identity_name(self.get_data_info(idx))}' for idx in range(len(self))}


def camera_records(images: Iterable[tuple[int, str | Path]], pid: int, camid: int, modality: str) -> list[dict]:
    """Make the rows of one identity under one camera.

    Args:
        images (Iterable[tuple[int, str | Path]]): (frame, file) of each image.
        pid (int): Identity number.
        camid (int): Camera number, 1-based.
        modality (str): 'rgb' or 'ir'.

    Returns:
        list[dict]: The rows, without ``gt_label``.
    """
    return [
        {'img_path': str(path), 'pid': pid, 'camid': camid, 'modality': modality, 'frame': frame}
        for frame, path in images
    ]


def _checked_ranges(value_range: dict) -> dict[str, tuple[float, float]]:
    ranges = {}
    for modality, pair in value_range.items():
        numbers = isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(value, Real) for value in pair)
        if modality not in MODALITIES or not numbers or not pair[0] < pair[1]:
            raise ValueError(
                f'value_range has {modality}={pair!r}: expected (low, high) of rgb, ir or both, low below high, such '
                'as dict(ir=(7552, 8448))'
            )
        ranges[modality] = tuple(pair)
    return ranges
