"""Rows that a test writes by hand."""

from dataclasses import asdict

from sqlalchemy import insert

from dibs.store import NameRow
from dibs.store.models import names
from dibs.store.names.store import NameStore


def put(store: NameStore, row: NameRow) -> None:
    """Writes a row as it is, past every rule."""
    values = asdict(row) | {"name_key": row.key, "created_at": 0, "updated_at": 1}
    del values["key"], values["free"], values["expires_in"], values["first"]
    with store.engine.begin() as connection:
        connection.execute(insert(names).values(values))
