from collections.abc import Sequence

import numpy as np
from mmengine.dist import get_rank, get_world_size, master_only
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook, LoggerHook
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed
from torch.nn import Module

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped


@HOOKS.register_module()
class AlternatingPhasesHook(Hook):
    """Owns which phases of an :class:`~tsgan.models.AlternatingModel` run when, and when a loss term counts.

    Args:
        phases (Sequence[str | dict]): The phases of one iteration, in their order. A dict names the phase and its
            schedule: ``dict(name='discriminators', every=5, begin=2, end=9)`` runs it in every fifth iteration of the
            epochs 2 to 8 (0-based). A phase with a pause is named twice. An iteration without any phase is refused.
        terms (dict[str, int | dict], optional): ``'phase/term'`` -> epoch (0-based) from which that loss term counts,
            as ``{'reid/loss_ts_cd': 5}``; with an end, ``{'reid/loss_ts_cd': dict(begin=5, end=9)}``. Defaults to None,
            all from the start.

    Raises:
        ValueError: Before training, on an unknown phase; after the first iteration, on an unknown term; during
            training, on an iteration without any phase.
    """

    def __init__(self, phases: Sequence[str | dict], terms: dict[str, int | dict] | None = None) -> None:
        self.phases = [dict(name=p) if isinstance(p, str) else dict(p) for p in phases]
        for phase in self.phases:
            unknown = set(phase) - {'name', 'every', 'begin', 'end'}
            if 'name' not in phase or unknown:
                raise ValueError(f'a phase is a name, or dict(name=..., every=1, begin=0, end=None); got {phase}.')
        self.terms = {term: dict(begin=t) if isinstance(t, int) else dict(t) for term, t in (terms or {}).items()}
        for term, times in self.terms.items():
            if set(times) - {'begin', 'end'}:
                raise ValueError(f'{term} counts from an epoch on, or dict(begin=0, end=None); got {times}.')

    def before_train(self, runner: Runner) -> None:
        model = unwrapped(runner.model)
        unknown = {p['name'] for p in self.phases} | {term.split('/')[0] for term in self.terms}
        unknown -= set(model.PHASES)
        if unknown:
            raise ValueError(
                f'AlternatingPhasesHook names the phases {sorted(unknown)}; {type(model).__name__} has '
                f'{list(model.PHASES)}.'
            )

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        model = unwrapped(runner.model)
        model.phases, model.inactive_terms = self.at(runner.epoch, runner.iter)
        if not model.phases:
            raise ValueError(f'no phase runs in iteration {runner.iter} (epoch {runner.epoch}): {self.phases}.')

    def at(self, epoch: int, iteration: int) -> tuple[tuple[str, ...], frozenset[str]]:
        """The phases of an iteration, counted over all epochs, and the loss terms whose time it is not."""
        phases = tuple(p['name'] for p in self.phases if in_time(epoch, p) and iteration % p.get('every', 1) == 0)
        return phases, frozenset(term for term, t in self.terms.items() if not in_time(epoch, t))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        ran = unwrapped(runner.model).phases
        unknown = [term for term in self.terms if term.split('/')[0] in ran and term not in outputs]
        if unknown:
            raise ValueError(f'AlternatingPhasesHook names the loss terms {unknown}; there are {sorted(outputs)}.')


def in_time(epoch: int, schedule: dict) -> bool:
    """Whether ``begin`` has come, and ``end``, where there is one, has not."""
    end = schedule.get('end')
    return epoch >= schedule.get('begin', 0) and (end is None or epoch < end)


@HOOKS.register_module()
class GradientNormHook(Hook):
    """Log the size of every loss term's gradient on the child module that it trains, as ``phase/grad_<term>``.

    To the visualizer, as measured: the log's smoothing would mix values that lie hundreds of iterations apart.

    Args:
        interval (int): Iterations between two measurements; each costs one more backward pass for each term.
            Defaults to 50.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        unwrapped(runner.model).measure_gradients = self.every_n_train_iters(runner, self.interval)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        model = unwrapped(runner.model)
        if model.measure_gradients:
            norms = {name: norm.item() for name, norm in model.gradient_norms.items()}
            runner.visualizer.add_scalars(norms, step=runner.iter + 1)


@HOOKS.register_module()
class FirstRankLoggerHook(LoggerHook):
    """MMEngine's, of which every rank would write the JSON of a test, all into one file."""

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        super().after_test_epoch(runner, metrics)


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Makes all randomness of a training a function of the seed and of the place in the training.

    Augmentation follows from (seed, epoch) and an image's place in its batch
    (:meth:`~tsgan.datasets.ReIDDataset.__getitems__`), so that it is the same at any number of data workers. What a
    step draws follows from (seed, iteration, rank), whatever was drawn before it. So a resumed training goes on as if
    it had never stopped, with no random state in the checkpoint.

    Raises:
        ValueError: Before training, where data workers would live on with the seed of the first epoch.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        loader = runner.train_dataloader
        if loader.persistent_workers:
            raise ValueError(
                'train_dataloader.persistent_workers would keep the random numbers of the first epoch: set it to False.'
            )
        if not hasattr(loader.dataset, 'epoch_seed'):
            runner.logger.warning(
                f'{type(loader.dataset).__name__} is no ReIDDataset: what its transforms draw depends on the number of '
                'data workers, and is another once a training goes on within an epoch.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        set_random_seed(seed_of('epoch', runner.seed, runner.epoch, get_rank()))
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'epoch_seed'):
            dataset.epoch_seed = seed_of('images', runner.seed, runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        set_random_seed(seed_of('iteration', runner.seed, runner.iter, get_rank()))


def seed_of(purpose: str, *numbers: int) -> int:
    """A seed below 2^32, by numbers from 0 and by what it is for."""
    return int(np.random.SeedSequence([*purpose.encode(), *numbers]).generate_state(1)[0])


@HOOKS.register_module()
class IdentityCountHook(Hook):
    """Refuses to train when the head's number of identities is not the data set's."""

    def before_train(self, runner: Runner) -> None:
        net, found = unwrapped(unwrapped(runner.model).reid), runner.train_dataloader.dataset.num_ids
        for name in ('head', 'parts'):  # what a network has of them
            classes = getattr(getattr(net, name, None), 'num_classes', found)
            if classes not in (None, found):  # None: no classifier
                raise ValueError(
                    f'the training set has {found} identities, but model.reid.{name}.num_classes is {classes}: '
                    f'set it, in the config or with `--cfg-options model.reid.{name}.num_classes={found}`.'
                )


@HOOKS.register_module()
class MirrorFeaturesHook(Hook):
    """Has a model make the features of mirror images, too, while its evaluator has a metric that wants them.

    Such a metric says so: ``mirror`` where they are compared, ``features_file`` where they are written.

    Raises:
        ValueError: Before a test, where they are to be compared and the model's features have them in already.
    """

    def before_val_epoch(self, runner: Runner) -> None:
        self.ask(unwrapped(runner.model), runner.val_evaluator.metrics)

    def before_test_epoch(self, runner: Runner) -> None:
        self.ask(unwrapped(runner.model), runner.test_evaluator.metrics)

    def ask(self, model: Module, metrics: Sequence[BaseMetric]) -> None:
        compared = any(getattr(metric, 'mirror', False) for metric in metrics)
        if compared and model.ADDS_MIRRORED:
            raise ValueError(
                f'{type(model).__name__} adds up the features of an image and of its mirror image itself: expected '
                'mirror=False of its metric.'
            )
        model.mirror_features = compared or any(getattr(metric, 'features_file', None) for metric in metrics)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        unwrapped(runner.model).mirror_features = False

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        unwrapped(runner.model).mirror_features = False


@HOOKS.register_module()
class FitMetricHook(Hook):
    """Has a :class:`~tsgan.models.rivals.HandcraftedReID` fit its metric after an epoch, before the checkpoint is made.

    Raises:
        RuntimeError: Before training, in several processes: each would fit a metric to its own images.
    """

    WHOLE_EPOCHS = True  # it fits to the images of an epoch, which no checkpoint holds

    def before_train(self, runner: Runner) -> None:
        if unwrapped(runner.model).reid.metric is not None and get_world_size() > 1:
            raise RuntimeError(
                f'a metric is fitted in one process, and this training has {get_world_size()}: start it with '
                '`python tools/train.py`, and test in as many as you like.'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        unwrapped(runner.model).fit()
