"""Where a guarded column and the names have come apart, and how they meet again.

A bulk statement, a cascade of the database or somebody's SQL goes past the guard; and whoever
was there before it has no name yet. Both sides are read by the page: people whose name is not
theirs, and names whose owner is not there.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, select, tuple_
from sqlalchemy.orm import Session
from sqlalchemy.pool import Pool

from dibs.errors import InvalidName
from dibs.store import schema
from dibs.store.database.dialects.base import Run, listed, name_row
from dibs.store.host.columns import GuardedColumn
from dibs.store.host.connection import HostRun, connect, lock_timeout, translated_errors
from dibs.store.host.events import announce_later, freed
from dibs.store.host.owners import identity_of, instance_state, joined, kind_of
from dibs.store.names.claims import decide, place, read
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.releases import FREE, release_for_good
from dibs.store.records import Claim, Lost, NameRow

PAGE = 500
MEND = "flask dibs adopt verify --mend"

log = logging.getLogger(__name__)
Why = Literal["unclaimed", "invalid", "taken", "without_owner"]


@dataclass(frozen=True, slots=True)
class Apart:
    """A person without their name, or a name without its person.

    Attributes:
        owner: Which one, as the names table has it.
        name: As the column has it, or as it was claimed.
        why: `unclaimed` for a name that is not theirs and is free, `taken` for one that another
            owner has, `invalid` for one that nobody can have, and `without_owner` for a name
            whose owner is not there.
    """

    owner: str
    name: str
    why: Why


@dataclass(slots=True)
class Drift:
    """What was found of one column.

    Attributes:
        where: The model and its attribute.
        people: How many of them have something in it.
        unique: What of the host's own keeps it unique in the database, whatever the model says.
        mended: How many names were claimed or released.
        apart: What is still open.
    """

    where: str
    people: int = 0
    unique: list[str] = field(default_factory=list)
    mended: int = 0
    apart: list[Apart] = field(default_factory=list)


def find_drift(engine: Engine, guard: GuardedColumn, *, mend: bool = False) -> Drift:
    """Compare a guarded column with the names.

    Args:
        engine: Of the host's database.
        guard: The column.
        mend: Whether to claim what is free, and to release what is nobody's, a page a
            transaction. Names that somebody else has stay open: people decide about those.

    Raises:
        TransactionMustRestart: A page lost against another transaction; nothing of it is changed.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    drift = Drift(guard.where)
    with Session(engine) as session:
        connection = connect(session, {}, guard.rules.table(), writes=mend)
        drift.unique = schema.unique_constraints(connection, guard.column)
        for page in _pages(session, guard):
            drift.people += len(page)
            _compare(session, guard, page, drift, mend=mend)
            session.commit()
            session.expunge_all()
        _find_orphans(session, guard, drift, mend=mend)
    return drift


_looked: WeakKeyDictionary[Pool, set[GuardedColumn]] = WeakKeyDictionary()


def warn_unclaimed(connection: Connection, guard: GuardedColumn) -> None:
    """Say in the log, once a process, that people who were there before have no name yet.

    Who has the lowest primary key speaks for all: the whole table is for `flask dibs check`.
    """
    looked = _looked.setdefault(connection.engine.pool, set())
    if guard in looked:
        return
    looked.add(guard)
    keys = list(guard.column.table.primary_key)
    wanted = select(*keys, guard.column).where(guard.column.is_not(None)).order_by(*keys).limit(1)
    if (first := connection.execute(wanted).first()) is None:
        return
    owner, name = joined(first[:-1]), first[-1]
    theirs = _owned(HostRun(connection), guard, [owner])[owner]
    if not any(one.display == name for one in theirs):
        log.warning(
            "%s is guarded, and who was there before has not claimed their name, so that others"
            " can: run `%s`",
            guard.where,
            MEND,
        )


def _pages(session: Session, guard: GuardedColumn) -> Iterator[Sequence[Any]]:
    """Everybody who has something in the column, in the order of their primary keys."""
    model, keys = guard.mapper.class_, list(guard.mapper.primary_key)
    wanted = select(model).where(guard.column.is_not(None)).order_by(*keys).limit(PAGE)
    page = session.scalars(wanted).all()
    while page:
        last = guard.mapper.primary_key_from_instance(page[-1])
        yield page
        after = keys[0] > last[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*last)
        page = session.scalars(wanted.where(after)).all()


def _compare(
    session: Session, guard: GuardedColumn, page: Sequence[Any], drift: Drift, *, mend: bool
) -> None:
    run = HostRun(session.connection())
    owners = {identity_of(state).id: state for one in page if (state := instance_state(one))}
    theirs = _owned(run, guard, list(owners))
    wanted: list[Claim] = []
    for owner, state in owners.items():
        name, namespace = str(state.dict[guard.key]), guard.rules.namespace(state.obj())
        if any(one.display == name and one.namespace == namespace for one in theirs[owner]):
            continue
        try:
            username = guard.rules.existing(name)
        except InvalidName:
            drift.apart.append(Apart(owner, name, "invalid"))
            continue
        kind, token = kind_of(guard.mapper), secrets.token_hex(16)
        wanted.append(Claim(username, kind, owner, token, namespace, by_staff=True))
    if mend:
        _claim(session, wanted, theirs, drift)
        return
    rows = read(run, {place(claim) for claim in wanted})
    for claim in wanted:
        row = rows.get(place(claim))
        is_free = row is None or row.open_to(claim) or row.is_of(claim.owner_kind, claim.owner)
        why: Why = "unclaimed" if is_free else "taken"
        drift.apart.append(Apart(claim.owner, claim.username.display, why))


def _owned(run: Run, guard: GuardedColumn, owners: Sequence[str]) -> Mapping[str, list[NameRow]]:
    """The names that these owners have, by owner."""
    found: dict[str, list[NameRow]] = {owner: [] for owner in owners}
    among, params = listed(owners)
    where = f"owner_kind = :kind AND owner IN ({among}) AND state = 'owned'"
    sql = run.dialect.select_where(where)
    for row in map(name_row, run.rows(sql, {"kind": kind_of(guard.mapper), **params})):
        found[str(row.owner)].append(row)
    return found


def _claim(
    session: Session,
    wanted: Sequence[Claim],
    theirs: Mapping[str, list[NameRow]],
    drift: Drift,
) -> None:
    """Claim these names, one by one where their owner gives up another one for it."""
    connection = session.connection()
    with translated_errors(connection), lock_timeout(connection) as run:
        olds = {claim.token: _old(claim, theirs[claim.owner]) for claim in wanted}
        new = [claim for claim in wanted if olds[claim.token] is None]
        outcomes = dict(zip([c.token for c in new], decide(run, new) if new else [], strict=True))
        for claim in wanted:
            if old := olds[claim.token]:
                moved = apply_moves(run, [Move(claim, old)], FREE)
                outcomes[claim.token] = moved.outcomes[claim.token]
                freed(session, moved.freed)
    announce_later(session, run.noted)
    for claim in wanted:
        if isinstance(outcomes[claim.token], Lost):
            drift.apart.append(Apart(claim.owner, claim.username.display, "taken"))
        else:
            drift.mended += 1


def _old(claim: Claim, theirs: Sequence[NameRow]) -> OldName | None:
    """The one name that the owner has there instead."""
    rows = [row for row in theirs if row.namespace == claim.namespace]
    if len(rows) != 1:
        return None
    return OldName(rows[0].namespace, rows[0].key, rows[0].canonical, claim.owner_kind, claim.owner)


def _find_orphans(session: Session, guard: GuardedColumn, drift: Drift, *, mend: bool) -> None:
    kind, last = kind_of(guard.mapper), ""
    where = "owner_kind = :kind AND owner > :last AND state = 'owned'"
    while True:
        connection = session.connection()
        run = HostRun(connection)
        sql = f"{run.dialect.select_where(where)} ORDER BY owner LIMIT {PAGE}"
        rows = list(map(name_row, run.rows(sql, {"kind": kind, "last": last})))
        if not rows:
            return
        last = str(rows[-1].owner)
        there = _existing(session, guard, {str(row.owner) for row in rows})
        gone = [row for row in rows if row.owner not in there]
        if mend and gone:
            with translated_errors(connection), lock_timeout(connection) as run:
                for owner in sorted({str(row.owner) for row in gone}):
                    params = {"kind": kind, "owner": owner}
                    by = "owner_kind = :kind AND owner = :owner"
                    freed(session, release_for_good(run, by, params, guard.rules.fate().quarantine))
            announce_later(session, run.noted)
            drift.mended += len(gone)
        else:
            drift.apart += [Apart(str(row.owner), row.display, "without_owner") for row in gone]
        session.commit()


def _existing(session: Session, guard: GuardedColumn, owners: set[str]) -> set[str]:
    """Those of these owners who are in the table."""
    keys = list(guard.mapper.primary_key)
    identities = [one for owner in owners if (one := _identity(owner, keys)) is not None]
    where = (
        tuple_(*keys).in_(identities) if len(keys) > 1 else keys[0].in_([i[0] for i in identities])
    )
    return {joined(row) for row in session.execute(select(*keys).where(where))}


def _identity(owner: str, keys: Sequence[Any]) -> tuple[Any, ...] | None:
    """The primary key that this text stands for; None if it can be none."""
    parts = [owner] if len(keys) == 1 else [unquote(part) for part in owner.split(":")]
    if len(parts) != len(keys):
        return None
    try:
        return tuple(_value(part, key) for part, key in zip(parts, keys, strict=True))
    except ValueError:
        return None


def _value(part: str, key: Any) -> Any:
    made: dict[type, Callable[[str], Any]] = {int: int, UUID: UUID, bytes: bytes.fromhex}
    try:
        return made.get(key.type.python_type, str)(part)
    except NotImplementedError:
        return part
