"""Errors as RFC 9457 problem details: the only place where a code becomes a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from dibs.accounts.idempotency import RequestRunning
from dibs.errors import (
    DibsError,
    InvalidName,
    InvalidNameAndPassword,
    InvalidPassword,
    InvalidToken,
    NameHeld,
    NameReserved,
    NameTaken,
    OutcomeUnknown,
    Overloaded,
    Reason,
    RenamedTooOften,
    SchemaError,
    StoreUnavailable,
    TooManyHolds,
    Unauthenticated,
)
from dibs.observe import Sparse, root_of
from dibs.web.checks import Answer
from dibs.web.http.bodies import BodyInvalid
from dibs.web.http.current import app_state, method
from dibs.web.http.request_log import suspect
from dibs.web.http.route import SAFE
from dibs.web.i18n import localised, say, together
from dibs.web.words import reason_items

STATUS = {
    "empty": HTTPStatus.BAD_REQUEST,
    "malformed": HTTPStatus.BAD_REQUEST,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "taken": HTTPStatus.CONFLICT,
    "lookalike": HTTPStatus.CONFLICT,
    "held": HTTPStatus.CONFLICT,
    "quarantined": HTTPStatus.CONFLICT,
    "reserved": HTTPStatus.CONFLICT,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "token_invalid": HTTPStatus.UNAUTHORIZED,
    "token_expired": HTTPStatus.UNAUTHORIZED,
    "token_superseded": HTTPStatus.UNAUTHORIZED,
    "session_ended": HTTPStatus.UNAUTHORIZED,
    "login_failed": HTTPStatus.UNAUTHORIZED,
    "recovery_failed": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "wrong_password": HTTPStatus.FORBIDDEN,
    "registration_closed": HTTPStatus.FORBIDDEN,
    "csrf": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "last_owner": HTTPStatus.CONFLICT,
    "last_staff": HTTPStatus.CONFLICT,
    "not_owned": HTTPStatus.CONFLICT,
    "has_changed": HTTPStatus.CONFLICT,
    "owned_already": HTTPStatus.UNPROCESSABLE_ENTITY,
    "hold_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many_holds": HTTPStatus.TOO_MANY_REQUESTS,
    "renamed_too_often": HTTPStatus.TOO_MANY_REQUESTS,
    "request_in_progress": HTTPStatus.CONFLICT,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
    "rate_limited": HTTPStatus.TOO_MANY_REQUESTS,
    "overloaded": HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "outcome_unknown": HTTPStatus.SERVICE_UNAVAILABLE,
    "transaction_must_restart": HTTPStatus.SERVICE_UNAVAILABLE,
}

TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request did not come in time",
    409: "This username is not available",
    413: "The request is too large",
    415: "Wrong content type",
    422: "The input is not valid",
    429: "Too many requests",
    500: "Something went wrong",
    503: "Please try again shortly",
}

# Where the status alone says something else.
TITLE_OF_CODE = {
    "last_owner": "A team needs an owner",
    "last_staff": "Somebody has to be staff",
    "not_owned": "Not your name",
    "has_changed": "Not your name",
    "request_in_progress": "This request is being processed",
    "idempotency_key_reused": "This key was used with another request",
}

# Where clients that know problem details, and not us, are to know what happened.
TYPED = {"request_in_progress", "idempotency_key_reused"}

NOT_KNOWN = "It is not known whether this was done. Please send the same request again."

# What HTTP itself refuses, before any of our own code runs.
HTTP_ERRORS = {
    400: ("malformed", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not accept that method. See the Allow header."),
    408: ("too_slow", "The request must come in full within 5 seconds. Please send it again."),
    413: ("too_large", "The body is too large. Send at most 64 KiB."),
    415: ("unsupported_media_type", "Send JSON, with the header Content-Type: application/json."),
    429: ("rate_limited", "Too many requests. Please try again later."),
    500: ("internal", "Something went wrong on our side."),
}

MESSAGES = (
    *TITLES.values(),
    *TITLE_OF_CODE.values(),
    NOT_KNOWN,
    *(message for _, message in HTTP_ERRORS.values()),
)


log = logging.getLogger(__name__)
log.addFilter(Sparse())

CONTENT_TYPE = "application/problem+json"


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> Answer:
    """Problem details in the reader's language."""
    body = {
        "title": _title(status, code),
        "status": int(status),
        "detail": detail,
        "code": code,
        **({"type": f"urn:problem-type:dibs:{code}"} if code in TYPED else {}),
        **members,
        "error": detail,
        "message": detail,
    }
    headers = {"Content-Type": CONTENT_TYPE, **localised(), **(headers or {})}
    return Answer(int(status), headers, body)


def respond(answer: Answer) -> Response:
    """Problem details as Flask sends them."""
    # Whatever the host app's own JSON does, names and sentences stay readable.
    text = json.dumps(answer.body, ensure_ascii=False) + "\n"
    return Response(text, answer.status, answer.headers)


def _title(status: int, code: str) -> str:
    title = TITLE_OF_CODE.get(code) or TITLES.get(status)
    return say(title) if title else HTTPStatus(status).phrase


def from_error(error: DibsError) -> Response:
    """The response that says what this error says."""
    return respond(told(error))


def told(error: DibsError) -> Answer:
    """What is answered to who meets this error."""
    suspect(error)
    if isinstance(error, InvalidName | NameTaken):
        count_refusal(error)
    match error:
        case InvalidName(only_reserved=True):
            return told(NameReserved())
        case InvalidNameAndPassword():
            return _broken(error, error.by_field)
        case InvalidName() | InvalidPassword():
            name = "username" if isinstance(error, InvalidName) else "password"
            return _broken(error, [(name, reason) for reason in error.reasons])
        case BodyInvalid():
            return _broken(error, error.reasons)
        case OutcomeUnknown(params={"idempotency_key": str(key)}):
            return _unavailable(error, idempotency_key=key)
        case StoreUnavailable() | Overloaded():
            return _unavailable(error)
        case Unauthenticated():
            return _unauthenticated(error)
        case SchemaError():
            # The mending command is for who runs the service, not for its users.
            log.error("%s", error)
            return _unavailable(StoreUnavailable())
        case NameTaken():
            return _taken(error)
        case TooManyHolds() | RenamedTooOften() | RequestRunning():
            return _later(error)
    return _plain(error)


REFUSED = "refused_"
"""What the names of the counts of refusals begin with; the error's code follows."""


def count_refusal(error: InvalidName | NameTaken) -> None:
    """Count why somebody could not have a name, once a reason; mere questions do not count."""
    cache = app_state().cache
    if cache is None or method() in SAFE:
        return
    for code in _codes(error):
        cache.counters.add(f"{REFUSED}{code}")


def _codes(error: InvalidName | NameTaken) -> set[str]:
    if isinstance(error, NameTaken):
        return {error.code}
    if isinstance(error, InvalidNameAndPassword):
        return {reason.code for field, reason in error.by_field if field == "username"}
    # A name that is only kept back is answered, and counted, as one that is taken.
    return set() if error.only_reserved else {reason.code for reason in error.reasons}


def _plain(error: DibsError) -> Answer:
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error, exc_info=error)
    return problem(status, error.code, say(error.message, error.params))


def _taken(error: NameTaken) -> Answer:
    members: dict[str, Any] = {"suggestions": error.suggestions} if error.suggestions else {}
    headers = {}
    if isinstance(error, NameHeld) and error.retry_after is not None:
        members["retry_after"] = error.retry_after
        headers["Retry-After"] = str(error.retry_after)
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers, **members)


def _later(error: TooManyHolds | RenamedTooOften | RequestRunning) -> Answer:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers)


def _broken(error: DibsError, reasons: Sequence[tuple[str, Reason]]) -> Answer:
    items = reason_items(say, reasons)
    detail = together(item["detail"] for item in items)
    return problem(STATUS[error.code], error.code, detail, reasons=items)


def _unauthenticated(error: Unauthenticated) -> Answer:
    """With the challenge of RFC 6750, 3: its attributes are for tokens that were sent."""
    challenge = 'Bearer realm="dibs"'
    if isinstance(error, InvalidToken):
        challenge += f', error="invalid_token", error_description="{error.message}"'
    headers = {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers)


def _unavailable(error: StoreUnavailable | Overloaded, **members: str) -> Answer:
    headers = {"Retry-After": str(error.retry_after)}
    if key := members.get("idempotency_key"):
        headers["Idempotency-Key"] = key
    log.warning("%s: %s", error.code, " ".join(str(root_of(error)).split()))
    keyless = isinstance(error, OutcomeUnknown) and not members
    detail = say(NOT_KNOWN if keyless else error.message)
    return problem(STATUS[error.code], error.code, detail, headers=headers, **members)


def from_http(error: HTTPException) -> Response:
    """What werkzeug refuses, in the same form as everything else."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return Response(*_redirect(error))
    code, detail = HTTP_ERRORS.get(error.code, ("http", error.name))
    kept = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
    return respond(problem(error.code, code, say(detail), headers=kept))


def _redirect(error: HTTPException) -> tuple[Any, int, Any]:
    response = error.get_response()
    return response.get_data(), response.status_code, list(response.headers)


def register_error_handlers(app: Flask) -> None:
    """Let views raise dibs' own errors; whatever else an app raises stays its own."""
    app.register_error_handler(DibsError, from_error)


def register_http_error_handlers(app: Flask) -> None:
    """Answer HTTP's own errors as problem details too: for the service's own app."""
    app.register_error_handler(HTTPException, from_http)
