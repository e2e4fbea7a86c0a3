"""Every database that dibs runs on, once: tests, races and benchmarks go over this list."""

import secrets
import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from dibs.names import Lookalikes, Parser
from dibs.store import Budget
from dibs.store.database.dialects.base import Pooled
from dibs.store.database.engine import connect
from dibs.store.database.transactions import Transactions
from dibs.store.names.store import NameStore
from dibs.store.schema import upgrade
from tests.services import MariaDBServer, PostgresServer, Server
from tests.services.tools import new_folder
from tests.support.verified import unspoilt

TABLES = (
    "dibs_invitations",
    "dibs_events",
    "dibs_recoveries",
    "dibs_restores",
    "dibs_figures",
    "dibs_history",
    "dibs_members",
    "dibs_teams",
    "dibs_sessions",
    "dibs_requests",
    "dibs_names",
    "dibs_users",
)


class Backend(ABC):
    """A kind of database; what it needs is started when it is first asked for."""

    name: str

    @abstractmethod
    def empty(self) -> str:
        """Makes an empty database; returns its URL."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Removes a database that `empty` or `migrated` made."""

    @abstractmethod
    def execute(self, sql: str, url: str) -> list[tuple[Any, ...]]:
        """Runs one statement, with every right there is, committed; returns its rows."""

    @abstractmethod
    def clear(self, tables: Iterable[str], url: str) -> None:
        """Deletes all rows of some tables, in this order."""

    @abstractmethod
    def close(self) -> None:
        """Ends whatever was started."""

    def migrated(self) -> str:
        """Makes a database with the tables of dibs, empty; returns its URL."""
        url = self.empty()
        upgrade(url)
        return url

    def shared(self) -> str:
        """Returns the URL of a database that is emptied, not made, each time: quicker."""
        return unspoilt(self.migrated())

    def __repr__(self) -> str:
        return self.name


class Embedded(Backend):
    """SQLite, in files of a temporary folder."""

    name = "sqlite"

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._template: str | None = None
        self._made = 0

    def empty(self) -> str:
        self._folder = self._folder or new_folder("dibs-sqlite-")
        self._made += 1
        return f"sqlite:///{self._folder}/{self._made}.db"

    def migrated(self) -> str:
        if self._template is None:
            self._template = super().migrated()
        url = self.empty()
        shutil.copy(path_of(self._template), path_of(url))
        return url

    def drop(self, url: str) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(path_of(url) + suffix).unlink(missing_ok=True)

    def execute(self, sql: str, url: str) -> list[tuple[Any, ...]]:
        engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            result = connection.execute(text(sql))
            return [tuple(row) for row in result] if result.returns_rows else []

    def clear(self, tables: Iterable[str], url: str) -> None:
        with closing(sqlite3.connect(path_of(url))) as connection, connection:
            for table in tables:
                connection.execute(f"DELETE FROM {table}")

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder)
        self._folder = self._template = None


class Served(Backend):
    """A server of its own, shared by all tests that leave it running."""

    def __init__(self, kind: type[Server]) -> None:
        self.kind = kind
        self.name = kind.name
        self._server: Server | None = None
        self._template: str | None = None
        self._shared: str | None = None

    @property
    def server(self) -> Server:
        """The server, running."""
        if self._server is None:
            self._server = self.kind().start()
        return self._server

    def empty(self) -> str:
        return self.server.create_database()

    def migrated(self) -> str:
        if self._template is None:
            self._template = super().migrated()
        url = self.server.copy_database(self._template)
        # What one service seals is nothing to another.
        self.execute(f"UPDATE dibs_meta SET secret = '{secrets.token_hex(32)}'", url)
        return url

    def drop(self, url: str) -> None:
        self.server.drop_database(url)

    def shared(self) -> str:
        if self._shared is None:
            self._shared = unspoilt(self.migrated())
        self.clear(TABLES, self._shared)
        return self._shared

    def execute(self, sql: str, url: str) -> list[tuple[Any, ...]]:
        return self.server.execute(sql, url)

    def clear(self, tables: Iterable[str], url: str) -> None:
        self.server.empty_tables(tables, url)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = self._template = self._shared = None


SQLITE, POSTGRESQL, MARIADB = Embedded(), Served(PostgresServer), Served(MariaDBServer)
BACKENDS: tuple[Backend, ...] = (SQLITE, POSTGRESQL, MARIADB)
SERVED = tuple(backend for backend in BACKENDS if isinstance(backend, Served))


def path_of(url: str) -> str:
    """The file of an SQLite URL."""
    return url.removeprefix("sqlite:///")


def open_store(
    url: str,
    *,
    budget: Budget | None = None,
    pool_size: int = 8,
    pooled: Pooled = "auto",
    lookalikes: Lookalikes = "standard",
) -> NameStore:
    """A store as the service makes it."""
    budget = budget or Budget()
    engine = connect(url, budget=budget, pool_size=pool_size, pooled=pooled)
    return NameStore(
        Transactions(engine, budget), parser=Parser(lookalikes=lookalikes), grouped=True
    )
