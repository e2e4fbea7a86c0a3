"""Holds: a name kept back while its sign-up is under way."""

from __future__ import annotations

from typing import Any

from flask import request

from dibs.errors import RegistrationClosed
from dibs.web.api.registration import suggesting
from dibs.web.api.schemas import HoldBody, HoldSchema
from dibs.web.http.auth import current_user
from dibs.web.http.blueprint import ACCEPT_LANGUAGE, SUGGESTIONS, TEXT, Blueprint, deadline, parts
from dibs.web.http.current import source
from dibs.web.http.idempotency import IDEMPOTENCY_KEY, idempotency_key, idempotent, is_repeatable
from dibs.web.http.route import Route
from dibs.web.i18n import iso

TOKEN_IN_PATH = {"in": "path", "name": "hold_token", "required": True, "schema": TEXT}

blueprint = Blueprint(
    "dibs_holds", __name__, title="Holds", description="Hold a name during a sign-up."
)


@blueprint.route("/holds", Route(admits="anybody", limit="register"), methods=["POST"])
@blueprint.doc(parameters=[IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.reads(HoldBody())
@idempotent("POST /holds", secret=True)
@blueprint.response(201, HoldSchema)
@blueprint.refuses(403, "Registration is closed, and nobody is logged in.")
@blueprint.refuses(409, "The name is not available; `code` says why.", 503)
def hold(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Hold a name for a while; `POST /register` with the token registers it."""
    if parts().settings.registration == "closed" and current_user() is None:
        raise RegistrationClosed  # who has an account may hold their next name
    key, name = idempotency_key(), body["username"]
    with suggesting(name, key):
        held = parts().holds.hold(
            name,
            source=source(),
            request=(b"POST /holds", b"", key.encode(), request.get_data()),
            repeatable=is_repeatable(),
            deadline=deadline(),
        )
    answer = {
        "hold_token": held.token,
        "username": held.username,
        "expires_at": iso(held.expires_at),
        "expires_in": held.seconds,
    }
    return answer, 201, {"Cache-Control": "no-store"}


@blueprint.route(
    "/holds/<dibs_any:hold_token>",
    Route(admits="anybody", limit="rest"),
    methods=["DELETE"],
    parameters=[TOKEN_IN_PATH],
)
@blueprint.response(204)
@blueprint.refuses(404, "There is no such hold. It may have expired.", 503)
def let_go(hold_token: str) -> None:
    """End a hold early, so that others can have the name."""
    parts().holds.let_go(hold_token, deadline=deadline())
