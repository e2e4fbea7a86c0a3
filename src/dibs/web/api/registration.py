"""Registering a name, see `dibs.web.registrations`, and holding it while that is under way."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from dibs.web import registrations
from dibs.web.api import schemas
from dibs.web.api.representations import other_names
from dibs.web.http import idempotency
from dibs.web.http.auth import current_user, refuse_unsolved
from dibs.web.http.bodies import BodyInvalid, answered, broken, read_object, texts
from dibs.web.http.current import deadline, parts, source
from dibs.web.http.openapi import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, TEXT, Blueprint, described
from dibs.web.http.route import Route, says
from dibs.web.i18n import iso, locale
from dibs.web.registrations import Helping, Sent

LOCATION = {"Location": {"description": "The address of the user or team.", "schema": TEXT}}
ROUTE = Route(admits="anybody", limit="register", credential="chosen", is_api=True)
REQUIRED, OPTIONAL = {"username"}, {"password", "hold_token", "invitation"}
"""Fields; a request with one of the second is never the front's."""

blueprint = Blueprint(
    "dibs_registration", __name__, title="Registration", description="Take a name."
)


@says(ROUTE)
def register() -> Response:
    """Register a user."""
    return _registered(read(read_object(request)))


def read(body: dict[str, Any]) -> dict[str, str]:
    """The fields of a registration.

    Raises:
        EmptyName: There is no name among them.
        BodyInvalid: A field is none of these, or is no text; or names of another namespace may
            be meant, and users' would be taken.
    """
    fields = texts(body, required=REQUIRED, optional=OPTIONAL)
    if "namespace" in request.args:
        raise BodyInvalid([broken("namespace", "unknown")])
    return fields


@idempotency.idempotent("POST /register")
def _registered(fields: dict[str, str]) -> Response:
    refuse_unsolved(fields.get("hold_token"))
    sent = Sent(
        registration=parts().registration,
        deadline=deadline(),
        locale=locale(),
        key=idempotency.idempotency_key(),
        is_repeatable=idempotency.is_repeatable(),
        body=request.get_data(),
        others=other_names,
        location=lambda user_id: url_for("dibs_users.user", user_id=user_id),
    )
    return answered(*registrations.register(fields, sent))


blueprint.route("/register", ROUTE, methods=["POST"])(
    described(
        register,
        blueprint.refuses(409, idempotency.NOT_NOW, 422, idempotency.NOT_VALID, 503),
        blueprint.refuses(
            403, "Registration is closed, by invitation, or needs a captcha; `code` says which."
        ),
        blueprint.refuses(400, "The body cannot be read, or contains no name."),
        blueprint.response(
            201, schemas.Registered, headers=LANGUAGE | LOCATION | idempotency.REPLAYED_HEADER
        ),
        blueprint.reads(schemas.RegisterBody()),
        blueprint.doc(parameters=[idempotency.IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS]),
    )
)


def suggesting(name: str, key: str | None = None) -> Helping:
    """Say what helps when a name cannot be had: other names, or the key to try again with."""
    return Helping(lambda: other_names(name), key)


# --- holds ---------------------------------------------------------------------

TOKEN_IN_PATH = {"in": "path", "name": "hold_token", "required": True, "schema": TEXT}

holds = Blueprint(
    "dibs_holds", __name__, title="Holds", description="Hold a name during a sign-up."
)


@holds.route("/holds", Route(admits="anybody", limit="register"), methods=["POST"])
@holds.doc(parameters=[idempotency.IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@holds.reads(schemas.HoldBody())
@idempotency.idempotent("POST /holds", secret=True)
@holds.response(201, schemas.HoldSchema)
@holds.refuses(
    403, "Registration is closed or by invitation, or needs a captcha; `code` says which."
)
@holds.refuses(409, "The name is not available; `code` says why.", 503)
def hold(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Hold a name for a while; `POST /register` with the token registers it."""
    if parts().settings.registration != "open" and current_user() is None:
        # Who has an account may hold their next name.
        parts().registration.refuse_uninvited(body.get("invitation"), deadline=deadline())
    refuse_unsolved()
    key, name = idempotency.idempotency_key(), body["username"]
    with suggesting(name, key):
        held = parts().holds.hold(
            name,
            source=source(),
            request=(b"POST /holds", b"", key.encode(), request.get_data()),
            repeatable=idempotency.is_repeatable(),
            deadline=deadline(),
        )
    answer = {
        "hold_token": held.token,
        "username": held.username,
        "expires_at": iso(held.expires_at),
        "expires_in": held.seconds,
    }
    return answer, 201, {"Cache-Control": "no-store"}


@holds.route(
    "/holds/<dibs_any:hold_token>",
    Route(admits="anybody", limit="rest"),
    methods=["DELETE"],
    parameters=[TOKEN_IN_PATH],
)
@holds.response(204)
@holds.refuses(404, "There is no such hold. It may have expired.", 503)
def let_go(hold_token: str) -> None:
    """End a hold early, so that others can have the name."""
    parts().holds.let_go(hold_token, deadline=deadline())
