import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from mmengine.dataset import Compose, default_collate
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import Module
from torch.utils.data import DataLoader

from tsgan.registry import HOOKS
from tsgan.structures import evaluating, unwrapped

from .clusters import centres, cluster
from .matching import Matching, aggregated, match_by_hungarian, match_by_votes
from .truth import adjusted_rand_index, matching_precision, purity


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Before each epoch, puts clusters in place of identities: ADCA's and PGM's training without labels.

    The training images, as the network now sees them, are clustered within each modality. The data set is relabelled,
    so that its sampler (:class:`tsgan.datasets.ClusterBatchSampler`) takes batches of clusters, and the memories of
    :class:`tsgan.models.losses.ClusterMemoryLoss` are filled with their centres. From epoch ``matching_from`` on,
    clusters are matched across modalities. All of it follows from the weights; a checkpoint within an epoch has the
    clusters and memories of there. So a resumed training goes on as if it had never stopped.

    Where the data set knows identities, it is logged how well clusters and matching agree with them (purity, adjusted
    Rand index, precision). Nothing else looks at them.

    Args:
        pipeline (Sequence[dict | Callable]): Transforms for the features, without anything random: a test's.
        method (str): 'adca': votes of pairs of images match, and memories of RGB clusters become nearly their IR
            partners'. 'pgm': an assignment matches, and in even epochs since ``matching_from`` RGB images are compared
            with the IR memory, in odd ones IR images with the RGB memory.
        matching_from (int): Epoch, 0-based, that begins the second stage.
        eps (float): DBSCAN's radius, in Jaccard distance. What is right depends on the features: the log says how many
            images were clustered, into how many clusters. Defaults to 0.6.
        min_samples (int): Images that make a cluster's core. Defaults to 4.
        k1 (int): Neighbours of the Jaccard distance. Defaults to 30.
        k2 (int): Neighbours of its query expansion. Defaults to 6.
        threshold (float): ADCA's: the cosine from which a pair of images votes. Defaults to 0.5.
        loss (str): Name in ``model.losses`` of the loss whose memories are filled. Defaults to 'loss_memory'.
        batch_size (int): Images at a time, for the features. Defaults to 256.

    Raises:
        ValueError: On an unknown method, and before an epoch, when model or data loader are not made for it.
        RuntimeError: Before an epoch, in several processes, when a modality has fewer than two clusters, and within
            one, when the checkpoint has clusters of other images.
        ImportError: Before an epoch, without scikit-learn.
    """

    METHODS = ('adca', 'pgm')

    def __init__(
        self,
        pipeline: Sequence[dict | Callable],
        method: str,
        matching_from: int,
        eps: float = 0.6,
        min_samples: int = 4,
        k1: int = 30,
        k2: int = 6,
        threshold: float = 0.5,
        loss: str = 'loss_memory',
        batch_size: int = 256,
    ) -> None:
        if method not in self.METHODS:
            raise ValueError(f'method of PseudoLabelHook is one of {self.METHODS}, not {method!r}.')
        self.pipeline = pipeline
        self.method = method
        self.matching_from = matching_from
        self.clustering = dict(eps=eps, min_samples=min_samples, k1=k1, k2=k2)
        self.threshold = threshold
        self.loss = loss
        self.batch_size = batch_size
        self.saved: dict[str, Tensor] = {}  # of the epoch within which a training goes on

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if is_within_epoch(runner):
            clusters = torch.from_numpy(runner.train_dataloader.dataset.clusters)
            checkpoint['clusters'] = dict(clusters=clusters, **self.memories(runner).state())

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self.saved = checkpoint.get('clusters', {})

    def before_train_epoch(self, runner: Runner) -> None:
        self.check(runner)
        dataset = runner.train_dataloader.dataset
        saved, self.saved = self.saved, {}
        if saved and is_within_epoch(runner):
            clusters = saved.pop('clusters').cpu().numpy()  # a checkpoint is loaded to the model's device
            if len(clusters) != len(dataset):
                raise RuntimeError(
                    f'{runner._load_from} was written within an epoch on {len(clusters)} images, and there are '
                    f'{len(dataset)} now: go on from a checkpoint of whole epochs.'
                )
            dataset.relabel(clusters)
            self.memories(runner).fill(**saved)
            return
        feats = self.features(runner)  # (N, C)
        modalities = dataset.modalities  # (N,)
        rows = {m: np.flatnonzero(modalities == m) for m in ('rgb', 'ir')}
        feats = {m: feats[index] for m, index in rows.items()}
        labels = {m: cluster(feats[m], **self.clustering) for m in rows}  # (N_m,)
        for modality in rows:
            self.check_clusters(runner, modality, labels[modality])
        clusters = np.full(len(dataset), -1)
        for modality, index in rows.items():
            clusters[index] = labels[modality]
        dataset.relabel(clusters)

        memory = {m: centres(feats[m], labels[m]) for m in rows}  # (K_m, C)
        matching, partners = None, {}
        if runner.epoch >= self.matching_from:
            if self.method == 'adca':
                matching = match_by_votes(feats['rgb'], labels['rgb'], feats['ir'], labels['ir'], self.threshold)
                memory['rgb'] = aggregated(memory['rgb'], memory['ir'], matching)
            else:
                matching = match_by_hungarian(memory['rgb'], memory['ir'])
                name = 'ir_to_rgb' if (runner.epoch - self.matching_from) % 2 else 'rgb_to_ir'
                partners = {name: torch.from_numpy(getattr(matching, name))}
        memory = {m: torch.from_numpy(centre) for m, centre in memory.items()}
        self.memories(runner).fill(**memory, **partners)
        self.report(runner, rows, labels, matching)

    def memories(self, runner: Runner) -> Module:
        return unwrapped(runner.model).losses[self.loss]

    def check(self, runner: Runner) -> None:
        """Raises RuntimeError in several processes, ValueError when model or data loader are not made for clusters."""
        if get_world_size() > 1:
            raise RuntimeError(
                f'PseudoLabelHook clusters in one process, and this training has {get_world_size()}: start it with '
                '`python tools/train.py`.'
            )
        if self.loss not in getattr(unwrapped(runner.model), 'losses', {}):
            raise ValueError(
                f'PseudoLabelHook fills the memories of model.losses.{self.loss}, and the model has no such loss: '
                'expected a ClusterMemoryLoss there.'
            )
        loader = runner.train_dataloader
        if not hasattr(loader.batch_sampler, 'num_clusters'):
            raise ValueError(
                f'PseudoLabelHook makes clusters for a ClusterBatchSampler, and train_dataloader.batch_sampler is a '
                f'{type(loader.batch_sampler).__name__}.'
            )
        if loader.persistent_workers:
            raise ValueError(
                'train_dataloader.persistent_workers would keep the clusters of the first epoch: set it to False.'
            )

    def check_clusters(self, runner: Runner, modality: str, labels: np.ndarray) -> None:
        """Raises RuntimeError when there is nothing to tell apart; says so when a batch has a cluster twice."""
        wanted = runner.train_dataloader.batch_sampler.num_clusters.get(modality, 0)
        count = int(labels.max(initial=-1)) + 1
        found = f'epoch {runner.epoch + 1}: {count} clusters of {len(labels)} {modality} images'
        if count < 2:
            settings = ', '.join(f'{name}={value}' for name, value in self.clustering.items())
            raise RuntimeError(
                f'{found} with {settings}, {(labels < 0).sum()} in none: nothing to tell apart; set eps of '
                'PseudoLabelHook higher where most images are in none, lower where most are in one.'
            )
        if count < wanted:
            runner.logger.info(f'{found} are fewer than the {wanted} of a batch, in which some come twice.')

    @torch.no_grad()
    def features(self, runner: Runner) -> np.ndarray:
        """Test features of all training images by the network as it is, at unit length, (N, C) float32."""
        model = unwrapped(runner.model)
        plain = copy.copy(runner.train_dataloader.dataset)
        plain.pipeline = Compose(self.pipeline)
        loader = DataLoader(
            plain,
            self.batch_size,
            num_workers=runner.train_dataloader.num_workers,
            collate_fn=default_collate,
            generator=torch.Generator(),  # the epoch's randomness stays what it is without clusters
        )
        with evaluating(model):
            feats = torch.cat([torch.stack([s.feature for s in model.test_step(batch)]).cpu() for batch in loader])
        return torch.nn.functional.normalize(feats.float(), dim=1).numpy()

    def report(
        self, runner: Runner, rows: dict[str, np.ndarray], labels: dict[str, np.ndarray], matching: Matching | None
    ) -> None:
        """Log counts, and where the data set knows identities, how well clusters and matching agree with them."""
        dataset = runner.train_dataloader.dataset
        truth = dataset.column('pid') if dataset.KNOWS_IDENTITIES else None
        values = {}
        for modality, index in rows.items():
            of_modality = labels[modality]
            values[f'clusters/{modality}_count'] = int(of_modality.max()) + 1
            values[f'clusters/{modality}_clustered'] = float((of_modality >= 0).mean())
            if truth is not None:
                values[f'clusters/{modality}_purity'] = purity(of_modality, truth[index])
                values[f'clusters/{modality}_ari'] = adjusted_rand_index(of_modality, truth[index])
        if matching is not None:
            values['matching/pairs'] = len(matching.pairs)
            if truth is not None:
                sides = [side for m, index in rows.items() for side in (labels[m], truth[index])]
                values['matching/precision'] = matching_precision(matching, *sides)
        values = {name: value for name, value in values.items() if np.isfinite(value)}
        runner.visualizer.add_scalars(values, step=runner.iter)
        runner.logger.info(
            f'epoch {runner.epoch + 1}: ' + ', '.join(f'{name} {value:.4g}' for name, value in values.items())
        )


def is_within_epoch(runner: Runner) -> bool:
    return runner.iter % len(runner.train_dataloader) > 0
