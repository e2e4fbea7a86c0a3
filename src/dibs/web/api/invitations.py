"""Invitations: made, listed and ended by staff."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response

from dibs.errors import DibsError
from dibs.web.api import schemas
from dibs.web.api.representations import is_id, paged
from dibs.web.http.bodies import answered
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import Blueprint
from dibs.web.http.route import Route
from dibs.web.i18n import iso

ROUTE = Route(admits="staff", limit="rest")


class InvitationNotFound(DibsError):
    """There is no such invitation, or it lets nobody register any more."""

    code = "not_found"
    message = "There is no such invitation."


blueprint = Blueprint(
    "dibs_invitations",
    __name__,
    title="Invitations",
    description="Links by which people may register, for staff.",
)


@blueprint.route("/invitations", ROUTE, methods=["POST"])
@blueprint.reads(schemas.InviteBody())
@blueprint.response(201, schemas.InvitedSchema)
@blueprint.refuses(403, 422, 503)
def invite(body: dict[str, int]) -> Response:
    """Make an invitation for so many people and days; its token is shown this once."""
    made, token = parts().registration.invite(body["uses"], body["days"], deadline=deadline())
    return answered(HTTPStatus.CREATED, {"Cache-Control": "no-store"}, {"id": made, "token": token})


@blueprint.route("/invitations", ROUTE)
@blueprint.arguments(schemas.PageQuery(), location="query")
@blueprint.response(200, schemas.InvitationPage)
@blueprint.refuses(403, 422, 503)
def invitations(page: dict[str, Any]) -> dict[str, Any]:
    """List invitations, the newest first, page by page."""
    find, limit = parts().registration.invitations.page, page["limit"]
    found, following = paged(find(after=page["after"], limit=limit + 1, deadline=deadline()), limit)
    items = [
        {
            "id": one.id,
            "uses": one.uses,
            "used": one.used,
            "created_at": iso(one.created_at),
            "expires_at": iso(one.expires_at),
            "actor": one.actor,
            "good": bool(one.is_good),
        }
        for one in found
    ]
    return {"items": items, "next": following}


@blueprint.route(
    "/invitations/<invitation_id>",
    ROUTE,
    methods=["DELETE"],
    parameters=[schemas.id_in_path("invitation_id")],
)
@blueprint.response(204)
@blueprint.refuses(404, "There is no such invitation, or it has ended.", 403, 503)
def end(invitation_id: str) -> None:
    """End an invitation: nobody else registers by it."""
    refuse_ended(invitation_id)


def refuse_ended(invitation_id: str) -> None:
    """End one; raises `InvitationNotFound` where there is nothing to end."""
    ends = parts().registration.invitations.end
    if not is_id(invitation_id) or not ends(invitation_id, deadline=deadline()):
        raise InvitationNotFound
