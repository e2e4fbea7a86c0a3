"""MariaDB for tests."""

import socket
from typing import Any

import pymysql
from sqlalchemy import make_url

from .base import Server
from .tools import option_value, program


class MariaDBServer(Server):
    """A MariaDB server without any configuration file.

    Databases are utf8mb4 and belong to the user `dibs`. Settings are `mariadbd`
    options with underscores, such as `innodb_lock_wait_timeout=1`.
    """

    name = "mariadb"
    accounts = ("mysql", "nobody")

    def drop_database(self, url: str) -> None:
        database = make_url(url).database
        # DROP would wait for their transactions, for ever if need be.
        rows = self.execute(f"SELECT id FROM information_schema.processlist WHERE db='{database}'")
        for (connection,) in rows:
            self._kill_connection(connection)
        self.execute(f"DROP DATABASE IF EXISTS `{database}`")

    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        with self._connect(database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _connect(self, database: str | None = None) -> "pymysql.Connection[Any]":
        # The socket is the administrator's alone; root has no account over TCP.
        return pymysql.connect(
            unix_socket=self.socket_path,
            user="root",
            database=make_url(database).database if database and "://" in database else database,
            connect_timeout=10,
            autocommit=True,
            # For TLS, which a socket has no use for, it would read the system's certificates
            # each time: 27 ms of processor time.
            ssl_disabled=True,
        )

    def _kill_connection(self, connection: int) -> None:
        try:
            self.execute(f"KILL {connection}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != pymysql.constants.ER.NO_SUCH_THREAD:
                raise

    @property
    def socket_path(self) -> str:
        return f"{self.folder}/s"  # Short: a socket's path ends at 107 bytes.

    def _initialise(self) -> None:
        options = "--no-defaults --auth-root-authentication-method=normal"
        options += " --skip-test-db --skip-name-resolve"
        tool = program("mariadb-install-db", "/usr/bin/mariadb-install-db")
        self._run([tool, *options.split(), f"--datadir={self.folder}/data"])

    def _command(self) -> list[str]:
        settings = {
            "bind_address": "127.0.0.1",
            "skip_name_resolve": True,
            **self.settings,
            "port": self.port,
        }
        options = [f"--{name}={option_value(value)}" for name, value in settings.items()]
        places = [f"--datadir={self.folder}/data", f"--socket={self.socket_path}"]
        return [program("mariadbd", "/usr/sbin/mariadbd"), "--no-defaults", *places, *options]

    def _create(self, database: str) -> None:
        self.execute("CREATE USER IF NOT EXISTS dibs@'127.0.0.1' IDENTIFIED BY 'dibs'")
        self.execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
        self.execute(f"GRANT ALL ON `{database}`.* TO dibs@'127.0.0.1'")

    def _copy(self, template: str, database: str) -> None:
        self._create(database)
        with self._connect(database) as connection, connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0")  # whichever table comes first
            cursor.execute(f"SHOW TABLES IN `{template}`")
            for (table,) in cursor.fetchall():
                # CREATE TABLE ... LIKE leaves foreign keys out.
                cursor.execute(f"SHOW CREATE TABLE `{template}`.`{table}`")
                cursor.execute(cursor.fetchall()[0][1])
                cursor.execute(f"INSERT INTO `{table}` SELECT * FROM `{template}`.`{table}`")

    def _url(self, database: str) -> str:
        return f"mysql+pymysql://dibs:dibs@127.0.0.1:{self.port}/{database}"

    def _is_ready(self) -> bool:
        try:
            # PyMySQL leaves its socket open when nobody listens yet.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(self.socket_path)
            self._connect().close()
        except (OSError, pymysql.err.OperationalError):
            return False
        return True
