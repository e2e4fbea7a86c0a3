"""Claims inside a host's own transaction: the host's connection, the host's COMMIT.

Nothing here begins or commits, sets a SAVEPOINT or tries again. A name that is
refused leaves the host's transaction as it was. When the database refuses a
statement, the transaction is undone at once, and from then on SQLAlchemy
accepts nothing but a rollback.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.pool import Pool

from dibs.errors import ConfigError, SchemaError, StoreUnavailable
from dibs.names import Username
from dibs.store import schema
from dibs.store.announcing import announce_later
from dibs.store.claims import decide, read
from dibs.store.dialects import Dialect, dialect_for
from dibs.store.freed import freed
from dibs.store.guard import UPGRADE, HostStatements, bounded, told_apart
from dibs.store.locks import RowVanished
from dibs.store.models import meta, names
from dibs.store.owners import bind_of, identify, session_of, state_of, write_to
from dibs.store.records import Claim, NameRow, Outcome
from dibs.store.releases import Rest, release_where
from dibs.store.renames import Rename, rename
from dibs.store.violations import Kind, classify

__all__ = [
    "AnySession",
    "claim_in_session",
    "find_in_session",
    "release_in_session",
    "rename_in_session",
    "write_to",
]

AnySession = Session | scoped_session[Any]
Bind = Mapping[str, Any]

# By pool, which an engine shares with its copies that have other execution options.
_verified: WeakSet[Pool] = WeakSet()
_holding: WeakSet[Pool] = WeakSet()


@dataclass(frozen=True, slots=True)
class Home:
    """Where a host keeps its names.

    Attributes:
        namespace: Names are unique within one.
        bind: `bind_arguments` that choose the database.
        rules_version: The one that names are parsed by.
    """

    namespace: str
    bind: Bind
    rules_version: int


# --- what a host can ask for ---------------------------------------------------


def claim_in_session(
    session: AnySession,
    username: Username,
    *,
    owner: object,
    kind: str | None,
    home: Home,
) -> Outcome:
    """Try to take the name in the host's transaction, which goes on whatever the answer is.

    Args:
        session: Used unless the owner lives in another one.
        username: The parsed name.
        owner: A mapped instance, or a plain id.
        kind: What a plain id is of.
        home: Where names are kept; a mapped owner's own database goes before its `bind`.

    Raises:
        OwnerWithoutIdentity: The name would be nobody's.
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    session, bind = _at(session, owner, kind, home.bind)
    connection = connect(session, bind, home.rules_version)
    # Outside of any `try` of ours: a constraint of the host's that this breaks is the host's.
    session.flush()
    who = identify(owner, kind)
    claim = Claim(username, who.kind, who.id, secrets.token_hex(16), home.namespace)
    with told_apart(connection), bounded(connection) as run:
        outcome = decide(run, _dialect(connection), [claim])[0]
        announce_later(session, run.noted)
        return outcome


def find_in_session(session: AnySession, key: str, *, home: Home) -> NameRow | None:
    """The row of this key as the host's transaction sees it.

    Raises:
        TransactionMustRestart: The transaction lost; only a rollback is accepted.
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    connection = connect(_plain(session), home.bind, home.rules_version, writes=False)
    place = (home.namespace, key)
    with told_apart(connection):
        found = read(HostStatements(connection), _dialect(connection), {place})
    return found.get(place)


def rename_in_session(
    session: AnySession,
    username: Username,
    old: Username,
    *,
    owner: object,
    kind: str | None,
    rest: Rest,
    home: Home,
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
    session, bind = _at(session, owner, kind, home.bind)
    connection = connect(session, bind, home.rules_version)
    session.flush()
    who, place = identify(owner, kind), (home.namespace, old.key)
    claim = Claim(username, who.kind, who.id, secrets.token_hex(16), home.namespace)
    with told_apart(connection), bounded(connection) as run:
        row = read(run, _dialect(connection), {place}).get(place)
        if row is None or row.state != "owned" or not row.is_of(who.kind, who.id):
            return None
        if row.canonical != old.canonical:
            return None
        outcome = rename(run, _dialect(connection), Rename(claim, row, rest))
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
    rest: Rest,
    home: Home,
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
    session, bind = _at(session, owner, kind, home.bind)
    connection = connect(session, bind, home.rules_version)
    session.flush()
    where, params = "namespace = :namespace", {"namespace": home.namespace}
    if username is not None:
        # The key says whether a name is free, never whose it is.
        where += " AND name_key = :key AND canonical = :canonical"
        params |= {"key": username.key, "canonical": username.canonical}
    if owner is not None:
        who = identify(owner, kind)
        where += " AND owner_kind = :owner_kind AND owner = :owner"
        params |= {"owner_kind": who.kind, "owner": who.id}
    with told_apart(connection), bounded(connection) as run:
        rows = release_where(run, _dialect(connection), where, params, rest)
        announce_later(session, run.noted)
    freed(session, rows)
    return len(rows)


# --- the host's connection -----------------------------------------------------


def connect(session: Session, bind: Bind, rules_version: int, *, writes: bool = True) -> Connection:
    """The connection of the host's transaction, to a database known to be set up.

    It is asked for before the host's flush, so that a server that is away is
    told as what it is.

    Args:
        session: The host's.
        bind: `bind_arguments` that choose the database.
        rules_version: The one that names are parsed by.
        writes: Whether something may be written.

    Raises:
        StoreUnavailable: The database cannot answer.
        SchemaError: The database is not set up for dibs.
    """
    try:
        connection = session.connection(bind_arguments=dict(bind))
    except PoolTimeout as error:
        raise StoreUnavailable from error
    except DBAPIError as error:
        if classify(error) is not Kind.AWAY:
            raise
        raise StoreUnavailable from error
    if connection.engine.pool not in _verified:
        with told_apart(connection):
            _verify(connection, rules_version, writes)
    return connection


def verify(connection: Connection, rules_version: int) -> None:
    """See that a host's database is as dibs needs it.

    Raises:
        SchemaError: It is not; the message names the command that mends it.
    """
    try:
        schema.verify(connection, rules_version)
    except SchemaError as error:
        raise SchemaError(str(error).replace(f"`{schema.UPGRADE}`", f"`{UPGRADE}`")) from error


def engine_of(session: AnySession, bind: Bind) -> Engine:
    """The engine to which these `bind_arguments` lead."""
    return _plain(session).get_bind(**bind).engine


def has_names(connection: Connection) -> bool:
    """Whether this database holds names at all; a host may have others."""
    pool = connection.engine.pool
    if pool not in _holding and inspect(connection).has_table(names.name):
        _holding.add(pool)
    return pool in _holding


def _at(
    session: AnySession, owner: object | None, kind: str | None, bind: Bind
) -> tuple[Session, Bind]:
    """The session and the database in which the owner's own row lives."""
    state = state_of(owner, kind) if owner is not None else None
    here = session_of(state) or _plain(session)
    if state is None:
        return here, bind
    theirs = bind_of(state.mapper)
    if here.get_bind(**theirs).engine.url != here.get_bind(**bind).engine.url:
        raise ConfigError(
            f"{state.mapper.class_.__name__} lives in another database than the names, and one"
            " constraint cannot span two: give Dibs the metadata of the owners' database"
        )
    return here, theirs


def _plain(session: AnySession) -> Session:
    return session() if isinstance(session, scoped_session) else session


def _verify(connection: Connection, rules_version: int, writes: bool) -> None:
    """On the host's own connection: a second one could be the same one, as in StaticPool."""
    empty = _lacks_rules(connection)
    if empty and not writes:
        return  # nothing was ever claimed here
    if empty:
        _write_rules(connection, rules_version)
    verify(connection, rules_version)
    if not empty:  # or it may be rolled back
        _verified.add(connection.engine.pool)
        _holding.add(connection.engine.pool)


def _lacks_rules(connection: Connection) -> bool:
    """Whether the tables were made by a host's own migrations, which write no rows."""
    if not inspect(connection).has_table(meta.name):
        return False
    return connection.execute(select(meta.c.id)).first() is None


def _write_rules(connection: Connection, rules_version: int) -> None:
    sql = "INSERT INTO dibs_meta (id, rules_version, secret) VALUES (1, :version, :secret) "
    params = {"version": rules_version, "secret": secrets.token_hex(32)}
    with bounded(connection) as run:
        run.change(sql + _dialect(connection).pass_over("id"), params)


def _dialect(connection: Connection) -> type[Dialect]:
    return dialect_for(connection.dialect.name)
