"""`POST /register`, and what every request that takes a name shares."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request, url_for

from dibs.errors import InvalidName, NameTaken, OutcomeUnknown
from dibs.web.base import ACCEPT_LANGUAGE, LANGUAGE, SUGGESTIONS, TEXT, Blueprint, deadline, parts
from dibs.web.problems import BadIdempotencyKey
from dibs.web.schemas import RegisterBody, Registered
from dibs.web.suggestions import as_taken, other_names
from dibs.web.words import localised, say

REGISTERED = "Registration successful."
MESSAGES = (REGISTERED,)

# With quotes it is a structured-field string (RFC 8941, 3.3.3).
KEY = r"[!#-\[\]-~]{16,255}"
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Random: the same request with the same key gets the same success again.",
    "schema": {**TEXT, "pattern": f'^({KEY}|"{KEY}")$'},
}
LOCATION = {"Location": {"description": "Where it is shown.", "schema": TEXT}}

blueprint = Blueprint("dibs_registration", __name__, description="Take a name.")


@blueprint.route("/register", methods=["POST"], tags=["Registration"])
@blueprint.doc(parameters=[IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.arguments(RegisterBody())
@blueprint.response(201, Registered, headers=LANGUAGE | LOCATION)
@blueprint.refuses(400, "The body cannot be read, or holds no name.")
@blueprint.refuses(409, "The name is not available; `code` says why.")
@blueprint.refuses_usually(413, 415, 422, 503)
def register(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Register a user."""
    key, name = idempotency_key(), body["username"]
    with taking(name, key):
        user = parts().registration.register(
            name,
            body.get("password"),
            request=(b"POST /register", b"", key.encode(), request.get_data()),
            repeatable=is_repeatable(),
            deadline=deadline(),
        )
    answer = {"message": say(REGISTERED), "id": user.id, "username": user.username}
    location = url_for("dibs_users.user", user_id=user.id)
    return answer, 201, {"Location": location, **localised()}


@contextmanager
def taking(name: str, key: str) -> Iterator[None]:
    """Say what helps when a name cannot be had: other names, or the key to try again with."""
    try:
        yield
    except OutcomeUnknown as error:
        raise OutcomeUnknown(idempotency_key=key) from error
    except (InvalidName, NameTaken) as error:
        if (taken := as_taken(error)) is None:
            raise
        taken.suggestions = other_names(name, deadline())
        raise taken from error


def is_key(text: str) -> bool:
    """Whether it can be an idempotency key."""
    return re.fullmatch(KEY, text) is not None


def is_repeatable() -> bool:
    """Whether this request may have been sent before."""
    return "Idempotency-Key" in request.headers


def idempotency_key() -> str:
    """The client's key without quotes, or a new one.

    Raises:
        BadIdempotencyKey: It is too short to be nobody else's, or no key at all.
    """
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return secrets.token_urlsafe(24)
    found = re.fullmatch(f'({KEY})|"({KEY})"', header.strip())
    if found is None:
        raise BadIdempotencyKey
    return found[1] or found[2]
