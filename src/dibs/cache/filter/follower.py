"""A filter that hears of every name within seconds, answers only while it does, and its file."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from dibs.cache.filter.bloom import BloomFilter, Build, Damaged, Feed, FilterKey
from dibs.cache.taken import NameFilter
from dibs.errors import StoreError
from dibs.observe import Counters, Sparse, root_of

log = logging.getLogger("dibs.filter")
log.addFilter(Sparse())

POLL_SECONDS = 0.5
FRESH_SECONDS = 2.0
"""What was last heard from the database longer ago than this is no answer any more."""

OVERLAP_SECONDS = 60.0
"""How long before a row is seen it may have been made: no transaction of ours is longer.

One of a host's that is longer is heard of when the filter is next built whole.
"""

NEAR_SECONDS = 6.0
"""The same for all but a few rows; see `SyncedFilter`."""

REBUILD_SECONDS = 3600.0
OLDEST_FILE_SECONDS = 2 * REBUILD_SECONDS

REST = 3.0
"""A build rests three times as long as it computes: it shares Python with requests."""

NEW_PAGE = 2_000
SWEEP_SHARE, LONGEST_SWEEP_PAUSE = 20, 10.0

Unlock = Callable[[], None]


class FilterFile:
    """One file in a folder, which is made when it is first written to; replaced as a whole."""

    def __init__(self, folder: Path, namespace: str) -> None:
        name = blake2b(namespace.encode(), digest_size=8).hexdigest()
        self.path = folder / f"filter-{name}.bloom"
        self._lock = folder / f"filter-{name}.lock"
        self._seen: tuple[int, int, int] | None = None

    def read_new(self, recipe: FilterKey) -> BloomFilter | None:
        """The filter that lies there, if it was not seen before and is of this recipe."""
        try:
            seen = self._look()
            if seen is None or seen == self._seen:
                return None
            self._seen = seen
            return BloomFilter.read(self.path.read_bytes(), recipe)
        except Damaged:
            log.warning("%s is damaged or of other names: it is not used", self.path)
        except OSError as error:
            log.warning("The filter cannot be read: %s", error)
        return None

    def write(self, known: BloomFilter) -> None:
        """Put a filter there, by who has the lock; who reads meanwhile gets the old one whole."""
        parts = known.write()
        self._make_folder()
        made = self.path.with_suffix(".new")
        with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, self.path)
        self._seen = self._look()

    def lock(self) -> Unlock | None:
        """Be the only one who builds; None while another process does.

        The lock goes with the process that has it, however that ends.

        Raises:
            OSError: The folder cannot be written to, so nobody there knows of anybody else.
        """
        self._make_folder()
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return lambda: os.close(handle)

    def _make_folder(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def remove(self) -> None:
        """Have no filter there."""
        self.path.unlink(missing_ok=True)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


class SyncedFilter:
    """A filter and how far it has followed the table, by the database's clock.

    The whole overlap is read at each poll as long as that is quick. Where thousands of names
    come in a second it is read less often, every ten seconds at the least, and what the polls
    between them read again is no more than the few seconds that our own transactions may take.

    Args:
        near: Seconds that a transaction of ours may take.
    """

    def __init__(self, known: BloomFilter, near: float) -> None:
        self.known = known
        self._near = near
        self._overlap = max(OVERLAP_SECONDS, near)
        self._heard = self._swept = known.as_of
        self._next_sweep = 0.0
        self._fresh_until = 0.0

    def is_fresh(self) -> bool:
        """Whether what is not in the filter was not in the table two seconds ago either."""
        return time.monotonic() <= self._fresh_until

    def catch_up(self, feed: Feed, clock: int, asked: float) -> None:
        """Read what is new.

        Args:
            asked: When it was asked for that, in seconds of `time.monotonic()`.

        Raises:
            StoreError: The database cannot answer.
        """
        began = time.monotonic()
        if began < self._next_sweep:
            self._read(feed, min(self._heard, clock) - int(1000 * self._near))
        else:
            # The clock may have been put back since.
            self._read(feed, min(self._swept, clock) - int(1000 * self._overlap))
            self._swept = clock
            now = time.monotonic()
            self._next_sweep = now + min(LONGEST_SWEEP_PAUSE, SWEEP_SHARE * (now - began))
        self._heard = clock
        self._fresh_until = asked + FRESH_SECONDS

    def _read(self, feed: Feed, since: int) -> None:
        after = ""
        while True:
            rows = feed.new_keys(since=since, after=after, limit=NEW_PAGE)
            self.known.add(key for _, key in rows)
            if len(rows) < NEW_PAGE:
                return
            since, after = rows[-1]


class _Work(NamedTuple):
    """A filter that is made here and, if the folder can be written to (`alone`), nowhere else."""

    build: Build
    unlock: Unlock
    alone: bool


class Follower(NameFilter):
    """A filter with a thread of its own, in each process that asks it something.

    Args:
        namespace: The one whose names these are; of others nothing is known.
        counters: Gets `filter_free`, `filter_maybe` and `filter_behind`, each by name.
    """

    def __init__(
        self,
        feed: Feed,
        *,
        recipe: Callable[[str], FilterKey],
        shelf: FilterFile,
        namespace: str,
        counters: Counters,
        near: float = NEAR_SECONDS,
    ) -> None:
        self._feed = feed
        self._make_recipe = recipe
        self._shelf = shelf
        self._namespace = namespace
        self._counters = counters
        self._near = near
        self._starting = threading.Lock()
        self._process = 0
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, str]] = deque()
        self._current: SyncedFilter | None = None
        self._secret = ""
        self._recipe = self._make_recipe(self._secret)
        self._work: _Work | None = None
        self._is_dropped = False

    def certainly_free(self, keys: Collection[str], *, namespace: str) -> set[str]:
        self._start()
        followed = self._current
        if followed is None or not followed.is_fresh() or namespace != self._namespace:
            self._counters.add("filter_behind", len(keys))
            return set()
        known = followed.known
        free = {key for key in keys if key not in known}
        self._counters.add("filter_free", len(free))
        self._counters.add("filter_maybe", len(keys) - len(free))
        return free

    def add(self, key: str, *, namespace: str) -> None:
        if namespace != self._namespace:
            return
        self._start()
        now = time.monotonic()
        with self._lock:
            # A filter that is being made may not find the row yet, and gets these afterwards.
            self._recent.append((now, key))
            while self._recent[0][0] < now - self._near:
                self._recent.popleft()
            if self._current:
                self._current.known.add([key])

    def drop(self) -> None:
        with self._lock:
            self._is_dropped, self._current = True, None

    def close(self) -> None:
        """Let the thread end, and wait for it."""
        self._closed.set()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join()

    # --- the thread --------------------------------------------------------

    def _start(self) -> None:
        """Begin in this process; a server may have forked since the last one."""
        if self._process == os.getpid():
            return
        with self._starting:
            if self._process == os.getpid() or self._closed.is_set():
                return
            self._reset()
            self._thread = threading.Thread(target=self._tend, name="dibs-filter", daemon=True)
            self._thread.start()
            self._process = os.getpid()

    def _tend(self) -> None:
        while not self._closed.is_set():
            next_poll = time.monotonic() + POLL_SECONDS
            try:
                self._build_on(self._poll(), next_poll)
            except StoreError as error:
                log.warning("The filter cannot follow the database: %s", root_of(error))
            except Exception:
                # A bug, or a failure that no driver has a name for; either may pass, and
                # until then the database answers.
                self._stop_work()
                log.exception("The filter failed")
            self._closed.wait(max(0.0, next_poll - time.monotonic()))
        self._stop_work()

    def _poll(self) -> int:
        asked = time.monotonic()
        clock, secret = self._feed.moment()
        if self._is_dropped:
            self._is_dropped, self._secret = False, ""
            self._shelf.remove()
        if secret != self._secret:  # another database than before, or the first
            self._current, self._secret = None, secret
            self._recipe = self._make_recipe(secret)
            self._stop_work()
        self._take_from_shelf(clock)
        if self._current:
            self._current.catch_up(self._feed, clock, asked)
        return clock

    def _take_from_shelf(self, clock: int) -> None:
        found = self._shelf.read_new(self._recipe)
        if found is None or clock - found.as_of > 1000 * OLDEST_FILE_SECONDS:
            return
        if self._current is None or found.as_of > self._current.known.as_of:
            self._use(found)

    def _use(self, known: BloomFilter) -> None:
        """Put another filter in the place of the one in use, once it knows as much."""
        followed = SyncedFilter(known, self._near)
        asked = time.monotonic()
        clock, _ = self._feed.moment()
        followed.catch_up(self._feed, clock, asked)
        with self._lock:
            known.add(key for _, key in self._recent)
            self._current = followed

    # --- building ----------------------------------------------------------

    def _build_on(self, clock: int, until: float) -> None:
        if self._work is None and self._is_due(clock):
            self._begin_work(clock)
        while self._work is not None and time.monotonic() < until and not self._closed.is_set():
            began = time.thread_time()
            if not self._work.build.step():
                self._finish(self._work)
            self._closed.wait(REST * (time.thread_time() - began))

    def _is_due(self, clock: int) -> bool:
        if self._current is None:
            return True
        known = self._current.known
        return known.full or clock - known.as_of >= 1000 * REBUILD_SECONDS

    def _begin_work(self, clock: int) -> None:
        build = Build(self._feed, self._recipe, as_of=clock)
        try:
            unlock = self._shelf.lock()
        except OSError as error:
            log.warning("The filter is kept in memory alone: %s", error)
            self._work = _Work(build, lambda: None, alone=False)
            return
        if unlock is None:
            return
        self._work = _Work(build, unlock, alone=True)
        # Somebody may have finished just before we got the lock.
        self._take_from_shelf(clock)
        if not self._is_due(clock):
            self._stop_work()

    def _finish(self, work: _Work) -> None:
        self._use(work.build.known)
        try:
            if work.alone:
                self._shelf.write(work.build.known)
        except OSError as error:
            log.warning("The filter is kept in memory alone: %s", error)
        self._stop_work()

    def _stop_work(self) -> None:
        if self._work is not None:
            self._work.unlock()
        self._work = None
