"""What the servers have in common: a folder, a port, a life and databases."""

import os
import pwd
import secrets
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from sqlalchemy import make_url

from . import processes
from .tools import ServerFailed, Setting, free_port, new_folder

_START_S, _STOP_S = 60.0, 30.0


class Daemon(ABC):
    """One server program in a temporary folder, on 127.0.0.1. Its port never changes.

    Args:
        settings: Server settings by name, for the command line. Those given to
            `start` and `restart` are added, and stay.
    """

    name: ClassVar[str]
    #: Who runs the server when the tests run as root, in order of preference.
    accounts: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, **settings: Setting) -> None:
        self.settings = settings
        self.port = free_port()
        self._folder: Path | None = None
        self._guard: processes.Guard | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # A server's life.

    def start(self, **settings: Setting) -> Self:
        """Starts the server and waits until it answers; returns itself.

        Raises:
            ServiceMissing: Its programs are not installed.
            ServerFailed: It did not come up; the end of its log is in the message.
        """
        if self._process is not None:
            raise RuntimeError(f"{self.name} runs already")
        self.settings |= settings
        if self._folder is None:
            self._make_folder()
        with (self.folder / "server.log").open("ab") as log:
            self._process = self._popen(self._command(), log)
        assert self._guard is not None
        self._guard.watch(self._process.pid)
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Stops the server cleanly, breaking off its connections. Does nothing if stopped."""
        if self._process is None:
            return
        self.thaw()
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            processes.kill(self._process.pid)
        self._forget_process()

    def kill(self) -> None:
        """Ends all of the server's processes with SIGKILL, as a crash would."""
        if self._process is not None:
            processes.kill(self._process.pid)
            self._forget_process()

    def restart(self, **settings: Setting) -> Self:
        """Stops and starts; see `start`."""
        self.stop()
        return self.start(**settings)

    def freeze(self) -> None:
        """Stops every process of the server in its tracks; connections stay open."""
        processes.freeze(self._running().pid)

    def thaw(self) -> None:
        """Lets a frozen server go on. Does nothing if it is not frozen."""
        processes.thaw(self._running().pid)

    def close(self) -> None:
        """Stops the server and removes its folder with all data. May be called again."""
        self.stop()
        if self._guard is not None:
            self._guard.release()
        self._guard = self._folder = None

    @staticmethod
    def url_via(url: str, port: int) -> str:
        """Returns the same URL through another port, such as a proxy's."""
        return make_url(url).set(port=port).render_as_string(hide_password=False)

    # What each server knows of itself.

    @abstractmethod
    def _initialise(self) -> None:
        """Puts what the server needs into its folder."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Returns the program and its arguments."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Tells whether the administrator can connect."""

    # Helpers.

    @property
    def folder(self) -> Path:
        """The server's own folder: its data, and `server.log`."""
        if self._folder is None:
            raise RuntimeError(f"{self.name} was never started, or is closed")
        return self._folder

    @property
    def is_running(self) -> bool:
        """Whether it was started and has been neither stopped nor killed since."""
        return self._process is not None

    def log(self) -> str:
        """Returns what the server has written so far."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process

    def _forget_process(self) -> None:
        self._running().wait()
        self._process = None
        if self._guard is not None:
            self._guard.watch(0)

    def _make_folder(self) -> None:
        self._folder = new_folder(f"dibs-{self.name}-")
        self._guard = processes.Guard(self._folder)
        account = self._account()
        if account is not None:
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        try:
            self._initialise()
        except BaseException:
            self.close()
            raise

    def _account(self) -> pwd.struct_passwd | None:
        """Whom to run as: PostgreSQL refuses to be root, and nothing here needs it."""
        if os.geteuid() != 0:
            return None
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        return next(known[name] for name in self.accounts if name in known)

    def _popen(self, command: list[str], output: Any) -> subprocess.Popen[bytes]:
        account = self._account()
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.defpath + ":/usr/sbin",
            "HOME": str(self.folder),
            "LC_ALL": "C",
            # MariaDB, when it starts, removes every temporary table in there, those
            # of other servers too: two that started at once failed on it.
            "TMPDIR": str(self.folder),
        }

    def _run(self, command: list[str]) -> None:
        process = self._popen(command, subprocess.PIPE)
        output, _ = process.communicate()
        if process.returncode:
            raise ServerFailed(f"{command[0]} failed:\n{output.decode(errors='replace')}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while not self._is_ready():
            if self._running().poll() is not None or time.monotonic() > deadline:
                tail = self.log()[-2000:]
                self.kill()
                raise ServerFailed(f"{self.name} did not start:\n{tail}")
            time.sleep(0.02)


class Server(Daemon):
    """One database server, with its defaults.

    Durability is left as it is by default (fsync on): tests of crashes mean
    nothing without it.
    """

    def create_database(self, name: str = "") -> str:
        """Makes an empty database; returns its SQLAlchemy URL.

        The URL's user owns that database and is nobody on the server otherwise:
        what works in a test then needs no privilege in production.
        """
        database = name or _new_name()
        self._create(database)
        return self._url(database)

    def copy_database(self, url: str) -> str:
        """Makes a database that is as this one, to which nobody is connected; returns its URL.

        Migrating takes ten times as long.
        """
        database = _new_name()
        self._copy(str(make_url(url).database), database)
        return self._url(database)

    @abstractmethod
    def drop_database(self, url: str) -> None:
        """Removes a database, breaking off whoever is connected to it."""

    @abstractmethod
    def execute(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Runs one statement as the server's administrator, committed; returns its rows.

        Args:
            sql: The statement, without parameters.
            database: The name or the URL of a database.
        """

    def empty_tables(self, tables: Iterable[str], database: str) -> None:
        """Deletes all rows of some tables, in this order, over one connection."""
        with self._lent(database) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")
            cursor.execute("COMMIT")

    @abstractmethod
    def _connect(self, database: str) -> Any:
        """Connects as the administrator to a database, named or by its URL; commits by itself."""

    def _lent(self, database: str) -> AbstractContextManager[Any]:
        """The same, for a moment."""
        connection: AbstractContextManager[Any] = self._connect(database)
        return connection

    @abstractmethod
    def _create(self, database: str) -> None:
        """Makes an empty database."""

    @abstractmethod
    def _copy(self, template: str, database: str) -> None:
        """Makes a database with the tables and rows of another."""

    @abstractmethod
    def _url(self, database: str) -> str:
        """Returns a database's SQLAlchemy URL."""


def _new_name() -> str:
    return f"db_{secrets.token_hex(6)}"
