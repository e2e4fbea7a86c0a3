"""What a browser carries between pages: who is signed in, its forms, and what was just done."""

from __future__ import annotations

import re
import secrets

from flask import Response, request

from dibs.errors import InvalidToken, SessionEnded, TokenSuperseded, Unauthenticated
from dibs.store.accounts.sessions import Living
from dibs.web.api.recovery import ASKED
from dibs.web.api.sessions import LOGGED_OUT, LOGGED_OUT_EVERYWHERE
from dibs.web.api.users import CHANGED
from dibs.web.http import cookies
from dibs.web.http.current import acts, current, deadline, parts
from dibs.web.i18n import say
from dibs.web.registrations import REGISTERED


def visitor() -> Living | None:
    """The reader of this page, or None. From here on `current_user` knows too."""
    state = current()
    if not state.is_reader_known:
        state.reader, state.is_reader_known = _by_access_token() or _by_refresh_token(), True
        if state.reader is not None:
            acts(state.reader.user_id)
    return state.reader


def signed_in() -> Living:
    """The reader of this page, who must be signed in; `Unauthenticated` if nobody is."""
    if (living := visitor()) is None:
        raise Unauthenticated
    return living


def sign_out() -> None:
    """Have the answer take the browser's tokens away."""
    current().has_ended = True


def settle(response: Response) -> None:
    """Put the cookies as this request has left them; also that of a form, if one needs it."""
    state = current()
    if state.browser:
        keep(response, _form_cookie(), state.browser)
    if state.tokens is not None:
        cookies.put(response, state.tokens, cookies.csrf_token(state.tokens.session_id))
    elif state.has_ended:
        cookies.drop(response)


def _by_access_token() -> Living | None:
    token = cookies.access_token()
    if token is None:
        return None
    try:
        return parts().accounts.logins.who(token, deadline=deadline())
    except InvalidToken:
        return None


def _by_refresh_token() -> Living | None:
    """The access token lives for minutes, and a browser without a script cannot ask for a new one.

    A neighbouring subdomain could have planted a token of its own session, which would log the
    reader in as somebody else: so the session's CSRF token must be there too, as for `/refresh`.
    """
    token = cookies.refresh_token()
    if token is None or not cookies.is_own(token.partition(".")[0]):
        return None
    try:
        return _exchanged(token)
    except InvalidToken:
        current().has_ended = True
        return None


def _exchanged(token: str) -> Living | None:
    logins = parts().accounts.logins
    try:
        tokens = logins.refresh(token, deadline=deadline())
    except TokenSuperseded:
        # Pages that are opened side by side come with the same token. The first brings the new
        # one to the browser; for the others it is enough to be read this once.
        return logins.sessions.living(token.partition(".")[0], deadline=deadline())
    current().tokens = tokens
    return logins.who(tokens.access_token, deadline=deadline())


# --- that a form comes from a page of ours -------------------------------------

FIELD = "csrf_token"
FORM_COOKIE = "dibs_form"
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
    return None if session_id is None else cookies.fits(request.form.get(FIELD, ""), session_id)


def is_of(session_id: str) -> bool:
    """Whether the form was made for this session."""
    return cookies.fits(request.form.get(FIELD, ""), session_id)


def is_of_browser() -> bool:
    """Whether the form was made for this browser before anybody had logged in."""
    browser = _browser()
    return browser is not None and cookies.fits(request.form.get(FIELD, ""), _as_session(browser))


def _named() -> str | None:
    access, refresh = cookies.access_token(), cookies.refresh_token()
    if access is not None:
        try:
            return parts().accounts.logins.access.read(access).session_id
        except InvalidToken:
            pass
    return None if refresh is None else refresh.partition(".")[0]


def _browser() -> str | None:
    found = request.cookies.get(_form_cookie(), "")
    return found if RANDOM(found) else None


def _form_cookie() -> str:
    return f"__Host-{FORM_COOKIE}" if request.is_secure else FORM_COOKIE


def _as_session(browser: str) -> str:
    """No session's id looks like this, so neither token passes for the other."""
    return f"browser {browser}"


# --- what was just done --------------------------------------------------------

COOKIE = "dibs_notice"
SECONDS = 60
NOTICES = {
    "registered": REGISTERED,
    "signed_out": LOGGED_OUT,
    "signed_out_everywhere": LOGGED_OUT_EVERYWHERE,
    "password": CHANGED,
    "asked": ASKED,
    "session_ended": SessionEnded.message,
    "sign_in_first": "Please sign in first.",
    "session_closed": "That device is signed out.",
    "renamed": "Your username was changed.",
    "deleted": "Your account was deleted.",
    "team_made": "The team was created.",
    "team_renamed": "The team was renamed.",
    "team_ended": "The team was deleted.",
    "left": "You have left the team.",
    "members": "Members updated.",
    "reserved": "The name is reserved.",
    "unreserved": "The name is no longer reserved.",
    "assigned": "The name was assigned.",
    "transferred": "The name was transferred.",
    "user_disabled": "The user is disabled and signed out everywhere.",
    "user_enabled": "The user can sign in again.",
    "user_signed_out": "The user is signed out everywhere.",
    "user_renamed": "The username was changed.",
    "invitation_ended": "Nobody else can register by that invitation.",
    "user_deleted": "The user was deleted.",
    "role_given": "The user has the staff role.",
    "role_taken": "The user no longer has the staff role.",
    "freed": "The name is free now.",
}
MESSAGES = tuple(NOTICES.values())
PLAIN = {"asked", "session_ended", "sign_in_first"}
"""Notices of what was not done."""


def leave(response: Response, notice: str) -> None:
    """Have the next page say this."""
    keep(response, COOKIE, notice, SECONDS)


def keep(response: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Have the browser keep this in a cookie, for so long or until it is closed."""
    response.set_cookie(
        name, value, seconds, secure=request.is_secure, httponly=True, samesite="Lax"
    )


def shown() -> str | None:
    """What this page is to say, if anything: only sentences of ours."""
    message = NOTICES.get(request.cookies.get(COOKIE, ""))
    return say(message) if message else None


def is_plain() -> bool:
    """Whether that is no success."""
    return request.cookies.get(COOKIE) in PLAIN


def take(response: Response) -> None:
    """Have it said once."""
    if COOKIE in request.cookies and response.status_code != 303:
        response.delete_cookie(COOKIE, secure=request.is_secure, httponly=True, samesite="Lax")
