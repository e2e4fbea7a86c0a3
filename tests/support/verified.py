"""Databases that no test spoils, whose tables are looked at once: they stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, make_url

from dibs.store import schema

_unspoilt: set[str | None] = set()


def unspoilt(url: str) -> str:
    """Notes that no test changes the tables of this database; returns the URL."""
    _unspoilt.add(make_url(url).database)
    return url


def verify_once() -> None:
    """Lets every store take what another, of the same kind and driver, has seen of their tables.

    A dozen queries, each compiled anew: a third of what a test of a store costs.
    """
    for name in ("_verify_tables", "_verify_constraint", "_verify_collation", "_verify_migration"):
        setattr(schema, name, _once(getattr(schema, name)))


def _once(look: Callable[..., None]) -> Callable[..., None]:
    seen = set()

    def looked(connection: Connection, *tables: Any) -> None:
        url = connection.engine.url
        what = (url.set(database=None), tables)
        if url.database not in _unspoilt:
            look(connection, *tables)
        elif what not in seen:
            look(connection, *tables)
            seen.add(what)

    return looked
