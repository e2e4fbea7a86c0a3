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
    """How often something happened, and in how many seconds it is forgotten."""

    number: int
    left: float


NOTHING = Count(0, 0.0)


class LocalCounts:
    """Counts of one process, of which there are never more than `most`.

    Who can invent keys (the names that are tried, the addresses of a large network) can fill
    any memory. So when there are too many, those that have run out go, and then those that
    began first.
    """

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._most = most
        self._lock = threading.Lock()
        # What all processes had come to when Redis said so, what this one has added without
        # Redis, and when that ends.
        self._counts: dict[str, tuple[int, int, float]] = {}

    def add(self, key: str, amount: int, seconds: float, seen: Count | None = None) -> Count:
        """Add to a count, and say what it has become.

        Args:
            amount: 0 only asks; a negative one takes back what was added.
            seconds: How long a count lives that begins now.
            seen: What Redis says that all processes have come to together, this addition
                included. Where it does not say, the count goes on from the highest that it
                said, and what is added then stays added here.
        """
        now = self.clock()
        with self._lock:
            known, alone, ends = self._counts.get(key, (0, 0, now))
            if ends <= now:
                if amount <= 0 and not (seen and seen.number):
                    return NOTHING
                known, alone, ends = 0, 0, now + (seen.left if seen else seconds)
                self._counts.pop(key, None)
                self._make_room(now)
            if seen is None:
                alone = max(0, alone + amount)
            else:
                # Answers overtake each other, so of two additions the higher one is right.
                known = max(known, seen.number) if amount > 0 else seen.number
            self._counts[key] = (known, alone, ends)
        if seen is not None:
            return Count(seen.number + alone, seen.left)
        return Count(known + alone, ends - now)

    def remove(self, key: str) -> int:
        """Forget a count, and say what it was."""
        with self._lock:
            known, alone, ends = self._counts.pop(key, (0, 0, 0.0))
            return known + alone if ends > self.clock() else 0

    def __len__(self) -> int:
        return len(self._counts)

    def _make_room(self, now: float) -> None:
        if len(self._counts) < self._most:
            return
        alive = {key: count for key, count in self._counts.items() if count[2] > now}
        # A tenth at once, so that this is seldom done; a dict has its oldest keys first.
        surplus = max(0, len(alive) - self._most * 9 // 10)
        self._counts = dict(list(alive.items())[surplus:])
