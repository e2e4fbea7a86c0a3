"""Logs that stay readable while something is down."""

from __future__ import annotations

import logging
import threading
import time


def root_of(error: BaseException) -> BaseException:
    """What it all began with: a driver's own error, which tells the most."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


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
