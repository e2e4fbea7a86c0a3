"""Counts that run out, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MOST = 100_000
"""How many counts are kept; about 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened.

    Attributes:
        left: Seconds until it is forgotten.
    """

    number: int
    left: float


NOTHING = Count(0, 0.0)


class LocalCounts:
    """Counts of one process, of which there are never more than `most`.

    Who can invent keys (the names that are tried, the addresses of a large network) can fill
    any memory. So when there are too many, those that have run out go, and then those that
    began first.

    Args:
        most: How many are kept.
        clock: Seconds that only grow.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def add(self, key: str, amount: int, seconds: float) -> Count:
        """Add to a count, and say what it has become.

        Args:
            key: Whose count.
            amount: 0 only asks; a negative one takes back what was added.
            seconds: How long a count lives that begins now.
        """
        now = self.clock()
        with self._lock:
            number, ends = self._counts.get(key, (0, now))
            if ends <= now:
                if amount <= 0:
                    return NOTHING
                number, ends = 0, now + seconds
                self._counts.pop(key, None)
                self._make_room(now)
            number = max(0, number + amount)
            self._counts[key] = (number, ends)
        return Count(number, ends - now)

    def remove(self, key: str) -> None:
        """Forget a count."""
        with self._lock:
            self._counts.pop(key, None)

    def __len__(self) -> int:
        return len(self._counts)

    def _make_room(self, now: float) -> None:
        if len(self._counts) < self._most:
            return
        alive = {key: count for key, count in self._counts.items() if count[1] > now}
        # A tenth at once, so that this is seldom done; a dict has its oldest keys first.
        surplus = max(0, len(alive) - self._most * 9 // 10)
        self._counts = dict(list(alive.items())[surplus:])
