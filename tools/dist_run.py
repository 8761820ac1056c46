"""What dist_train.sh and dist_test.sh start processes with: torchrun, whose own tracebacks say nothing of a training.

``python tools/dist_run.py [torchrun's arguments] SCRIPT [its arguments]``; each process says itself why it ends.
"""

import logging
import os
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main() -> None:
    for name in logging.root.manager.loggerDict:
        if name.startswith('torch.distributed.elastic'):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):  # as torch and MMEngine set them, with a warning each
        os.environ.setdefault(name, '1')
    try:
        run.run(run.parse_args(None))
    except SignalException as stopped:
        sys.exit(128 + stopped.sigval)
    except KeyboardInterrupt:
        sys.exit(130)
    except ChildFailedError as failed:
        rank, failure = failed.get_first_failure()
        if failure.exitcode < 0:  # it could not say anything
            print(f'rank {rank} was ended by signal {-failure.exitcode}', file=sys.stderr)
        sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)


if __name__ == '__main__':
    main()
