"""SQLite 3.35 or newer: the embedded default."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from dibs.context import Budget
from dibs.signals import NameChange
from dibs.store.database.dialects.base import Dialect, Inserted, Run, insert_params
from dibs.store.records import Claim


class SQLite(Dialect):
    """One file, one writer at a time, many readers."""

    # unixepoch('subsec') would be plainer and needs 3.42; Debian 12 has 3.40.
    clock = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    # A transaction that begins as a reader and then writes fails at once when
    # another one wrote in between (https://www.sqlite.org/isolation.html).
    begin = "BEGIN IMMEDIATE"
    one_writer = True

    @staticmethod
    def has_undone(error: BaseException | None) -> bool:
        """Always: what it refuses at COMMIT, for instance on a full disk, is not there."""
        del error
        return True

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        return {"connect_args": {"timeout": budget.lock}}

    @staticmethod
    def listen(engine: Engine, budget: Budget) -> None:
        del budget
        path = engine.url.database or ""

        @event.listens_for(engine, "do_connect")
        def private(dialect: object, record: object, args: object, kwargs: object) -> None:
            del dialect, record, args, kwargs
            # SQLite would let everybody read a new file, with its hashes and secret.
            if path and not path.startswith((":", "file:")):
                with suppress(OSError):
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))

        @event.listens_for(engine, "connect")
        def durable(connection: Any, record: ConnectionPoolEntry) -> None:
            record.info["file"] = _file_at(path)
            connection.execute("PRAGMA journal_mode = WAL").close()
            # Under WAL, NORMAL may lose acknowledged commits when the power fails.
            connection.execute("PRAGMA synchronous = FULL").close()

        @event.listens_for(engine, "checkout")
        def same_file(connection: object, record: ConnectionPoolEntry, proxy: object) -> None:
            del connection, proxy
            # SQLite goes on writing to a file that was deleted or replaced, and two
            # workers on two files would each give a name away.
            if record.info["file"] != _file_at(path):
                raise DisconnectionError

    @staticmethod
    def unindexed(column: str) -> str:
        # Else the primary key is chosen, for its first column, and all of a namespace is read
        # (https://www.sqlite.org/optoverview.html, "Disqualifying WHERE clause terms").
        return f"+{column}"

    @classmethod
    def lock_where(cls, where: str) -> str:
        # A host's transaction that reads first and writes then fails when another one wrote
        # in between; this writes, and changes nothing.
        return f"UPDATE dibs_names SET version = version WHERE {where} RETURNING {cls.seen()}"

    @classmethod
    def insert_names(
        cls,
        run: Run,
        claims: Sequence[Claim],
        news: Sequence[NameChange],
        *,
        told: bool,
        patient: bool,
    ) -> Inserted:
        del patient  # there are no row locks: who is in here writes alone
        return insert_returning(cls, run, claims, news, told=told)

    @staticmethod
    def collations(connection: Connection) -> dict[str, str]:
        indexes = connection.execute(text("PRAGMA index_list('dibs_names')")).all()
        found = [row.name for row in indexes if row.origin == "pk"]
        if not found:
            return {}
        columns = connection.execute(text(f"PRAGMA index_xinfo('{found[0]}')")).all()
        return {row.name: row.coll for row in columns if row.key}

    @staticmethod
    def is_bytewise(collation: str) -> bool:
        return collation == "BINARY"


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def insert_returning(
    dialect: type[Dialect],
    run: Run,
    claims: Sequence[Claim],
    news: Sequence[NameChange],
    *,
    told: bool,
) -> Inserted:
    """Insert and learn from the same statement whose rows they are."""
    sql = dialect.insert(len(claims), told=told) + " RETURNING claim_token"
    params = insert_params(claims, news, told=told)
    return Inserted({row[0] for row in run.rows(sql, params)}, {})
