"""Rows that a transaction keeps to itself: an UPDATE that changes nothing locks everywhere.

`SELECT ... FOR UPDATE` is not SQL that SQLite knows. Whoever needs both takes the user
first and then the team, so that two transactions cannot wait for each other in a circle.
"""

from __future__ import annotations

from dibs.store.dialects import Run


class RowVanished(Exception):
    """A row kept changing under us; the transaction is to be run again."""


def lock_user(run: Run, user_id: str, where: str = "1 = 1", **params: object) -> bool:
    """Keep a user as she is until the end of this transaction.

    Args:
        run: Sends the statement.
        user_id: Who.
        where: What else must be true of her row.
        params: Those of `where`.

    Returns:
        Whether there is such a user.
    """
    sql = f"UPDATE dibs_users SET created_at = created_at WHERE id = :id AND {where}"
    return run.change(sql, {"id": user_id, **params}) == 1


def lock_team(run: Run, team_id: str) -> bool:
    """Let one transaction at a time change a team's members, and say whether it exists."""
    sql = "UPDATE dibs_teams SET version = version + 1 WHERE id = :id"
    return run.change(sql, {"id": team_id}) == 1
