"""Headers that every answer of ours has, a page's or the API's."""

from __future__ import annotations

from flask import Flask, Response, request

HSTS = "max-age=31536000"


def init_headers(app: Flask) -> None:
    """For an app that is all ours."""
    app.after_request(hardened)


def unsniffed(response: Response) -> Response:
    """What it says it is, it is: no browser is to guess."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


def hardened(response: Response) -> Response:
    """The same; and with TLS it stays TLS: for this host alone, as others below are anybody's."""
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    return unsniffed(response)
