"""Headers that every answer of ours has, a page's or the API's."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, redirect, request
from werkzeug.routing import RequestRedirect

HSTS = "max-age=31536000"


def init_headers(app: Flask) -> None:
    """For an app that is all ours."""
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
