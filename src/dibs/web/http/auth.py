"""Who sends a request: whoever the Bearer token says, or a page's cookies."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Response, after_this_request, current_app, request

from dibs.errors import InvalidToken, Unauthenticated
from dibs.store.accounts.sessions import Living
from dibs.web.http import cookies
from dibs.web.http.current import acts, deadline, parts

View = TypeVar("View", bound=Callable[..., Any])

# RFC 6750, 2.1: one space, and what base64 and JWTs are made of.
BEARER = re.compile(r"(?i:bearer) ([A-Za-z0-9._~+/-]+=*)")
SAFE = {"GET", "HEAD", "OPTIONS"}
WHO = "dibs.who"


def login_required(view: View) -> View:
    """Let a view be used only by somebody who is logged in; everybody else gets a 401."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        signed_in()
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, wrapper)


def login_optional(view: View) -> View:
    """Let anybody use a view; a token that is sent must be valid all the same."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        current_user()
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, wrapper)


def current_user() -> Living | None:
    """Who sends this request: their `user_id`, `role` and `session_id`; None for nobody.

    Raises:
        InvalidToken: A Bearer token was sent that cannot be used.
        CsrfFailed: It would change something, and came by cookie from who knows where.
        StoreUnavailable: The database cannot answer.
    """
    if WHO not in request.environ:
        living = request.environ[WHO] = _authenticated()
        if living is not None:
            acts(living.user_id)
        after_this_request(_keep_private)
    return cast("Living | None", request.environ[WHO])


def signed_in() -> Living:
    """Who sends this request.

    Raises:
        Unauthenticated: Nobody says so.
    """
    living = current_user()
    if living is None:
        raise Unauthenticated
    return living


def bearer() -> str | None:
    """The token in the header Authorization; None without such a header.

    Raises:
        InvalidToken: It holds anything else.
    """
    header = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    found = BEARER.fullmatch(header)
    if found is None:
        raise InvalidToken
    return found[1]


def _authenticated() -> Living | None:
    token = bearer()
    if token is not None:
        return parts().accounts.logins.who(token, deadline=deadline())
    token = cookies.access_token()
    if token is None:
        return None
    try:
        living = parts().accounts.logins.who(token, deadline=deadline())
    except InvalidToken:
        return None  # a browser sends cookies unasked: those of a session that ended say nothing
    if request.method not in SAFE:
        cookies.refuse_forged(living.session_id)
    return living


def _keep_private(response: Response) -> Response:
    """What one person is told is not for the next one."""
    response.vary.update(("Authorization", "Cookie"))
    if request.environ[WHO] is not None:
        response.headers["Cache-Control"] = "no-store"
    return response
