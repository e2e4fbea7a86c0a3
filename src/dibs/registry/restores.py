"""Notices a database that went back in time: restored, or promoted without its last moments."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Protocol

from dibs.config.namespaces import Namespaces
from dibs.context import Budget, Deadline
from dibs.errors import StoreError
from dibs.observe import Sparse
from dibs.store.names.restores import Acknowledged, Restores, Timeline, acknowledged

if TYPE_CHECKING:
    from dibs.cache import NameFilter, TakenNames
    from dibs.store import NameStore

log = logging.getLogger("dibs.restores")
log.addFilter(Sparse())

KEPT = 32
"""How many changes are remembered; one that the database has lost is proof."""

WRITE_SECONDS, LOOK_SECONDS = 1.0, 2.0

DROPS = 2
"""Caches are dropped twice: what was read before may have been put there after the first time."""

SENTENCE = (
    "The database went back in time: what it had confirmed is gone, so a name may be given out"
    " again. See docs/many-machines.md; then `dibs check --accept-restore`. If a copy of the"
    " database shares its DIBS_HOME or Redis, give the copy its own first"
)


class Elsewhere(Protocol):
    """Where servers remember for each other; nothing it does raises."""

    def add(self, entries: Sequence[Acknowledged], *, deadline: Deadline) -> None:
        """Remember these beside the last ones."""
        ...

    def read(self, *, deadline: Deadline) -> list[tuple[str, str, int, int, str]]:
        """The last ones."""
        ...


class RestoreWatch:
    """Remembers outside the database what it has confirmed last, and compares.

    Only a server that calls `start` keeps a file and looks by itself; others look when asked.

    Args:
        folder: Where the file is.
        namespaces: Those whose names are compared.
        elsewhere: Another place to remember in, if there is one.
    """

    def __init__(
        self,
        store: NameStore,
        cache: TakenNames,
        filter_: NameFilter,
        *,
        budget: Budget,
        folder: Path,
        namespaces: Namespaces,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._restores = Restores(store.transactions)
        self._told = store.transactions.acknowledged
        self._is_kept = "dibs_restores" in {table.name for table in store.tables}
        self._cache, self._filter = cache, filter_
        self._budget, self._folder, self._namespaces = budget, folder, namespaces
        self._elsewhere = elsewhere
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: deque[Acknowledged] = deque(maxlen=KEPT)
        self._new: list[Acknowledged] = []
        self._at: Timeline | None = None
        self._looked = -LOOK_SECONDS
        self._found = False
        self._drops = 0
        self._is_in_file = True

    def start(self) -> None:
        """Remember and look by a thread of its own, in this process, until `close`."""
        if self._is_kept:
            self._thread = threading.Thread(target=self._tend, name="dibs-restores", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Remember the last ones, and let the thread end."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(2 * WRITE_SECONDS)

    def went_back(self, *, deadline: Deadline) -> bool:
        """Whether the database went back in time and nobody has accepted it; looks now and then.

        Raises:
            StoreError: The database cannot answer.
        """
        is_due = self._is_kept and time.monotonic() >= self._looked + WRITE_SECONDS
        if is_due and self._lock.acquire(blocking=False):  # or somebody looks at this moment
            try:
                self._look(deadline)
            finally:
                self._lock.release()
        return self._found

    def recall(self, *, deadline: Deadline) -> None:
        """Learn what servers remember: for a command, which has confirmed nothing itself."""
        if self._is_kept:
            with self._lock:
                self._look(deadline)
                self._learn(self._remembered(deadline))
                self._look(deadline)

    def accept(self, *, deadline: Deadline) -> bool:
        """Begin anew from the database as it is; say whether there was anything to accept."""
        after = max((one.since for one in self._known), default=0)
        return self._is_kept and self._restores.accept(after, deadline=deadline)

    # --- the thread --------------------------------------------------------

    def _tend(self) -> None:
        while not self._closed.wait(WRITE_SECONDS):
            self._try(self._tick)
        self._try(self._write)

    def _try(self, work: Callable[[Deadline], None]) -> None:
        try:
            with self._lock:
                work(self._budget.start())
        except StoreError:  # requests say so, and the next look may do better
            pass
        except Exception:  # nor may anything else end the watch
            log.exception("It was not seen whether the database went back in time")

    def _tick(self, deadline: Deadline) -> None:
        self._write(deadline)
        if time.monotonic() >= self._looked + LOOK_SECONDS:
            self._look(deadline)

    def _write(self, deadline: Deadline) -> None:
        self._drain()
        if not self._new or self._found or self._at is None:
            return
        new, self._new = self._new[-KEPT:], []
        if self._elsewhere is not None:
            self._elsewhere.add(new, deadline=deadline)
        try:
            self._write_file(new)
        except OSError as error:
            if self._is_in_file:  # said once: what this process has seen is compared all the same
                log.warning("What was confirmed last is not kept in %s: %s", self._folder, error)
            self._is_in_file = False
        else:
            self._is_in_file = True

    def _drain(self) -> None:
        """Take what requests have confirmed, whose threads only put it down."""
        changes = [self._told.popleft() for _ in range(len(self._told))]
        fresh = acknowledged(changes, self._at.since if self._at else 0)
        self._learn(fresh)
        self._new = [*self._new, *fresh][-KEPT:]

    def _learn(self, entries: Iterable[Acknowledged]) -> None:
        self._known += [one for one in entries if one.namespace in self._namespaces]

    # --- looking -----------------------------------------------------------

    def _look(self, deadline: Deadline) -> None:
        self._drain()
        looked = time.monotonic()
        before, at = self._at, self._restores.look(self._known, deadline=deadline)
        self._looked = looked
        if at is None:
            return
        self._at = at
        if before is None or before.secret != at.secret:  # another database, or the first
            mine = [] if before else list(self._known)
            self._known.clear()
            self._learn(mine)
            if self._thread is not None:
                self._learn(self._remembered(deadline))
            at = self._restores.look(self._known, deadline=deadline) or at
        self._judge(at, deadline)

    def _judge(self, at: Timeline, deadline: Deadline) -> None:
        if not at.lost and not at.is_noticed:
            if self._found:
                log.warning("The database is accepted as it is")
            self._found = False
            return
        if at.lost:
            one = at.lost[-1]
            log.error("%s (lost: %r, version %d)", SENTENCE, one.display, one.version)
        elif not self._found:
            log.error("%s (noticed by another server)", SENTENCE)
        if not self._found:
            self._found, self._drops = True, DROPS
            self._filter.drop()
        if self._drops and self._cache.drop(deadline=deadline):
            self._drops -= 1
        if not at.is_noticed:
            self._restores.notice(at.since, deadline=deadline)

    # --- what is remembered ------------------------------------------------

    def _remembered(self, deadline: Deadline) -> list[Acknowledged]:
        shared = self._elsewhere.read(deadline=deadline) if self._elsewhere else []
        return [*(Acknowledged(*one) for one in shared), *self._read_file()]

    def _file(self) -> Path:
        secret = self._at.secret if self._at else ""
        name = blake2b(secret.encode(), digest_size=8, person=b"acknowledged").hexdigest()
        return self._folder / f"confirmed-{name}.json"

    def _read_file(self) -> list[Acknowledged]:
        with suppress(OSError, ValueError, TypeError):  # not there, or cut short with its machine
            return [Acknowledged(*one) for one in json.loads(self._file().read_text())]
        return []

    def _write_file(self, new: Sequence[Acknowledged]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Others write there too, perhaps in containers, where all have one process id.
        with (
            _alone_in(self._folder),
            NamedTemporaryFile("w", dir=self._folder, prefix="confirmed-", delete=False) as file,
        ):
            made, kept = Path(file.name), [one for one in self._read_file() if one not in new]
            try:
                json.dump([*kept, *new][-KEPT:], file)
                file.flush()
                made.replace(self._file())
            except OSError:  # the disk is full
                made.unlink(missing_ok=True)
                raise


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for those who write there, but for none that stands still: that is an `OSError`."""
    there, ends = os.open(folder, os.O_RDONLY), time.monotonic() + WRITE_SECONDS / 2
    try:
        while True:
            try:
                fcntl.flock(there, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= ends:
                    raise
                time.sleep(0.01)
        yield
    finally:
        os.close(there)
