"""Which request changes names, for the history: a request has an id, and perhaps a user."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, request

from dibs.acting import Acting, act, acting
from dibs.store.models import MAX_REQUEST_ID

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
