"""`POST /register` as Flask has it; see `dibs.web.registrations`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from flask import Response, request, url_for

from dibs.web import registrations
from dibs.web.api.representations import other_names
from dibs.web.api.schemas import RegisterBody, Registered
from dibs.web.http.blueprint import (
    ACCEPT_LANGUAGE,
    LANGUAGE,
    SUGGESTIONS,
    TEXT,
    Blueprint,
    deadline,
    described,
    parts,
)
from dibs.web.http.bodies import BodyInvalid, answered, broken, read_object, texts
from dibs.web.http.idempotency import (
    IDEMPOTENCY_KEY,
    NOT_NOW,
    NOT_VALID,
    REPLAYED_HEADER,
    idempotency_key,
    idempotent,
    is_repeatable,
)
from dibs.web.http.route import Route, says
from dibs.web.i18n import locale
from dibs.web.registrations import Sent, helping

LOCATION = {"Location": {"description": "The address of the user or team.", "schema": TEXT}}
ROUTE = Route(admits="anybody", limit="register", credential="chosen")
REQUIRED, OPTIONAL = {"username"}, {"password", "hold_token"}
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


@idempotent("POST /register")
def _registered(fields: dict[str, str]) -> Response:
    sent = Sent(
        registration=parts().registration,
        deadline=deadline(),
        locale=locale(),
        key=idempotency_key(),
        is_repeatable=is_repeatable(),
        body=request.get_data(),
        others=other_names,
        location=lambda user_id: url_for("dibs_users.user", user_id=user_id),
    )
    return answered(*registrations.register(fields, sent))


blueprint.route("/register", ROUTE, methods=["POST"])(
    described(
        register,
        blueprint.refuses(403, "Registration is closed.", 409, NOT_NOW, 422, NOT_VALID, 503),
        blueprint.refuses(400, "The body cannot be read, or contains no name."),
        blueprint.response(201, Registered, headers=LANGUAGE | LOCATION | REPLAYED_HEADER),
        blueprint.reads(RegisterBody()),
        blueprint.doc(parameters=[IDEMPOTENCY_KEY, ACCEPT_LANGUAGE, SUGGESTIONS]),
    )
)


def suggesting(name: str, key: str | None = None) -> AbstractContextManager[None]:
    """Say what helps when a name cannot be had: other names, or the key to try again with."""
    return helping(lambda: other_names(name), key)
