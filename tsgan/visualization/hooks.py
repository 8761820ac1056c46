import os.path as osp
import random
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from tsgan.evaluation import FeatureTable, Setting
from tsgan.images import read_image
from tsgan.registry import HOOKS
from tsgan.structures import evaluating, unwrapped
from tsgan.visualization.grids import ranked_list, translation_grid


@HOOKS.register_module()
class TranslationGridHook(Hook):
    """Draws what the generators make of a few training images while they train (paper, Fig. 5).

    The images are the same in every epoch and after a resume, one RGB and one IR image of each of ``num_images``
    identities, as the training pipeline gives them. The grid goes to the visualizer, and the newest one to
    ``<work_dir>/translation_grid.jpg``. A model without ``generators`` is left alone.

    Args:
        interval (int): Epochs from one grid to the next; the last epoch has one in any case. Defaults to 1.
        num_images (int): Columns of the grid. Defaults to 8.
        seed (int): Which images, and how they are augmented. Defaults to 0.
    """

    def __init__(self, interval: int = 1, num_images: int = 8, seed: int = 0) -> None:
        self.interval = interval
        self.num_images = num_images
        self.seed = seed
        self.data = None  # the collated images; None where nothing is to be drawn

    def before_train(self, runner: Runner) -> None:
        if not hasattr(unwrapped(runner.model), 'generators'):
            runner.logger.info('TranslationGridHook draws nothing: the model has no generators.')
        elif is_main_process():
            loader = runner.train_dataloader
            with _own_randomness(self.seed):
                self.data = loader.collate_fn([loader.dataset[row] for row in self._choose(loader.dataset)])

    def _choose(self, dataset) -> list[int]:
        """Rows of N RGB images, then of N IR images of the same identities."""
        rng = np.random.default_rng(self.seed)
        labels, modalities = dataset.labels, dataset.modalities
        identities = rng.permutation(np.unique(labels))[: self.num_images]
        return [
            int(rng.choice(np.flatnonzero((modalities == modality) & (labels == identity))))
            for modality in ('rgb', 'ir')
            for identity in identities
        ]

    def after_train_epoch(self, runner: Runner) -> None:
        if self.data is None or not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        model = unwrapped(runner.model)
        images = model.data_preprocessor(self.data, False)['inputs']  # (2N, 3, H, W)
        rgb, ir = images.chunk(2)
        # Past a distributed wrapper, whose forward may wait for ranks that draw nothing.
        generators = unwrapped(model.generators)
        with torch.no_grad(), evaluating(generators):
            made = generators(rgb, ir)
        grid = translation_grid(
            real_rgb=_as_uint8(rgb),
            fake_ir=_as_uint8(made.fake_ir),
            real_ir=_as_uint8(ir),
            fake_rgb=_as_uint8(made.fake_rgb),
            rec_rgb=_as_uint8(made.rec_rgb),
            rec_ir=_as_uint8(made.rec_ir),
        )
        _publish(runner, 'translation_grid', grid, runner.epoch + 1)


@HOOKS.register_module()
class RankedListHook(Hook):
    """Draws the ranked lists of a few queries after every validation and test (paper, Fig. 4).

    What is drawn is what was measured: the first trial of the protocol's first setting, with its gallery and its
    exclusions, before any re-ranking. The queries are a random choice among those that have a match, the same in every
    epoch. Under an image stand its identity by the name of its folder, its modality and camera, and its Euclidean
    distance from the query (0 to 2 where the metric brings features to unit length). The picture goes to the
    visualizer, and the newest one to ``<work_dir>/ranked_list.jpg``.

    Args:
        num_queries (int): Rows of the picture. Defaults to 4.
        topk (int): Ranks of a row. Defaults to 10.
        seed (int): Which queries. Defaults to 0.
    """

    def __init__(self, num_queries: int = 4, topk: int = 10, seed: int = 0) -> None:
        self.num_queries = num_queries
        self.topk = topk
        self.seed = seed

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        self._draw(runner, runner.val_evaluator.metrics, runner.epoch)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        # step 0: to ask the runner for its epoch would build the train loop, which a test needs no data for
        self._draw(runner, runner.test_evaluator.metrics, step=0)

    def _draw(self, runner: Runner, metrics: list, step: int) -> None:
        if not is_main_process():  # which alone has the features of all
            return
        metric = next((metric for metric in metrics if getattr(metric, 'last', None) is not None), None)
        if metric is None:
            runner.logger.info('RankedListHook draws nothing: the evaluator has no ReIDMetric.')
            return
        features = metric.last.features
        setting = next(iter(metric.protocol.settings(features).values()))
        queries, ranked, distances = self._rank(features, setting, metric.normalize)
        identities, cameras = _identity_names(features), _camera_names(features)

        ranges = (metric.dataset_meta or {}).get('value_range', {})  # of modalities with more than eight bits

        def images(rows: np.ndarray) -> list[np.ndarray]:
            return [read_image(features.paths[i], ranges.get(features.modalities[i]), 'rgb') for i in rows]

        def caption(row: int) -> str:
            return f'{identities[features.pids[row]]}\n{cameras[row]}'

        picture = ranked_list(
            images(queries),
            [images(rows) for rows in ranked],
            [features.pids[rows] == features.pids[query] for query, rows in zip(queries, ranked, strict=True)],
            [caption(query) for query in queries],
            [
                [f'{caption(row)}\ndistance {distance:.2f}' for row, distance in zip(rows, row_distances, strict=True)]
                for rows, row_distances in zip(ranked, distances, strict=True)
            ],
        )
        _publish(runner, 'ranked_list', picture, step)

    def _rank(
        self, features: FeatureTable, setting: Setting, normalize: bool
    ) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
        """Rank the first trial's gallery for some of its queries.

        Args:
            features (FeatureTable): All test images.
            setting (Setting): One setting of the protocol.
            normalize (bool): Whether features are compared at unit length.

        Returns:
            tuple: Rows of the queries, (Q,); for each the rows of its best gallery images, (topk,) or fewer; and
            their distances.
        """
        query, gallery = setting.trials[0]
        match = features.pids[query][:, None] == features.pids[gallery]  # (Q, G)
        if setting.exclude:
            match &= ~setting.exclude(features, query, gallery)
        valid = query[match.any(axis=1)]
        query = np.random.default_rng(self.seed).permutation(valid)[: self.num_queries]

        a, b = (features.feats[rows].astype(np.float64) for rows in (query, gallery))  # (Q, D), (G, D)
        if normalize:
            a, b = _unit_length(a), _unit_length(b)
        squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T  # (Q, G)
        if setting.exclude:
            squared[setting.exclude(features, query, gallery)] = np.inf
        order = np.argsort(squared, axis=1, kind='stable')[:, : self.topk]
        best = np.take_along_axis(squared, order, axis=1)
        shown = np.isfinite(best)
        ranked = [gallery[row[keep]] for row, keep in zip(order, shown, strict=True)]
        return query, ranked, [np.sqrt(row[keep].clip(0)) for row, keep in zip(best, shown, strict=True)]


def _identity_names(features: FeatureTable) -> dict[int, str]:
    """By pid the name of the folder of its images, which is what people call it; 'id 7' where folders are shared."""
    folders, owners = {}, {}
    for pid, path in zip(features.pids.tolist(), features.paths.tolist(), strict=True):
        folder = Path(path).parent.name
        folders.setdefault(pid, folder)
        owners.setdefault(folder, set()).add(pid)
    return {pid: folder if owners[folder] == {pid} else f'id {pid}' for pid, folder in folders.items()}


def _camera_names(features: FeatureTable) -> list[str]:
    """By row 'IR camera 3', or 'IR' where the modality has one camera: its number is then no more than our own."""
    numbers = {name: set(features.camids[features.modalities == name].tolist()) for name in ('rgb', 'ir')}
    pairs = zip(features.modalities.tolist(), features.camids.tolist(), strict=True)
    return [name.upper() + (f' camera {cam}' if len(numbers[name]) > 1 else '') for name, cam in pairs]


def _unit_length(feats: np.ndarray) -> np.ndarray:
    """Rows of unit length, (N, D); a row of zeros stays as it is."""
    return feats / np.linalg.norm(feats, axis=1, keepdims=True).clip(np.finfo(feats.dtype).tiny)


def _as_uint8(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [-1, 1] -> (B, H, W, 3) in 0..255."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()


def _publish(runner: Runner, name: str, image: np.ndarray, step: int) -> None:
    """Give a picture to the visualizer's backends, and keep the newest where a person looks first."""
    runner.visualizer.add_image(name, image, step)
    path = osp.join(runner.work_dir, f'{name}.jpg')
    if not cv2.imwrite(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f'{path} could not be written.')


@contextmanager
def _own_randomness(seed: int):
    """Seeded generators inside, and the ones that training uses untouched by it."""
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(cpu)
