"""Whose password a request tries, before it is known whether there is such a user."""

from __future__ import annotations

from flask import request

from dibs.errors import InvalidName
from dibs.web.http.auth import current_user
from dibs.web.http.bodies import NotJson, read_body, read_json
from dibs.web.http.current import parts

TRIED = "dibs.account"

BY_USER = {"dibs_users.change", "dibs_pages.do_change_password"}
"""Endpoints that try the password of who is logged in."""


def account() -> str | None:
    """What wrong passwords are counted by: a name's key, known or not, or the user's own id.

    None where no password is tried: nobody is logged in, or the body names nobody.

    Raises:
        InvalidToken: A token was sent that cannot be used.
        StoreUnavailable: Who is logged in cannot be told.
        RequestEntityTooLarge: The body is.
    """
    if TRIED not in request.environ:
        request.environ[TRIED] = _user() if request.endpoint in BY_USER else _name()
    found: str | None = request.environ[TRIED]
    return found


def _user() -> str | None:
    """Who changes their password; another change is not counted, or it would be a good try."""
    living = current_user()
    tries = request.blueprint == "dibs_pages" or "password" in _body()
    return f"user {living.user_id}" if living is not None and tries else None


def _name() -> str | None:
    name = _typed() if request.blueprint == "dibs_pages" else _sent()
    if not isinstance(name, str):
        return None
    try:
        # All that look alike count as one, so that no spelling gives another try.
        return f"name {parts().parser.existing(name).key}"
    except InvalidName:
        return "name"  # nobody has one of these; together they are tried like one account


def _typed() -> str | None:
    return request.form.get("username")


def _sent() -> object:
    return _body().get("username")


def _body() -> dict[str, object]:
    try:
        body = read_json(read_body(request))
    except NotJson:
        return {}
    return body if isinstance(body, dict) else {}
