"""How an attempt at a transaction ends that does not succeed, and what its connection is then."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from sqlalchemy.pool import PoolProxiedConnection


class Restart(Exception):
    """The transaction lost against another one; nothing was changed."""


class TimedOut(Restart):
    """The server ended a statement of ours that took too long; nothing was changed."""


class Away(Exception):
    """The server was lost before COMMIT was sent, so nothing was changed."""


class CommitLost(Exception):
    """The server was lost after COMMIT was sent."""


def close_for_good(connection: PoolProxiedConnection | None) -> None:
    """Close it for good: a closed connection is a rolled-back one, whatever state it was in."""
    if connection is None:
        return
    if isinstance(connection.dbapi_connection, sqlite3.Connection):
        # SQLite keeps a closed connection, locks and all, until its last cursor is gone
        # (https://www.sqlite.org/c3ref/close.html), and the error that is raised holds one.
        with suppress(sqlite3.Error):
            connection.rollback()
    connection.invalidate()


def roll_back(connection: PoolProxiedConnection | None) -> None:
    """Undo what was sent, and give the connection back."""
    if connection is None:
        return
    try:
        connection.rollback()
    except Exception:  # noqa: BLE001  # whatever it was, closing it undoes the transaction too
        connection.invalidate()
    else:
        connection.close()
