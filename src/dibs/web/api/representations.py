"""Users and teams as a reader may see them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from flask import request

from dibs.accounts.teams import Team
from dibs.errors import InvalidName, InvalidToken, NotAllowed, Unauthenticated, UserNotFound
from dibs.store import NameRow, UserRow
from dibs.store.accounts.invitations import Invitation
from dibs.store.accounts.recoveries import Event
from dibs.store.accounts.teams import TeamRow
from dibs.web.checks import suggestions
from dibs.web.http.auth import current_user
from dibs.web.http.current import deadline, parts
from dibs.web.i18n import iso

Row = TypeVar("Row", UserRow, TeamRow, Event, Invitation)

ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def is_id(text: str) -> bool:
    """Whether it can be an id; what cannot is not asked for: a NUL is an error to PostgreSQL."""
    return re.fullmatch(ID, text) is not None


def users_shown(users: Sequence[UserRow]) -> list[dict[str, Any]]:
    """Each user with the fields that the reader may see; one without any is left out."""
    reader, reading = current_user(), parts().reading
    seen = {user.id: reading.user(reader, user.id) for user in users}
    with_teams = [user_id for user_id, fields in seen.items() if "teams" in fields]
    teams = parts().accounts.teams.rows.of(with_teams, deadline=deadline())
    counted = [user_id for user_id, fields in seen.items() if "sessions" in fields]
    sessions = parts().accounts.logins.sessions.count(counted, deadline=deadline())
    shown = []
    for user in users:
        everything = {
            "id": user.id,
            "username": user.username,
            "created_at": iso(user.created_at),
            "role": user.role,
            "teams": [plain_team(team) for team in teams.get(user.id, ())],
            "disabled_at": None if user.disabled_at is None else iso(user.disabled_at),
            "last_sign_in": None if user.signed_in_at is None else iso(user.signed_in_at),
            "sessions": sessions.get(user.id, 0),
        }
        if fields := seen[user.id]:
            shown.append({name: everything[name] for name in everything if name in fields})
    return shown


def user_of(user_id: str) -> UserRow:
    """The user with this id; `UserNotFound` if there is none."""
    namespace = parts().settings.namespace
    if is_id(user_id) and (
        found := parts().store.user(user_id, namespace=namespace, deadline=deadline())
    ):
        return found
    raise UserNotFound


def user_shown(user: UserRow) -> dict[str, Any]:
    """What the reader may see of a user; `UserNotFound` if that is nothing."""
    if shown := users_shown([user]):
        return shown[0]
    raise UserNotFound


def paged(found: Sequence[Row], limit: int) -> tuple[Sequence[Row], str | None]:
    """What is on a page, and its last id if there is a next one: one row more was asked for."""
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def may_see(row: NameRow) -> bool:
    """Whether the reader may know who has, or had, this name; a bad token makes nobody of them."""
    try:
        reader = current_user()
    except InvalidToken:
        reader = None
    reading = parts().reading
    if row.owner_kind == "team":
        return "name" in reading.team(reader, inside=False)
    return row.owner_kind != "user" or "username" in reading.user(reader, str(row.owner))


def moved_to(row: NameRow) -> str | None:
    """What whoever gave this name up is called now, if the reader may know."""
    return parts().renames.renamed_to(row, deadline=deadline()) if may_see(row) else None


def plain_team(team: TeamRow | Team) -> dict[str, Any]:
    """A team as everybody sees it."""
    return {"id": team.id, "name": team.name}


def teams_shown(teams: Sequence[TeamRow]) -> list[dict[str, Any]]:
    """Each team as everybody sees it; one that is not for this reader is left out."""
    reader, reading = current_user(), parts().reading
    ids = [reader.user_id] if reader else []
    of_reader = parts().accounts.teams.rows.of(ids, deadline=deadline())
    own = {team.id for found in of_reader.values() for team in found}
    return [
        {name: value for name, value in plain_team(team).items() if name in fields}
        for team in teams
        if (fields := reading.team(reader, inside=team.id in own))
    ]


def team_shown(team: Team) -> dict[str, Any]:
    """A team with the members and the rest, as far as they are for this reader."""
    shown = plain_team(team)
    if team.created_at is not None:
        shown["created_at"] = iso(team.created_at)
    if team.members is not None:
        shown["members"] = [
            {"id": one.user_id, "username": one.username, "role": one.role} for one in team.members
        ]
    return shown


def refuse_unlisted() -> None:
    """See that the reader may go through all users and teams."""
    reader = current_user()
    if not parts().reading.listed(reader):
        raise NotAllowed if reader else Unauthenticated


def user_id_of(name: str) -> str:
    """Which user has this name, in any spelling; `UserNotFound` if none has."""
    try:
        row = parts().registry.holder(name, deadline=deadline())
    except InvalidName as error:
        raise UserNotFound from error
    if row is None or row.owner_kind != "user":
        raise UserNotFound
    return str(row.owner)


def other_names(name: str) -> list[dict[str, str]]:
    """Names like this one that are free, unless the client wants none: `?suggestions=0`."""
    return suggestions(name, parts().registry, deadline()) if wants_suggestions() else []


def wants_suggestions() -> bool:
    """Whether the client wants other names where one cannot be had."""
    return request.args.get("suggestions") != "0"
