"""Signals to stop: what they raise, and how work comes to a good end before it does."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

STOPS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGHUP') if hasattr(signal, name)]
SAVED = 75  # the exit code of what goes on where it stopped: sysexits.h has it as "try again later"
ECHO = 3  # seconds in which a signal comes again by way of a launcher
LAST_BATCH = 30  # seconds in which a data worker whose job was told to stop still serves its training


class Stopped(KeyboardInterrupt):
    """A signal to stop has come; ``args[0]`` is its number."""


class SavedAndStopped(Stopped):
    """The same, where nothing was lost."""


@contextmanager
def noting_stops() -> Iterator[list[int]]:
    """While a signal to stop is noted in the list that this gives, by its number, for the work to look there.

    One that comes again, later than an echo of the first, does what it would have done without. Those that would have
    ended the process, or nothing, still do. An error after one ends in Stopped.
    """
    noted, since = [], 0.0
    before = {number: signal.getsignal(number) for number in STOPS}

    def note(number: int, frame: object) -> None:
        nonlocal since
        if not noted:
            noted.append(number)
            since = time.monotonic()
        elif time.monotonic() - since > ECHO:
            before[number](number, frame)

    noticed = [number for number, handler in before.items() if callable(handler)]
    if threading.current_thread() is not threading.main_thread():  # which alone is told
        noticed = []
    for number in noticed:
        signal.signal(number, note)
    try:
        yield noted
    except Exception as error:
        if noted:  # then it is of another rank's end
            raise Stopped(noted[0]) from error
        raise
    finally:
        if not noted:  # else an echo may be on its way
            for number in noticed:
                signal.signal(number, before[number])


def outlive_stops() -> None:
    """Have a data worker serve its training until that has stopped, where a signal is sent to all of a job."""

    def later(*_: object) -> None:
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.alarm(LAST_BATCH)

    for number in STOPS:
        signal.signal(number, later)
