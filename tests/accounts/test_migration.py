"""The tables of accounts, as the migration makes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from dibs.errors import SchemaError
from dibs.names import RULES_VERSION
from dibs.store.database.rows import plain
from dibs.store.schema import VERSION_TABLE, _config, upgrade, verify

USER = "5b1c9a52-6b5c-4b2b-9d5b-7f3d3f0f1a10"


@pytest.fixture
def engine(empty_url: str) -> Iterator[Engine]:
    upgrade(empty_url)
    engine = create_engine(empty_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def move(engine: Engine, direction: str, revision: str) -> None:
    with engine.connect() as connection:
        getattr(command, direction)(_config(connection, RULES_VERSION), revision)
        connection.commit()


def test_down_and_up(engine: Engine) -> None:
    """Nothing of ours is left, and then all of it is there again."""
    move(engine, "downgrade", "base")
    assert inspect(engine).get_table_names() == [VERSION_TABLE]
    move(engine, "upgrade", "head")
    with engine.connect() as connection:
        verify(connection)


def test_every_missing_column_is_named(engine: Engine) -> None:
    """Of those tables, one after the other; keys and what is indexed cannot be dropped alone."""
    lacking = {"dibs_users": "disabled_at", "dibs_sessions": "repeats", "dibs_teams": "version"}
    lacking |= {"dibs_members": "role", "dibs_requests": "body"}
    for table, column in lacking.items():
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN {column} TO old_one"))
        with engine.connect() as connection, pytest.raises(SchemaError) as refused:
            verify(connection)
        assert f"The table {table} lacks {column}: run `dibs db upgrade`" in str(refused.value)
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {table} RENAME COLUMN old_one TO {column}"))


def test_ids_and_hashes_are_compared_by_bytes(engine: Engine) -> None:
    """Else the session of one id would be found by another."""
    row = {"user_id": USER, "token_hash": "x", "repeats": 0, "device": "名 \U0001f600 é"}
    row |= {"created_at": 1, "used_at": 1, "expires_at": 1}
    ids = ["abc", "ABC", "abc ", "äbc"]
    columns = ", ".join(["id", *row])
    sql = f"INSERT INTO dibs_sessions ({columns}) VALUES (:{columns.replace(', ', ', :')})"
    with engine.begin() as connection:
        connection.execute(text(sql), [{**row, "id": one} for one in ids])
    find = text("SELECT id, device FROM dibs_sessions WHERE id = :id")
    with engine.connect() as connection:
        for one in ids:
            found = connection.execute(find, {"id": one}).all()
            assert [plain(row) for row in found] == [(one, "名 \U0001f600 é")]
