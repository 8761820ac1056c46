from collections.abc import Sequence
from contextlib import ExitStack, contextmanager

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmpretrain.structures import DataSample
from torch import Tensor

from tsgan.structures import evaluating


class AlternatingModel(BaseModel):
    """A model that is trained in phases, each of which moves one child module only.

    One name is a child module, the key of its OptimWrapper, a phase, and the method ``<name>_loss(step)`` that returns
    the phase's loss terms. A subclass lists its phases in ``PHASES``, in the order of one iteration;
    :class:`tsgan.engine.AlternatingPhasesHook` decides which of them run in which iteration.

    Args:
        data_preprocessor (dict): Config of the data preprocessor.
        init_cfg (dict, optional): Initialisation config. Defaults to None.
    """

    PHASES: Sequence[str] = ()
    TESTED: Sequence[str] = ('reid',)  # the child modules that make the features of a test
    ADDS_MIRRORED = False  # whether a feature is that of an image and its mirror image in any case

    def __init__(self, data_preprocessor: dict, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.phases = tuple(self.PHASES)
        self.inactive_terms: frozenset[str] = frozenset()  # 'phase/term' whose time has not come
        self.skip_not_finite = False  # leave out a phase's step whose loss or gradient is not finite
        self.not_finite: dict[str, Tensor] = {}  # phases of the last iteration, and whether they had such a one
        self.measure_gradients = False
        self.mirror_features = False  # whether a test gets those of mirror images, too
        self.gradient_norms: dict[str, Tensor] = {}  # the last measured ones, 'phase/grad_term'

    def check_batch(self, data_samples: list[DataSample]) -> None:
        """Refuse a batch that the model cannot train on, where it still lies in main memory: to look at what is on a
        GPU is to wait for it.

        Raises:
            ValueError: Saying what the model trains on.
        """

    def make_step(self, inputs: Tensor, data_samples: list[DataSample]):
        """Whatever the phases of one iteration share. A subclass returns an object of its own."""
        raise NotImplementedError

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Run the iteration's phases in order; each moves only the child module of its name.

        Args:
            data (dict): A batch from the data loader.
            optim_wrapper (OptimWrapperDict): One OptimWrapper for each phase.

        Returns:
            dict[str, Tensor]: Every loss term, as ``phase/term``, and the sum ``phase/loss``.
        """
        self.check_batch(data['data_samples'])
        step = self.make_step(**self.data_preprocessor(data, True))
        log, self.not_finite = {}, {}
        for phase in self.phases:
            child, wrapper = getattr(self, phase), optim_wrapper[phase]
            kept = buffers(self) if self.skip_not_finite else []
            with self.only(phase):
                with wrapper.optim_context(child):
                    terms = getattr(self, f'{phase}_loss')(step)
                    waiting = [name for name in terms if f'{phase}/{name}' in self.inactive_terms]
                    # in their place a 0 that has a gradient, of 0: times 0, an infinite term would be NaN
                    counted = terms | dict.fromkeys(waiting, zero(child)) if waiting else terms
                    loss, log_vars = self.parse_losses(counted)
                if not isinstance(loss, Tensor):
                    raise ValueError(
                        f'the phase {phase} of {type(self).__name__} has no loss: expected one at least, of the ReID '
                        'network in model.losses.'
                    )
                if self.measure_gradients:  # over the same parameters before and after a term's time comes
                    summed = {name: term for name, term in terms.items() if 'loss' in name}  # as parse_losses() does
                    norms = gradient_norms(summed, child, loss_scale(wrapper))
                    norms |= dict.fromkeys(waiting, loss.new_zeros(()))
                    self.gradient_norms.update({f'{phase}/grad_{name}': norm for name, norm in norms.items()})
                # OptimWrapper.update_params(loss), with a look at the gradient before the step
                wrapper.backward(wrapper.scale_loss(loss))
                self.not_finite[phase] = not_finite(loss, child, wrapper)
                if self.skip_not_finite and on_any_rank(self.not_finite[phase]):
                    wrapper.zero_grad()
                    put_back(kept)
                elif wrapper.should_update():
                    wrapper.step()
                    wrapper.zero_grad()
            log.update({f'{phase}/{name}': value for name, value in log_vars.items()})
        return log

    def state_dict(self, *args, prefix: str = '', **kwargs) -> dict[str, Tensor]:
        """As ever, and with the same names whether or not a distributed wrapper is around the children."""
        state = super().state_dict(*args, prefix=prefix, **kwargs)
        for name, child in self.named_children():
            if is_model_wrapper(child):
                wrapped = f'{prefix}{name}.module.'
                for key in [key for key in state if key.startswith(wrapped)]:
                    state[f'{prefix}{name}.{key.removeprefix(wrapped)}'] = state.pop(key)
        return state

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args) -> None:
        # Names as in state_dict(). MMEngine's loader looks behind a wrapper, torch's, which its EMAHook uses, does not.
        for child in self.children():
            if is_model_wrapper(child) and not child._load_state_dict_pre_hooks:
                child._register_load_state_dict_pre_hook(name_behind_wrapper)
        super()._load_from_state_dict(state_dict, prefix, *args)

    @contextmanager
    def only(self, phase: str):
        """Freeze every child but ``phase``: no gradient reaches its parameters, and its running statistics stay."""
        frozen = []
        with ExitStack() as modes:
            for name, child in self.named_children():
                if name != phase:
                    modes.enter_context(evaluating(child))
                    frozen += [p for p in child.parameters() if p.requires_grad]
            for p in frozen:
                p.requires_grad_(False)
            try:
                yield
            finally:
                for p in frozen:
                    p.requires_grad_(True)


def name_behind_wrapper(state_dict: dict[str, Tensor], prefix: str, *_) -> None:
    """``generators.weight`` -> ``generators.module.weight``, in place."""
    for key in [key for key in state_dict if key.startswith(prefix)]:
        state_dict[f'{prefix}module.{key.removeprefix(prefix)}'] = state_dict.pop(key)


def zero(module: torch.nn.Module) -> Tensor:
    """0, as a function of every trained parameter: a distributed wrapper waits for the gradient of each."""
    return 0 * torch.stack([p.sum() for p in module.parameters() if p.requires_grad]).sum()


def not_finite(loss: Tensor, module: torch.nn.Module, wrapper: OptimWrapper) -> Tensor:
    """Whether a loss, or the gradient that it left on a module's parameters, holds NaN or an infinity: a bool scalar.

    In mixed precision the loss alone: a gradient that overflows is for the loss scaler, which leaves out the step.
    """
    looked_at = [loss.detach().float()]
    if not isinstance(wrapper, AmpOptimWrapper):  # a sum is finite where all that it adds up is: one number a tensor
        looked_at += [p.grad.sum().to(looked_at[0]) for p in module.parameters() if p.grad is not None]
    return ~torch.stack(looked_at).isfinite().all()


def on_any_rank(flag: Tensor) -> bool:
    """Whether any rank has it; waits for all of them, and for what the device still computes."""
    flag = flag.int()
    all_reduce(flag, 'max')
    return bool(flag.item())


def buffers(module: torch.nn.Module) -> list[tuple[torch.nn.Module, str, Tensor, Tensor]]:
    """Of each buffer its owner, its name, itself, and a copy of what it holds, for :func:`put_back`."""
    found = [(m, name, b) for m in module.modules() for name, b in m.named_buffers(recurse=False)]
    return [(owner, name, buffer, buffer.clone()) for owner, name, buffer in found]


@torch.no_grad()
def put_back(kept: list[tuple[torch.nn.Module, str, Tensor, Tensor]]) -> None:
    for owner, name, buffer, content in kept:
        setattr(owner, name, buffer.copy_(content))  # some are overwritten, others replaced


def loss_scale(wrapper: OptimWrapper) -> float:
    """By which mixed precision multiplies a loss, so that small gradients do not become 0 in half precision."""
    return wrapper.loss_scaler.get_scale() if isinstance(wrapper, AmpOptimWrapper) else 1.0


def gradient_norms(terms: dict[str, Tensor], module: torch.nn.Module, scale: float = 1.0) -> dict[str, Tensor]:
    """Euclidean norm of each term's gradient on the parameters of ``module``.

    Norms are taken over the parameters that all terms reach, so that they compare: with teacher-student losses, the
    student's former encoder. Where all terms have none in common, as those of two generators, each is taken over
    whatever it reaches.

    Args:
        terms (dict[str, Tensor]): Scalars.
        module (nn.Module): Whose trained parameters.
        scale (float): By which a term is multiplied on its way back, and the norm divided again. Defaults to 1.0.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    gradients = {
        name: torch.autograd.grad(scale * term, parameters, retain_graph=True, allow_unused=True)
        for name, term in terms.items()
    }
    common = [i for i in range(len(parameters)) if all(grads[i] is not None for grads in gradients.values())]
    norms = {}
    for name, grads in gradients.items():
        chosen = [grads[i] for i in common] or [grad for grad in grads if grad is not None]
        norms[name] = torch.stack([grad.norm() for grad in chosen]).norm() / scale
    return norms
