"""Users who were somebody else's before: their rows are written in batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from dibs.store.database.dialects.base import Run, listed, plain
from dibs.store.host.connection import HostRun, translated_errors


@dataclass(frozen=True, slots=True)
class AdoptedUser:
    """A user from elsewhere.

    Attributes:
        password_hash: As it was stored there; None for none.
    """

    id: str
    password_hash: str | None
    is_active: bool = True


OWN = "$argon2id$"
"""How hashes of ours begin: who has come in since, or chosen a password, has one."""

NEVER_IN = "NOT EXISTS (SELECT 1 FROM dibs_sessions WHERE user_id = dibs_users.id)"
"""Somebody of whom nothing says that they use their account, where they have no role either."""


def insert_adopted(engine: Engine, users: Sequence[AdoptedUser]) -> tuple[set[str], int]:
    """Write the rows of those who own a name and have no row yet, or one with another hash.

    Returns:
        The ids of the new ones, and how many hashes of others, who never came in, were corrected.

    Raises:
        StoreUnavailable: The database cannot answer; nothing was changed.
        TransactionMustRestart: It lost against another one; nothing was changed.
    """
    ids, params = listed([user.id for user in users])
    with engine.begin() as connection, translated_errors(connection):
        run = HostRun(connection)
        sql = "SELECT DISTINCT owner FROM dibs_names WHERE owner_kind = 'user' AND state = 'owned'"
        own = {plain(row)[0] for row in run.rows(f"{sql} AND owner IN ({ids})", params)}
        sql = f"SELECT id, password_hash FROM dibs_users WHERE id IN ({ids})"
        there = dict(map(plain, run.rows(sql, params)))
        corrected = sum(
            _correct(run, user, there[user.id]) for user in users if user.id in own & there.keys()
        )
        new = {user.id: user for user in users if user.id in own - there.keys()}
        if not new:
            return set(), corrected
        values: dict[str, object] = {}
        for i, user in enumerate(new.values()):
            values |= {f"id_{i}": user.id, f"password_hash_{i}": user.password_hash}
        run.change(run.dialect.insert_users(len(new)), values)
        if out := [user.id for user in new.values() if not user.is_active]:
            among, params = listed(out)
            since = f"disabled_at = {run.dialect.clock}"
            run.change(f"UPDATE dibs_users SET {since} WHERE id IN ({among})", params)
    return set(new), corrected


def _correct(run: HostRun, user: AdoptedUser, stored: str | None) -> bool:
    if user.password_hash in (None, stored) or (stored or "").startswith(OWN):
        return False
    sql = f"UPDATE dibs_users SET password_hash = :now WHERE id = :id AND {NEVER_IN}"
    sql += " AND password_hash IS NULL" if stored is None else " AND password_hash = :stored"
    params = {"id": user.id, "now": user.password_hash} | ({"stored": stored} if stored else {})
    return run.change(sql, params) == 1


def they_came_in(run: Run, owners: Sequence[str]) -> set[str]:
    """Those of these users who have used the account that an import made of them."""
    ids, params = listed(owners)
    sql = f"SELECT id FROM dibs_users WHERE id IN ({ids}) AND NOT (role IS NULL AND {NEVER_IN})"
    return {plain(row)[0] for row in run.rows(sql, params)}


def delete_adopted(run: Run, owners: Sequence[str]) -> None:
    """Delete the rows of those of these users who have no name left."""
    ids, params = listed(owners)
    mine = "owner = dibs_users.id AND owner_kind = 'user' AND state = 'owned'"
    named = f"EXISTS (SELECT 1 FROM dibs_names WHERE {mine})"
    run.change(f"DELETE FROM dibs_users WHERE id IN ({ids}) AND NOT {named}", params)
