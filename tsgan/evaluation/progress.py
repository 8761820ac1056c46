"""A progress line with the time left, for work that takes more than a few seconds."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar('T')


def progress(items: Sequence[T], title: str, quiet_seconds: float = 3.0) -> Iterator[T]:
    """Yields the items; once `quiet_seconds` have passed, says on stderr how many are done and how long the rest takes.

    A terminal sees one line that renews itself, a log file a new line every ten seconds.
    """
    terminal = sys.stderr.isatty()
    start = shown = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - start > quiet_seconds and (now - shown > (0.2 if terminal else 10) or shown == start):
            left = (now - start) / done * (len(items) - done)
            _write(f'{title}: {done}/{len(items)}, {now - start:.0f} s, ETA {left:.0f} s', terminal)
            shown = now
        yield item
    if shown > start:
        _write(f'{title}: {len(items)}/{len(items)}, {time.monotonic() - start:.0f} s', terminal)
        if terminal:
            sys.stderr.write('\n')


def _write(text: str, terminal: bool) -> None:
    sys.stderr.write(f'\r{text}\033[K' if terminal else f'{text}\n')
    sys.stderr.flush()
