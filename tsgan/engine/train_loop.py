from itertools import islice

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop
from torch.nn import Module
from torch.utils.data import DataLoader

from tsgan.engine.whole_checkpoint_hook import WholeCheckpointHook
from tsgan.registry import LOOPS
from tsgan.stopping import SavedAndStopped, Stopped, noting_stops


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, which stops within an epoch and goes on there.

    At a signal to stop, the iteration that runs is brought to its end, in all ranks the same, and
    ``epoch_<N>_iter_<K>.pth`` is written: N whole epochs, and K iterations of the next one. Resumed from there, the
    epoch goes on with its iteration K; its first K batches are not loaded. A training one of whose hooks has
    ``WHOLE_EPOCHS``, since it keeps something from the epoch's beginning that no checkpoint holds, writes nothing then,
    and repeats the epoch.

    Where a training was stopped in the validation after an epoch, that comes first.

    Args:
        runner, dataloader, max_epochs, val_begin, val_interval, dynamic_intervals: See MMEngine's
            ``EpochBasedTrainLoop``.

    Raises:
        SavedAndStopped: After a signal, once the checkpoint is there.
        Stopped: After a signal, where there is none to write.
    """

    def run(self) -> Module:
        self.runner.call_hook('before_train')
        if self._epoch and self.done == 0:
            self.validate()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self.validate()
        self.runner.call_hook('after_train')
        return self.runner.model

    @property
    def done(self) -> int:
        """int: Iterations of the epoch that are behind, where no iteration runs."""
        return self._iter - self._epoch * len(self.dataloader)

    def validate(self) -> None:
        """Validate after an epoch, where that is due and was not done."""
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is None or self._epoch < self.val_begin or not due:
            return
        info = self.runner.message_hub
        if info.runtime_info.get('validated') != self._epoch:
            info.update_info('validated', self._epoch)  # for a checkpoint that is written because of it
            self.runner.val_loop.run()

    def run_epoch(self) -> None:
        with noting_stops() as noted:
            self.runner.call_hook('before_train_epoch')
            self.runner.model.train()
            length, begun = len(self.dataloader), self.done
            batches = without_first(self.dataloader, begun) if begun else self.dataloader
            for idx, batch in enumerate(batches, start=begun):
                self.run_iter(idx, batch)
                if idx + 1 < length and (number := said_to_any_rank(noted)) and not self.is_accumulating():
                    self.stop(number)
            self.runner.call_hook('after_train_epoch')
            self._epoch += 1
            if number := said_to_any_rank(noted):
                self.stop(number)

    def stop(self, number: int) -> None:
        """Write a checkpoint, unless the epoch's is there, and raise SavedAndStopped; Stopped, where none can be."""
        savers = [hook for hook in self.runner.hooks if isinstance(hook, WholeCheckpointHook)]
        within = self.done > 0
        if not savers or (within and any(getattr(hook, 'WHOLE_EPOCHS', False) for hook in self.runner.hooks)):
            raise Stopped(number)
        if within or not savers[0].has_saved(self._epoch):
            savers[0].save_within_epoch(self.runner, self.done, len(self.dataloader))
        raise SavedAndStopped(number)

    def is_accumulating(self) -> bool:
        """Whether an optimizer waits for more gradients: no checkpoint holds those that it has."""
        wrapper = self.runner.optim_wrapper
        wrappers = [one for _, one in wrapper.items()] if isinstance(wrapper, OptimWrapperDict) else [wrapper]
        counts = [(one._accumulative_counts, one._inner_count) for one in wrappers]
        return any(count % every or self._iter % every for every, count in counts)


def said_to_any_rank(noted: list[int]) -> int:
    """The number of a signal that has come to this rank or another; 0: of none. The same in all ranks."""
    if get_world_size() == 1:
        return noted[0] if noted else 0
    number = torch.tensor(noted[0] if noted else 0)
    all_reduce(number, 'max')
    return int(number)


def without_first(loader: DataLoader, done: int) -> DataLoader:
    """A loader of the batches of an epoch after so many, which nobody loads."""
    return DataLoader(
        loader.dataset,
        batch_sampler=list(islice(loader.batch_sampler, done, None)),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
    )
