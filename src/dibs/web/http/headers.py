"""Headers of every answer: what browsers must refuse, and which origins may ask (CORS).

CORS is a few lines of our own, as Flask-CORS does not fit into somebody else's app: it mixes in
the host's own CORS_ settings, takes over the app's error handling, and reads an origin such as
`http://[::1]:8000` as a regular expression. Here only an equal origin is let in, and
cookies never are.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, redirect, request
from werkzeug.routing import RequestRedirect

from dibs.config.origins import EVERY, parse
from dibs.web.http.current import Headers, current_route
from dibs.web.http.route import Route

HSTS = "max-age=31536000"


def init_headers(app: Flask) -> None:
    """For the service's own app."""
    app.after_request(hardened)
    app.after_request(within)


def unsniffed(response: Response) -> Response:
    """What it says it is, it is: no browser is to guess."""
    secure(response.headers, over_tls=False)
    return response


def secure(headers: Headers, *, over_tls: bool) -> None:
    """What it says it is, it is; and with TLS it stays TLS.

    For this host alone, as others below are anybody's.
    """
    if over_tls:
        headers.setdefault("Strict-Transport-Security", HSTS)
    headers.setdefault("X-Content-Type-Options", "nosniff")


def hardened(response: Response) -> Response:
    """The same, and what TLS asks for."""
    secure(response.headers, over_tls=request.is_secure)
    return response


def within(response: Response) -> Response:
    """Where routing sends on who asks with a slash too many or too few: an address without a host.

    Routing takes the host from the client's header, and a cache would send others there.
    """
    if isinstance(request.routing_exception, RequestRedirect) and response.location:
        wanted = urlsplit(response.location)
        # With two slashes in front it would begin with a host after all.
        path = "/" + wanted.path.lstrip("/")
        here = redirect(urlunsplit(("", "", path, wanted.query, "")), response.status_code)
        response.location = here.location
        # Werkzeug's page of HTML is for no client of an API; browsers follow without one.
        response.set_data(b"")
        response.headers.pop("Content-Type", None)
    return response


def unframed(response: Response) -> Response:
    """No other site may show it in a frame, and have somebody press what they do not see."""
    response.headers.setdefault(
        "Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'"
    )
    return response


EXPOSED = "Retry-After, RateLimit, RateLimit-Policy"
# What only the routes have that take a Bearer token.
EXPOSED_TOO = "Location, WWW-Authenticate, Idempotency-Key, Idempotency-Replayed, X-Request-ID"
HEADERS = "Accept-Language, Content-Type, Authorization, Dibs-Hold-Token, Idempotency-Key"
PREFLIGHT_SECONDS = "7200"


def init_cors(app: Flask, origins: str) -> None:
    """Let pages of these origins ask what is open to them, also when the answer is an error."""
    if allowed := parse(origins):
        app.after_request(partial(_allow, allowed))


def _allow(allowed: frozenset[str], response: Response) -> Response:
    is_let_in = let_in(response.headers, current_route(), request.headers.get("Origin"), allowed)
    if is_let_in and request.method == "OPTIONS":
        headers = response.headers
        headers.remove("Access-Control-Expose-Headers")
        headers["Access-Control-Allow-Methods"] = ", ".join(sorted(response.allow))
        headers["Access-Control-Allow-Headers"] = HEADERS
        headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    return response


def let_in(
    headers: Headers, route: Route | None, origin: str | None, allowed: frozenset[str]
) -> bool:
    """Let a page of this origin read the answer, if it may; and say so.

    The origins of a list may ask all that answers JSON, as what a Bearer token says; a cookie is
    never sent along. `*` opens no more than checks.
    """
    every = EVERY in allowed
    if not allowed or route is None or not (route.cors or (route.is_api and not every)):
        return False
    if not every:
        vary(headers, "Origin")
    if origin is None or not (every or origin in allowed):
        return False
    headers["Access-Control-Allow-Origin"] = EVERY if every else origin
    headers["Access-Control-Expose-Headers"] = (
        EXPOSED if route.cors else f"{EXPOSED}, {EXPOSED_TOO}"
    )
    return True


def vary(headers: Headers, *names: str) -> None:
    """Say that the answer would be another one if these headers of the request were."""
    said = [one for one in headers.get("Vary", "").split(", ") if one]
    known = {one.lower() for one in said}
    headers["Vary"] = ", ".join([*said, *(one for one in names if one.lower() not in known)])
