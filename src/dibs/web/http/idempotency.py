"""`Idempotency-Key`: the same request again gets the same answer again."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from math import ceil
from typing import Any, TypeVar, cast

from flask import Response, current_app, json, request

from dibs.accounts.idempotency import SLACK_SECONDS
from dibs.errors import DibsError, InvalidName
from dibs.store.accounts.idempotency import Answer, Attempt
from dibs.web.http.auth import signed_in
from dibs.web.http.bodies import Malformed
from dibs.web.http.current import deadline, parts
from dibs.web.http.problems import CONTENT_TYPE

View = TypeVar("View", bound=Callable[..., Any])

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

# With quotes it is a structured-field string (RFC 8941, 3.3.3). Without, it holds neither
# comma nor semicolon: servers join two headers with a comma.
KEY = r"[!#-\[\]-~]{16,255}"
BARE_KEY = r"[!#-+\--:<-\[\]-~]{16,255}"
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": HEADER,
    "description": "Random: the same request with the same key gets the same answer again.",
    "schema": {"type": "string", "pattern": f'^({BARE_KEY}|"{KEY}")$'},
}
REPLAYED_HEADER = {
    REPLAYED: {
        "description": "`true` where the answer was given before, and nothing was done now.",
        "schema": {"type": "string"},
    }
}

NOT_NOW = "The name is not available, or the same request is being served; `code` says which."
NOT_VALID = "The input is not valid; `reasons` says why. Or the key was sent with another body."

KEPT = {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
"""Successes, and refusals for what others have. All else is said of the request itself, or of a
moment, and another try may be answered otherwise."""


class BadIdempotencyKey(Malformed):
    """The Idempotency-Key cannot be used."""

    message = (
        "An Idempotency-Key must have 16 to 255 printable ASCII characters. "
        "Please make a random one."
    )


class SeveralIdempotencyKeys(BadIdempotencyKey):
    """There are two of them, or one that reads like two."""

    message = "Send exactly one Idempotency-Key. Put it in double quotes if it contains a comma."


class IdempotencyKeyWithParameters(BadIdempotencyKey):
    """Something follows it that a structured field may have, and this one has not."""

    message = "Send the Idempotency-Key alone, without a semicolon or parameters."


def is_key(text: str) -> bool:
    """Whether it can be an idempotency key."""
    return re.fullmatch(KEY, text) is not None


def is_repeatable() -> bool:
    """Whether this request may have been sent before."""
    return HEADER in request.headers


def new_key() -> str:
    """One that nobody else has."""
    return secrets.token_urlsafe(24)


def idempotency_key() -> str:
    """The client's key without quotes, or a new one.

    Raises:
        BadIdempotencyKey: It is too short to be unique, or is no key.
    """
    header = request.headers.get(HEADER)
    if header is None:
        return new_key()
    found = re.fullmatch(f'({BARE_KEY})|"({KEY})"', header.strip())
    if found is None:
        raise _complaint(header)
    return found[1] or found[2]


def _complaint(header: str) -> BadIdempotencyKey:
    unquoted = re.sub(r'"[^"]*"', "", header)
    if "," in unquoted:
        return SeveralIdempotencyKeys()
    return IdempotencyKeyWithParameters() if ";" in unquoted else BadIdempotencyKey()


def still_owned(answer: dict[str, str]) -> bool:
    """Whether who was made has the name still; one that was given up since is no success."""
    name = answer.get("username") or answer["name"]
    try:
        row = parts().registry.holder(name, deadline=deadline())
    except InvalidName:
        return False
    return row is not None and row.owner == answer["id"]


def idempotent(
    route: str, *, by_user: bool = False, secret: bool = False
) -> Callable[[View], View]:
    """Let a view run once for each Idempotency-Key, and answer alike from then on.

    A decorator between `arguments` and `response`: a body that cannot be read is refused
    before anything is asked, and what is kept is the text of the answer. A request without
    the header costs nothing.

    Args:
        route: What it is, in the words of the claim's token.
        by_user: Whether a key belongs to who is logged in; else it is anonymous.
        secret: Whether a success holds something that nobody may read in the database. Then it
            is not kept, and a retry runs the view again, which must find its own success.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if not is_repeatable():
                return view(*args, **kwargs)
            caller = signed_in().user_id if by_user else ""
            sent = (route.encode(), caller.encode(), idempotency_key().encode(), request.get_data())
            attempt, told = parts().accounts.repeats.begin(sent, deadline=deadline())
            if told is not None:
                if told.status != HTTPStatus.CREATED or still_owned(json.loads(told.body)):
                    return _replayed(told)
                attempt = parts().accounts.repeats.begin_anew(attempt, deadline=deadline())
            return _run(lambda: view(*args, **kwargs), attempt, secret=secret)

        return cast(View, wrapper)

    return decorate


def _run(view: Callable[[], Any], attempt: Attempt, *, secret: bool) -> Response:
    """Run the view, and keep its answer or the right to another one."""
    repeats, response = parts().accounts.repeats, None
    try:
        response = _response(view)
    finally:
        if response is not None and _is_final(response):
            hidden = secret and response.status_code == HTTPStatus.CREATED
            kept = None if hidden else _answer(response)
            repeats.end(attempt, kept, deadline=deadline())
        elif not repeats.forget(attempt, deadline=deadline()) and response is not None:
            _put_off(response)
    return response


def _response(view: Callable[[], Any]) -> Response:
    """The answer, whether the view returns it or raises an error that says it."""
    try:
        return current_app.make_response(view())
    except DibsError as error:
        # Whoever answers errors in this app: what is kept is what the client was sent.
        return current_app.make_response(current_app.handle_user_exception(error))


def _is_final(response: Response) -> bool:
    """Whether the same request may get this answer tomorrow; not if it is told to come again."""
    return response.status_code in KEPT and "Retry-After" not in response.headers


def _put_off(response: Response) -> None:
    """Tell the client to come again once the running attempt counts as dead."""
    if "Retry-After" in response.headers:
        seconds = max(1, ceil(deadline().remaining() + SLACK_SECONDS))
        response.headers["Retry-After"] = str(seconds)


def _answer(response: Response) -> Answer:
    headers = response.headers
    return Answer(
        response.status_code,
        response.get_data(as_text=True),
        headers.get("Location"),
        headers.get("Content-Language"),
    )


def _replayed(answer: Answer) -> Response:
    """The answer as it was, in the language that it was in."""
    is_problem = answer.status >= HTTPStatus.BAD_REQUEST
    kind = CONTENT_TYPE if is_problem else "application/json"
    response = Response(answer.body, answer.status, content_type=kind)
    response.headers[REPLAYED] = "true"
    if answer.location is not None:
        response.headers["Location"] = answer.location
    if answer.language is not None:
        response.headers["Content-Language"] = answer.language
        response.headers["Vary"] = "Accept-Language"
    return response
