"""Teams: names like users' names, with members, changed by their owners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dibs.accounts.policy import Reading
from dibs.context import Deadline
from dibs.errors import NotAllowed, TeamNotFound, UserNotFound
from dibs.registry import Registry
from dibs.registry.coherence import Coherence
from dibs.secret import claim_token
from dibs.store import Claim, NewTeam, new_id
from dibs.store.accounts.sessions import Living
from dibs.store.accounts.teams import MemberRow, Role, TeamRow, Teams


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


class TeamAccounts:
    """Makes, shows and changes teams.

    Args:
        registry: Where names are claimed: one namespace for users and teams, so that they
            can never share one.
        teams: The rows.
        coherence: Tells the caches of names that go with their teams.
        quarantine: Milliseconds before a deleted team's name can be had again; None for never.
        secret: Gives the service's secret.
        reading: Who may see the members.
    """

    def __init__(
        self,
        registry: Registry,
        teams: Teams,
        coherence: Coherence,
        *,
        quarantine: int | None,
        secret: Callable[[Deadline], str],
        reading: Reading | None = None,
    ) -> None:
        self._registry = registry
        self._teams = teams
        self._coherence = coherence
        self._quarantine = quarantine
        self._secret = secret
        self._reading = reading or Reading()

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

        Args:
            name: As typed.
            owner: Who makes it.
            request: What makes this request this one; see `Registration.register`.
            repeatable: Whether it may have been sent before.
            deadline: When the caller stops waiting.

        Raises:
            InvalidName: The name breaks a rule.
            NameTaken: Somebody has the name, a user or a team.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was stored is not known; send the same request again.
        """
        username = self._registry.admit(name, deadline=deadline)
        team = NewTeam(new_id(), owner.user_id)
        token = claim_token(request, self._secret(deadline))
        claim = Claim(username, "team", team.id, token, self._registry.namespace, team=team)
        row = self._registry.look(claim, costly=False, repeatable=repeatable, deadline=deadline)
        if row is None:
            row = self._registry.claim(claim, deadline=deadline)
        return self.get(str(row.owner), reader=owner, deadline=deadline)

    def get(self, team_id: str, *, reader: Living | None, deadline: Deadline) -> Team:
        """A team, with what the reader may see of it.

        Raises:
            TeamNotFound: There is no such team.
            StoreUnavailable: The database cannot answer.
        """
        row = self._teams.find(team_id, deadline=deadline)
        if row is None:
            raise TeamNotFound
        members = self._teams.members([team_id], deadline=deadline)[team_id]
        inside = reader is not None and any(one.user_id == reader.user_id for one in members)
        seen = self._reading.team(reader, inside=inside)
        if not seen:
            raise TeamNotFound
        return Team(
            row.id,
            row.name,
            row.created_at if "created_at" in seen else None,
            members if "members" in seen else None,
        )

    def page(self, *, limit: int, after: str | None, deadline: Deadline) -> list[TeamRow]:
        """Up to `limit` teams, past the id `after`.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._teams.page(limit=limit, after=after, deadline=deadline)

    def of(self, user_ids: Sequence[str], *, deadline: Deadline) -> dict[str, list[TeamRow]]:
        """The teams of each of these users.

        Raises:
            StoreUnavailable: The database cannot answer.
        """
        return self._teams.of(user_ids, deadline=deadline)

    def put_member(
        self, team_id: str, user_id: str, role: Role, *, by: Living, deadline: Deadline
    ) -> None:
        """Make a user a member or an owner.

        Raises:
            TeamNotFound: There is no such team.
            UserNotFound: There is no such user, or none whom who asks may see.
            NotAllowed: Who asks does not own it.
            LastOwner: Nobody would own it.
            StoreUnavailable: Nothing was changed.
        """
        self._refuse_strangers(team_id, by, deadline)
        inside = self._teams.role(team_id, user_id, deadline=deadline) is not None
        # A member is shown by their name: nobody is to learn that of whom they may not see.
        if not inside and not self._reading.user(by, user_id):
            raise UserNotFound
        if not self._teams.put(team_id, user_id, role, by=_owner(by), deadline=deadline):
            raise UserNotFound

    def remove_member(self, team_id: str, user_id: str, *, by: Living, deadline: Deadline) -> None:
        """Take a user out of a team; everybody may leave.

        Raises:
            TeamNotFound: There is no such team.
            UserNotFound: The user is not in it.
            NotAllowed: Who asks does not own it.
            LastOwner: Nobody would own it.
            StoreUnavailable: Nothing was changed.
        """
        owner = None
        if by.user_id != user_id:
            owner = _owner(by)
            self._refuse_strangers(team_id, by, deadline)
        elif self._teams.find(team_id, deadline=deadline) is None:
            raise TeamNotFound
        if not self._teams.remove(team_id, user_id, by=owner, deadline=deadline):
            raise UserNotFound

    def delete(self, team_id: str, *, by: Living, deadline: Deadline) -> None:
        """Delete a team with its memberships, and free its name.

        Raises:
            TeamNotFound: There is no such team.
            NotAllowed: Who asks does not own it.
            StoreUnavailable: Nothing was changed.
            OutcomeUnknown: Whether it was is not known; asking again is safe.
        """
        self._refuse_strangers(team_id, by, deadline)
        self._coherence.prepare_deletion("team", team_id, deadline=deadline)
        if not self._teams.delete(
            team_id, by=_owner(by), quarantine=self._quarantine, deadline=deadline
        ):
            raise TeamNotFound

    def _refuse_strangers(self, team_id: str, by: Living, deadline: Deadline) -> None:
        """Say early and in the right words what the transaction would find out again."""
        if self._teams.find(team_id, deadline=deadline) is None:
            raise TeamNotFound
        if by.role == "staff":
            return
        role = self._teams.role(team_id, by.user_id, deadline=deadline)
        if role is None and not self._reading.team(by, inside=False):
            raise TeamNotFound
        if role != "owner":
            raise NotAllowed


def _owner(by: Living) -> str | None:
    """Who must own a team for what they ask; nobody where staff ask."""
    return None if by.role == "staff" else by.user_id
