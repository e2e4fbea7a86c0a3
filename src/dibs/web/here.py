"""What belongs to the request that is served: the parts of its app, and its deadline."""

from __future__ import annotations

from typing import cast

from flask import current_app, request

from dibs.deadline import Deadline
from dibs.wiring import Parts

DEADLINE = "dibs.deadline"


def parts() -> Parts:
    """The parts of the app that serves this request.

    Raises:
        RuntimeError: It has none of its own: dibs is used without its routes.
    """
    try:
        return cast(Parts, current_app.extensions["dibs.parts"])
    except KeyError:
        raise RuntimeError("Logins need the service's routes: init_app(app, api=True)") from None


def deadline() -> Deadline:
    """When this request must be answered: one moment, however many steps it takes."""
    # Not `flask.g`, which outlives the request where an app context was pushed before.
    environ = request.environ
    if DEADLINE not in environ:
        environ[DEADLINE] = parts().budget.start()
    return cast(Deadline, environ[DEADLINE])
