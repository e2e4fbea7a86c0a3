"""What follows when a host's transaction ends: owners deleted, names freed, changes told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import InstanceState, Mapper, Session, SessionTransaction, UOWTransaction

from dibs.config.namespaces import Namespaces
from dibs.signals import NameChange, announce
from dibs.store.database.rows import listed
from dibs.store.host.connection import HostRun, has_names, lock_timeout, translated_errors
from dibs.store.host.owners import bind_of, fitting, identity_of, kind_of
from dibs.store.names.quarantine import release_for_good
from dibs.store.records import Claim, NameRow

NEWS, FREED = "dibs.news", "dibs.freed"

Noted = list[tuple[SessionTransaction | None, Sequence[NameChange]]]


def announce_later(session: Session, changes: Sequence[NameChange]) -> None:
    """Have these announced once the session's transaction has committed."""
    if changes:
        within = session.get_nested_transaction() or session.get_transaction()
        noted: Noted = session.info.setdefault(NEWS, [])
        noted.append((within, list(changes)))


@contextmanager
def changing(session: Session, connection: Connection) -> Iterator[HostRun]:
    """What changes names in a session's transaction; they are announced once it has committed."""
    with translated_errors(connection), lock_timeout(connection) as run:
        yield run
    announce_later(session, run.noted)


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    if kept := session.get_nested_transaction():
        # The transaction around a SAVEPOINT may yet undo what that has kept.
        noted = session.info.get(NEWS, [])
        noted[:] = [(kept.parent if at is kept else at, changes) for at, changes in noted]
        return
    for _, changes in session.info.pop(NEWS, []):
        announce(changes)
    if names := session.info.pop(FREED, None):
        _tell_all(names)


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, ended: SessionTransaction) -> None:
    # Whatever is still noted was undone: by a rollback, or because the session was closed.
    noted: Noted = session.info.get(NEWS, [])
    noted[:] = [(within, changes) for within, changes in noted if within is not ended]


class FreedName(NamedTuple):
    """A name that is free once the transaction commits, and its row's version after that."""

    namespace: str
    key: str
    version: int


_tell: list[Callable[[Sequence[FreedName]], None]] = []


def on_freed(tell: Callable[[Sequence[FreedName]], None]) -> None:
    """From now on call this with the names that any session frees: at once and after COMMIT.

    At once, so that nothing that was read before the commit outlives it in a cache; and
    again, because a host's transaction may take longer than a cache remembers that.
    """
    _tell.append(tell)


def freed(session: Session, rows: Sequence[NameRow]) -> None:
    """Tell of names that this session's transaction frees."""
    if names := [FreedName(row.namespace, row.key, row.version) for row in rows]:
        session.info.setdefault(FREED, []).extend(names)
        _tell_all(names)


def _tell_all(names: Sequence[FreedName]) -> None:
    for tell in _tell:
        tell(names)


DELETED, MOVED, KEPT = "dibs.deleted", "dibs.moved", "dibs.kept"
MAX_BATCH = 500
LAST = "\U0010ffff"
"""No character comes after it, and no namespace holds it."""

States = Sequence[InstanceState[Any]]


class Fate(NamedTuple):
    """What becomes of the names of owners who are deleted.

    Attributes:
        namespaces: Those in which their names are released; none where dibs is not in use.
        quarantine: Milliseconds for which nobody can have them then; None for ever.
    """

    namespaces: Namespaces
    quarantine: int | None


def keep(session: Session, claims: Sequence[Claim]) -> None:
    """Leave these to their owners when the flush releases the names of whoever it deletes.

    A row that is deleted and inserted in one flush has one identity, and two owners.
    """
    session.info.setdefault(KEPT, []).extend(claims)


def follow_owners(fate: Callable[[Mapper[Any]], Fate]) -> None:
    """From now on have names follow every mapped instance: deleted, or with another primary key.

    What goes past the unit of work (`session.execute(delete(...))`, ON DELETE CASCADE, ON
    UPDATE CASCADE) is not seen.
    """

    @event.listens_for(Session, "before_flush")
    def begin(session: Session, *_: object) -> None:
        for left in (DELETED, KEPT, MOVED):  # behind by a flush that failed
            session.info.pop(left, None)

    @event.listens_for(Session, "persistent_to_deleted")
    def note(session: Session, instance: object) -> None:
        if fate(inspect(instance).mapper).namespaces:
            session.info.setdefault(DELETED, []).append(inspect(instance))

    @event.listens_for(Session, "after_flush")
    def note_moved(session: Session, flush: UOWTransaction) -> None:
        moved = [(one, identity_of(one).id) for one in flush.states if _has_new_key(one)]
        session.info[MOVED] = [(one, was) for one, was in moved if fate(one.mapper).namespaces]

    @event.listens_for(Session, "after_flush_postexec")
    def end(session: Session, *_: object) -> None:
        # Still inside the flush: if this fails, the owner stays too.
        states = sorted(session.info.pop(DELETED, ()), key=_kind)
        kept = session.info.pop(KEPT, ())
        for kind, group in groupby(states, key=_kind):
            gone = list(group)
            _release(session, kind, gone, fate(gone[0].mapper), kept)
        moved = {one: was for one, was in session.info.pop(MOVED, ()) if identity_of(one).id != was}
        for kind, group in groupby(sorted(moved, key=_kind), key=_kind):
            states = list(group)
            ids = {moved[one]: fitting(identity_of(one)).id for one in states}
            _move(session, kind, ids, states[0].mapper, fate(states[0].mapper))


def _has_new_key(state: InstanceState[Any]) -> bool:
    """Whether a row was written with another primary key than it had."""
    mapper = state.mapper
    if state.key is None:
        return False
    keys = (mapper.get_property_by_column(column).key for column in mapper.primary_key)
    return any(key in state.committed_state for key in keys)


def _move(
    session: Session, kind: str, ids: Mapping[str, str], mapper: Mapper[Any], fate: Fate
) -> None:
    """Have the names of these owners be of what their identities are now, all at once."""
    connection = session.connection(bind_arguments=dict(bind_of(mapper)))
    with translated_errors(connection):
        if not has_names(connection):
            return
        where, params = _owned_by(kind, list(ids), fate.namespaces)
        params |= {f"became_{i}": became for i, became in enumerate(ids.values())}
        cases = " ".join(f"WHEN :item_{i} THEN :became_{i}" for i in range(len(ids)))
        HostRun(connection).change(
            f"UPDATE dibs_names SET owner = CASE owner {cases} ELSE owner END WHERE {where}", params
        )


def _kind(state: InstanceState[Any]) -> str:
    return kind_of(state.mapper)


def _release(session: Session, kind: str, gone: States, fate: Fate, kept: Sequence[Claim]) -> None:
    connection = session.connection(bind_arguments=dict(bind_of(gone[0].mapper)))
    with translated_errors(connection):
        if not has_names(connection):
            return  # a database in which nothing is ever claimed
        # Without `lock_timeout`: the DELETE has waited for this owner's locks already,
        # and every deletion in the app would pay for two statements more.
        run = HostRun(connection)
        ids = sorted(identity_of(state).id for state in gone)
        for start in range(0, len(ids), MAX_BATCH):
            batch = ids[start : start + MAX_BATCH]
            where, params = _owned_by(kind, batch, fate.namespaces)
            among = set(batch)
            theirs = [one for one in kept if one.owner_kind == kind and one.owner in among]
            for i, one in enumerate(theirs):
                where += f" AND NOT (namespace = :kept_in_{i} AND name_key = :kept_{i})"
                params |= {f"kept_in_{i}": one.namespace, f"kept_{i}": one.username.key}
            freed(session, release_for_good(run, where, params, fate.quarantine))
        announce_later(session, run.noted)


def _owned_by(
    kind: str, ids: Sequence[str], namespaces: Namespaces
) -> tuple[str, dict[str, object]]:
    among, owners = listed(ids)
    where, places = _within(namespaces)
    where = f"owner IN ({among}) AND owner_kind = :kind{where}"
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
