import math

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stops a training whose loss, gradient or weights are no finite numbers any more, before they reach a checkpoint.

    All ranks of a distributed training stop in the same iteration, whichever of them met it. A gradient that overflows
    in mixed precision is none of this: the loss scaler leaves out its step, and lowers the scale.

    With ``skip``, the step of a phase whose loss or gradient is not finite is left out instead, in all ranks: weights,
    momenta, running statistics and all other buffers are as they were before the phase. Not undone are the steps of
    the iteration's earlier phases, random numbers drawn, schedules, which go on, gradients that
    ``accumulative_counts`` has gathered so far, which go with it, and the log, where the term stands as it was.

    Args:
        skip (int): Iterations of a training, or of its rest after a resume, in which steps may be left out; the next
            one stops it, its weights still finite. More than 0 has each phase wait for the device, to know before its
            step. Defaults to 0.

    Raises:
        ValueError: On a negative number of iterations.
        FloatingPointError: After an iteration with a loss term, ``phase/term``, or the gradient of a phase, that is
            NaN or infinite; after an epoch with a tensor of the model that is. The checkpoints so far stay.
    """

    priority = 'HIGH'  # before what logs and saves

    def __init__(self, skip: int = 0) -> None:
        if skip < 0:
            raise ValueError(f'skip of FiniteLossHook is a number of iterations, 0 or more, not {skip}.')
        self.skip = skip
        self.skipped = 0

    def before_train(self, runner: Runner) -> None:
        unwrapped(runner.model).skip_not_finite = self.skip > 0

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if not outputs:  # of a model without losses
            return
        phases = unwrapped(runner.model).not_finite
        values = torch.stack([torch.as_tensor(value).detach().float().mean() for value in outputs.values()])
        broken = torch.cat([~values.isfinite(), *(flag.reshape(1) for flag in phases.values())])
        anywhere = broken.any().int()
        all_reduce(anywhere, 'max')
        if not anywhere.item():  # the one look at what the device holds
            return
        terms = zip(outputs, values.tolist(), strict=True)
        found = [f'{name} is {value}' for name, value in terms if not math.isfinite(value)]
        for phase, flag in phases.items():
            if flag.item() and torch.as_tensor(outputs[f'{phase}/loss']).isfinite():
                found.append(f'the gradient of the phase {phase} is not finite, and its loss is')
        said = ', '.join(found) or 'a loss term or gradient of another rank is not finite'
        said += f' in epoch {runner.epoch + 1}, iteration {batch_idx + 1} of it'
        self.skipped += 1
        if self.skipped > self.skip:
            before = f' after {self.skip} skipped iterations' if self.skip else ''
            raise FloatingPointError(f'{said}; the training stops{before}, and the checkpoints so far stay.')
        runner.logger.warning(
            f'{said}; nothing of it reaches the weights: {self.skipped} of {self.skip} iterations that may be skipped.'
        )

    def after_train_epoch(self, runner: Runner) -> None:
        # whatever made them so: the last iteration's step may have overflowed
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
                'the training stops, and the checkpoints so far stay.'
            )
