"""What `dibs db upgrade` leaves in a file of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from tests.pins.snapshot import pinned


def tables(database: sqlite3.Connection) -> Iterator[str]:
    found = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    for (table,) in database.execute(found).fetchall():
        yield table
        for _, name, kind, needed, default, key in database.execute(f"PRAGMA table_info({table})"):
            marks = f"{' not null' * needed}{f' key {key}' if key else ''}"
            yield f"  {name} {kind}{marks}" + (f" default {default}" if default else "")
        for (index,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? ORDER BY name",
            [table],
        ).fetchall():
            columns = [row[2] for row in database.execute(f"PRAGMA index_info({index})")]
            yield f"  index {index} ({', '.join(columns)})"


def test_tables_of_the_migrations(database: sqlite3.Connection) -> None:
    """Each table with its columns and indexes, and the row that says which rules hold."""
    (rules,) = database.execute("SELECT rules_version FROM dibs_meta").fetchone()
    (revision,) = database.execute("SELECT version_num FROM dibs_alembic_version").fetchone()
    pinned("schema", [*tables(database), f"rules {rules}", f"revision {revision}"])
