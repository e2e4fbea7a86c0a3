"""How often things happened in this process, by name."""

from __future__ import annotations

import threading
from collections import Counter


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
