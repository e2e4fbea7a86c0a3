"""The request that is served: the parts of its app, its deadline, its id, who acts."""

from __future__ import annotations

import re
import uuid
from typing import cast

from flask import Flask, Response, current_app, request

from dibs.context import Acting, Deadline, act, acting
from dibs.store.models import MAX_REQUEST_ID
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


HEADER = "X-Request-ID"
# What proxies send: hex, UUIDs, base64 and the like.
ID = re.compile(rf"[\w.:=+/-]{{1,{MAX_REQUEST_ID}}}", re.ASCII)


def init_tracing(app: Flask) -> None:
    """Give every request of this app its id, the client's own where it sends one."""
    app.before_request(_begin)
    app.after_request(_answer)
    app.teardown_request(_end)


def acts(user_id: str) -> None:
    """From now on this request is known to be this user's."""
    act(Acting(user_id, acting().request_id))


def _begin() -> None:
    sent = request.headers.get(HEADER, "")
    act(Acting(request_id=sent if ID.fullmatch(sent) else uuid.uuid4().hex))


def _answer(response: Response) -> Response:
    if found := acting().request_id:
        response.headers.setdefault(HEADER, found)
    return response


def _end(error: BaseException | None) -> None:
    del error
    act(Acting())  # the thread serves others too
