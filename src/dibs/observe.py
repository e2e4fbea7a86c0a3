"""What dibs says of itself: logs that stay readable while something is down, and counters."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence

JOINERS = "\u200c\u200d"


def root_of(error: BaseException) -> BaseException:
    """What it all began with: a driver's own error, which tells the most."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def counted(number: int, one: str, more: str) -> str:
    """A number with its word."""
    return f"{number:,} {one if number == 1 else more}"


def joined(words: Sequence[str]) -> str:
    """Words as they are listed in a sentence: `a, b and c`."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def printable(name: str) -> str:
    """A name as a terminal takes it: what would steer it, or is half a character, is spelled out.

    A joiner is a letter's form in some languages, and stays.
    """
    return "".join(
        one if one.isprintable() or one in JOINERS else one.encode("unicode_escape").decode()
        for one in name
    )


class Sparse(logging.Filter):
    """Lets each kind of line through once a period, saying how many it held back.

    A database that is away for a minute would otherwise write a line a request.
    """

    def __init__(self, period: float = 60.0) -> None:
        super().__init__()
        self._period = period
        self._lock = threading.Lock()
        self._last: dict[object, float] = {}
        self._held: dict[object, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written; kinds are told apart by text and first argument."""
        first = record.args[0] if isinstance(record.args, tuple) and record.args else None
        kind = (record.msg, str(first))
        now = time.monotonic()
        with self._lock:
            last = self._last.get(kind)
            if last is not None and now - last < self._period:
                self._held[kind] = self._held.get(kind, 0) + 1
                return False
            self._last[kind] = now
            held = self._held.pop(kind, 0)
        if held:
            record.msg = f"{record.msg} (and {held} more since the last such line)"
        return True


class Counters:
    """Counts, for people and for metrics; nothing is decided by them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count so many more."""
        if count:
            with self._lock:
                self._counts[name] += count

    def read(self) -> dict[str, int]:
        """All counts so far."""
        with self._lock:
            return dict(self._counts)
