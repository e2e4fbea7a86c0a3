"""Who may change a team, and who must stay in it; for transactions that have locked the team."""

from __future__ import annotations

from collections.abc import Mapping

from dibs.errors import LastOwner, NotAllowed
from dibs.store.dialects import Run
from dibs.store.dialects.base import plain
from dibs.store.locks import lock_team

THIS_ONE = "team_id = :team_id AND user_id = :user_id"


def leave_all(run: Run, user_id: str) -> None:
    """Take a user, who is locked, out of all teams; for the transaction that deletes her.

    Raises:
        LastOwner: She is the last owner of one.
    """
    sql = "SELECT team_id FROM dibs_members WHERE user_id = :user_id ORDER BY team_id"
    for (team_id,) in [plain(row) for row in run.rows(sql, {"user_id": user_id})]:
        lock_team(run, team_id)
        keep_an_owner(run, {"team_id": team_id, "user_id": user_id})
    run.change("DELETE FROM dibs_members WHERE user_id = :user_id", {"user_id": user_id})


def refuse_strangers(run: Run, team_id: str, by: str | None) -> None:
    """See that somebody owns the team, which is locked, and can log in.

    Asked here, since whoever owned it a moment ago may have been taken out of it by now.

    Raises:
        NotAllowed: She does not.
    """
    if by is not None and by not in _owners(run, team_id)[1]:
        raise NotAllowed


def is_in(run: Run, member: Mapping[str, object]) -> bool:
    """Whether a user is in a team."""
    return bool(run.rows(f"SELECT 1 FROM dibs_members WHERE {THIS_ONE}", member))


def keep_an_owner(run: Run, member: Mapping[str, object]) -> None:
    """See that somebody else owns the team, which is locked, or that this member does not.

    Who is disabled does not count: nobody could do anything for the team.

    Raises:
        LastOwner: Nobody else does.
    """
    owners, able = _owners(run, member["team_id"])
    if member["user_id"] in owners and able <= {member["user_id"]}:
        raise LastOwner


def _owners(run: Run, team_id: object) -> tuple[set[object], set[object]]:
    """Who owns the team, and who of them can log in."""
    sql = (
        "SELECT m.user_id, CASE WHEN u.disabled_at IS NULL THEN 1 ELSE 0 END FROM dibs_members m"
        " JOIN dibs_users u ON u.id = m.user_id WHERE m.team_id = :team_id AND m.role = 'owner'"
    )
    rows = [plain(row) for row in run.rows(sql, {"team_id": team_id})]
    return {user for user, _ in rows}, {user for user, able in rows if able}
