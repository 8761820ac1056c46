from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from tsgan.datasets.reid_dataset import MODALITIES
from tsgan.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ClusterBatchSampler(Sampler[list[int]]):
    """Batches of K clusters with P images each, of either modality by itself: clusters have no partners yet.

    A batch holds all RGB images first, then all IR images, both grouped by cluster. Clusters come from shuffled passes
    over those of the modality, one after the other: where there are fewer than K, some come twice in a batch. The
    images of a cluster are drawn anew each time, without replacement where it has enough. Clusters are what the data
    set says when an epoch begins (:meth:`~tsgan.datasets.ReIDDataset.relabel`); images in none are in no batch.

    Args:
        sampler (mmengine.dataset.DefaultSampler): Gives data set, seed and epoch; its own order of images is not used.
            MMEngine sets its epoch.
        batch_size (int): Images of one batch as the network sees it, K * P * (number of modalities in the data set).
        num_batches (int): Batches of one epoch.
        num_instances (int): P. Defaults to 16.
        rgb_views (int): Views that the pipeline makes of each RGB image: there are K / rgb_views clusters of them.
            Defaults to 1.

    Raises:
        ValueError: If K or K / rgb_views is no whole number.
        RuntimeError: When an epoch begins and a modality has no cluster.
    """

    def __init__(
        self, sampler: Sampler, batch_size: int, num_batches: int, num_instances: int = 16, rgb_views: int = 1
    ) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        self.num_batches = num_batches
        self.num_instances = num_instances
        self.modalities = sampler.dataset.modalities  # (N, )
        self.present = [modality for modality in MODALITIES if (self.modalities == modality).any()]
        per_cluster = num_instances * len(self.present) * rgb_views
        if min(batch_size, num_instances, rgb_views) < 1 or batch_size % per_cluster:
            raise ValueError(
                f'batch_size={batch_size} is no whole number of clusters: expected a multiple of {per_cluster}, '
                f'num_instances={num_instances} x {len(self.present)} modalities ({", ".join(self.present)})'
                + (f' x rgb_views={rgb_views}' if rgb_views > 1 else '')
            )
        whole = batch_size // num_instances // len(self.present)
        self.num_clusters = {m: whole // rgb_views if m == 'rgb' else whole for m in self.present}

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[list[int]]:
        clusters = self.sampler.dataset.clusters
        for modality in self.present:
            if clusters is None or clusters[self.modalities == modality].max() < 0:
                raise RuntimeError(
                    f'The data set has no clusters of {modality} images to take a batch of: PseudoLabelHook, one of '
                    'custom_hooks, makes them when an epoch of a training begins'
                )
        rng = np.random.default_rng([self.sampler.seed, self.sampler.epoch])
        streams = {m: self._stream(rng, np.where(self.modalities == m, clusters, -1)) for m in self.present}
        for _ in range(self.num_batches):
            rows = [next(streams[modality]) for modality in self.present for _ in range(self.num_clusters[modality])]
            yield np.concatenate(rows).tolist()

    def _stream(self, rng: np.random.Generator, clusters: np.ndarray) -> Iterator[np.ndarray]:
        """P rows of a cluster at a time, (P, ), without end."""
        rows = [np.flatnonzero(clusters == number) for number in range(clusters.max(initial=-1) + 1)]
        while True:
            for number in rng.permutation(len(rows)):
                size = len(rows[number])
                yield rng.choice(rows[number], self.num_instances, replace=size < self.num_instances)
