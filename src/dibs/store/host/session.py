"""Claims inside a host's own transaction: the host's connection, the host's COMMIT.

Nothing here begins or commits, sets a SAVEPOINT or tries again. A name that is
refused leaves the host's transaction as it was. When the database refuses a
statement, the transaction is undone at once, and from then on SQLAlchemy
accepts nothing but a rollback.

All raise `TransactionMustRestart` when the transaction lost, `StoreUnavailable` when the database
cannot answer, and `SchemaError` when it is not set up for dibs.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import InstanceState, Session

from dibs.names import Username
from dibs.store.database.rows import CANONICAL, key_params, listed, name_row
from dibs.store.database.runs import Run
from dibs.store.database.transactions import RowVanished
from dibs.store.host.connection import (
    AnySession,
    HostRun,
    NameTable,
    by_rules_of_now,
    connect,
    enter,
    lock_timeout,
    plain_session,
    translated_errors,
)
from dibs.store.host.endings import announce_later, changing, freed
from dibs.store.host.owners import (
    Owner,
    PendingName,
    identify,
    instance_state,
    leave_out,
    owner_of,
    write_owners,
)
from dibs.store.names.claims import decide
from dibs.store.names.companions import resolved
from dibs.store.names.groups import holders
from dibs.store.names.moves import Move, OldName, Rename, apply_moves, apply_rename
from dibs.store.names.quarantine import FREE, OF_OWNER, Quarantine, end_rows, locked, release_where
from dibs.store.names.reading import read
from dibs.store.records import Claim, NameRow, Outcome, Won, keys_of, short_token


@dataclass(frozen=True, slots=True)
class Wish:
    """One owner's wish for one name.

    Attributes:
        owner: A mapped instance, or a plain id.
        kind: What a plain id is of.
        hold: The claim token of a hold of the name.
    """

    username: Username
    owner: object
    kind: str | None = None
    by_staff: bool = False
    hold: str = ""


def claim_in_session(
    session: AnySession, wishes: Sequence[Wish], *, table: NameTable
) -> list[Outcome]:
    """Try to take names in the host's transaction, which goes on whatever the answers are.

    Owners who are not in the database yet are flushed if they get the name, and left out of the
    session if not.

    Args:
        session: Used unless the owners live in another one.
        wishes: Of owners of one session, in any order; one statement claims them all.
        table: Where names are kept; a mapped owner's own database goes before its `bind`.

    Returns:
        One outcome a wish, in the same order.

    Raises:
        OwnerWithoutIdentity: A name would be nobody's.
    """
    if not wishes:
        return []
    # Each of them, and not the first alone: an owner who was never added is refused before all.
    entered = [enter(session, table, one.owner, one.kind) for one in wishes]
    here, connection = entered[0]
    if here.deleted:
        here.flush()  # whoever goes may leave this very name
    claims = [_claim_of(wish, table) for wish in wishes]
    with translated_errors(connection), lock_timeout(connection) as run:
        outcomes = by_rules_of_now(
            run, table, lambda parser: decide(run, [claim.read_by(parser) for claim in claims])
        )
    new: list[PendingName] = []
    for wish, outcome in zip(wishes, outcomes, strict=True):
        state = _unstored(wish.owner)
        if state and isinstance(outcome, Won):
            new.append(PendingName(state, outcome.row))
        elif state:
            leave_out(state)
    if new:
        # Outside of any `try` of ours: a constraint of the host's that this breaks is the host's.
        here.flush()
        with translated_errors(connection):
            write_owners(run, new)
    announce_later(here, run.noted)
    return outcomes


def is_theirs(wish: Wish, outcome: Outcome) -> bool:
    """Whether the name is this owner's, from before or from now on."""
    row, name = outcome.row, wish.username
    if isinstance(outcome, Won):
        return True
    if row.canonical != name.canonical or _unstored(wish.owner):
        return False
    return row.is_owned_by(*identify(wish.owner, wish.kind))


def _unstored(owner: object) -> InstanceState[Any] | None:
    """What SQLAlchemy knows of an owner who is not in the database yet."""
    state = instance_state(owner)
    return state if state is not None and not state.has_identity else None


def _claim_of(wish: Wish, table: NameTable) -> Claim:
    state = _unstored(wish.owner)
    return Claim(
        wish.username,
        *(owner_of(state) if state else identify(wish.owner, wish.kind)),
        secrets.token_hex(16),
        table.namespace,
        by_staff=wish.by_staff,
        hold=wish.hold,
    )


def hold_in_session(
    session: AnySession, username: Username, *, token: str, lasts: int, table: NameTable
) -> Outcome:
    """Keep a name back in the host's transaction, for who has the token, so many milliseconds."""
    claim = Claim(username, "hold", "host", token, table.namespace, state="held", lasts=lasts)
    with changing(*enter(session, table)) as run:
        return by_rules_of_now(run, table, lambda parser: decide(run, [claim.read_by(parser)])[0])


def end_hold_in_session(session: AnySession, key: str, *, token: str, table: NameTable) -> bool:
    """End a hold early, and say whether there was one."""
    where = "namespace = :namespace AND name_key = :key AND state = 'held' AND claim_token = :token"
    params = {"namespace": table.namespace, "key": key, "token": short_token(token)}
    here, connection = enter(session, table)
    with changing(here, connection) as run:
        ended = end_rows(run, locked(run, where, params), action="unheld")
    freed(here, ended)
    return bool(ended)


def transfer_in_session(
    session: AnySession, wish: Wish, old: OldName | None, *, table: NameTable
) -> Outcome:
    """Pass a name on to another owner, who may have others.

    Args:
        wish: Of the owner who gets it.
        old: The name, with the owner who has it; None if nobody has.

    Raises:
        OwnerWithoutIdentity: The name would be nobody's.
    """
    here, connection = _enter_known(session, table, wish.owner, wish.kind)
    claim = _claim_of(wish, table)
    moves = [Move(claim), *([Move(old=old)] if old else [])]
    with changing(here, connection) as run:
        moved = by_rules_of_now(
            run, table, lambda parser: apply_moves(run, [m.read_by(parser) for m in moves], FREE)
        )
    return moved.outcomes[claim.token]


def rename_in_session(
    session: AnySession,
    username: Username,
    old: Username,
    *,
    owner: object,
    kind: str | None,
    rest: Quarantine,
    table: NameTable,
) -> Outcome | None:
    """Give an owner another name in place of the old one, in the host's transaction.

    Returns:
        Who has the new name; None if the old one is not the owner's.

    Raises:
        OwnerWithoutIdentity: It is nobody's.
    """
    here, connection = _enter_known(session, table, owner, kind)
    claim = _claim_of(Wish(username, owner, kind), table)
    with changing(here, connection) as run:
        row = next(iter(held_by(run, old, [old.key], table)), None)
        if row is None or not _owns(claim, row, old):
            return None
        outcome = by_rules_of_now(
            run, table, lambda parser: apply_rename(run, Rename(claim.read_by(parser), row, rest))
        )
        if outcome is None:
            raise RowVanished(old.key)
    freed(here, [replace(row, version=row.version + 1)])
    return outcome


def release_in_session(
    session: AnySession,
    username: Username | None,
    *,
    owner: object | None,
    kind: str | None,
    rest: Quarantine,
    table: NameTable,
) -> int:
    """Release one name, or all of an owner, in the host's transaction; say how many were freed.

    Raises:
        OwnerWithoutIdentity: There is an owner, and it has no identity.
    """
    here, connection = _enter_known(session, table, owner, kind)
    who = None if owner is None else identify(owner, kind)
    with changing(here, connection) as run:
        where, params = _chosen(run, username, who, table)
        rows = release_where(run, where, params, rest)
    freed(here, rows)
    return len(rows)


def _enter_known(
    session: AnySession, table: NameTable, owner: object | None, kind: str | None
) -> tuple[Session, Connection]:
    """The same as `enter`, with an owner who is in the database."""
    here, connection = enter(session, table, owner, kind)
    if _unstored(owner) is not None:
        here.flush()
    return here, connection


def _owns(claim: Claim, row: NameRow, old: Username) -> bool:
    """Whether the row is of exactly this old name, and whoever claims another one has it."""
    is_theirs = row.is_owned_by(claim.owner_kind, claim.owner)
    return is_theirs and row.canonical == old.canonical


def _chosen(
    run: HostRun, username: Username | None, who: Owner | None, table: NameTable
) -> tuple[str, dict[str, object]]:
    where, params = "namespace = :namespace", dict[str, object](namespace=table.namespace)
    if username is not None:
        # The key says whether a name is free, never whose it is.
        keys = keys_of(username)
        where = f"{run.dialect.among(len(keys))} AND {CANONICAL.format('')} = :canonical"
        params = {"canonical": username.canonical, **key_params(table.namespace, keys)}
    if who is not None:
        where += f" AND {OF_OWNER}"
        params |= {"owner_kind": who.kind, "owner": who.id}
    return where, params


@contextmanager
def reading(session: AnySession, table: NameTable) -> Iterator[HostRun]:
    """Sends statements that read, in the host's transaction."""
    connection = connect(plain_session(session), table.bind, table, writes=False)
    with translated_errors(connection):
        yield HostRun(connection)


def held_by(
    run: HostRun, username: Username, keys: Sequence[str], table: NameTable
) -> list[NameRow]:
    """The rows of these keys, as far as this name may mean them; see `holders`."""
    return holders(partial(find_rows, run, table=table), username, keys)


def find_rows(run: HostRun, keys: Sequence[str], table: NameTable) -> Mapping[str, NameRow]:
    """The rows of these keys, by key; a key that was never claimed is left out."""
    find = resolved if table.parser.phase.step == "moving" else read
    return {key: row for (_, key), row in find(run, {(table.namespace, k) for k in keys}).items()}


def owned_in_session(
    session: AnySession, owner: Owner, *, table: NameTable, or_had: bool = False
) -> list[NameRow]:
    """The rows of the names that this owner has, or may take back, in the order of their keys."""
    with reading(session, table) as run:
        states = "'owned', 'quarantined'" if or_had else "'owned'"
        where = f"{OF_OWNER} AND state IN ({states})"
        where += f" AND {run.dialect.unindexed('namespace')} = :place"
        params = {"owner_kind": owner.kind, "owner": owner.id, "place": table.namespace}
        found = map(name_row, run.rows(run.dialect.select_where(where), params))
        return sorted(found, key=lambda row: row.key)


def owned_by(run: Run, kind: str, owners: Sequence[str]) -> Mapping[str, list[NameRow]]:
    """The names that these owners have, by owner."""
    found: dict[str, list[NameRow]] = {owner: [] for owner in owners}
    among, params = listed(owners)
    where = f"owner_kind = :kind AND owner IN ({among}) AND state = 'owned'"
    sql = run.dialect.select_where(where)
    for row in map(name_row, run.rows(sql, {"kind": kind, **params})):
        found[str(row.owner)].append(row)
    return found


def only_name(claim: Claim, theirs: Sequence[NameRow]) -> OldName | None:
    """The one name that an owner has where they claim another, if it is one."""
    rows = [row for row in theirs if row.namespace == claim.namespace]
    if len(rows) != 1:
        return None
    row = rows[0]
    return OldName(
        row.namespace, row.key, row.canonical, claim.owner_kind, claim.owner, row.display
    )
