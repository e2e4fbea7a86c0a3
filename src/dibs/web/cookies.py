"""Tokens as cookies, for pages: scripts cannot read them, and other sites cannot use them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from flask import Response, request, url_for

from dibs.accounts.login import Tokens
from dibs.errors import NotAllowed
from dibs.web.here import deadline, parts

ACCESS, REFRESH, CSRF = "dibs_access", "dibs_refresh", "dibs_csrf"
CSRF_HEADER = "X-CSRF-Token"
REFRESH_ROUTE = "dibs_sessions.refresh"


class CsrfFailed(NotAllowed):
    """A request that would change something came by cookie, and may be another site's."""

    code = "csrf"
    message = "Send the value of the cookie dibs_csrf in the header X-CSRF-Token."


@dataclass(frozen=True, slots=True)
class Names:
    """What the cookies are called.

    With https a browser takes `__Host-` from this very host only, so that no neighbouring
    subdomain can plant one (RFC 6265bis, 4.1.3). That prefix needs the path `/`, which the
    cookie of the refresh token does not have.
    """

    access: str
    refresh: str
    csrf: str


def names() -> Names:
    """Those for this request."""
    if request.is_secure:
        return Names(f"__Host-{ACCESS}", f"__Secure-{REFRESH}", f"__Host-{CSRF}")
    return Names(ACCESS, REFRESH, CSRF)


def access_token() -> str | None:
    """The access token that came as a cookie."""
    return request.cookies.get(names().access)


def refresh_token() -> str | None:
    """The refresh token that came as a cookie."""
    return request.cookies.get(names().refresh)


def put(response: Response, tokens: Tokens, csrf: str) -> Response:
    """Give a page its tokens."""
    called, seconds = names(), parts().settings.refresh_seconds
    _set(response, called.access, tokens.access_token, tokens.expires_in)
    _set(response, called.refresh, tokens.refresh_token, seconds, path=url_for(REFRESH_ROUTE))
    # The page reads this one, and sends it back in a header, which no other site can.
    _set(response, called.csrf, csrf, seconds, httponly=False)
    return response


def drop(response: Response) -> Response:
    """Take a page's tokens away, if it was these that it was known by."""
    called = names()
    if "Authorization" in request.headers or called.csrf not in request.cookies:
        return response
    _set(response, called.access, "", 0)
    _set(response, called.refresh, "", 0, path=url_for(REFRESH_ROUTE))
    _set(response, called.csrf, "", 0, httponly=False)
    return response


def _set(
    response: Response,
    name: str,
    value: str,
    seconds: int,
    *,
    path: str = "/",
    httponly: bool = True,
) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=path,
        secure=request.is_secure,
        httponly=httponly,
        samesite="Lax",
    )


def csrf_token(session_id: str) -> str:
    """A new token that only pages of this session can have."""
    nonce = secrets.token_urlsafe(12)
    return f"{nonce}.{_mac(session_id, nonce)}"


def refuse_forged(session_id: str) -> None:
    """See that the page that sends this can read its own cookies.

    A token that fits the session is proof enough, so the header is not compared with the
    cookie: a planted cookie would be equal to a planted header, and still be wrong.

    Raises:
        CsrfFailed: It cannot, as far as is known.
    """
    sent = request.headers.get(CSRF_HEADER, "")
    nonce, _, mac = sent.partition(".")
    if not sent.isascii() or not hmac.compare_digest(mac, _mac(session_id, nonce)):
        raise CsrfFailed


def _mac(session_id: str, nonce: str) -> str:
    secret = parts().settings.secret_key or parts().store.secret(deadline=deadline())
    key = hashlib.sha256(b"dibs csrf\0" + secret.encode()).digest()
    return hmac.new(key, f"{session_id}\0{nonce}".encode(), hashlib.sha256).hexdigest()
