"""What command lines share: arguments, and how one ends: done, with a sentence on what is wrong, or stopped."""

import atexit
import os
import re
import select
import signal
import sys
import time
import traceback
import warnings
from argparse import Action, ArgumentParser
from collections.abc import Callable
from pathlib import Path

import tsgan
from tsgan.machine import is_first_rank, rank
from tsgan.stopping import SAVED, STOPS, SavedAndStopped, Stopped

MODEL = 'tsgan-jd_small_synthetic'  # the one that comes with its weights
PATIENCE = 15  # seconds in which one rank that has failed ends, on a busy machine, and a launcher then ends the others


def add_model_arguments(parser: ArgumentParser) -> None:
    """``model``, ``weights`` and ``device`` of :class:`tsgan.apis.ReIDInferencer`."""
    parser.add_argument('--model', default=MODEL, help='name, config or ONNX file; default: %(default)s')
    parser.add_argument(
        '--weights', help='checkpoint, its address, or the work dir of a training; default: of the name'
    )
    parser.add_argument('--device', help='such as cpu or cuda:1; default: a GPU where there is one')
    add_trust(parser)


def add_trust(parser: ArgumentParser) -> None:
    """Of every command line that opens a checkpoint: its refusal names it."""
    parser.add_argument(
        '--trust-checkpoint',
        action=TrustFiles,
        nargs=0,
        help='also read files that hold more than weights, and run code of their writer: old ones of your own',
    )


class TrustFiles(Action):
    def __call__(self, *_: object) -> None:
        from tsgan.checkpoints import trust_files  # takes torch

        trust_files()


def out_file(path: str) -> str:
    """The type of an argument that names a file to write: that it can be written is settled before the work, not after.

    Folders that are not there yet come with the file.

    Raises:
        OSError: Where it cannot be.
    """
    file = Path(path).absolute()
    folder = next(parent for parent in file.parents if parent.exists())
    if file.is_dir():
        raise IsADirectoryError(f'{path} is a folder: expected the name of a file to write.')
    if not folder.is_dir():
        raise NotADirectoryError(f'{path} cannot be written: {folder} is no folder.')
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f'{path} cannot be written: nothing may be written in {folder}.')
    return path


def run(main: Callable[[], None], when_stopped: Callable[[], str] = lambda: 'stopped') -> None:
    """Run a command line.

    What this package refuses is one sentence on stderr, and exit code 2, as of a wrong argument; so is a file that
    cannot be read or written, and a package that is not there. Any other error is none of the input, and keeps its
    traceback; all keep it with ``TSGAN_TRACEBACK=1`` in the environment. SIGINT, SIGTERM and SIGHUP end in
    ``when_stopped()``, with 128 and their number as exit code, or, of a training that has kept all it has done, with
    :data:`~tsgan.stopping.SAVED`. Of several ranks, the first one says it; the others give the launcher ``PATIENCE`` to
    end them before they say what has happened to them, and so does one whose connection to another is broken: what has
    been said is not said again, and a job shows the error that it ended with.
    """
    parent, came, hook, say = os.getpid(), [], sys.unraisablehook, sys.excepthook

    def stop(number: int, _: object) -> None:
        if os.getpid() != parent:  # a process that loads data; it says nothing
            os._exit(0)
        for name in STOPS:  # a launcher sends them once more
            signal.signal(name, signal.SIG_IGN)
        came.append(number)
        # Python drops what is raised while it forks or takes an object away: again, until it is on its way
        sys.unraisablehook = lambda dropped: None if dropped.exc_type is Stopped else hook(dropped)
        signal.signal(signal.SIGALRM, lambda *_: on_its_way(sys.exc_info()[1]) or throw(number))
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
        throw(number)

    def of_its_own(kind: type, error: BaseException, trace: object) -> None:
        # a process that loads data says nothing of its connection to this one, which has been killed
        if os.getpid() == parent or not issubclass(kind, (ConnectionError, EOFError)):
            say(kind, error, trace)

    on_stop(stop)
    sys.excepthook = of_its_own
    warnings.simplefilter('ignore', FutureWarning)  # of torch to MMEngine, in each process: nobody here can mend it
    try:
        main()
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.flush()
        if is_in_process_group():
            leave(0)
    except (Exception, Stopped) as error:
        signal.setitimer(signal.ITIMER_REAL, 0)
        lost, stopped = lost_rank(error), isinstance(error, Stopped)
        if not (came or stopped) and (lost or not is_first_rank()):
            await_stop(came)
        if came or stopped:  # after a signal, an error is of another rank's end
            if is_first_rank():
                print(when_stopped(), file=sys.stderr, flush=True)
            leave(SAVED if isinstance(error, SavedAndStopped) else 128 + (came or error.args)[0])
        if isinstance(error, BrokenPipeError) and nobody_reads():
            leave(141)  # as the signal would
        sentence = lost or refusal(error)
        if sentence is None or os.environ.get('TSGAN_TRACEBACK', '0') not in ('', '0'):
            if is_in_process_group():
                traceback.print_exc()
                leave(1)
            raise
        print(f'error: {sentence}', file=sys.stderr, flush=True)
        leave(1 if lost else 2)


def on_stop(handler: Callable[[int, object], None]) -> None:
    for name in STOPS:
        if signal.getsignal(name) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(name, handler)


def await_stop(came: list[int]) -> None:
    """Wait ``PATIENCE`` for a signal to stop; ``came`` has its number then."""
    on_stop(lambda number, _: came.append(number))
    end = time.monotonic() + PATIENCE
    while not came and time.monotonic() < end:
        time.sleep(0.05)


def lost_rank(error: BaseException) -> str | None:
    """What to say of an error that is another rank's end, or its silence; None of one that this rank has made."""
    dist = sys.modules.get('torch.distributed')
    if not dist or not dist.is_available():
        return None
    text = str(error)
    by_store = isinstance(error, (dist.DistStoreError, dist.DistNetworkError))
    if not by_store and not (isinstance(error, RuntimeError) and re.search('/gloo/|remote process exit', text)):
        return None
    reason = re.sub(r'^\[.*?\] ', '', text).split('. This is', 1)[0].splitlines()[0]
    setting = ' for env_cfg.dist_cfg.timeout' if 'imed out' in reason else ''
    return f'rank {rank()} stops, as another has ended or does not answer ({reason}{setting}): that one says why.'


def nobody_reads() -> bool:
    """Whether stdout is a pipe that nobody reads any more, as of `| head`; other pipes may break, too."""
    poll = select.poll()
    poll.register(1, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    sys.stdout = open(os.devnull, 'w')  # noqa: SIM115  where the rest goes at the end
    return True


def leave(code: int) -> None:
    """End with an exit code, a rank without the end of Python.

    gloo's threads may abort that or, with a tensor to give back, have it wait for ever (both seen with torch 2.6).
    """
    if not is_in_process_group():
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def is_in_process_group() -> bool:
    dist = sys.modules.get('torch.distributed')
    return bool(dist and dist.is_available() and dist.is_initialized())


def throw(number: int) -> None:
    raise Stopped(number)


def on_its_way(error: BaseException | None) -> bool:
    """Whether what is being handled comes of a stop."""
    while error is not None and not isinstance(error, Stopped):
        error = error.__context__
    return error is not None


def refusal(error: BaseException) -> str | None:
    """The sentence of an error that is about the input; None of one that nobody has foreseen.

    Such a one this package raises itself, in a line of its own; MMEngine, which builds the parts, may have wrapped it.
    """
    package = str(Path(tsgan.__file__).parent)
    cause = error
    while cause is not None:
        last = traceback.extract_tb(cause.__traceback__)[-1:]
        if last and (last[0].line or '').startswith('raise ') and ours(last[0].filename, package):
            return str(cause)
        if sentence := refusal_in_a_worker(cause, package):
            return sentence
        cause = cause.__cause__ or cause.__context__
    return str(error) if isinstance(error, OSError) else None


def refusal_in_a_worker(error: BaseException, package: str) -> str | None:
    """The sentence of an error in a process that loads data; torch raises it here, with its traceback as text."""
    caught, _, last = str(error).rpartition('Traceback (most recent call last):\n')
    frames = re.findall(r'^  File "(.+)", line \d+, in .+\n    (.+)', last, re.MULTILINE)
    said = re.search(rf'^(?:\w+\.)*{type(error).__name__}: (.+)', last, re.MULTILINE | re.DOTALL)
    if 'DataLoader worker' not in caught or not frames or not said:
        return None
    file, line = frames[-1]
    return said[1].strip() if line.startswith('raise ') and ours(file, package) else None


def ours(file: str, package: str) -> bool:
    return file.startswith(package + os.sep) or file == getattr(sys.modules['__main__'], '__file__', None)
