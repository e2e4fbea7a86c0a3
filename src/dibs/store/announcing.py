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
    if kept := session.get_nested_transaction():
        # The transaction around a SAVEPOINT may yet undo what that has kept.
        noted = session.info.get(NEWS, [])
        noted[:] = [(kept.parent if at is kept else at, changes) for at, changes in noted]
        return
    for _, changes in session.info.pop(NEWS, []):
        announce(changes)


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, ended: SessionTransaction) -> None:
    # Whatever is still noted was undone: by a rollback, or because the session was closed.
    noted: Noted = session.info.get(NEWS, [])
    noted[:] = [(within, changes) for within, changes in noted if within is not ended]
