"""Claims inside a host's own transaction: the host's connection, the host's COMMIT.

Nothing here begins or commits, sets a SAVEPOINT or tries again. A name that is
refused leaves the host's transaction as it was. When the database refuses a
statement, the transaction is undone at once, and from then on SQLAlchemy
accepts nothing but a rollback.
"""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from dibs.names import Username
from dibs.store.database.dialects.base import CANONICAL
from dibs.store.database.transactions import RowVanished
from dibs.store.host.connection import (
    AnySession,
    HostRun,
    NameTable,
    connect,
    enter,
    lock_timeout,
    plain_session,
    translated_errors,
)
from dibs.store.host.events import announce_later, freed
from dibs.store.host.owners import Owner, identify, instance_state
from dibs.store.host.pending import PendingName, owner_of, write_owners
from dibs.store.names.claims import decide, read
from dibs.store.names.releases import OF_OWNER, Quarantine, release_where
from dibs.store.names.renames import Rename, apply_rename
from dibs.store.records import Claim, NameRow, Outcome, Won


def claim_in_session(
    session: AnySession,
    username: Username,
    *,
    owner: object,
    kind: str | None,
    table: NameTable,
) -> Outcome:
    """Try to take the name in the host's transaction, which goes on whatever the answer is.

    An owner who is not in the database yet is flushed if they get the name.

    Args:
        session: Used unless the owner lives in another one.
        username: The parsed name.
        owner: A mapped instance, or a plain id.
        kind: What a plain id is of.
        table: Where names are kept; a mapped owner's own database goes before its `bind`.

    Raises:
        OwnerWithoutIdentity: The name would be nobody's.
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    session, connection = enter(session, owner=owner, kind=kind, table=table)
    if session.deleted:
        session.flush()  # whoever goes may leave this very name
    state = instance_state(owner)
    new = state if state and not state.has_identity else None
    claim = _claim(username, owner_of(new) if new else identify(owner, kind), table)
    with translated_errors(connection), lock_timeout(connection) as run:
        outcome = decide(run, [claim])[0]
    if new and isinstance(outcome, Won):
        _flush(session, run, PendingName(new, outcome.row), connection)
    announce_later(session, run.noted)
    return outcome


def _flush(session: Session, run: HostRun, name: PendingName, connection: Connection) -> None:
    # Outside of any `try` of ours: a constraint of the host's that this breaks is the host's.
    session.flush()
    with translated_errors(connection):
        write_owners(run, [name])


def find_in_session(session: AnySession, key: str, *, table: NameTable) -> NameRow | None:
    """The row of this key as the host's transaction sees it.

    Raises:
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    connection = connect(plain_session(session), table.bind, table, writes=False)
    place = (table.namespace, key)
    with translated_errors(connection):
        found = read(HostRun(connection), {place})
    return found.get(place)


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
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    session, connection = enter(session, owner=owner, kind=kind, table=table)
    _have_identity(session, owner)
    claim, place = _claim(username, identify(owner, kind), table), (table.namespace, old.key)
    with translated_errors(connection), lock_timeout(connection) as run:
        row = read(run, {place}).get(place)
        if row is None or not _owns(claim, row, old):
            return None
        outcome = apply_rename(run, Rename(claim, row, rest))
        if outcome is None:
            raise RowVanished(old.key)
        announce_later(session, run.noted)
    freed(session, [replace(row, version=row.version + 1)])
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
    """Release one name, or all names of an owner, in the host's transaction.

    Returns:
        How many names were freed.

    Raises:
        OwnerWithoutIdentity: There is an owner, and it has no identity.
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    session, connection = enter(session, owner=owner, kind=kind, table=table)
    _have_identity(session, owner)
    who = None if owner is None else identify(owner, kind)
    where, params = _chosen(username, who, table)
    with translated_errors(connection), lock_timeout(connection) as run:
        rows = release_where(run, where, params, rest)
        announce_later(session, run.noted)
    freed(session, rows)
    return len(rows)


def _have_identity(session: Session, owner: object) -> None:
    state = instance_state(owner)
    if state is not None and not state.has_identity:
        session.flush()


def _claim(username: Username, who: Owner, table: NameTable) -> Claim:
    return Claim(username, who.kind, who.id, secrets.token_urlsafe(12), table.namespace)


def _owns(claim: Claim, row: NameRow, old: Username) -> bool:
    """Whether the row is of exactly this old name, and whoever claims another one has it."""
    is_hers = row.state == "owned" and row.is_of(claim.owner_kind, claim.owner)
    return is_hers and row.canonical == old.canonical


def _chosen(
    username: Username | None, who: Owner | None, table: NameTable
) -> tuple[str, dict[str, object]]:
    where, params = "namespace = :namespace", dict[str, object](namespace=table.namespace)
    if username is not None:
        # The key says whether a name is free, never whose it is.
        where += f" AND name_key = :key AND {CANONICAL.format('')} = :canonical"
        params |= {"key": username.key, "canonical": username.canonical}
    if who is not None:
        where += f" AND {OF_OWNER}"
        params |= {"owner_kind": who.kind, "owner": who.id}
    return where, params
