"""Taken names: what is kept of them, who may keep it, and what strategies ask and tell.

The process's own memory answers checks for a second; behind it is the cache that all processes
share, if there is one.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, Protocol

from dibs.context import Deadline, turns
from dibs.observe import Counters

TTL_MS = 3_600_000
"""How long a name stays known as taken, in milliseconds, unless it expires earlier."""

STALE_FILL_SECONDS = 2.0
"""What was read longer ago than this is not written any more: the name may have been freed."""

SECONDS = 1.0
"""So old may be what memory says: a name that another worker frees is free here a second later."""

MAX_ENTRIES = 10_000
"""4 MB or so; the name that was written longest ago goes first."""

Held = Literal["owned", "held", "quarantined", "reserved", "group", "companion"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed row whose name could not be had when it was read.

    Attributes:
        canonical: Tells a taken name from a look-alike.
        state: Why the name cannot be had.
        version: Of the row; a cache never goes back to an older one.
        expires_in: Milliseconds after which the name is free, if it then is.
    """

    namespace: str
    key: str
    canonical: str
    state: Held
    version: int
    expires_in: int | None = None

    free: ClassVar[bool] = False

    @property
    def lifetime(self) -> int:
        """Milliseconds for which this may be kept."""
        return TTL_MS if self.expires_in is None else min(TTL_MS, self.expires_in)


class TakenCache(Protocol):
    """Knows some of the names that are taken. Nothing it does raises."""

    def get(self, keys: Sequence[str], *, namespace: str, deadline: Deadline) -> dict[str, Entry]:
        """What is known of these keys, by key; what is not known is left out."""
        ...

    def put(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        """Remember committed rows, unless newer ones are known.

        Args:
            began: When the statement that read them was sent, in seconds of
                `time.monotonic()`. What is older than `STALE_FILL_SECONDS` is dropped.
        """
        ...

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
        """Have the database asked about these keys for a while, whatever was read before.

        For releases and renames, before they are committed.

        Args:
            versions: The version that each key's row is about to get.
        """
        ...

    def drop(self, *, deadline: Deadline) -> bool:
        """Keep nothing: the database is not what it was when it was read; say whether it is so."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class NameFilter:
    """Says which names nobody ever had, as far as it knows. This one knows nothing.

    See `membership_filter`, and `dibs.cache.filter` for one that follows the table.
    """

    def certainly_free(self, keys: Collection[str], *, namespace: str) -> set[str]:
        """Those of the keys that have no row; none while that is not known."""
        del keys, namespace
        return set()

    def add(self, key: str, *, namespace: str) -> None:
        """Learn of a name that is about to get a row."""

    def drop(self) -> None:
        """Begin anew: the table is not what it was."""

    def close(self) -> None:
        """Give back what is held."""


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
        del deadline
        now, found = time.monotonic(), {}
        for key in keys:
            # One look-up in a dict is whole without the lock.
            ends, _, entry = self._entries.get((namespace, key), (0.0, 0, None))
            if entry is not None and now < ends:
                found[key] = entry
        return found

    def put(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        del deadline
        if time.monotonic() - began > STALE_FILL_SECONDS:
            return
        for entry in entries:
            ends = began + min(self.seconds, entry.lifetime / 1000)
            self._write((entry.namespace, entry.key), ends, entry.version, entry)

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
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

    def drop(self, *, deadline: Deadline) -> bool:
        del deadline
        return True  # in a second nothing of it is left

    def close(self) -> None:
        """Forget everything."""
        self._entries.clear()


class TakenNames:
    """What a strategy asks and tells; `cache_hit` and `cache_miss` are counted by name."""

    def __init__(
        self,
        shared: TakenCache | None = None,
        counters: Counters | None = None,
        memory: MemoryCache | None = None,
    ) -> None:
        self._memory = memory or MemoryCache()
        self._all: tuple[TakenCache, ...] = (self._memory, *([shared] if shared else []))
        self._shared = shared
        self.counters = counters or Counters()

    def taken(
        self, keys: Sequence[str], *, namespace: str, for_check: bool, deadline: Deadline
    ) -> dict[str, Entry]:
        """What is known to be taken of these keys.

        Args:
            for_check: Whether only advice is wanted. A claim is refused by the shared cache
                alone, whose entries a release takes back at once.
        """
        found: dict[str, Entry] = {}
        if for_check:
            found |= self._memory.get(keys, namespace=namespace, deadline=deadline)
        missing = [key for key in keys if key not in found]
        if missing and self._shared is not None:
            began = time.monotonic()
            shared = self._shared.get(missing, namespace=namespace, deadline=deadline)
            self._memory.put(list(shared.values()), began=began, deadline=deadline)
            found |= shared
        self.counters.add("cache_hit", len(found))
        self.counters.add("cache_miss", len(keys) - len(found))
        return found

    def learn(self, entries: Sequence[Entry], *, began: float, deadline: Deadline) -> None:
        """Remember committed rows; see `TakenCache.put`. No call that is served by turns waits."""
        if not entries:
            return
        self._memory.put(entries, began=began, deadline=deadline)
        if self._shared is None:
            return
        if (loop := turns()) is None:
            self._shared.put(entries, began=began, deadline=deadline)
            return
        later = Deadline.after(STALE_FILL_SECONDS)
        fill = partial(self._shared.put, entries, began=began, deadline=later)
        loop.later(0, partial(loop.serve, fill))

    def forget(self, namespace: str, versions: Mapping[str, int], *, deadline: Deadline) -> None:
        """Have the database asked; see `TakenCache.forget`."""
        if versions:
            for cache in self._all:
                cache.forget(namespace, versions, deadline=deadline)

    def drop(self, *, deadline: Deadline) -> bool:
        """Have the database asked about all names; see `TakenCache.drop`."""
        return all(cache.drop(deadline=deadline) for cache in self._all)

    def close(self) -> None:
        """Give back what is held."""
        for cache in self._all:
            cache.close()
