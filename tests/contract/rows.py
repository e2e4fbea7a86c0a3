"""Rows that a test writes by hand."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import text

from dibs.store import NameRow
from dibs.store.database.rows import key_params
from dibs.store.names.store import NameStore
from tests.support.contract import AN_HOUR_MS


def put(store: NameStore, row: NameRow) -> None:
    """Writes a row as it is, past every rule."""
    values = asdict(row) | {"name_key": row.key, "created_at": 0, "updated_at": 1}
    del values["key"], values["free"], values["expires_in"], values["first"]
    columns = ", ".join(values)
    marks = columns.replace(", ", ", :")
    _write(store, f"INSERT INTO dibs_names ({columns}) VALUES (:{marks})", values)


def expire(store: NameStore, *keys: str, namespace: str = "default") -> None:
    """As if two hours had passed for these keys; the database's clock decides."""
    sql = f"UPDATE dibs_names SET expires_at = expires_at - {2 * AN_HOUR_MS}"
    among = store.transactions.dialect.among(len(keys))
    where = f"expires_at IS NOT NULL AND {among}"
    _write(store, f"{sql} WHERE {where}", key_params(namespace, keys))


def _write(store: NameStore, sql: str, params: dict[str, Any]) -> None:
    with store.engine.connect() as connection:
        connection.execute(text(sql), params)
        connection.commit()
