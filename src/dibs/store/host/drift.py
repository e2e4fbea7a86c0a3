"""Where a guarded column and the names have come apart, and how they meet again.

A bulk statement, a cascade of the database or somebody's SQL goes past the guard; and whoever
was there before it has no name yet. Both sides are read by the page: people whose name is not
theirs, and names whose owner is not there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Literal, cast

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dibs.errors import InvalidName
from dibs.names import Username
from dibs.store.database.rows import name_row
from dibs.store.host.columns import GuardedColumn
from dibs.store.host.connection import HostRun, NameTable, connect
from dibs.store.host.endings import changing, freed
from dibs.store.host.people import MappedPeople, People, Record
from dibs.store.host.session import only_name, owned_by
from dibs.store.names.adoption import renamed_by_plan
from dibs.store.names.claims import decide
from dibs.store.names.groups import who_has
from dibs.store.names.moves import Move, OldName, apply_moves
from dibs.store.names.quarantine import FREE, release_for_good
from dibs.store.names.reading import read
from dibs.store.records import Claim, Lost, NameRow

PAGE = 500
Why = Literal["unclaimed", "invalid", "taken", "renamed", "without_owner"]
Help = Literal["import", "mend", "column"]


@dataclass(frozen=True, slots=True)
class Apart:
    """A person without their name, or a name without its person.

    Attributes:
        owner: Which one, as the names table has it.
        why: `unclaimed` for a name that is not theirs and is free, `taken` for one that another
            owner has, `invalid` for one that nobody can have, `renamed` for one in whose place a
            plan gave them another, and `without_owner` for a name whose owner is not there.
        called: The one name that is theirs instead, if any.
        help: What brings both together: `import`, `mend`, or that the app's own `column` is
            changed by somebody who decides.
    """

    owner: str
    name: str
    why: Why
    called: str | None = None
    help: Help = "mend"


@dataclass(slots=True)
class Drift:
    """What was found of one column.

    Attributes:
        unique: What of the host's own keeps it unique in the database, whatever the model says.
    """

    where: str
    people: int = 0
    unique: list[str] = field(default_factory=list)
    mended: int = 0
    apart: list[Apart] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Compared:
    """People whose names are compared with those that are theirs.

    Attributes:
        namespace: Of their names; None where each row says it.
        quarantine: Milliseconds for which nobody can have a name whose owner is not there.
    """

    people: People
    parse: Callable[[str], Username]
    namespace: str | None
    table: NameTable
    quarantine: int | None


Watch = Callable[[Iterable[Record], int], Iterable[Record]]
"""Passes people on, and may show progress: the number is that of all rows."""


def find_drift(
    engine: Engine, guard: GuardedColumn, *, mend: bool = False, watch: Watch | None = None
) -> Drift:
    """Compare a guarded column with the names; see `compare`."""
    rules, column = guard.rules, getattr(guard.mapper.class_, guard.key)
    by_row = None if rules.within is not None else rules.namespace
    compared = Compared(
        MappedPeople(engine, column, by_row),
        rules.existing,
        rules.namespace(None) if by_row is None else None,
        rules.table(),
        rules.fate().quarantine,
    )
    return compare(engine, compared, mend=mend, watch=watch)


def compare(
    engine: Engine, compared: Compared, *, mend: bool = False, watch: Watch | None = None
) -> Drift:
    """Compare people with the names, both ways.

    Args:
        mend: Whether to claim what is free, and to release what is nobody's, a page a
            transaction. Names that somebody else has stay open: people decide about those.
        watch: Sees each of them go by.

    Raises:
        TransactionMustRestart: A page lost against another transaction; nothing of it is changed.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    drift = Drift(compared.people.where, unique=compared.people.uniques() or [])
    people: Iterable[Record] = chain.from_iterable(compared.people.pages())
    if watch is not None:
        people = watch(people, compared.people.count()[0])
    named = (one for one in people if one[1] is not None)
    with Session(engine) as session:
        connect(session, {}, compared.table, writes=mend)
        renamed = renamed_by_plan(HostRun(session.connection()), compared.people.kind)
        while page := list(islice(named, PAGE)):
            drift.people += len(page)
            _compare(session, compared, page, drift, renamed, mend=mend)
            session.commit()
        _find_orphans(session, compared, drift, mend=mend)
    return drift


def _compare(
    session: Session,
    compared: Compared,
    page: Sequence[Record],
    drift: Drift,
    renamed: Mapping[tuple[str, str], str],
    *,
    mend: bool,
) -> None:
    run, kind = HostRun(session.connection()), compared.people.kind
    theirs = owned_by(run, kind, [owner for owner, *_ in page])
    wanted: list[Claim] = []
    for owner, name, also in page:
        namespace = str(also) if compared.namespace is None else compared.namespace
        if any(one.display == name and one.namespace == namespace for one in theirs[owner]):
            continue
        try:
            username = compared.parse(cast("str", name))  # whatever it is
            claim = Claim(username, kind, owner, secrets.token_hex(16), namespace, by_staff=True)
        except (InvalidName, ValueError):  # ValueError: nobody with this id can own one
            shown = name if isinstance(name, str) else repr(name)
            drift.apart.append(Apart(owner, shown, "invalid", help="column"))
            continue
        if called := renamed.get((namespace, owner)):
            drift.apart.append(Apart(owner, username.display, "renamed", called, "column"))
            continue
        wanted.append(claim)
    if mend:
        _claim(session, wanted, theirs, drift)
        return
    rows = read(run, {claim.place for claim in wanted})
    for claim in wanted:
        row = rows.get(claim.place)
        is_free = row is None or row.open_to(claim) or row.is_of(claim.owner_kind, claim.owner)
        has = None if row is None or is_free else who_has(run, row, claim)
        drift.apart.append(_apart(claim, only_name(claim, theirs[claim.owner]), has))


def _apart(claim: Claim, old: OldName | None, has: NameRow | None) -> Apart:
    """What keeps somebody from their name: whose it is, or that nobody has claimed it."""
    name, called = claim.username.display, old.display if old else None
    if has is None:
        return Apart(claim.owner, name, "unclaimed", called, "mend" if called else "import")
    # The same to the letter is the name of one of them, and no group.
    is_one = called is None and has.state in ("owned", "group") and has.display != name
    return Apart(claim.owner, name, "taken", called, "import" if is_one else "column")


def _claim(
    session: Session, wanted: Sequence[Claim], theirs: Mapping[str, list[NameRow]], drift: Drift
) -> None:
    """Claim these names, one by one where their owner gives up another one for it."""
    with changing(session, session.connection()) as run:
        olds = {claim.token: only_name(claim, theirs[claim.owner]) for claim in wanted}
        new = [claim for claim in wanted if olds[claim.token] is None]
        outcomes = dict(zip([c.token for c in new], decide(run, new) if new else [], strict=True))
        for claim in wanted:
            if old := olds[claim.token]:
                moved = apply_moves(run, [Move(claim, old)], FREE)
                outcomes[claim.token] = moved.outcomes[claim.token]
                freed(session, moved.freed)
    for claim in wanted:
        if isinstance(outcome := outcomes[claim.token], Lost):
            drift.apart.append(_apart(claim, olds[claim.token], outcome.row))
        else:
            drift.mended += 1


def _find_orphans(session: Session, compared: Compared, drift: Drift, *, mend: bool) -> None:
    kind, last = compared.people.kind, ""
    where = "owner_kind = :kind AND owner > :last AND state = 'owned'"
    while True:
        connection = session.connection()
        run = HostRun(connection)
        sql = f"{run.dialect.select_where(where)} ORDER BY owner LIMIT {PAGE}"
        rows = list(map(name_row, run.rows(sql, {"kind": kind, "last": last})))
        if not rows:
            return
        last = str(rows[-1].owner)
        there = compared.people.existing({str(row.owner) for row in rows})
        gone = [row for row in rows if row.owner not in there]
        if mend and gone:
            with changing(session, connection) as run:
                for owner in sorted({str(row.owner) for row in gone}):
                    params = {"kind": kind, "owner": owner}
                    by = "owner_kind = :kind AND owner = :owner"
                    freed(session, release_for_good(run, by, params, compared.quarantine))
            drift.mended += len(gone)
        else:
            drift.apart += [Apart(str(row.owner), row.display, "without_owner") for row in gone]
        session.commit()
