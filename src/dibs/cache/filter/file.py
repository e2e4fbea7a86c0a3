"""Where a machine's processes keep a filter for each other, and for the next start."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from dibs.cache.filter.bloom import BloomFilter, Damaged, FilterKey
from dibs.observe import Sparse

log = logging.getLogger("dibs.filter")
log.addFilter(Sparse())

Unlock = Callable[[], None]


class FilterFile:
    """One file in a folder, replaced as a whole.

    Args:
        folder: DIBS_HOME; made when it is first written to.
    """

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
        """Put a filter there, by who has the lock; who reads meanwhile gets the old one whole.

        Raises:
            OSError: It cannot be written.
        """
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

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
