"""An owner that a session deletes takes no name with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import InstanceState, Session

from dibs.namespaces import Namespaces
from dibs.store.announcing import announce_later
from dibs.store.dialects import dialect_for
from dibs.store.freed import freed
from dibs.store.guard import HostStatements, told_apart
from dibs.store.host_connection import has_names
from dibs.store.owners import bind_of, identity_of, kind_of
from dibs.store.releases import release_for_good

DELETED = "dibs.deleted"
MAX_BATCH = 500
LAST = "\U0010ffff"
"""No character comes after it, and no namespace holds it."""

States = Sequence[InstanceState[Any]]


def release_deleted_owners(
    namespaces: Callable[[], Namespaces], quarantine: Callable[[], int | None]
) -> None:
    """From now on release the names of every mapped instance that any session deletes.

    What is deleted past the unit of work (`session.execute(delete(...))`,
    ON DELETE CASCADE) is not seen.

    Args:
        namespaces: Those in which names are to be released at that moment; none
            where dibs is not in use.
        quarantine: Milliseconds for which nobody can have them then; None for ever.
    """

    @event.listens_for(Session, "before_flush")
    def forget(session: Session, *_: object) -> None:
        session.info.pop(DELETED, None)  # left behind by a flush that failed

    @event.listens_for(Session, "persistent_to_deleted")
    def note(session: Session, instance: object) -> None:
        if namespaces():
            session.info.setdefault(DELETED, []).append(inspect(instance))

    @event.listens_for(Session, "after_flush_postexec")
    def release(session: Session, *_: object) -> None:
        # Still inside the flush: if this fails, the owner stays too.
        states = sorted(session.info.pop(DELETED, ()), key=_kind)
        for kind, group in groupby(states, key=_kind):
            _release(session, kind, list(group), namespaces(), quarantine())


def _kind(state: InstanceState[Any]) -> str:
    return kind_of(state.mapper)


def _release(
    session: Session,
    kind: str,
    gone: States,
    namespaces: Namespaces,
    quarantine: int | None,
) -> None:
    connection = session.connection(bind_arguments=dict(bind_of(gone[0].mapper)))
    with told_apart(connection):
        if not has_names(connection):
            return  # a database in which nothing is ever claimed
        # Not `bounded`: the DELETE has waited for this owner's locks already,
        # and every deletion in the app would pay for two statements more.
        run, dialect = HostStatements(connection), dialect_for(connection.dialect.name)
        ids = sorted(identity_of(state).id for state in gone)
        for start in range(0, len(ids), MAX_BATCH):
            where, params = _owned_by(kind, ids[start : start + MAX_BATCH], namespaces)
            freed(session, release_for_good(run, dialect, where, params, quarantine))
        announce_later(session, run.noted)


def _owned_by(
    kind: str, ids: Sequence[str], namespaces: Namespaces
) -> tuple[str, dict[str, object]]:
    owners = {f"owner_{i}": one for i, one in enumerate(ids)}
    where, places = _within(namespaces)
    where = f"owner IN ({', '.join(f':{name}' for name in owners)}) AND owner_kind = :kind{where}"
    return where, {"kind": kind, **owners, **places}


def _within(namespaces: Namespaces) -> tuple[str, dict[str, object]]:
    """A range for those that begin alike: LIKE has capitals and small letters be one on SQLite."""
    names = {f"namespace_{i}": one for i, one in enumerate(sorted(namespaces.names))}
    any_of = [f"namespace IN ({', '.join(f':{name}' for name in names)})"] if names else []
    ranges: dict[str, object] = {}
    for i, prefix in enumerate(sorted(namespaces.prefixes)):
        ranges |= {f"from_{i}": prefix, f"to_{i}": prefix + LAST}
        any_of.append(f"namespace > :from_{i} AND namespace < :to_{i}")
    return f" AND ({' OR '.join(any_of)})", {**names, **ranges}
