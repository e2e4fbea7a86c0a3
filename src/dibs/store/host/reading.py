"""What a host's transaction sees of names: who has one, what an owner has, what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from dibs.names import Username
from dibs.store.database.dialects.base import name_row
from dibs.store.host.connection import (
    AnySession,
    HostRun,
    NameTable,
    connect,
    plain_session,
    translated_errors,
)
from dibs.store.host.owners import Owner
from dibs.store.names.companions import resolved
from dibs.store.names.groups import holders
from dibs.store.names.history import PastChange, read_history
from dibs.store.names.quarantine import OF_OWNER
from dibs.store.names.reading import read
from dibs.store.records import NameRow


@contextmanager
def reading(session: AnySession, table: NameTable) -> Iterator[HostRun]:
    """Sends statements that read, in the host's transaction."""
    connection = connect(plain_session(session), table.bind, table, writes=False)
    with translated_errors(connection):
        yield HostRun(connection)


def rows_in_session(
    session: AnySession, keys: Sequence[str], *, table: NameTable
) -> Mapping[str, NameRow]:
    """The rows of these keys, by key; a key that was never claimed is left out."""
    if not keys:
        return {}
    with reading(session, table) as run:
        return _find(run, keys, table)


def holders_in_session(
    session: AnySession, username: Username, keys: Sequence[str], *, table: NameTable
) -> list[NameRow]:
    """The rows of these keys, as far as this name may mean them; see `holders`."""
    with reading(session, table) as run:
        return held_by(run, username, keys, table)


def held_by(
    run: HostRun, username: Username, keys: Sequence[str], table: NameTable
) -> list[NameRow]:
    """The same, by a transaction that goes on."""
    return holders(partial(_find, run, table=table), username, keys)


def _find(run: HostRun, keys: Sequence[str], table: NameTable) -> Mapping[str, NameRow]:
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


def history_in_session(
    session: AnySession, key: str, *, limit: int, table: NameTable
) -> list[PastChange]:
    """The newest changes of a name and of those that look like it, newest first."""
    with reading(session, table) as run:
        return read_history(run, table.namespace, key, limit=limit)
