from collections.abc import Sequence
from contextlib import contextmanager

import torch
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.optim import OptimWrapperDict
from torch import Tensor


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

    def __init__(self, data_preprocessor: dict, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.phases = tuple(self.PHASES)
        self.inactive_terms: frozenset[str] = frozenset()  # 'phase/term' whose time has not come
        self.log_gradients = False

    def make_step(self, inputs: Tensor, data_samples: list):
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
        step = self.make_step(**self.data_preprocessor(data, True))
        log = {}
        for phase in self.phases:
            child, wrapper = getattr(self, phase), optim_wrapper[phase]
            with self.only(phase):
                with wrapper.optim_context(child):
                    terms = getattr(self, f'{phase}_loss')(step)
                    terms = {name: t for name, t in terms.items() if f'{phase}/{name}' not in self.inactive_terms}
                    loss, log_vars = self.parse_losses(terms)
                if self.log_gradients:
                    log_vars.update(gradient_norms(terms, child))
                wrapper.update_params(loss)
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

    @contextmanager
    def only(self, phase: str):
        """Freeze every child but ``phase``: no gradient reaches its parameters, and its running statistics stay."""
        frozen = []
        for name, child in self.named_children():
            if name != phase:
                trained = [p for p in child.parameters() if p.requires_grad]
                frozen.append((child, child.training, trained))
                for p in trained:
                    p.requires_grad_(False)
                child.eval()
        try:
            yield
        finally:
            for child, training, trained in frozen:
                for p in trained:
                    p.requires_grad_(True)
                child.train(training)


def gradient_norms(terms: dict[str, Tensor], module: torch.nn.Module) -> dict[str, Tensor]:
    """Euclidean norm of each term's gradient on the parameters of ``module``, as ``grad_<term>``."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    norms = {}
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
        norms[f'grad_{name}'] = torch.sqrt(sum(g.square().sum() for g in gradients if g is not None))
    return norms
