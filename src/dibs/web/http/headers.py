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
from dibs.web.http.current import current_route

HSTS = "max-age=31536000"


def init_headers(app: Flask) -> None:
    """For the service's own app."""
    app.after_request(hardened)
    app.after_request(within)


def unsniffed(response: Response) -> Response:
    """What it says it is, it is: no browser is to guess."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def hardened(response: Response) -> Response:
    """The same; and with TLS it stays TLS: for this host alone, as others below are anybody's."""
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    return unsniffed(response)


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


EXPOSED = "Retry-After, RateLimit, RateLimit-Policy"
HEADERS = "Accept-Language, Content-Type, Authorization, Dibs-Hold-Token"
PREFLIGHT_SECONDS = "7200"


def init_cors(app: Flask, origins: str) -> None:
    """Let pages of these origins ask what is open to them, also when the answer is an error."""
    if allowed := parse(origins):
        app.after_request(partial(_allow, allowed))


def _allow(allowed: frozenset[str], response: Response) -> Response:
    route = current_route()
    if route is None or not route.cors:
        return response
    every = EVERY in allowed
    if not every:
        response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin is None or not (every or origin in allowed):
        return response
    headers = response.headers
    headers["Access-Control-Allow-Origin"] = EVERY if every else origin
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = ", ".join(sorted(response.allow))
        headers["Access-Control-Allow-Headers"] = HEADERS
        headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
    else:
        headers["Access-Control-Expose-Headers"] = EXPOSED
    return response
