import torch
from mmengine.dist import all_gather, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped

WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by their bytes


@HOOKS.register_module()
class SameRanksHook(Hook):
    """Stops a distributed training whose ranks hold different parameters, which no loss would show.

    Compared is one checksum of each tensor, over its bits. All ranks stop in the same iteration.

    Args:
        interval (int): Iterations from one comparison to the next. Defaults to 100.
        buffers (bool): Compare buffers, too, after every epoch: statistics of BatchNorm are each rank's own until
            MMEngine's ``SyncBuffersHook`` takes their mean there. Defaults to False.

    Raises:
        RuntimeError: Naming child module, first tensor and ranks that differ.
    """

    priority = 'LOW'  # after SyncBuffersHook, and before what saves

    def __init__(self, interval: int = 100, buffers: bool = False) -> None:
        self.interval = interval
        self.buffers = buffers

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        if self.every_n_train_iters(runner, self.interval):
            self.compare(runner, buffers=False)

    def after_train_epoch(self, runner: Runner) -> None:
        if self.buffers:
            self.compare(runner, buffers=True)

    def compare(self, runner: Runner, buffers: bool) -> None:
        state = unwrapped(runner.model).state_dict(keep_vars=True)
        tensors = {name: t for name, t in state.items() if buffers or isinstance(t, nn.Parameter)}
        if get_world_size() == 1 or not tensors:
            return
        own = torch.stack([checksum(tensor.detach()) for tensor in tensors.values()])  # (T, )
        sums = torch.stack(all_gather(own)).cpu()  # (ranks, T)
        differ = (sums != sums[0]).any(0).nonzero().flatten().tolist()
        if differ:
            name, of_ranks = list(tensors)[differ[0]], sums[:, differ[0]].tolist()
            groups = [[r for r, s in enumerate(of_ranks) if s == value] for value in dict.fromkeys(of_ranks)]
            raise RuntimeError(
                f'the ranks train different models: {len(differ)} of {len(tensors)} tensors differ after iteration '
                f'{runner.iter + 1}, first {name} of the child module {name.split(".")[0]}, which is one thing on rank '
                f'{" and another on rank ".join(", ".join(map(str, ranks)) for ranks in groups)}; the training stops.'
            )


def checksum(tensor: Tensor) -> Tensor:
    """A sum over a tensor's bits in which each place has a weight of its own, int64, shape ()."""
    words = tensor.flatten().view(WORDS[tensor.element_size()]).long()
    # odd weights: a change of one value, whatever it is, changes the sum modulo 2**64
    return (words * (2 * torch.arange(len(words), device=words.device) + 1)).sum()
