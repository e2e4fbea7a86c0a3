"""`POST /register`, and what every request that takes a name shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import request, url_for

from dibs.errors import InvalidName, NameTaken, OutcomeUnknown
from dibs.web.api.representations import other_names
from dibs.web.api.schemas import RegisterBody, Registered
from dibs.web.checks import as_taken
from dibs.web.http.blueprint import (
    ACCEPT_LANGUAGE,
    LANGUAGE,
    SUGGESTIONS,
    TEXT,
    Blueprint,
    deadline,
    parts,
)
from dibs.web.http.idempotency import (
    IDEMPOTENCY_KEY,
    NOT_NOW,
    NOT_VALID,
    REPLAYED_HEADER,
    idempotency_key,
    idempotent,
    is_repeatable,
)
from dibs.web.http.route import Route
from dibs.web.i18n import localised, say

REGISTERED = "Registration successful."
MESSAGES = (REGISTERED,)

LOCATION = {"Location": {"description": "The address of the user or team.", "schema": TEXT}}

blueprint = Blueprint(
    "dibs_registration", __name__, title="Registration", description="Take a name."
)


@blueprint.route(
    "/register", Route(admits="anybody", limit="register", credential="chosen"), methods=["POST"]
)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS])
@blueprint.arguments(RegisterBody())
@idempotent("POST /register")
@blueprint.response(201, Registered, headers=LANGUAGE | LOCATION | REPLAYED_HEADER)
@blueprint.refuses(400, "The body cannot be read, or contains no name.")
@blueprint.refuses(409, NOT_NOW)
@blueprint.refuses(422, NOT_VALID)
@blueprint.refuses_usually(413, 415, 503)
def register(body: dict[str, str]) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Register a user."""
    key, name = idempotency_key(), body["username"]
    with suggesting(name, key):
        user = parts().registration.register(
            name,
            body.get("password"),
            request=(b"POST /register", b"", key.encode(), request.get_data()),
            repeatable=is_repeatable(),
            hold=body.get("hold_token"),
            deadline=deadline(),
        )
    answer = {"message": say(REGISTERED), "id": user.id, "username": user.username}
    location = url_for("dibs_users.user", user_id=user.id)
    return answer, 201, {"Location": location, **localised()}


@contextmanager
def suggesting(name: str, key: str | None = None) -> Iterator[None]:
    """Say what helps when a name cannot be had: other names, or the key to try again with."""
    try:
        yield
    except OutcomeUnknown as error:
        if key is None:
            raise
        raise OutcomeUnknown(idempotency_key=key) from error
    except (InvalidName, NameTaken) as error:
        if (taken := as_taken(error)) is None:
            raise
        taken.suggestions = other_names(name)
        raise taken from error
