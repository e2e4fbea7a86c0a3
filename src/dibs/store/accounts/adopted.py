"""Users who were somebody else's before: their rows are written in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from dibs.store.database.dialects.base import listed, plain
from dibs.store.host.connection import HostRun, translated_errors


@dataclass(frozen=True, slots=True)
class AdoptedUser:
    """A user from elsewhere.

    Attributes:
        id: A UUID.
        password_hash: As it was stored there; None for none.
        is_active: Whether they may come in.
    """

    id: str
    password_hash: str | None
    is_active: bool = True


def insert_adopted(engine: Engine, users: Sequence[AdoptedUser]) -> set[str]:
    """Write the rows of those who own a name and have no row yet; return their ids.

    Raises:
        StoreUnavailable: The database cannot answer; nothing was changed.
        TransactionMustRestart: It lost against another one; nothing was changed.
    """
    ids, params = listed([user.id for user in users])
    with engine.begin() as connection, translated_errors(connection):
        run = HostRun(connection)
        sql = "SELECT DISTINCT owner FROM dibs_names WHERE owner_kind = 'user' AND state = 'owned'"
        own = {plain(row)[0] for row in run.rows(f"{sql} AND owner IN ({ids})", params)}
        there = {
            plain(row)[0]
            for row in run.rows(f"SELECT id FROM dibs_users WHERE id IN ({ids})", params)
        }
        new = {user.id: user for user in users if user.id in own - there}
        if not new:
            return set()
        values: dict[str, object] = {}
        for i, user in enumerate(new.values()):
            values |= {f"id_{i}": user.id, f"password_hash_{i}": user.password_hash}
        run.change(run.dialect.insert_users(len(new)), values)
        if out := [user.id for user in new.values() if not user.is_active]:
            among, params = listed(out)
            since = f"disabled_at = {run.dialect.clock}"
            run.change(f"UPDATE dibs_users SET {since} WHERE id IN ({among})", params)
    return set(new)
