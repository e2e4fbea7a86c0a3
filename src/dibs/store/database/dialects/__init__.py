"""What the databases do differently, one file each, side by side."""

from __future__ import annotations

from dibs.errors import ConfigError
from dibs.store.database.dialects.base import UPGRADE, Dialect, Kind
from dibs.store.database.dialects.mysql import MySQL
from dibs.store.database.dialects.postgresql import PostgreSQL
from dibs.store.database.dialects.sqlite import SQLite

__all__ = ["DIALECTS", "UPGRADE", "Dialect", "Kind", "dialect_for", "dialect_or_base"]

DIALECTS: tuple[type[Dialect], ...] = (SQLite, PostgreSQL, MySQL)
BY_NAME = {name: dialect for dialect in DIALECTS for name in dialect.names}


def dialect_for(name: str) -> type[Dialect]:
    """The dialect with SQLAlchemy's name for it.

    Raises:
        ConfigError: dibs does not know this database.
    """
    try:
        return BY_NAME[name]
    except KeyError:
        raise ConfigError(
            f"dibs does not know the database {name!r}; it knows {', '.join(BY_NAME)}"
        ) from None


def dialect_or_base(name: str) -> type[Dialect]:
    """The same, and of a database that dibs does not know, what it knows of all.

    A host may have others beside its names, and SQLAlchemy prints a table without any.
    """
    return BY_NAME.get(name, Dialect)
