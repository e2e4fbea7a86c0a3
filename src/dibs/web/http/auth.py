"""Who sends a request: whoever the Bearer token says, or a page's cookies; and who may ask."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, Response, after_this_request, current_app, request
from werkzeug.exceptions import HTTPException

from dibs.accounts.policy import STAFF
from dibs.config.extras import installing
from dibs.errors import (
    ConfigError,
    DibsError,
    HoldNotFound,
    InvalidToken,
    NotAllowed,
    StoreUnavailable,
    Unauthenticated,
)
from dibs.observe import Sparse
from dibs.registry.holds import HoldToken
from dibs.state import CheckToken, state_of
from dibs.store.accounts.sessions import Living
from dibs.web.http import cookies
from dibs.web.http.current import Headers, acts, apart, current, deadline, parts
from dibs.web.http.headers import vary
from dibs.web.http.route import SAFE, route_of
from dibs.wiring import has_accounts

log = logging.getLogger(__name__)
log.addFilter(Sparse())

View = TypeVar("View", bound=Callable[..., Any])

HOLD_TOKEN = "Dibs-Hold-Token"  # noqa: S105  # the name of a header

# RFC 6750, 2.1: one space, and what base64 and JWTs are made of.
BEARER = re.compile(r"(?i:bearer) ([A-Za-z0-9._~+/-]+=*)")


class ProofNeeded(Unauthenticated):
    """Asking about names costs something here, and the request holds nothing of it."""

    message = (
        "To check usernames you need an access token, sent as a Bearer token, or the token of a "
        "hold, in the header Dibs-Hold-Token, or a solved captcha where there is one."
    )


class CaptchaNeeded(NotAllowed):
    """A new name costs something here, and the request holds nothing of it."""

    code = "captcha_needed"
    message = "Please solve the captcha, and send this again."


def _behind(door: Callable[[], object], view: View) -> View:
    """The view, for those whom the door lets in."""

    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        door()
        return current_app.ensure_sync(view)(*args, **kwargs)

    return cast(View, wrapper)


def login_required(view: View) -> View:
    """Let a view be used only by somebody who is logged in; everybody else gets a 401."""
    return _behind(signed_in, view)


def login_optional(view: View) -> View:
    """Let anybody use a view; a token that is sent must be valid all the same."""
    return _behind(current_user, view)


def staff_required(view: View) -> View:
    """Let a view be used by staff."""
    return _behind(_refuse_all_but_staff, view)


def _refuse_all_but_staff() -> None:
    if signed_in().role != STAFF:
        raise NotAllowed


def current_user() -> Living | None:
    """Who sends this request: their `user_id`, `role` and `session_id`; None for nobody.

    Raises:
        InvalidToken: A Bearer token was sent that cannot be used.
        CsrfFailed: It would change something, and came by cookie from who knows where.
    """
    state = current()
    if not state.is_reader_known and apart() is not None:
        state.is_reader_known = True  # it has neither token nor cookie, or Flask would serve it
    if not state.is_reader_known:
        state.reader, state.is_reader_known = _authenticated(), True
        if state.reader is not None:
            acts(state.reader.user_id)
        after_this_request(_keep_private)
    return state.reader


def signed_in() -> Living:
    """Who sends this request; `Unauthenticated` if nobody says so."""
    if (living := current_user()) is None:
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
    if (found := BEARER.fullmatch(header)) is None:
        raise InvalidToken
    return found[1]


def _authenticated() -> Living | None:
    token = bearer()
    sent = cookies.access_token() if token is None else token
    if sent is None or not has_accounts():
        return None
    try:
        living = parts().accounts.logins.who(sent, deadline=deadline())
    except InvalidToken:
        if token is not None:
            raise
        return None  # a browser sends cookies unasked: those of a session that ended say nothing
    if token is None and request.method not in SAFE:
        cookies.refuse_forged(living.session_id)
    return living


def _keep_private(response: Response) -> Response:
    keep_private(response.headers)
    return response


def keep_private(headers: Headers) -> None:
    """What one person is told is not for the next one."""
    vary(headers, "Authorization", "Cookie")
    if current().reader is not None:
        headers["Cache-Control"] = "no-store"


# --- DIBS_CHECK -----------------------------------------------------------------


def init_proofs(app: Flask, check: str) -> None:
    """Let routes for askers be used by those whom DIBS_CHECK lets ask, before a body is read.

    Raises:
        ConfigError: Nobody could be one of them.
    """
    if check not in ("token", "staff"):
        return  # everybody
    if check == "staff" and not has_accounts():
        raise ConfigError(f"DIBS_CHECK=staff needs logins: {installing('service')}")
    for endpoint, view in app.view_functions.items():
        route = route_of(view)
        if route is not None and route.admits == "asker":
            app.view_functions[endpoint] = _behind(_refuse_strangers, view)


def _refuse_strangers() -> None:
    mode = parts().settings.check
    if mode == "staff":
        _refuse_all_but_staff()
    if mode == "token" and current_user() is None and not _has_proof():
        raise ProofNeeded


def _has_proof() -> bool:
    if (sent := request.headers.get(HOLD_TOKEN)) and is_hold_token(sent):
        return True
    accepts = state_of(current_app).check_token
    return accepts is not None and _is_accepted(accepts)


def _is_accepted(accepts: CheckToken) -> bool:
    try:
        # `is True`: what a hook forgets to await is true as well.
        return current_app.ensure_sync(accepts)(request) is True
    except (HTTPException, DibsError):
        raise
    except Exception as error:  # whom it asks is away, or it is wrong: it has accepted nothing
        log.exception("check_token failed")
        raise StoreUnavailable from error


def refuse_unsolved(hold_token: str | None = None) -> None:
    """See that who wants a new name has solved the app's captcha, where DIBS_CHECK is `token`.

    An account is no proof, or one captcha would be enough for any number of them.

    Args:
        hold_token: That of the name's hold, which has cost a captcha already.

    Raises:
        CaptchaNeeded: There is one, and it was not solved.
    """
    accepts = state_of(current_app).check_token
    if accepts is None or parts().settings.check != "token":
        return
    if not (hold_token and is_hold_token(hold_token)) and not _is_accepted(accepts):
        raise CaptchaNeeded


def is_hold_token(token: str) -> bool:
    """Whether this is the token of a hold that has not expired."""
    try:
        hold = HoldToken.read(token)
    except HoldNotFound:
        return False
    return parts().holds.find(hold, deadline=deadline()) is not None
