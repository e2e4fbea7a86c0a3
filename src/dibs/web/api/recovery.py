"""For who has lost a password: links, codes, and asking for one."""

from __future__ import annotations

import threading
from contextlib import suppress
from http import HTTPStatus
from queue import Full, Queue
from typing import Any, cast

from flask import Flask, Response, current_app

from dibs.accounts.recovery import LINK_SECONDS
from dibs.errors import DibsError, InvalidName, Overloaded, UserNotFound
from dibs.signals import ResetRequest, reset_requested, tell
from dibs.web.api import schemas
from dibs.web.api.representations import is_id
from dibs.web.api.users import CHANGED
from dibs.web.http.auth import signed_in
from dibs.web.http.bodies import answered, done
from dibs.web.http.current import deadline, parts
from dibs.web.http.openapi import LANGUAGE, Blueprint
from dibs.web.http.route import Route

ASKED = (
    "If there is such an account, and this service knows how to reach you, a link is on its way."
)
MESSAGES = (ASKED,)

WAITING = 100
"""How many who asked for a link may wait to be looked for."""


class NoLinksSent(DibsError):
    """The app sends no links to who asks for one."""

    code = "not_found"
    message = "This service sends no links. Please ask its staff for one."


blueprint = Blueprint(
    "dibs_recovery", __name__, title="Recovery", description="A way back in without the password."
)


@blueprint.route(
    "/recover/code", Route(admits="anybody", limit="login", credential="named"), methods=["POST"]
)
@blueprint.reads(schemas.CodeBody())
@blueprint.response(200, schemas.Done, headers=LANGUAGE)
@blueprint.refuses(401, "The name or the code is wrong, or the code was used; not which.", 503)
def by_code(body: dict[str, str]) -> Response:
    """Set a new password by a recovery code, which is used up, and end all sessions."""
    parts().accounts.recovery.by_code(
        body["username"], body["code"], body["password"], deadline=deadline()
    )
    return done(CHANGED)


@blueprint.route("/recover/link", Route(admits="anybody", limit="login"), methods=["POST"])
@blueprint.reads(schemas.LinkBody())
@blueprint.response(200, schemas.Done, headers=LANGUAGE)
@blueprint.refuses(401, "The link is none, was used, or has expired.", 503)
def by_link(body: dict[str, str]) -> Response:
    """Set a new password by the token of a recovery link, and end all sessions."""
    parts().accounts.recovery.by_link(body["token"], body["password"], deadline=deadline())
    return done(CHANGED)


@blueprint.route("/recover/request", Route(admits="anybody", limit="login"), methods=["POST"])
@blueprint.reads(schemas.AskBody())
@blueprint.response(202, schemas.Done, headers=LANGUAGE)
@blueprint.refuses(404, "The app sends no links.", 503)
def request_link(body: dict[str, str]) -> Response:
    """Ask for a recovery link, where the app sends links; the answer is always the same."""
    ask(body["username"])
    return done(ASKED, HTTPStatus.ACCEPTED)


@blueprint.route(
    "/users/me/recovery-codes",
    Route(admits="user", limit="rest", credential="own"),
    methods=["POST"],
)
@blueprint.reads(schemas.CodesBody())
@blueprint.response(201, schemas.CodesSchema)
@blueprint.refuses(403, "The current password is wrong.", 503)
def make_codes(body: dict[str, str]) -> Response:
    """Make recovery codes, each good once; they are shown this once, and earlier ones end."""
    codes = parts().accounts.recovery.make_codes(
        signed_in().user_id, current=body["password"], deadline=deadline()
    )
    return _shown_once(codes=codes)


@blueprint.route(
    "/users/<user_id>/recovery-link",
    Route(admits="staff", limit="rest"),
    methods=["POST"],
)
@blueprint.response(201, schemas.LinkSchema)
@blueprint.refuses(404, "There is no such user.", 503)
def make_link(user_id: str) -> Response:
    """Make a recovery link for a user who cannot sign in; it is shown this once."""
    if not is_id(user_id):
        raise UserNotFound
    token = parts().accounts.recovery.make_link(user_id, deadline=deadline())
    return _shown_once(token=token, expires_in=LINK_SECONDS)


def _shown_once(**secret: Any) -> Response:
    return answered(HTTPStatus.CREATED, {"Cache-Control": "no-store"}, secret)


# --- asking for a link ---------------------------------------------------------

_asked: Queue[tuple[Flask, str]] = Queue(WAITING)
_lock = threading.Lock()
_thread: threading.Thread | None = None


def is_heard() -> bool:
    """Whether the app sends links to who asks for one."""
    return bool(reset_requested.receivers)


def ask(name: str) -> None:
    """Have the app send a link to the user with this name.

    In a thread of its own, so that nobody learns from the time it takes whether there is one.

    Raises:
        NoLinksSent: It does not.
        Overloaded: Too many wait for that.
    """
    if not is_heard():
        raise NoLinksSent
    app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
    try:
        _asked.put_nowait((app, name))
    except Full as error:
        raise Overloaded from error
    _start()


def _start() -> None:
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_send_links, name="dibs-recovery", daemon=True)
            _thread.start()


def _send_links() -> None:
    while True:
        app, name = _asked.get()
        # What is wrong with one is told to nobody: they may ask again.
        with app.app_context(), suppress(DibsError):
            _send(name)


def _send(name: str) -> None:
    ends = parts().budget.start()
    try:
        row = parts().registry.holder(name, deadline=ends)
    except InvalidName:
        return
    if row is None or row.owner_kind != "user" or row.owner is None:
        return
    token = parts().accounts.recovery.requested_link(row.owner, deadline=ends)
    if token is not None:
        tell(reset_requested, ResetRequest(row.owner, row.display, token, LINK_SECONDS))
