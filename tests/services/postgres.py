"""PostgreSQL for tests."""

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import make_url

from .base import Server
from .tools import Setting, option_value, program

Administrator = psycopg.Connection[tuple[Any, ...]]
"""A connection that may do everything."""


class PostgresServer(Server):
    """A PostgreSQL server of the newest version that is installed.

    Databases are UTF-8, compared by bytes by default, and belong to the role
    `dibs`. Settings are `postgresql.conf` parameters, such as
    `default_transaction_isolation="serializable"`.
    """

    name = "postgresql"
    accounts = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # The "fast" stop: connections are broken off.

    def __init__(self, **settings: Setting) -> None:
        super().__init__(**settings)
        self._kept: dict[str, Administrator] = {}
        self._keeping, self._keeper = threading.Lock(), os.getpid()

    def drop_database(self, url: str) -> None:
        self._let_go(_name_of(url))
        self.execute(f'DROP DATABASE IF EXISTS "{_name_of(url)}" WITH (FORCE)')

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with self._lent(database or "postgres") as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> Administrator:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname=_name_of(database),
            connect_timeout=10,
            autocommit=True,
            prepare_threshold=None,
        )

    @contextmanager
    def _lent(self, database: str) -> Iterator[Administrator]:
        """The connection of last time, as if it were new: that costs 30 ms of processor time."""
        is_alone = os.getpid() == self._keeper and self._keeping.acquire(blocking=False)
        if not is_alone:
            with self._connect(database) as connection:
                yield connection
            return
        try:
            connection = self._keep(_name_of(database))
            yield connection
            connection.execute("DISCARD ALL")
        except BaseException:
            self._let_go(_name_of(database))
            raise
        finally:
            self._keeping.release()

    def _keep(self, name: str) -> Administrator:
        """One for the server's databases, and one for the database that was asked last."""
        for other in self._kept.keys() - {name, "postgres"}:
            self._let_go(other)
        found = self._kept.get(name)
        # Of one that was ended, by a test or with the server, there is something to be read.
        if found is None or found.closed or select.select([found.fileno()], [], [], 0)[0]:
            self._let_go(name)
            self._kept[name] = found = self._connect(name)
        return found

    def _let_go(self, name: str) -> None:
        if (connection := self._kept.pop(name, None)) is not None:
            connection.close()

    def _forget_process(self) -> None:
        super()._forget_process()
        for name in list(self._kept):
            self._let_go(name)

    def _initialise(self) -> None:
        options = "--auth=trust --username=postgres --encoding=UTF8 --locale=C"
        # Only the making of the empty cluster goes without fsync.
        options += " --no-sync --no-instructions"
        self._run([_program("initdb"), *options.split(), "--pgdata", f"{self.folder}/data"])

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **self.settings,
            "port": self.port,
        }
        options = [f"--{name}={option_value(value)}" for name, value in settings.items()]
        data = f"{self.folder}/data"
        return [_program("postgres"), "-D", data, *options]

    def _create(self, database: str) -> None:
        known = self.execute("SELECT 1 FROM pg_roles WHERE rolname = 'dibs'")
        if not known:
            self.execute("CREATE ROLE dibs LOGIN PASSWORD 'dibs'")
        self.execute(f'CREATE DATABASE "{database}" OWNER dibs')

    def _copy(self, template: str, database: str) -> None:
        self._let_go(template)
        self.execute(f'CREATE DATABASE "{database}" OWNER dibs TEMPLATE "{template}"')

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://dibs:dibs@127.0.0.1:{self.port}/{database}"

    def _is_ready(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


def _name_of(database: str) -> str:
    """The name of a database that is named or told by its URL."""
    return str(make_url(database).database) if "://" in database else database


def _program(name: str) -> str:
    return program(name, f"/usr/lib/postgresql/*/bin/{name}")


class Standby(PostgresServer):
    """Follows a running server, and takes no writes before it is promoted."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary.port

    def _initialise(self) -> None:
        where = f"--host=127.0.0.1 --port={self._primary} --username=postgres".split()
        how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"]
        self._run([_program("pg_basebackup"), *where, *how, f"{self.folder}/data"])
