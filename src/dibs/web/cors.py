"""What pages of other origins may ask (CORS), as DIBS_CORS_ORIGINS says.

A few lines of our own, as Flask-CORS does not fit into somebody else's app: it mixes in the
host's own CORS_ settings, takes over the app's error handling, and reads an origin such as
`http://[::1]:8000` as a regular expression. Here an origin is let in that is equal, no other,
and cookies never are.
"""

from __future__ import annotations

from functools import partial

from flask import Flask, Response, request

from dibs.origins import EVERY, parse

OPEN = {"dibs_names.check"}
"""Endpoints that `<dibs-username>` asks."""

EXPOSED = "Retry-After, RateLimit, RateLimit-Policy"
HEADERS = "Accept-Language, Content-Type"
PREFLIGHT_SECONDS = "7200"


def init_cors(app: Flask, origins: str) -> None:
    """Let pages of these origins ask what is open to them, also when the answer is an error."""
    if allowed := parse(origins):
        app.after_request(partial(_allow, allowed))


def _allow(allowed: frozenset[str], response: Response) -> Response:
    if request.endpoint not in OPEN:
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
