"""The row that a user has in `dibs_users`: from their first password or role on.

Who registers a name and nothing else has none: that they exist, and since when, is said by the
name's own row until it changes. Whoever is about to change or to lock such a user makes the row
first, so that it is the one row by which all that is done to a user waits for each other:
renames, transfers, passwords, roles, keeping them out, sessions, teams and their end.
"""

from __future__ import annotations

from dibs.store.database.runs import Run

ONLY_NAMED = (
    "{0}owner_kind = 'user' AND {0}state = 'owned' AND {0}registered = 1 AND {0}updated_at IS NULL"
)
"""True for the name of a user who may have no row; `{0}` is the table's alias."""

NAME_OF = f"FROM dibs_names WHERE owner = :id AND {ONLY_NAMED.format('')}"
HAS_NAME = """EXISTS (
    SELECT 1 FROM dibs_names WHERE owner = :id AND owner_kind = 'user' AND state = 'owned'
)"""


def change_user(run: Run, user_id: str, what: str, where: str = "1 = 1", **params: object) -> bool:
    """Change a user's row, which is made if there is none; say whether there is such a user.

    Args:
        what: What stands after SET.
        where: What else must be true of the row.
    """
    sql = f"UPDATE dibs_users SET {what} WHERE id = :id AND {where}"
    values = {"id": user_id, **params}
    if run.change(sql, values) == 1:
        return True
    make_row(run, user_id)
    # It may have waited for another transaction, which made the row, or deleted the user: then
    # it has made a row of nobody's, which is undone with the rest.
    return run.change(f"{sql} AND {HAS_NAME}", values) == 1


def make_row(run: Run, user_id: str) -> None:
    """Make the row of a user who has none: before their name's own row says no more that they are.

    For another kind of owner, and for nobody's id, nothing is made.
    """
    make = f"INSERT INTO dibs_users (id, created_at) SELECT owner, created_at {NAME_OF}"
    run.change(f"{make} {run.dialect.pass_over('id')}", {"id": user_id})


def has_hash(run: Run, user_id: str, password_hash: str) -> bool:
    """Whether a user's password was stored already: salted, so it is nobody else's."""
    sql = "SELECT password_hash FROM dibs_users WHERE id = :id"
    return bool(run.value(sql, {"id": user_id}) == password_hash)


def lock_user(run: Run, user_id: str, where: str = "1 = 1", **params: object) -> bool:
    """Keep a user as they are until the end of this transaction; see `change_user`.

    An UPDATE that changes nothing locks a row everywhere; `SELECT ... FOR UPDATE` is not SQL that
    SQLite knows. Whoever locks a team too takes the user first, so that two transactions cannot
    wait for each other in a circle.
    """
    return change_user(run, user_id, "created_at = created_at", where, **params)
