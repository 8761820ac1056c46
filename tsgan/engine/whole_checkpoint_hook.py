from collections import deque
from pathlib import Path

from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import Module, Parameter

from tsgan.registry import HOOKS
from tsgan.structures import unwrapped
from tsgan.whole_files import write_whole


@HOOKS.register_module()
class WholeCheckpointHook(CheckpointHook):
    """MMEngine's, which takes away nothing old before the new is on disk, whatever interrupts it.

    ``last_checkpoint`` names a whole checkpoint at any time: what it names is there before it, and goes after it. Files
    of trainings that were killed while they wrote, ``*.pth.unfinished``, go when the next one begins.

    Its arguments are those of MMEngine's ``CheckpointHook``.

    Raises:
        OSError: Where a checkpoint cannot be written, naming the file and the one that stays.
    """

    def before_train(self, runner: Runner) -> None:
        info = runner.message_hub
        if 'keep_ckpt_ids' in info.runtime_info:  # MMEngine removes what these name
            info.update_info('keep_ckpt_ids', [i for i in info.get_info('keep_ckpt_ids') if isinstance(i, int)])
        super().before_train(runner)
        if self.save_best is not None:
            self.best_ckpt_path = self.own_best(getattr(self, 'best_ckpt_path', None))
            for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
                self.best_ckpt_path_dict[name] = self.own_best(path)
        self.buffers: list[dict[str, Tensor]] = []  # of each rank, within an epoch
        if is_main_process() and Path(self.out_dir).is_dir():
            for left in Path(self.out_dir).glob('*.pth.unfinished'):
                left.unlink()

    def own_best(self, path: object) -> str | None:
        """The best checkpoint of this folder that a resumed checkpoint names, which goes when a better one comes; None
        where it has none: the path is that of the training's first folder, or anybody's."""
        own = Path(self.out_dir, Path(str(path)).name)
        return str(own) if own.name.startswith('best_') and own.suffix == '.pth' and own.is_file() else None

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        old = []
        if self.max_keep_ckpts > 0:
            there = list(dict.fromkeys([*self.keep_ckpt_ids, step]))
            runner.message_hub.update_info('keep_ckpt_ids', there)  # a resumed training removes what is too many
            old, self.keep_ckpt_ids = there[: -self.max_keep_ckpts], deque(there[-self.max_keep_ckpts :])
        self.save(runner, self.filename_tmpl.format(step), meta)
        self.remove([self.filename_tmpl.format(one) for one in old])

    def save(self, runner: Runner, name: str, meta: dict) -> None:
        """Write a checkpoint, then note it as the last one, then take away those within an epoch that are behind."""
        before, self.last_ckpt = self.last_ckpt, self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        try:
            runner.save_checkpoint(
                self.out_dir,
                name,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
            if is_main_process():
                write_whole(Path(runner.work_dir, 'last_checkpoint'), self.last_ckpt)
        except OSError as error:
            raise OSError(
                f'{error.filename or self.last_ckpt} could not be written ({error.strerror}); '
                + (
                    f'{before} stays: once there is room, go on with --resume.'
                    if before
                    else 'there is none before it.'
                )
            ) from error
        if is_main_process():
            self.remove([file.name for file in Path(self.out_dir).glob('epoch_*_iter_*.pth') if file.name != name])

    def remove(self, names: list[str]) -> None:
        if is_main_process():
            for name in names:
                Path(self.out_dir, name).unlink(missing_ok=True)

    def has_saved(self, epoch: int) -> bool:
        """Whether the last checkpoint of this run is that of the end of an epoch, the number of whole ones."""
        return self.by_epoch and Path(self.last_ckpt or '').name == self.filename_tmpl.format(epoch)

    def save_within_epoch(self, runner: Runner, done: int, length: int) -> None:
        """Write ``epoch_<N>_iter_<K>.pth``, with what the ranks have each for itself until the end of an epoch.

        Args:
            runner (Runner): Between two iterations.
            done (int): Iterations of the epoch that are behind.
            length (int): Those of the whole epoch.
        """
        self.buffers = all_gather_object(buffers_of(unwrapped(runner.model)))
        meta = dict(epoch=runner.epoch, iter=runner.iter, epoch_length=length)
        self.save(runner, f'epoch_{runner.epoch}_iter_{done}.pth', meta)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if len(self.buffers) > 1:
            checkpoint['buffers_of_ranks'] = self.buffers


def buffers_of(model: Module) -> dict[str, Tensor]:
    """What a model's state has beside parameters, on the CPU: running statistics."""
    state = model.state_dict(keep_vars=True)
    return {name: tensor.cpu() for name, tensor in state.items() if not isinstance(tensor, Parameter)}
