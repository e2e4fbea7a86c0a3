"""`POST /register`."""

from __future__ import annotations

import secrets
from typing import Any

from flask import request, url_for

from dibs.errors import OutcomeUnknown
from dibs.web.base import Blueprint, parts
from dibs.web.problems import BadIdempotencyKey
from dibs.web.schemas import RegisterBody, Registered
from dibs.web.words import localised, say

REGISTERED = "Registration successful."
MESSAGES = (REGISTERED,)

KEY_LENGTH = range(16, 256)

blueprint = Blueprint("dibs_registration", __name__, description="Take a name.")


@blueprint.route("/register", methods=["POST"])
@blueprint.arguments(RegisterBody())
@blueprint.response(201, Registered)
@blueprint.refuses(400, "The body cannot be read, or holds no name.")
@blueprint.refuses(409, "The name cannot be had; `code` says why.")
@blueprint.refuses(413, "The body is larger than 64 KiB.")
@blueprint.refuses(415, "The body is not JSON.")
@blueprint.refuses(422, "A rule is broken; `reasons` says which.")
@blueprint.refuses(503, "The database cannot answer; see Retry-After.")
def register(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Register a user."""
    key = idempotency_key()
    identity = (b"POST /register", b"", key.encode(), request.get_data())
    try:
        user = parts().registration.register(
            body["username"],
            body.get("password"),
            request=identity,
            deadline=parts().budget.start(),
        )
    except OutcomeUnknown as error:
        raise OutcomeUnknown(idempotency_key=key) from error
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
