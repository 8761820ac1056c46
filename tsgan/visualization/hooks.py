from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped
from tsgan.visualization.batches import own_randomness
from tsgan.visualization.files import save_picture
from tsgan.visualization.rankings import draw_ranked_lists, rank, with_match
from tsgan.visualization.translations import choose_pairs, draw_translations


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
            with own_randomness(self.seed):
                rows = choose_pairs(loader.dataset, self.num_images, self.seed)
                made = [loader.dataset[row] for row in rows]
                # of several views, the first
                self.data = loader.collate_fn([one[:1] if isinstance(one, list) else one for one in made])

    def after_train_epoch(self, runner: Runner) -> None:
        if self.data is None or not (self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner)):
            return
        model = unwrapped(runner.model)
        images = model.data_preprocessor(self.data, False)['inputs']  # (2N, 3, H, W)
        grid = draw_translations(model.generators, *images.chunk(2))
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
        queries = np.random.default_rng(self.seed).permutation(with_match(features, setting))[: self.num_queries]
        ranking = rank(features, setting, queries, metric.normalize)
        ranges = (metric.dataset_meta or {}).get('value_range', {})  # of modalities with more than eight bits
        lists = ranking.lists(range(len(queries)), self.topk)
        _publish(runner, 'ranked_list', draw_ranked_lists(features, lists, ranges), step)


def _publish(runner: Runner, name: str, image: np.ndarray, step: int) -> None:
    """Give a picture to the visualizer's backends, and keep the newest where a person looks first."""
    runner.visualizer.add_image(name, image, step)
    save_picture(Path(runner.work_dir, f'{name}.jpg'), image)
