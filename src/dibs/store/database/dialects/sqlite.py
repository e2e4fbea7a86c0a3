"""SQLite 3.35 or newer: the embedded default."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import VARCHAR, event, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from dibs.context import Budget
from dibs.errors import ConfigError
from dibs.store.database.dialects.base import UPGRADE, Dialect, Kind, Pooled

KEYS = ("cached_statements", "check_same_thread", "detect_types", "isolation_level", "timeout")

# Extended codes first, then the primary code in the low byte: https://www.sqlite.org/rescode.html
MEANINGS = {
    # SQLITE_ERROR, the answer to a statement that does not fit the tables. Ours are
    # fixed and tested, so the tables are what is missing or too old.
    1: Kind.SCHEMA,
    1299: Kind.SCHEMA,  # SQLITE_CONSTRAINT_NOTNULL: a column that is not ours
    2067: Kind.UNIQUE,  # SQLITE_CONSTRAINT_UNIQUE
    1555: Kind.UNIQUE,  # SQLITE_CONSTRAINT_PRIMARYKEY
    275: Kind.REFUSED,  # SQLITE_CONSTRAINT_CHECK
    787: Kind.REFUSED,  # SQLITE_CONSTRAINT_FOREIGNKEY
    1811: Kind.REFUSED,  # SQLITE_CONSTRAINT_TRIGGER
    5: Kind.RESTART,  # SQLITE_BUSY
    6: Kind.RESTART,  # SQLITE_LOCKED
    7: Kind.AWAY,  # SQLITE_NOMEM
    8: Kind.AWAY,  # SQLITE_READONLY
    9: Kind.AWAY,  # SQLITE_INTERRUPT
    10: Kind.AWAY,  # SQLITE_IOERR
    11: Kind.AWAY,  # SQLITE_CORRUPT
    13: Kind.AWAY,  # SQLITE_FULL
    14: Kind.AWAY,  # SQLITE_CANTOPEN
    15: Kind.RESTART,  # SQLITE_PROTOCOL: a lost race for the WAL's lock
    26: Kind.AWAY,  # SQLITE_NOTADB
}


class SQLite(Dialect):
    """One file, one writer at a time, many readers; who is in there waits for no row's lock."""

    names, driver, bytewise = ("sqlite",), "pysqlite", ("BINARY",)
    # unixepoch('subsec') would be plainer and needs 3.42; Debian 12 has 3.40.
    clock = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    # A transaction that begins as a reader and then writes fails at once when
    # another one wrote in between (https://www.sqlite.org/isolation.html).
    begin = "BEGIN IMMEDIATE"
    one_writer, at_once = True, 250

    @staticmethod
    def refuse_unshared(url: URL) -> None:
        if url.database in (None, "", ":memory:"):
            raise ConfigError(
                "DIBS_DATABASE_URL names an SQLite database in memory, which workers"
                " cannot share; give it a file, as in sqlite:///dibs.db"
            )

    @staticmethod
    def refuse_no_folder(url: URL) -> None:
        """It makes a file and no folder, and would say 503 for ever."""
        file = url.database or ""
        folder = Path(file).absolute().parent
        if not file.startswith("file:") and not folder.is_dir():
            raise ConfigError(
                f"DIBS_DATABASE_URL names a file in {folder}, and there is no such folder; make it"
            )

    @staticmethod
    def missing_file(url: URL) -> str | None:
        file = url.database or ":memory:"
        if file == ":memory:" or file.startswith("file:") or Path(file).exists():
            return None
        return file

    @classmethod
    def keys(cls, url: URL) -> Container[str] | None:
        # Those of a URI are SQLite's, which passes over what it does not know.
        return None if "uri" in url.query else KEYS

    @staticmethod
    def engine_options(budget: Budget) -> dict[str, Any]:
        return {"connect_args": {"timeout": budget.lock}}

    @staticmethod
    def listen(engine: Engine, budget: Budget, pooled: Pooled) -> None:
        path = engine.url.database or ""

        @event.listens_for(engine, "do_connect")
        def private(dialect: object, record: object, args: object, kwargs: object) -> None:
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
            # SQLite goes on writing to a file that was deleted or replaced, and two
            # workers on two files would each give a name away.
            if record.info["file"] != _file_at(path):
                raise DisconnectionError

    @classmethod
    def listen_unbounded(cls, engine: Engine) -> None:
        cls.listen(engine, Budget(), "no")  # a file is WAL from its first day

    @staticmethod
    def release_locks(connection: Any) -> None:
        # A closed connection is kept, locks and all, until its last cursor is gone
        # (https://www.sqlite.org/c3ref/close.html), and the error that is raised holds one.
        if isinstance(connection, sqlite3.Connection):
            with suppress(sqlite3.Error):
                connection.rollback()

    @staticmethod
    def show_statements(connection: Any, seen: Callable[[str], None]) -> None:
        connection.set_trace_callback(seen)

    @staticmethod
    @contextmanager
    def any_text(connection: Connection) -> Iterator[None]:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            yield
            return
        before, driver.text_factory = driver.text_factory, _as_text
        try:
            yield
        finally:
            driver.text_factory = before

    @classmethod
    def meaning(cls, error: BaseException) -> Kind:
        code = getattr(error, "sqlite_errorcode", None)
        if not isinstance(code, int):
            return Kind.OTHER
        return MEANINGS.get(code) or MEANINGS.get(code & 0xFF, Kind.OTHER)

    @staticmethod
    def has_undone(error: BaseException | None) -> bool:
        """Always: what it refuses at COMMIT, for instance on a full disk, is not there."""
        return True

    @classmethod
    @contextmanager
    def bounded(cls, connection: Connection, budget: Budget) -> Iterator[None]:
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            yield
            return
        # Past SQLAlchemy, for which that would be a transaction.
        theirs, ours = driver.execute("PRAGMA busy_timeout").fetchone()[0], 1000 * budget.lock
        driver.execute(f"PRAGMA busy_timeout = {min(theirs, round(ours))}").close()
        try:
            yield
        finally:
            with suppress(sqlite3.Error):  # it may be closed by now
                driver.execute(f"PRAGMA busy_timeout = {theirs}").close()

    @staticmethod
    def begin_on(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        if not connection.in_transaction():
            connection.begin()
        if isinstance(driver, sqlite3.Connection) and driver.in_transaction:
            # A host's own listener has begun, as SQLAlchemy's documentation has it, and a
            # transaction that begins as a reader fails when another one wrote in between.
            driver.rollback()
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @staticmethod
    def commits_at_once(connection: Any) -> bool:
        if not isinstance(connection, sqlite3.Connection) or connection.in_transaction:
            return False
        return connection.isolation_level is None

    @staticmethod
    def is_lent(connection: Any) -> bool:
        return isinstance(connection, sqlite3.Connection) and connection.in_transaction

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

    lock_rows = lock_where

    @staticmethod
    def product(engine: Engine) -> str:
        return "SQLite"

    @staticmethod
    def byte_text(length: int) -> VARCHAR:
        return VARCHAR(length, collation="BINARY")

    @staticmethod
    def collations(connection: Connection) -> dict[str, str]:
        indexes = connection.execute(text("PRAGMA index_list('dibs_names')")).all()
        found = [row.name for row in indexes if row.origin == "pk"]
        if not found:
            return {}
        columns = connection.execute(text(f"PRAGMA index_xinfo('{found[0]}')")).all()
        return {row.name: row.coll for row in columns if row.key}

    @staticmethod
    def mend_collation(column: str, kind: str) -> str:
        del column, kind  # there is no ALTER COLUMN
        return f"copy the rows to a new file that `{UPGRADE}` made."


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _as_text(raw: bytes) -> str:
    """What SQLite holds as text is whatever was put there, half characters too."""
    return raw.decode("utf-8", "surrogateescape")
