import random
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import Sampler

from tsgan.datasets.reid_dataset import MODALITIES
from tsgan.registry import DATA_SAMPLERS, FUNCTIONS
from tsgan.stopping import outlive_stops


@DATA_SAMPLERS.register_module()
class IdentityPairBatchSampler(Sampler[list[int]]):
    """Batches of K identities with P RGB and P IR images each.

    .. code-block:: python

        train_dataloader = dict(
            batch_size=64,                                         # images of one rank: 8 identities x 4 pairs x 2
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='IdentityPairBatchSampler', num_pairs=4))

    A batch holds all RGB images first, then all IR images, both grouped by identity: image ``i`` and image
    ``i + K * P`` show the same person. Of a data set with one modality, a batch is K identities x P images.

    Identities come from shuffled passes over all of them; a pass ends when fewer are left than one global batch needs,
    so that none comes twice in it. The images of an identity are drawn anew each time, without replacement where it
    has enough.

    All ranks derive the same global batches, of ``world_size * K`` identities, from (seed, epoch), and each takes its
    own K: together they hold what one process with ``world_size`` times the batch size would.

    Args:
        sampler (mmengine.dataset.DefaultSampler): Gives data set, seed, epoch, rank and world size; its own order of
            images is not used. MMEngine sets its epoch.
        batch_size (int): Images of one rank in one batch, K * P * (number of modalities in the data set). K is
            derived from it.
        num_pairs (int): P. Defaults to 4.
        num_batches (int, optional): Batches of one epoch. Defaults to None: images of the larger modality //
            (world_size * K * P), at least 1, one pass over them in the mean (as AGW, Ye et al., TPAMI 2021).

    Raises:
        ValueError: If K is no whole number, an identity lacks one modality, or the data set has fewer than
            ``world_size * K`` identities.
    """

    def __init__(self, sampler: Sampler, batch_size: int, num_pairs: int = 4, num_batches: int | None = None) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.num_pairs = num_pairs
        labels, modalities = sampler.dataset.labels, sampler.dataset.modalities

        present = [modality for modality in MODALITIES if (modalities == modality).any()]
        per_id = num_pairs * len(present)
        if batch_size < 1 or num_pairs < 1 or batch_size % per_id:
            raise ValueError(
                f'batch_size={batch_size} is no whole number of identities: expected a multiple of {per_id}, '
                f'num_pairs={num_pairs} x {len(present)} modalities ({", ".join(present)})'
            )
        self.ids_per_rank = batch_size // per_id
        self.ids_per_batch = self.ids_per_rank * sampler.world_size

        self.num_ids = int(labels.max()) + 1
        if self.num_ids < self.ids_per_batch:
            raise ValueError(
                f'The data set has {self.num_ids} identities, but a batch needs {self.ids_per_batch}: '
                f'{self.ids_per_rank} on each of {sampler.world_size} ranks'
            )
        # images[m][label]: rows of that identity in modality m
        self.images = [self._rows_by_label(labels, modalities == modality) for modality in present]
        if any(len(rows) == 0 for by_label in self.images for rows in by_label):
            raise ValueError('An identity of the data set lacks one modality: expected an RGB and an IR image of each')

        images_per_batch = self.ids_per_batch * num_pairs
        largest = max(int((modalities == modality).sum()) for modality in present)
        self.num_batches = max(largest // images_per_batch, 1) if num_batches is None else num_batches

    def _rows_by_label(self, labels: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        rows = np.flatnonzero(mask)
        rows = rows[np.argsort(labels[rows], kind='stable')]
        return np.split(rows, np.searchsorted(labels[rows], np.arange(1, self.num_ids)))

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self.sampler.seed, self.sampler.epoch])
        start = self.sampler.rank * self.ids_per_rank
        own = slice(start, start + self.ids_per_rank)
        order = np.empty(0, dtype=np.int64)
        for _ in range(self.num_batches):
            if len(order) < self.ids_per_batch:
                order = rng.permutation(self.num_ids)
            ids, order = order[: self.ids_per_batch], order[self.ids_per_batch :]
            # Every rank draws for all identities of the global batch: one stream, whatever the number of ranks.
            batch = np.array([[self._draw(rng, by_label[label]) for label in ids] for by_label in self.images])
            yield batch[:, own].ravel().tolist()  # (modalities, K * world_size, P) -> (modalities * K * P, )

    def _draw(self, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
        return rng.choice(rows, self.num_pairs, replace=len(rows) < self.num_pairs)


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Prepare a data-loading worker: ``worker_init_fn=dict(type='tsgan.seed_worker')``.

    It is seeded from the main process's generator, works in one thread, and outlives a signal to stop for as long as a
    training may need to end the iteration that runs.

    A :class:`ReIDDataset` in training draws from a seed of its own for each image. For all else, PyTorch draws a base
    seed from the main process's generator whenever an epoch starts its workers. MMEngine's own ``worker_init_fn`` then
    overwrites it with (seed, rank, worker), which is the same in every epoch.

    The scope in the name is needed, since MMEngine's Runner looks it up outside the default scope. With
    ``num_workers=0`` it is not called.

    Args:
        worker_id (int): Number of the worker; :func:`torch.initial_seed` already differs by it.
    """
    seed = torch.initial_seed() % 2**32
    np.random.seed(seed)
    random.seed(seed)
    outlive_stops()
    # Workers are the parallelism; threads inside them would fight over the cores.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
