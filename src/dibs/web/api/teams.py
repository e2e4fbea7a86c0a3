"""Teams: a name like a user's, and members."""

from __future__ import annotations

from typing import Any, cast

from flask import request, url_for

from dibs.accounts.teams import owner_for
from dibs.errors import EmptyName, InvalidName, TeamNotFound, UserNotFound
from dibs.store.accounts.teams import Role
from dibs.web.api import schemas
from dibs.web.api.registration import LOCATION, suggesting
from dibs.web.api.representations import is_id, paged, refuse_unlisted, team_shown, teams_shown
from dibs.web.http import idempotency
from dibs.web.http.auth import current_user, signed_in
from dibs.web.http.bodies import BodyInvalid
from dibs.web.http.current import current, deadline, parts
from dibs.web.http.openapi import ACCEPT_LANGUAGE, SUGGESTIONS, Blueprint
from dibs.web.http.route import Route

MEMBER = "/teams/<team_id>/members/<user_id>"

blueprint = Blueprint("dibs_teams", __name__, title="Teams", description="Teams and their members.")


@blueprint.route("/teams", Route(admits="user", limit="register"), methods=["POST"])
@blueprint.doc(parameters=[idempotency.IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.reads(schemas.TeamBody())
@idempotency.idempotent("POST /teams", by_user=True)
@blueprint.response(201, schemas.TeamSchema, headers=LOCATION | idempotency.REPLAYED_HEADER)
@blueprint.refuses(409, idempotency.NOT_NOW)
@blueprint.refuses(422, idempotency.NOT_VALID, 503)
def create(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Create a team, owned by the signed-in user. Users and teams never share a name."""
    key, name, owner = idempotency.idempotency_key(), body["name"], signed_in()
    by_whom = (owner.user_id.encode(), key.encode())
    current().is_of_team = True  # "team name" is said instead of "username"
    try:
        with suggesting(name, key):
            team = parts().accounts.teams.create(
                name,
                owner=owner,
                request=(b"POST /teams", *by_whom, request.get_data()),
                repeatable=idempotency.is_repeatable(),
                deadline=deadline(),
            )
    except InvalidName as error:
        if isinstance(error, EmptyName):
            raise
        raise BodyInvalid([("name", reason) for reason in error.reasons]) from error
    return team_shown(team), 201, {"Location": url_for("dibs_teams.team", team_id=team.id)}


@blueprint.route("/teams", Route(admits="reader", limit="rest"))
@blueprint.arguments(schemas.PageQuery(), location="query")
@blueprint.response(200, schemas.TeamPage)
@blueprint.refuses(403, 422, 503)
def teams(page: dict[str, Any]) -> dict[str, Any]:
    """List teams, page by page."""
    refuse_unlisted()
    limit = page["limit"]
    rows = parts().accounts.teams.rows
    shown, following = paged(
        rows.page(limit=limit + 1, after=page["after"], deadline=deadline()), limit
    )
    return {"items": teams_shown(shown), "next": following}


@blueprint.route("/teams/<team_id>", Route(admits="reader", limit="rest"))
@blueprint.response(200, schemas.TeamSchema)
@blueprint.refuses(404, "There is no such team.", 503)
def team(team_id: str) -> dict[str, Any]:
    """Show a team; its members can also see each other."""
    if not is_id(team_id):
        raise TeamNotFound
    reader = current_user()
    return team_shown(parts().accounts.teams.get(team_id, reader=reader, deadline=deadline()))


@blueprint.route("/teams/<team_id>", Route(admits="user", limit="register"), methods=["PATCH"])
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.reads(schemas.TeamBody())
@blueprint.response(200, schemas.TeamSchema)
@blueprint.refuses(404, "There is no such team.")
@blueprint.refuses(409, "The name is not available; `code` says why.", 503)
def rename(body: dict[str, str], team_id: str) -> dict[str, Any]:
    """Give a team another name; the old one is quarantined as a user's is. For owners and staff."""
    if not is_id(team_id):
        raise TeamNotFound
    current().is_of_team = True
    by, teams, ends = signed_in(), parts().accounts.teams, deadline()
    teams.refuse_strangers(team_id, by, ends)
    try:
        with suggesting(body["name"]):
            parts().renames.rename_team(
                body["name"], team_id=team_id, by=owner_for(by), deadline=ends
            )
    except InvalidName as error:
        if isinstance(error, EmptyName):
            raise
        raise BodyInvalid([("name", reason) for reason in error.reasons]) from error
    return team_shown(teams.get(team_id, reader=by, deadline=ends))


@blueprint.route(
    "/teams/<team_id>",
    Route(admits="user", limit="rest"),
    methods=["DELETE"],
)
@blueprint.response(204)
@blueprint.refuses(404, "There is no such team.", 503)
def delete(team_id: str) -> None:
    """Delete a team; its name is quarantined before others can have it. For owners and staff."""
    if not is_id(team_id):
        raise TeamNotFound
    parts().accounts.teams.delete(team_id, by=signed_in(), deadline=deadline())


@blueprint.route(MEMBER, Route(admits="user", limit="rest"), methods=["PUT"])
@blueprint.reads(schemas.MemberBody())
@blueprint.response(204)
@blueprint.refuses(404, "There is no such team, or no such user.")
@blueprint.refuses(409, "The team would have no owner left.", 503)
def put_member(body: dict[str, str], team_id: str, user_id: str) -> None:
    """Make a user a member or an owner; for owners and staff."""
    _refuse_no_ids(team_id, user_id)
    role = cast("Role", body["role"])
    parts().accounts.teams.put_member(team_id, user_id, role, by=signed_in(), deadline=deadline())


@blueprint.route(MEMBER, Route(admits="user", limit="rest"), methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses(404, "There is no such team, or the user is not in it.")
@blueprint.refuses(409, "The team would have no owner left.", 503)
def remove_member(team_id: str, user_id: str) -> None:
    """Remove a user from a team; for owners, staff and that user."""
    _refuse_no_ids(team_id, user_id)
    parts().accounts.teams.remove_member(team_id, user_id, by=signed_in(), deadline=deadline())


def _refuse_no_ids(team_id: str, user_id: str) -> None:
    if not is_id(team_id):
        raise TeamNotFound
    if not is_id(user_id):
        raise UserNotFound
