"""Taken names in the process's own memory, for a second."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from dibs.cache.base import STALE_FILL_SECONDS, Entry
from dibs.context import Deadline

SECONDS = 1.0
"""What it says is at most so old: a name that another worker frees is free here a second later."""

MAX_ENTRIES = 10_000
"""4 MB or so; the name that was written longest ago goes first."""


class MemoryCache:
    """Answers checks alone: what a page asks with every keystroke, many people ask at once.

    Other processes cannot reach it, so it keeps nothing for longer than `seconds`.
    """

    def __init__(self, *, max_entries: int = MAX_ENTRIES, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._max = max_entries
        self._lock = threading.Lock()
        # In the order in which they were written, and so also in that in which they end.
        self._entries: OrderedDict[tuple[str, str], tuple[float, int, Entry | None]] = OrderedDict()

    def get(self, keys: Sequence[str], *, namespace: str, deadline: Deadline) -> dict[str, Entry]:
        """See `TakenCache.get`."""
        del deadline
        now, found = time.monotonic(), {}
        for key in keys:
            # One look-up in a dict is whole without the lock.
            ends, _, entry = self._entries.get((namespace, key), (0.0, 0, None))
            if entry is not None and now < ends:
                found[key] = entry
        return found

    def put(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        """See `TakenCache.put`."""
        del deadline
        if time.monotonic() - began > STALE_FILL_SECONDS:
            return
        for entry in entries:
            ends = began + min(self.seconds, entry.lifetime / 1000)
            self._write((entry.namespace, entry.key), ends, entry.version, entry)

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
        """See `TakenCache.forget`."""
        del deadline
        # As long as a fill that began before may still come.
        ends = time.monotonic() + STALE_FILL_SECONDS
        for key, version in versions.items():
            self._write((namespace, key), ends, version, None)

    def _write(
        self, place: tuple[str, str], ends: float, version: int, entry: Entry | None
    ) -> None:
        with self._lock:
            known_ends, known_version, _ = self._entries.get(place, (0.0, 0, None))
            if known_version > version and time.monotonic() < known_ends:
                return
            self._entries[place] = (ends, version, entry)
            self._entries.move_to_end(place)
            while len(self._entries) > self._max:
                self._entries.popitem(last=False)

    def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
