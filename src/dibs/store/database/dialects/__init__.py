"""What the databases do differently, one file each, side by side."""

from __future__ import annotations

from dibs.errors import ConfigError
from dibs.store.database.dialects.base import Dialect, Row, Run
from dibs.store.database.dialects.mysql import MySQL
from dibs.store.database.dialects.postgresql import PostgreSQL
from dibs.store.database.dialects.sqlite import SQLite

__all__ = ["Dialect", "MySQL", "PostgreSQL", "Row", "Run", "SQLite", "dialect_for"]

BY_NAME: dict[str, type[Dialect]] = {
    "sqlite": SQLite,
    "postgresql": PostgreSQL,
    "mysql": MySQL,
    "mariadb": MySQL,
}


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
