"""Names that a host's transaction frees, for caches that may still call them taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import event
from sqlalchemy.orm import Session

from dibs.store.records import NameRow

FREED = "dibs.freed"


class Freed(NamedTuple):
    """A name that is free once the transaction commits.

    Attributes:
        version: The row's, after the change.
    """

    namespace: str
    key: str
    version: int


_tell: list[Callable[[Sequence[Freed]], None]] = []


def on_freed(tell: Callable[[Sequence[Freed]], None]) -> None:
    """From now on call this with the names that any session frees: at once and after COMMIT.

    At once, so that nothing that was read before the commit outlives it in a cache; and
    again, because a host's transaction may take longer than a cache remembers that.
    """
    _tell.append(tell)


def freed(session: Session, rows: Sequence[NameRow]) -> None:
    """Tell of names that this session's transaction frees."""
    if names := [Freed(row.namespace, row.key, row.version) for row in rows]:
        session.info.setdefault(FREED, []).extend(names)
        _tell_all(names)


def _tell_all(names: Sequence[Freed]) -> None:
    for tell in _tell:
        tell(names)


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if names := session.info.pop(FREED, None):
        _tell_all(names)
