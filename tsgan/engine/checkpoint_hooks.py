"""What a checkpoint must say and fit for a training to go on with it, and for a test to be one of strangers."""

import warnings
from collections.abc import Sequence

from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict, _ParamScheduler
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop
from torch import Tensor

from tsgan.checkpoints import config_entries, config_of, fitting, meta_of, weights_of
from tsgan.registry import HOOKS
from tsgan.structures import unwrapped


@HOOKS.register_module()
class ResumeHook(Hook):
    """Has a resumed training follow its config: the checkpoint gives weights, momenta and the place in the training.

    MMEngine takes schedulers and hyperparameters of optimizers from the checkpoint as well, so that the learning rate
    of a training that is made longer would stay where the short one ended. Here the config's schedules are run through
    up to the checkpoint's place: to the same numbers, bit for bit, where nothing has changed. Only those that react to
    a measured value (``ReduceOnPlateau...``) stay the checkpoint's.

    Raises:
        RuntimeError: When the checkpoint does not hold the model to go on with; of weights to begin with
            (``load_from``), when no child module finds half of its tensors.
    """

    def __init__(self) -> None:
        self.buffers: dict[str, Tensor] = {}  # of this rank

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if not isinstance(runner._train_loop, BaseLoop):  # a test
            fill_untested(runner, checkpoint)
            return
        if not runner._resume:
            check_start(runner, checkpoint)
            return
        check_model(runner, checkpoint)
        settle_iteration(runner, checkpoint)
        of_ranks = checkpoint.get('buffers_of_ranks', [])
        if len(of_ranks) == get_world_size():
            self.buffers = of_ranks[get_rank()]
        changed = changed_entries(runner, checkpoint)
        before = learning_rates(checkpoint)
        follow_schedules(runner, checkpoint)
        after = learning_rates(checkpoint)
        rates = [f'{name} {rate:.3g} -> {after[name]:.3g}' for name, rate in before.items() if rate != after[name]]
        if changed or rates:
            runner.logger.info(
                f'the training to be resumed had another {" and ".join(changed) or "learning rate"} than the config: '
                f'it goes on as the config has it at epoch {checkpoint["meta"]["epoch"]}'
                + (f' (learning rate: {", ".join(rates)})' if rates else '')
            )

    def before_train(self, runner: Runner) -> None:
        unwrapped(runner.model).load_state_dict(self.buffers, strict=False)
        self.buffers = {}


def fill_untested(runner: Runner, checkpoint: dict) -> None:
    """Give the checkpoint, in place, what no test uses and a published one leaves out, as the model has it: MMEngine
    would list each of these tensors as missing."""
    model, weights = unwrapped(runner.model), checkpoint.get('state_dict', checkpoint)
    children = {name for name, _ in model.named_children()}
    untested = children - set(getattr(model, 'TESTED', children))
    for name, tensor in model.state_dict().items():
        if name.split('.')[0] in untested or 'classifier' in name:
            weights.setdefault(name, tensor)


def check_start(runner: Runner, checkpoint: dict) -> None:
    wanted, found = unwrapped(runner.model).state_dict(), weights_of(checkpoint)
    fit, children = fitting(found, wanted), {name.split('.')[0] for name in wanted}

    def share(child: str) -> float:
        return sum(name.startswith(f'{child}.') for name in fit) / sum(name.startswith(f'{child}.') for name in wanted)

    if wanted and max(map(share, children)) < 0.5:
        raise RuntimeError(
            f'{runner._load_from} does not hold weights that this training could begin with: {len(fit)} of the '
            f"model's {len(wanted)} tensors are there with their shape; expected names such as {next(iter(wanted))}, "
            f'found {", ".join(list(found)[:2])} ...'
        )


def check_model(runner: Runner, checkpoint: dict) -> None:
    wanted, found = unwrapped(runner.model).state_dict(), weights_of(checkpoint)
    fit = set(fitting(found, wanted))
    # a tensor without elements takes any shape
    wrong = [name for name, t in wanted.items() if name not in fit and not (name in found and 0 in t.shape)]
    if wrong:
        raise RuntimeError(
            f'{runner._load_from} does not hold the model that the config trains: {len(wrong)} of its {len(wanted)} '
            f'tensors are not there or have another shape, {wrong[0]} first.'
        )
    if isinstance(runner.optim_wrapper, OptimWrapperDict):
        names, trained = sorted(runner.optim_wrapper.keys()), sorted(checkpoint['optimizer'])
        if names != trained:
            raise RuntimeError(f'{runner._load_from} has optimizers of {trained}, and the config of {names}.')


def settle_iteration(runner: Runner, checkpoint: dict) -> None:
    """Where an epoch has another length now, the epoch says where the training is."""
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        meta, length = checkpoint['meta'], len(runner.train_dataloader)
        same = meta.get('epoch_length', length) == length
        if not same or not 0 <= meta['iter'] - meta['epoch'] * length < max(length, 1):
            runner.logger.info(
                f'the checkpoint is of epoch {meta["epoch"]}, iteration {meta["iter"]}, and an epoch has {length} '
                f'iterations now: the training goes on with iteration {meta["epoch"] * length}'
            )
            meta['iter'] = meta['epoch'] * length


def changed_entries(runner: Runner, checkpoint: dict) -> list[str]:
    """Those entries about schedule and length that differ from the config that the checkpoint was trained with."""
    trained, now = config_of(checkpoint), config_entries(runner.cfg.pretty_text)
    names = ('train_cfg', 'param_scheduler', 'optim_wrapper', 'auto_scale_lr')
    return [name for name in names if trained and trained.get(name) != now.get(name)]


def follow_schedules(runner: Runner, checkpoint: dict) -> None:
    """Put into the checkpoint, in place, what the config's optimizers and schedulers are at its place."""
    single = not isinstance(runner.optim_wrapper, OptimWrapperDict)
    wrappers = {None: runner.optim_wrapper} if single else dict(runner.optim_wrapper.items())
    schedulers_of = {None: runner.param_schedulers} if single else runner.param_schedulers or {}
    epochs = checkpoint['meta']['epoch'] if isinstance(runner.train_loop, EpochBasedTrainLoop) else 0
    states = {}
    for name, wrapper in wrappers.items():
        schedulers = schedulers_of.get(name) or []
        if any(hasattr(scheduler, 'need_val_args') for scheduler in schedulers):
            states[name] = checkpoint['param_schedulers'] if single else checkpoint['param_schedulers'][name]
            continue
        run_through(schedulers, epochs, len(runner.train_dataloader), checkpoint['meta']['iter'])
        take_hyperparameters(checkpoint['optimizer'] if single else checkpoint['optimizer'][name], wrapper)
        states[name] = [scheduler.state_dict() for scheduler in schedulers]
    checkpoint['param_schedulers'] = states[None] if single else states


def run_through(schedulers: Sequence[_ParamScheduler], epochs: int, length: int, iterations: int) -> None:
    """Step schedulers as a training does in so many ``epochs`` of a ``length``, and up to so many ``iterations``."""
    with warnings.catch_warnings():  # no optimizer has stepped in between
        warnings.simplefilter('ignore')
        for iteration in range(1, iterations + 1):
            for scheduler in schedulers:
                if not scheduler.by_epoch:
                    scheduler.step()
            if iteration % length == 0 and iteration // length <= epochs:
                for scheduler in schedulers:
                    if scheduler.by_epoch:
                        scheduler.step()


def take_hyperparameters(saved: dict, wrapper: OptimWrapper) -> None:
    """Put those of an optimizer into its saved state, in place; its momenta stay."""
    now = wrapper.state_dict()
    for group, of_config in zip(saved['param_groups'], now['param_groups'], strict=False):
        group.update({key: value for key, value in of_config.items() if key != 'params'})
    if 'base_param_settings' in now:
        saved['base_param_settings'] = now['base_param_settings']


def learning_rates(checkpoint: dict) -> dict[str, float]:
    """Of each optimizer's first group of parameters, by the optimizer's name."""
    optimizers = checkpoint['optimizer']
    named = {'lr': optimizers} if 'param_groups' in optimizers else optimizers
    return {name: state['param_groups'][0]['lr'] for name, state in named.items()}


@HOOKS.register_module()
class TrainedIdentitiesHook(Hook):
    """Writes into each checkpoint whom it was trained on, and refuses to test a model on people whom it knows.

    They are named by :attr:`~tsgan.datasets.ReIDDataset.identities`: those of the training set, those of the networks
    that the model began with, and those of the training that it goes on with. Checkpoints that do not say so are
    tested as they are. Images of more than eight bits are to be scaled in a test as they were in training, too.

    Raises:
        RuntimeError: Before a test on people of the training, or on images scaled by another range.
    """

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.known: set[str] = set()
        self.value_range: dict[str, tuple[float, float]] = {}  # of the training that is loaded

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        meta = meta_of(checkpoint)
        self.loaded = set(meta.get('trained_identities', []))
        self.value_range = (meta.get('dataset_meta') or {}).get('value_range', {})

    def before_train(self, runner: Runner) -> None:
        self.known = self.loaded | set(getattr(runner.train_dataloader.dataset, 'identities', []))
        for module in unwrapped(runner.model).modules():
            self.known |= set(getattr(module, 'trained_identities', []))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['meta']['trained_identities'] = sorted(self.known)

    def before_test(self, runner: Runner) -> None:
        self.check_range(runner)
        tested = set(getattr(runner.test_dataloader.dataset, 'identities', []))
        both = sorted(tested & (self.loaded | self.known))
        if both:
            names = ', '.join(name.rsplit('/', 1)[-1] for name in both[:5]) + (' ...' if len(both) > 5 else '')
            raise RuntimeError(
                f'{runner._load_from or "the model"} was trained on {len(both)} of the {len(tested)} people of this '
                f'test ({names}), and would know whom it is asked about: test it on others. Its checkpoint says in '
                '`meta.trained_identities` whom it knows; of your own images, list those as "train" in a split file, '
                'and give it to both data sets with `split_file`.'
            )

    def check_range(self, runner: Runner) -> None:
        """Raises RuntimeError where images would be scaled otherwise than those of the training."""
        found = getattr(runner.test_dataloader.dataset, 'metainfo', {}).get('value_range', {})
        for modality in self.value_range.keys() & found.keys():
            trained, now = tuple(self.value_range[modality]), tuple(found[modality])
            if trained != now:
                raise RuntimeError(
                    f'{runner._load_from or "the model"} was trained on {modality} images whose values {trained[0]} to '
                    f'{trained[1]} became 0 to 255, and this test would scale {now[0]} to {now[1]}: give it the '
                    'range of the training, '
                    f'`--cfg-options "test_dataloader.dataset.value_range.{modality}=({trained[0]},{trained[1]})"`.'
                )
