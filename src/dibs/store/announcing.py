"""Changes that a host's transaction makes, announced when it has committed."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from dibs.signals import NameChange, announce

NEWS = "dibs.news"

Noted = list[tuple[SessionTransaction | None, Sequence[NameChange]]]


def announce_later(session: Session, changes: Sequence[NameChange]) -> None:
    """Have these announced once the session's transaction has committed."""
    if changes:
        within = session.get_nested_transaction() or session.get_transaction()
        noted: Noted = session.info.setdefault(NEWS, [])
        noted.append((within, list(changes)))


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    # The event is also sent for a SAVEPOINT, which the transaction around it may yet undo.
    if session.in_nested_transaction():
        return
    noted: Noted = session.info.pop(NEWS, [])
    for _, changes in noted:
        announce(changes)


@event.listens_for(Session, "after_soft_rollback")
def _rolled_back(session: Session, undone: SessionTransaction) -> None:
    noted: Noted = session.info.get(NEWS, [])
    noted[:] = [(within, changes) for within, changes in noted if not _inside(within, undone)]


def _inside(within: SessionTransaction | None, undone: SessionTransaction) -> bool:
    while within is not None and within is not undone:
        within = within.parent
    return within is not None
