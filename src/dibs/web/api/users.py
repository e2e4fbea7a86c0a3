"""Users: all of them page by page, one by id, one by name."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from dibs.accounts.policy import STAFF
from dibs.errors import InvalidName, NotAllowed, SessionEnded, UserNotFound
from dibs.store.accounts.recoveries import Event
from dibs.web.api import schemas
from dibs.web.api.registration import LOCATION, suggesting
from dibs.web.api.representations import (
    moved_to,
    paged,
    refuse_unlisted,
    user_of,
    user_shown,
    users_shown,
)
from dibs.web.api.sessions import sessions_shown
from dibs.web.http import cookies
from dibs.web.http.auth import signed_in
from dibs.web.http.bodies import done
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, Blueprint
from dibs.web.http.route import Route
from dibs.web.i18n import iso

MOST_EVENTS = 10_000
"""So many an export has at most, the newest; nobody has half as many."""

CHANGED = "The password was changed. Please sign in again."
RENAMED = "The username was changed."
MESSAGES = (CHANGED, RENAMED)

NAME_IN_PATH = {
    "in": "path",
    "name": "name",
    "required": True,
    "schema": {"type": "string", "format": schemas.NAME_FORMAT},
}

blueprint = Blueprint(
    "dibs_users",
    __name__,
    title="Users",
    description="Read users, and change the signed-in one; staff change any.",
)


@blueprint.route("/users", Route(admits="reader", limit="rest"))
@blueprint.arguments(schemas.UserQuery(), location="query")
@blueprint.response(200, schemas.UserPage)
@blueprint.refuses(403, 422, 503)
def users(page: dict[str, Any]) -> dict[str, Any]:
    """List users, page by page; for staff also those whose names begin alike."""
    refuse_unlisted()
    if page["name"] and signed_in().role != STAFF:
        raise NotAllowed
    find, name, limit = parts().accounts.staff.find, page["name"], page["limit"]
    found = find(name, after=page["after"], limit=limit + 1, deadline=deadline())
    shown, following = paged(found, limit)
    return {"items": users_shown(shown), "next": following}


@blueprint.route("/users/me", Route(admits="user", limit="rest"))
@blueprint.response(200, schemas.UserSchema)
@blueprint.refuses(503)
def me() -> dict[str, Any]:
    """Show the signed-in user."""
    return _me()


def _me() -> dict[str, Any]:
    try:
        return user_shown(user_of(signed_in().user_id))
    except UserNotFound as error:  # they have deleted themselves a moment ago
        raise SessionEnded from error


@blueprint.route("/users/me/export", Route(admits="user", limit="rest"))
@blueprint.response(200, schemas.Export)
@blueprint.refuses(503)
def export() -> dict[str, Any]:
    """Show all that is kept of the signed-in user but secrets, to be downloaded."""
    user_id, ends = signed_in().user_id, deadline()
    changes = parts().history.of_owner(user_id, deadline=ends)
    events = parts().accounts.recovery.ways.events(user_id, limit=MOST_EVENTS, deadline=ends)
    return {
        "user": _me(),
        "sessions": sessions_shown(),
        "names": [
            {"action": action, "was": was, "became": became, "at": iso(at)}
            for action, was, became, at in changes
        ],
        "events": [event_shown(one) for one in events],
    }


@blueprint.route(
    "/users/me", Route(admits="user", limit="register", credential="own"), methods=["PATCH"]
)
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.reads(schemas.ChangeBody())
@blueprint.response(200, schemas.Changed, headers=LANGUAGE)
@blueprint.refuses(403, "The current password is wrong or missing.")
@blueprint.refuses(409, "The name is not available; `code` says why.", 503)
def change(body: dict[str, str]) -> Response:
    """Change the signed-in user's name, or their password, which ends all their sessions."""
    if "username" in body:
        return _rename(body["username"], body.get("hold_token"))
    parts().accounts.profiles.change_password(
        signed_in().user_id,
        current=body.get("current_password"),
        new=body["password"],
        deadline=deadline(),
    )
    return cookies.drop(done(CHANGED))


def _rename(name: str, hold: str | None) -> Response:
    with suggesting(name):
        renamed = parts().renames.rename(
            name, user_id=signed_in().user_id, hold=hold, deadline=deadline()
        )
    return done(RENAMED, username=renamed.became)


@blueprint.route(
    "/users/me", Route(admits="user", limit="rest", credential="own"), methods=["DELETE"]
)
@blueprint.reads(schemas.LeaveBody(), required=False)
@blueprint.response(204)
@blueprint.refuses(403, "The password is wrong or missing, and the sign-in was not just now.")
@blueprint.refuses(409, "This user is the last owner of a team.", 503)
def leave(body: dict[str, str]) -> Response:
    """Delete the signed-in user; their name is quarantined before somebody else can have it.

    Ten minutes after the sign-in, their password is needed.
    """
    profiles = parts().accounts.profiles
    profiles.leave(signed_in(), current=body.get("password"), deadline=deadline())
    return cookies.drop(Response(status=HTTPStatus.NO_CONTENT))


@blueprint.route("/users/<user_id>", Route(admits="reader", limit="rest"))
@blueprint.response(200, schemas.UserSchema)
@blueprint.refuses(404, "There is no such user.", 503)
def user(user_id: str) -> dict[str, Any]:
    """Show one user."""
    return user_shown(user_of(user_id))


@blueprint.route("/users/<user_id>", Route(admits="staff", limit="rest"), methods=["PATCH"])
@blueprint.doc(parameters=[ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.reads(schemas.StaffChangeBody())
@blueprint.response(200, schemas.UserSchema)
@blueprint.refuses(404, "There is no such user.", 503)
@blueprint.refuses(409, "The name is not available, or nobody would be staff; `code` says why.")
def change_user(body: dict[str, Any], user_id: str) -> dict[str, Any]:
    """Give a user another name, which may be reserved, or the staff role, or keep them out.

    One after the other, in this order; what is refused ends it. Asking again is safe.
    """
    staff, ends = parts().accounts.staff, deadline()
    user_of(user_id)
    if "username" in body:
        with suggesting(body["username"]):
            parts().renames.rename(body["username"], user_id=user_id, by_staff=True, deadline=ends)
    if "role" in body:
        staff.set_role(user_id, body["role"], deadline=ends)
    if "disabled" in body:
        staff.set_disabled(user_id, disabled=body["disabled"], deadline=ends)
    return user_shown(user_of(user_id))


@blueprint.route("/users/<user_id>", Route(admits="staff", limit="rest"), methods=["DELETE"])
@blueprint.response(204)
@blueprint.refuses(404, "There is no such user.")
@blueprint.refuses(409, "This user is the last owner of a team, or the last staff member.", 503)
def delete_user(user_id: str) -> Response:
    """Delete a user; their name is quarantined before somebody else can have it."""
    user_of(user_id)
    parts().accounts.staff.delete(user_id, deadline=deadline())
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.route(
    "/users/<user_id>/sessions",
    Route(admits="staff", limit="rest"),
    methods=["DELETE"],
)
@blueprint.response(204)
@blueprint.refuses(404, "There is no such user.", 503)
def sign_out_user(user_id: str) -> Response:
    """End all sessions of a user, and recovery links that were not used."""
    user_of(user_id)
    parts().accounts.staff.sign_out(user_id, deadline=deadline())
    return Response(status=HTTPStatus.NO_CONTENT)


@blueprint.route("/events", Route(admits="staff", limit="rest"))
@blueprint.arguments(schemas.EventQuery(), location="query")
@blueprint.response(200, schemas.EventPage)
@blueprint.refuses(403, 422, 503)
def events(page: dict[str, Any]) -> dict[str, Any]:
    """List what was done to accounts, the newest first, page by page."""
    find, user_id, limit = parts().accounts.recovery.ways.events, page["user"], page["limit"]
    found = find(user_id, after=page["after"], limit=limit + 1, deadline=deadline())
    events, following = paged(found, limit)
    return {
        "items": [event_shown(one) for one in events],
        "next": following,
    }


def event_shown(one: Event) -> dict[str, Any]:
    """An event as its own user and staff see it."""
    return {
        "id": one.id,
        "at": iso(one.at),
        "kind": one.kind,
        "user": one.user_id,
        "actor": one.actor,
        "request_id": one.request_id,
    }


@blueprint.route(
    "/users/by-name/<dibs_any:name>",
    Route(admits="reader", limit="rest"),
    parameters=[NAME_IN_PATH],
)
@blueprint.response(200, schemas.UserSchema)
@blueprint.alt_response(308, description="The user has another name now.", headers=LOCATION)
@blueprint.refuses(404, "There is no such user.", 503)
def user_by_name(name: str) -> dict[str, Any] | BaseResponse:
    """Show the user with this name, in any spelling; a look-alike is somebody else.

    An old name leads to the new one until somebody else has it.
    """
    try:
        row = parts().registry.row_of(name, deadline=deadline())
    except InvalidName as error:
        raise UserNotFound from error
    if row is None or row.owner_kind != "user":
        raise UserNotFound
    if row.state == "owned":
        return user_shown(user_of(str(row.owner)))
    now = moved_to(row)
    if now is None:
        raise UserNotFound
    response = redirect(url_for(".user_by_name", name=now), HTTPStatus.PERMANENT_REDIRECT)
    # Werkzeug's page of HTML is for no client of an API; browsers follow without one.
    response.set_data(b"")
    response.headers.pop("Content-Type", None)
    # A 308 may be kept for ever (RFC 9110, 15.4.9), and the name may become somebody else's.
    response.headers["Cache-Control"] = "no-store"
    return response
