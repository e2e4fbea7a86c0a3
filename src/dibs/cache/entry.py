"""What is kept of a name that is not free, and who may keep it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from dibs.context import Deadline

TTL_MS = 3_600_000
"""How long a name stays known as taken, in milliseconds, unless it expires earlier."""

STALE_FILL_SECONDS = 2.0
"""What was read longer ago than this is not written any more: the name may have been freed."""

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

    def close(self) -> None:
        """Give back what is held."""
        ...


class NameFilter(Protocol):
    """Knows which names nobody ever had, as far as anybody can: see `membership_filter`."""

    def certainly_free(self, keys: Collection[str], *, namespace: str) -> set[str]:
        """Those of the keys that have no row; none while that is not known."""
        ...

    def add(self, key: str, *, namespace: str) -> None:
        """Learn of a name that is about to get a row."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...


class NoFilter:
    """Knows nothing."""

    def certainly_free(self, keys: Collection[str], *, namespace: str) -> set[str]:
        """None."""
        del keys, namespace
        return set()

    def add(self, key: str, *, namespace: str) -> None:
        """Nothing to learn."""

    def close(self) -> None:
        """Nothing to give back."""
