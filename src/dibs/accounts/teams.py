"""Teams: names like users' names, with members, changed by their owners."""

from __future__ import annotations

from dataclasses import dataclass

from dibs.accounts.policy import Reading
from dibs.config import Settings
from dibs.context import Deadline
from dibs.errors import NotAllowed, TeamNotFound, UserNotFound
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.secret import ServiceSecret, claim_token
from dibs.store import Claim, NewTeam, new_id
from dibs.store.accounts.sessions import Living
from dibs.store.accounts.teams import MemberRow, Role, Teams


@dataclass(frozen=True, slots=True)
class Team:
    """A team and who is in it.

    Attributes:
        created_at: Milliseconds since 1970; None where it is not for this reader.
        members: The same.
    """

    id: str
    name: str
    created_at: int | None
    members: list[MemberRow] | None


@dataclass(frozen=True, slots=True)
class TeamAccounts:
    """Makes, shows and changes teams; users and teams have one namespace, and never share a name.

    While the database cannot answer, each of its methods raises `StoreUnavailable`; nothing was
    changed then. Of `OutcomeUnknown` that is not known; asking again is safe.
    """

    registry: Registry
    rows: Teams
    coherence: Coherence
    settings: Settings
    secret: ServiceSecret
    reading: Reading

    def create(
        self,
        name: str,
        *,
        owner: Living,
        request: tuple[bytes, ...],
        repeatable: bool,
        deadline: Deadline,
    ) -> Team:
        """Make a team with this name; who makes it owns it.

        Of the request see `Registration.register`.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name, a user or a team.
        """
        username = self.registry.admit(name, deadline=deadline)
        team = NewTeam(new_id(), owner.user_id)
        token = claim_token(request, self.secret(deadline))
        claim = Claim(username, "team", team.id, token, self.registry.namespace, team=team)
        row = self.registry.look(claim, costly=False, repeatable=repeatable, deadline=deadline)
        if row is None:
            row = self.registry.claim(claim, deadline=deadline)
        return self.get(str(row.owner), reader=owner, deadline=deadline)

    def get(self, team_id: str, *, reader: Living | None, deadline: Deadline) -> Team:
        """A team, with what the reader may see of it; `TeamNotFound` if there is none."""
        row = self.rows.find(team_id, deadline=deadline)
        if row is None:
            raise TeamNotFound
        members = self.rows.members([team_id], deadline=deadline)[team_id]
        inside = reader is not None and any(one.user_id == reader.user_id for one in members)
        seen = self.reading.team(reader, inside=inside)
        if not seen:
            raise TeamNotFound
        return Team(
            row.id,
            row.name,
            row.created_at if "created_at" in seen else None,
            members if "members" in seen else None,
        )

    def put_member(
        self, team_id: str, user_id: str, role: Role, *, by: Living, deadline: Deadline
    ) -> None:
        """Make a user a member or an owner.

        Raises:
            TeamNotFound: There is no such team.
            UserNotFound: There is no such user, or none whom who asks may see.
            NotAllowed: Who asks does not own it.
            LastOwner: Nobody would own it.
        """
        self.refuse_strangers(team_id, by, deadline)
        inside = self.rows.role(team_id, user_id, deadline=deadline) is not None
        # A member is shown by their name: nobody is to learn that of whom they may not see.
        if not inside and not self.reading.user(by, user_id):
            raise UserNotFound
        if not self.rows.put(team_id, user_id, role, by=owner_for(by), deadline=deadline):
            raise UserNotFound

    def remove_member(self, team_id: str, user_id: str, *, by: Living, deadline: Deadline) -> None:
        """Take a user out of a team; everybody may leave.

        Raises:
            TeamNotFound: There is no such team.
            UserNotFound: The user is not in it.
            NotAllowed: Who asks does not own it.
            LastOwner: Nobody would own it.
        """
        owner = None
        if by.user_id != user_id:
            owner = owner_for(by)
            self.refuse_strangers(team_id, by, deadline)
        elif self.rows.find(team_id, deadline=deadline) is None:
            raise TeamNotFound
        if not self.rows.remove(team_id, user_id, by=owner, deadline=deadline):
            raise UserNotFound

    def delete(self, team_id: str, *, by: Living, deadline: Deadline) -> None:
        """Delete a team with its memberships, and free its name.

        Raises:
            TeamNotFound: There is no such team.
            NotAllowed: Who asks does not own it.
        """
        self.refuse_strangers(team_id, by, deadline)
        self.coherence.prepare_deletion("team", team_id, deadline=deadline)
        quarantine = self.settings.quarantine_ms
        if not self.rows.delete(
            team_id, by=owner_for(by), quarantine=quarantine, deadline=deadline
        ):
            raise TeamNotFound

    def refuse_strangers(self, team_id: str, by: Living, deadline: Deadline) -> None:
        """Say early and in the right words what the transaction would find out again."""
        if self.rows.find(team_id, deadline=deadline) is None:
            raise TeamNotFound
        if by.role == "staff":
            return
        role = self.rows.role(team_id, by.user_id, deadline=deadline)
        if role is None and not self.reading.team(by, inside=False):
            raise TeamNotFound
        if role != "owner":
            raise NotAllowed


def owner_for(by: Living) -> str | None:
    """Who must own a team for what they ask; nobody where staff ask."""
    return None if by.role == "staff" else by.user_id
