"""Teams: a name like a user's, and members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, cast

from dibs.context import Deadline
from dibs.errors import LastOwner, NotAllowed, SessionEnded
from dibs.store.accounts.rows import lock_user
from dibs.store.database.rows import Row, listed
from dibs.store.database.runs import Run
from dibs.store.database.transactions import Transactions
from dibs.store.names.quarantine import OF_OWNER, release_for_good
from dibs.store.records import NewTeam

THIS_ONE = "team_id = :team_id AND user_id = :user_id"
IS_IN = f"SELECT role FROM dibs_members WHERE {THIS_ONE}"


def lock_team(run: Run, team_id: str) -> bool:
    """Let one transaction at a time change a team's members, and say whether it exists."""
    sql = "UPDATE dibs_teams SET version = version + 1 WHERE id = :id"
    return run.change(sql, {"id": team_id}) == 1


def leave_all(run: Run, user_id: str) -> None:
    """Take a user, who is locked, out of all teams; `LastOwner` where one would have none."""
    sql = "SELECT team_id FROM dibs_members WHERE user_id = :user_id ORDER BY team_id"
    for (team_id,) in run.rows(sql, {"user_id": user_id}):
        lock_team(run, team_id)
        keep_an_owner(run, {"team_id": team_id, "user_id": user_id})
    run.change("DELETE FROM dibs_members WHERE user_id = :user_id", {"user_id": user_id})


def refuse_strangers(run: Run, team_id: str, by: str | None) -> None:
    """See that somebody owns the team, which is locked, and can log in.

    Asked here, since whoever owned it a moment ago may have been taken out of it by now.

    Raises:
        NotAllowed: They do not.
    """
    if by is not None and by not in _owners(run, team_id)[1]:
        raise NotAllowed


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
    rows = run.rows(sql, {"team_id": team_id})
    return {user for user, _ in rows}, {user for user, able in rows if able}


Role = Literal["owner", "member"]

TEAMS = """
    SELECT t.id, n.display, t.created_at
    FROM dibs_teams t JOIN dibs_names n ON n.owner = t.id
    WHERE n.owner_kind = 'team' AND n.state = 'owned' AND n.namespace = :namespace AND {where}
    ORDER BY t.id LIMIT :limit
"""
# A user's name is their only owned row.
MEMBERS = """
    SELECT m.team_id, m.user_id, n.display, m.role
    FROM dibs_members m JOIN dibs_names n ON n.owner = m.user_id
    WHERE n.owner_kind = 'user' AND n.state = 'owned' AND n.namespace = :namespace AND {where}
    ORDER BY m.team_id, m.user_id
"""


@dataclass(frozen=True, slots=True)
class TeamRow:
    """A team with the name that is its, made so many milliseconds after 1970."""

    id: str
    name: str
    created_at: int


@dataclass(frozen=True, slots=True)
class MemberRow:
    """Who is in a team, and as what."""

    team_id: str
    user_id: str
    username: str
    role: Role


class Teams:
    """The teams of a service's own users, in its database.

    Who changes one (`by`) must own it at that moment; None may in any case.

    All raise `StoreUnavailable` when the database cannot answer, or `OutcomeUnknown` when a change
    may have been made all the same.
    """

    def __init__(self, transactions: Transactions, namespace: str) -> None:
        self._transactions = transactions
        self._namespace = namespace

    def find(self, team_id: str, *, deadline: Deadline) -> TeamRow | None:
        """The team with this id."""
        params = {"id": team_id, "limit": 1}
        found = self._teams("t.id = :id", params, deadline)
        return found[0] if found else None

    def page(self, *, limit: int, after: str | None, deadline: Deadline) -> list[TeamRow]:
        """Up to `limit` teams in the order of their ids, past the id `after`."""
        # Of both tables, or one of them is read from its first row on.
        where = "t.id > :after AND n.owner > :after"
        return self._teams(where, {"after": after or "", "limit": limit}, deadline)

    def of(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, list[TeamRow]]:
        """The teams of each of these users, by user, in one query."""
        if not user_ids:
            return {}
        places, params = listed(user_ids)
        sql = (
            "SELECT m.user_id, t.id, n.display, t.created_at FROM dibs_members m"
            " JOIN dibs_teams t ON t.id = m.team_id JOIN dibs_names n ON n.owner = t.id"
            " WHERE n.owner_kind = 'team' AND n.state = 'owned' AND n.namespace = :namespace"
            f" AND m.user_id IN ({places}) ORDER BY m.user_id, t.id"
        )
        rows = self._read(sql, params, deadline)
        found: dict[str, list[TeamRow]] = {user_id: [] for user_id in user_ids}
        for user_id, *team in rows:
            found[user_id].append(TeamRow(*team))
        return found

    def members(self, team_ids: Sequence[str], *, deadline: Deadline) -> dict[str, list[MemberRow]]:
        """The members of each of these teams, by team, in one query."""
        if not team_ids:
            return {}
        places, params = listed(team_ids)
        rows = self._read(MEMBERS.format(where=f"m.team_id IN ({places})"), params, deadline)
        found: dict[str, list[MemberRow]] = {team_id: [] for team_id in team_ids}
        for row in rows:
            found[row[0]].append(MemberRow(*row))
        return found

    def role(self, team_id: str, user_id: str, *, deadline: Deadline) -> Role | None:
        """What this user is in this team, or None."""
        params = {"team_id": team_id, "user_id": user_id}
        rows = self._transactions.rows(IS_IN, params, deadline=deadline)
        return cast("Role", rows[0][0]) if rows else None

    def put(
        self, team_id: str, user_id: str, role: Role, *, by: str | None, deadline: Deadline
    ) -> bool:
        """Make this user a member or an owner, and say whether there are such a user and team.

        Raises:
            NotAllowed: `by` does not own the team.
            LastOwner: This is the last owner, who would be one no more.
        """
        member = {"team_id": team_id, "user_id": user_id}
        insert = (
            "INSERT INTO dibs_members (team_id, user_id, role, created_at)"
            f" VALUES (:team_id, :user_id, :role, {self._transactions.dialect.clock})"
        )
        update = "UPDATE dibs_members SET role = :role"

        def work(run: Run) -> bool:
            # The user too, or one who is deleted at this moment would stay as an owner.
            if not (lock_user(run, user_id) and lock_team(run, team_id)):
                return False
            refuse_strangers(run, team_id, by)
            if role != "owner":
                keep_an_owner(run, member)
            sql = f"{update} WHERE {THIS_ONE}" if run.rows(IS_IN, member) else insert
            return run.change(sql, {**member, "role": role}) == 1

        return self._transactions.write(work, changed=bool, deadline=deadline)

    def remove(self, team_id: str, user_id: str, *, by: str | None, deadline: Deadline) -> bool:
        """Take a user out of a team, and say whether they were in it.

        Raises:
            NotAllowed: `by` does not own the team.
            LastOwner: This is the last owner.
        """
        member = {"team_id": team_id, "user_id": user_id}

        def work(run: Run) -> bool:
            if not lock_team(run, team_id):
                return False
            refuse_strangers(run, team_id, by)
            if not run.rows(IS_IN, member):
                return False
            keep_an_owner(run, member)
            return run.change(f"DELETE FROM dibs_members WHERE {THIS_ONE}", member) == 1

        return self._transactions.write(work, changed=bool, deadline=deadline)

    def delete(
        self, team_id: str, *, by: str | None, quarantine: int | None = 0, deadline: Deadline
    ) -> bool:
        """Delete a team and its memberships, release its names; say whether it was there.

        Args:
            quarantine: Milliseconds for which nobody can have its names; None for ever.

        Raises:
            NotAllowed: `by` does not own the team.
        """
        params = {"id": team_id}
        attempts = count()

        def work(run: Run) -> bool:
            repeated = next(attempts) > 0
            # Whoever is about to put somebody in it waits, and then finds no team.
            if not lock_team(run, team_id):
                return repeated  # perhaps by our earlier self, and gone in any case
            refuse_strangers(run, team_id, by)
            run.change("DELETE FROM dibs_members WHERE team_id = :id", params)
            whose = {"owner_kind": "team", "owner": team_id}
            release_for_good(run, OF_OWNER, whose, quarantine)
            return run.change("DELETE FROM dibs_teams WHERE id = :id", params) == 1

        def recall(run: Run) -> bool | None:
            return None if run.rows("SELECT 1 FROM dibs_teams WHERE id = :id", params) else True

        return self._transactions.write(work, changed=bool, recall=recall, deadline=deadline)

    def _teams(self, where: str, params: dict[str, object], deadline: Deadline) -> list[TeamRow]:
        return [TeamRow(*row) for row in self._read(TEAMS.format(where=where), params, deadline)]

    def _read(self, sql: str, params: dict[str, object], deadline: Deadline) -> list[Row]:
        params = {"namespace": self._namespace, **params}
        return self._transactions.rows(sql, params, deadline=deadline)


def insert_team(run: Run, team: NewTeam) -> None:
    """Write a new team and its first owner; for the transaction that claims its name.

    What exists was written by this claim's earlier self.

    Raises:
        SessionEnded: The owner was deleted or disabled since the token was checked.
    """
    if not lock_user(run, team.owner, "disabled_at IS NULL"):
        raise SessionEnded
    dialect, params = run.dialect, {"id": team.id, "owner": team.owner}
    run.change(
        f"INSERT INTO dibs_teams (id, version, created_at) VALUES (:id, 1, {dialect.clock})"
        f" {dialect.pass_over('id')}",
        params,
    )
    run.change(
        "INSERT INTO dibs_members (team_id, user_id, role, created_at)"
        f" VALUES (:id, :owner, 'owner', {dialect.clock}) {dialect.pass_over('team_id, user_id')}",
        params,
    )
