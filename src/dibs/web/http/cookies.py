"""Tokens as cookies, for pages: scripts cannot read them, and other sites cannot use them."""

from __future__ import annotations

import hmac
import secrets
from typing import TYPE_CHECKING, NamedTuple

from flask import Response, current_app, request, url_for

from dibs.errors import NotAllowed
from dibs.secret import key_of, mac
from dibs.state import state_of
from dibs.web.http.current import deadline, parts

if TYPE_CHECKING:
    from dibs.accounts.login import Tokens

ACCESS, REFRESH, CSRF = "dibs_access", "dibs_refresh", "dibs_csrf"
CSRF_HEADER = "X-CSRF-Token"
REFRESH_ROUTE = "dibs_sessions.refresh"


class CsrfFailed(NotAllowed):
    """A request that would change something came by cookie, and may be another site's."""

    code = "csrf"
    message = "Send the value of the cookie dibs_csrf in the header X-CSRF-Token."


class Names(NamedTuple):
    """What the cookies are called.

    With https a browser takes `__Host-` from this very host only, so that no neighbouring
    subdomain can plant one (RFC 6265bis, 4.1.3). That prefix needs the path `/`, which the
    cookie of the refresh token has only where there are pages: see `_refresh_path`.
    """

    access: str
    refresh: str
    csrf: str


def names() -> Names:
    """Those for this request."""
    if request.is_secure:
        prefix = "__Host-" if state_of(current_app).has_pages else "__Secure-"
        return Names(f"__Host-{ACCESS}", f"{prefix}{REFRESH}", f"__Host-{CSRF}")
    return Names(ACCESS, REFRESH, CSRF)


def access_token() -> str | None:
    """The access token that came as a cookie."""
    return request.cookies.get(names().access)


def refresh_token() -> str | None:
    """The refresh token that came as a cookie."""
    return request.cookies.get(names().refresh)


def _refresh_path() -> str:
    """Where the refresh token is sent: to its one route, or to every page.

    A page without a script cannot ask `/refresh` first, so the token has to come with the page's
    own request. It is no more in the open than the access token, which goes there anyway; scripts
    read neither; and a path keeps no other page of the same host from using a cookie (RFC 6265,
    8.5). The path `/` in return earns it `__Host-`.
    """
    return "/" if state_of(current_app).has_pages else url_for(REFRESH_ROUTE)


def put(response: Response, tokens: Tokens, csrf: str) -> Response:
    """Give a page its tokens."""
    seconds = parts().settings.refresh_seconds
    given = ((tokens.access_token, tokens.expires_in), (tokens.refresh_token, seconds))
    return _set(response, *given, (csrf, seconds))


def drop(response: Response) -> Response:
    """Take a page's tokens away, if it was these that it was known by."""
    if "Authorization" in request.headers or names().csrf not in request.cookies:
        return response
    return _set(response, ("", 0), ("", 0), ("", 0))


def _set(response: Response, *given: tuple[str, int]) -> Response:
    """The cookies of `Names`, in their order, each with its seconds."""
    called, paths = names(), ("/", _refresh_path(), "/")
    for name, path, (value, seconds) in zip(called, paths, given, strict=True):
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            secure=request.is_secure,
            # The page reads that of CSRF, and sends it back in a header, which no other site can.
            httponly=name != called.csrf,
            samesite="Lax",
        )
    return response


def csrf_token(session_id: str) -> str:
    """A new token that only pages of this session can have."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_mac(session_id, nonce)}"


def refuse_forged(session_id: str) -> None:
    """See that the page that sends this can read its own cookies; else `CsrfFailed`.

    A token that fits the session is proof enough, so the header is not compared with the
    cookie: a planted cookie would be equal to a planted header, and still be wrong.
    """
    if not fits(request.headers.get(CSRF_HEADER, ""), session_id):
        raise CsrfFailed


def fits(token: str, session_id: str) -> bool:
    """Whether this is a CSRF token of that session."""
    nonce, _, sent = token.partition(".")
    return token.isascii() and hmac.compare_digest(sent, _mac(session_id, nonce))


def is_own(session_id: str) -> bool:
    """Whether the browser has this session's CSRF token: one that was planted comes without."""
    return fits(request.cookies.get(names().csrf, ""), session_id)


def _mac(session_id: str, nonce: str) -> str:
    key = key_of("csrf", parts().secret(deadline()))
    return mac(key, f"{session_id}\0{nonce}".encode()).hex()
