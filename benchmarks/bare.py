"""The least that a registration with a password can do: one hash for each request."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.hello import Hello
from dibs.accounts.passwords.algorithms import Argon2

_argon2, _one_at_a_time = Argon2(), threading.Lock()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """No framework, no name, no database: what nobody can beat."""
    password = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if password:
        with _one_at_a_time:
            _argon2.raw(password, os.urandom(16))
    status = "201 Created" if password else "200 OK"
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]


class Bare(Hello):
    """The function above on the server that `dibs serve` runs on."""

    app = "benchmarks.bare:app"
