"""Hashing, one at a time: what keeps everything else quick while passwords are hashed.

A hash takes a whole processor and 19 MiB. Two at once take twice as long each, and
what costs a millisecond waits behind both; one at a time, everybody's turn comes
as early, and the rest of the service keeps the other processors.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from dibs.errors import Overloaded

T = TypeVar("T")

LONGEST_RETRY = 60  # seconds

PLACES = 64
"""How many may wait: 64 hashes are 1.3 s, well within the deadline."""


class HashingQueue:
    """Lets one caller at a time do its work, in the order in which they came.

    Each worker process has one. Who could not have its turn before its deadline is
    told so at once: a queue of people who have left helps nobody. Whoever finds
    nobody before it is always let in, so one slow piece of work shuts no door.

    Args:
        places: How many may wait.
    """

    def __init__(self, *, places: int = PLACES) -> None:
        self._places = places
        self._mutex = threading.Lock()
        self._turns: deque[threading.Lock] = deque()
        self._busy = False
        self._typical = 0.0  # seconds

    def run(self, work: Callable[[], T], *, remaining: float) -> T:
        """Do some work when its turn has come.

        Args:
            work: What is done; it cannot be cut short.
            remaining: Seconds that the caller still has, for waiting and working.

        Raises:
            Overloaded: Its turn does not come in time, or too many are waiting.
        """
        self._enter(remaining)
        started = time.monotonic()
        try:
            return work()
        finally:
            self._leave(time.monotonic() - started)

    def _enter(self, remaining: float) -> None:
        turn = threading.Lock()
        turn.acquire()
        with self._mutex:
            ahead = len(self._turns) + self._busy
            typical = self._typical
            full = len(self._turns) >= self._places
            if remaining <= 0 or (ahead and (full or (ahead + 1) * typical > remaining)):
                raise self._overloaded(ahead)
            if not ahead:
                self._busy = True
                return
            self._turns.append(turn)
        came = False
        try:
            came = turn.acquire(timeout=remaining - typical)
        finally:
            if not came:
                self._withdraw(turn)
        if not came:
            raise self._overloaded(ahead)

    def _leave(self, seconds: float) -> None:
        with self._mutex:
            # The mean of about the last five.
            self._typical += (seconds - self._typical) * (0.2 if self._typical else 1.0)
            self._next()

    def _withdraw(self, turn: threading.Lock) -> None:
        """Give up a place, or pass the turn on if it came at this very moment."""
        with self._mutex:
            if turn in self._turns:
                self._turns.remove(turn)
            else:
                self._next()

    def _next(self) -> None:
        # Still busy, so that nobody who arrives now gets in between.
        if self._turns:
            self._turns.popleft().release()
        else:
            self._busy = False

    def _overloaded(self, ahead: int) -> Overloaded:
        seconds = math.ceil(ahead * self._typical)
        return Overloaded(retry_after=min(max(seconds, 1), LONGEST_RETRY))
