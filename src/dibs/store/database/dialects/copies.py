"""Copies of an SQLite database, made and put back while servers run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from dibs.errors import ConfigError


def address_of(file: Path) -> str:
    """The address of a database in a file."""
    return f"sqlite:///{file}"


def write_copy(engine: Engine, file: Path, counting: str) -> int:
    """Write all that is committed into one file, which is there whole or not at all.

    Nobody waits for that: what is written meanwhile is not in it.

    Args:
        counting: SQL that counts what is in it.

    Raises:
        ConfigError: The file cannot be written, or the database is damaged.
    """
    made = file.with_name(f"{file.name}.new")
    try:
        # For nobody else to read, who may have put a file or a link there before: it has hashes
        # and the secret.
        made.unlink(missing_ok=True)
        os.close(os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with _driver(engine) as live, closing(sqlite3.connect(made)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # else it would need files beside it
            _require_whole(copy)
            (held,) = copy.execute(counting).fetchone()
        with made.open("rb") as written:
            os.fsync(written.fileno())
        made.replace(file)
        return int(held)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    except sqlite3.OperationalError as error:  # no room, and no fault of the database
        raise ConfigError(f"{file} was not written: {error}") from error
    finally:
        with suppress(OSError):
            made.unlink(missing_ok=True)


def read_copy(file: Path, engine: Engine) -> None:
    """Put what is in a file into an empty database.

    Raises:
        ConfigError: It is not there, or not whole.
    """
    if not file.is_file():
        raise ConfigError(f"there is no file {file}")
    with (
        told(file),
        closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy,
        _driver(engine) as target,
    ):
        copy.backup(target)
        _require_whole(target)


def replace_all(engine: Engine, by: Engine) -> None:
    """Replace one database by another in a single transaction, of the file that servers have open.

    They go on with what is there then. Who writes at that moment waits, or is told to try again.
    """
    with _driver(by) as source, _driver(engine) as target:
        source.backup(target)


@contextmanager
def _driver(engine: Engine) -> Iterator[Any]:
    connection = engine.raw_connection()
    try:
        yield connection.driver_connection
    finally:
        connection.close()


def _require_whole(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


@contextmanager
def told(file: Path) -> Iterator[None]:
    """Tell what SQLite says of a file, as a `ConfigError`."""
    try:
        yield
    except (sqlite3.DatabaseError, DatabaseError) as error:
        why = error.orig if isinstance(error, DatabaseError) else error
        if isinstance(why, sqlite3.OperationalError):  # whole, for all that is known
            raise ConfigError(f"{file} cannot be used now ({why})") from error
        raise ConfigError(
            f"{file} cannot be read as a database ({why}). If it is the service's own: stop the"
            " servers, move it away, and restore a backup"
        ) from error
