import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped

STOPS = 'the training stops, and the checkpoints of earlier epochs stay.'


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops a training whose loss or weights are no finite numbers any more, before they reach a checkpoint.

    All ranks of a distributed training stop in the same iteration, whichever of them met it.

    Raises:
        FloatingPointError: After an iteration with a loss term, ``phase/term``, that is NaN or infinite; after an
            epoch with a tensor of the model that is. The checkpoints of earlier epochs stay.
    """

    priority = 'HIGH'  # before what logs and saves

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if not outputs:  # of a model without losses
            return
        values = torch.stack([torch.as_tensor(value).detach().float().mean() for value in outputs.values()])
        broken = ~values.isfinite()
        anywhere = broken.any().int()
        all_reduce(anywhere, 'max')
        if anywhere.item():  # the one look at what the device holds
            terms = [f'{name} is {value}' for name, value in zip(outputs, values.tolist(), strict=True)]
            found = [term for term, is_broken in zip(terms, broken.tolist(), strict=True) if is_broken]
            raise FloatingPointError(
                f'{", ".join(found) or "a loss term of another rank is not finite"} in epoch {runner.epoch + 1}, '
                f'iteration {batch_idx + 1} of it; {STOPS}'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        # the last iteration's loss may have been finite, and its gradient not
        tensors = {name: t for name, t in unwrapped(runner.model).state_dict().items() if t.is_floating_point()}
        if not tensors:
            return
        finite = torch.stack([tensor.isfinite().all() for tensor in tensors.values()])
        anywhere = (~finite).any().int()
        all_reduce(anywhere, 'max')
        if anywhere.item():
            broken = [name for name, is_finite in zip(tensors, finite.tolist(), strict=True) if not is_finite]
            raise FloatingPointError(
                f'{", ".join(broken[:3]) or "a tensor of another rank"}: not finite after epoch {runner.epoch + 1}; '
                f'{STOPS}'
            )
