"""`POST /register`."""

from __future__ import annotations

import secrets
from typing import Any

from flask import request, url_for

from dibs.errors import InvalidName, NameTaken, OutcomeUnknown
from dibs.web.base import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, TEXT, Blueprint, parts
from dibs.web.problems import BadIdempotencyKey
from dibs.web.schemas import RegisterBody, Registered
from dibs.web.suggestions import as_taken, other_names
from dibs.web.words import localised, say

REGISTERED = "Registration successful."
MESSAGES = (REGISTERED,)

KEY_LENGTH = range(16, 256)
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Random: the same request with the same key gets the same success again.",
    "schema": {**TEXT, "minLength": KEY_LENGTH.start, "maxLength": KEY_LENGTH.stop - 1},
}
LOCATION = {"Location": {"description": "Where the user is shown.", "schema": TEXT}}

blueprint = Blueprint("dibs_registration", __name__, description="Take a name.")


@blueprint.route("/register", methods=["POST"], tags=["Registration"])
@blueprint.doc(parameters=[IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.arguments(RegisterBody())
@blueprint.response(201, Registered, headers=LANGUAGE | LOCATION)
@blueprint.refuses(400, "The body cannot be read, or holds no name.")
@blueprint.refuses(409, "The name is not available; `code` says why.")
@blueprint.refuses(413, "The body is larger than 64 KiB.")
@blueprint.refuses(415, "The body is not JSON.")
@blueprint.refuses(422, "The input is not valid; `reasons` says why.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def register(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Register a user."""
    key = idempotency_key()
    identity = (b"POST /register", b"", key.encode(), request.get_data())
    name, deadline = body["username"], parts().budget.start()
    try:
        user = parts().registration.register(
            name, body.get("password"), request=identity, deadline=deadline
        )
    except OutcomeUnknown as error:
        raise OutcomeUnknown(idempotency_key=key) from error
    except (InvalidName, NameTaken) as error:
        if (taken := as_taken(error)) is None:
            raise
        taken.suggestions = other_names(name, deadline)
        raise taken from error
    answer = {"message": say(REGISTERED), "id": user.id, "username": user.username}
    location = url_for("dibs_users.user", user_id=user.id)
    return answer, 201, {"Location": location, **localised()}


def idempotency_key() -> str:
    """The client's key, or a new one.

    A structured-field string (RFC 8941, 3.3.3) or the same without quotes.

    Raises:
        BadIdempotencyKey: It is too short to be nobody else's, or no key at all.
    """
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return secrets.token_urlsafe(24)
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if len(key) not in KEY_LENGTH or not (key.isascii() and key.isprintable()):
        raise BadIdempotencyKey
    return key
