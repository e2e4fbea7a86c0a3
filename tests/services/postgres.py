"""PostgreSQL for tests."""

import signal
from typing import Any

import psycopg
from sqlalchemy import make_url

from .base import Server
from .tools import option_value, program


class PostgresServer(Server):
    """A PostgreSQL server of the newest version that is installed.

    Databases are UTF-8, compared by bytes by default, and belong to the role
    `dibs`. Settings are `postgresql.conf` parameters, such as
    `default_transaction_isolation="serializable"`.
    """

    name = "postgresql"
    accounts = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # The "fast" stop: connections are broken off.

    def drop_database(self, url: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with self._connect(database or "postgres") as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            dbname=database if "://" not in database else make_url(database).database,
            connect_timeout=10,
            autocommit=True,
        )

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
        self.execute(f'CREATE DATABASE "{database}" OWNER dibs TEMPLATE "{template}"')

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://dibs:dibs@127.0.0.1:{self.port}/{database}"

    def _is_ready(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True


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
