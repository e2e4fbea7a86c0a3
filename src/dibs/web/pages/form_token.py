"""The hidden field by which a form is known to come from a page of ours."""

from __future__ import annotations

import re
import secrets

from flask import Response, request

from dibs.errors import InvalidToken
from dibs.web.http import cookies
from dibs.web.http.current import current, parts

FIELD = "csrf_token"
COOKIE = "dibs_form"
RANDOM = re.compile(r"[\w-]{32}", re.ASCII).fullmatch


def form_token() -> str:
    """The token that a form has to send: of this session, or of the browser before a sign-in."""
    living = current().reader
    if living is not None:
        return cookies.csrf_token(living.session_id)
    browser = _browser()
    if browser is None:
        state = current()
        browser = state.browser = state.browser or secrets.token_urlsafe(24)
    return cookies.csrf_token(_as_session(browser))


def is_of_session() -> bool | None:
    """Whether the form was made for the session that the cookies name; None if they name none.

    No database is asked: whether the session goes on is seen by whoever does what the form wants.
    """
    session_id = _named()
    return None if session_id is None else cookies.fits(_sent(), session_id)


def is_of(session_id: str) -> bool:
    """Whether the form was made for this session."""
    return cookies.fits(_sent(), session_id)


def is_of_browser() -> bool:
    """Whether the form was made for this browser before anybody had logged in."""
    browser = _browser()
    return browser is not None and cookies.fits(_sent(), _as_session(browser))


def put(response: Response) -> None:
    """Give the browser its cookie, if a form of this page needs one."""
    if new := current().browser:
        response.set_cookie(_cookie(), new, secure=request.is_secure, httponly=True, samesite="Lax")


def _sent() -> str:
    return request.form.get(FIELD, "")


def _named() -> str | None:
    access, refresh = cookies.access_token(), cookies.refresh_token()
    if access is not None:
        try:
            return parts().accounts.logins.access.read(access).session_id
        except InvalidToken:
            pass
    return None if refresh is None else refresh.partition(".")[0]


def _browser() -> str | None:
    found = request.cookies.get(_cookie(), "")
    return found if RANDOM(found) else None


def _cookie() -> str:
    return f"__Host-{COOKIE}" if request.is_secure else COOKIE


def _as_session(browser: str) -> str:
    """No session's id looks like this, so neither token passes for the other."""
    return f"browser {browser}"
