"""Errors as RFC 9457 problem details: the only place where a code becomes a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from dibs.errors import (
    DibsError,
    InvalidName,
    InvalidNameAndPassword,
    InvalidPassword,
    InvalidToken,
    NameReserved,
    NameTaken,
    OutcomeUnknown,
    Overloaded,
    Reason,
    RenamedTooOften,
    SchemaError,
    StoreUnavailable,
    Unauthenticated,
)
from dibs.observe import COUNTS, Sparse, root_of
from dibs.web.checks import Answer
from dibs.web.http.bodies import BodyInvalid
from dibs.web.http.current import method
from dibs.web.http.request_log import suspect
from dibs.web.http.route import SAFE
from dibs.web.i18n import about, localised, say, together
from dibs.web.words import reason_items

CODES = {
    HTTPStatus.BAD_REQUEST: "empty malformed",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid owned_already hold_mismatch idempotency_key_reused",
    HTTPStatus.CONFLICT: (
        "taken lookalike held quarantined reserved last_owner last_staff not_owned "
        "has_changed request_in_progress"
    ),
    HTTPStatus.UNAUTHORIZED: (
        "unauthenticated token_invalid token_expired token_superseded session_ended "
        "login_failed recovery_failed"
    ),
    HTTPStatus.FORBIDDEN: (
        "forbidden wrong_password registration_closed invitation_needed invitation_refused"
        " captcha_needed csrf"
    ),
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.TOO_MANY_REQUESTS: "too_many_holds renamed_too_often rate_limited",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "overloaded unavailable outcome_unknown transaction_must_restart"
    ),
}
STATUS = {code: status for status, codes in CODES.items() for code in codes.split()}

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
    title = TITLE_OF_CODE.get(code) or TITLES.get(status)
    body = {
        "title": say(title) if title else HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        "code": code,
        **({"type": f"urn:problem-type:dibs:{code}"} if code in TYPED else {}),
        **members,
        "error": detail,
        "message": detail,
    }
    said = {"Content-Type": CONTENT_TYPE, **localised(), **(headers or {})}
    return Answer(int(status), said, body)


def respond(answer: Answer) -> Response:
    """Problem details as Flask sends them."""
    # Whatever the host app's own JSON does, names and sentences stay readable.
    text = json.dumps(answer.body, ensure_ascii=False) + "\n"
    return Response(text, answer.status, answer.headers)


def from_error(error: DibsError) -> Response:
    """The response that says what this error says."""
    return respond(told(error))


def told(error: DibsError) -> Answer:
    """What is answered to who meets this error, which is over then."""
    try:
        return _told(error)
    finally:
        # Else it and its frames may keep each other until garbage is looked for.
        error.__traceback__ = None


def _told(error: DibsError) -> Answer:
    suspect(error)
    if isinstance(error, InvalidName | NameTaken):
        count_refusal(error)
    match error:
        case InvalidName(only_reserved=True):
            return _told(NameReserved())
        case InvalidNameAndPassword():
            return _broken(error, error.by_field)
        case InvalidName() | InvalidPassword():
            name = "username" if isinstance(error, InvalidName) else "password"
            return _broken(error, [(name, reason) for reason in error.reasons])
        case BodyInvalid():
            return _broken(error, error.reasons)
        case SchemaError():
            # The mending command is for who runs the service, not for its users.
            log.error("%s", error)
            return _told(StoreUnavailable())
    return _plain(error)


def _broken(error: DibsError, reasons: Sequence[tuple[str, Reason]]) -> Answer:
    items = reason_items(say, reasons)
    detail = together(item["detail"] for item in items)
    return problem(STATUS[error.code], error.code, detail, reasons=items)


def _plain(error: DibsError) -> Answer:
    """The error's own sentence, with what goes with its kind."""
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    headers: dict[str, str] = {}
    members: dict[str, Any] = {}
    message, params = error.message, error.params
    if (seconds := getattr(error, "retry_after", None)) is not None:
        headers["Retry-After"] = str(seconds)
    match error:
        case NameTaken():
            members = {"suggestions": error.suggestions} if error.suggestions else {}
            if "Retry-After" in headers:
                members["retry_after"] = seconds
        case Unauthenticated():
            # The attributes of the challenge are for tokens that were sent (RFC 6750, 3).
            challenge = 'Bearer realm="dibs"'
            if isinstance(error, InvalidToken):
                challenge += f', error="invalid_token", error_description="{message}"'
            headers |= {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
        case RenamedTooOften():
            params = {"time": about(error.retry_after)}
        case StoreUnavailable() | Overloaded():
            log.warning("%s: %s", error.code, " ".join(str(root_of(error)).split()))
            if key := error.params.get("idempotency_key"):
                headers["Idempotency-Key"] = members["idempotency_key"] = str(key)
            elif isinstance(error, OutcomeUnknown):
                message = NOT_KNOWN
        case _ if status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s", error, exc_info=error)
    return problem(status, error.code, say(message, params), headers=headers, **members)


REFUSED = "refused_"
"""What the names of the counts of refusals begin with; the error's code follows."""


def count_refusal(error: InvalidName | NameTaken) -> None:
    """Count why somebody could not have a name, once a reason; mere questions do not count."""
    if method() in SAFE:
        return
    for code in _codes(error):
        COUNTS.add(f"{REFUSED}{code}")


def _codes(error: InvalidName | NameTaken) -> set[str]:
    if isinstance(error, NameTaken):
        return {error.code}
    if isinstance(error, InvalidNameAndPassword):
        return {reason.code for field, reason in error.by_field if field == "username"}
    # A name that is only kept back is answered, and counted, as one that is taken.
    return set() if error.only_reserved else {reason.code for reason in error.reasons}


def from_http(error: HTTPException) -> Response:
    """What werkzeug refuses, in the same form as everything else."""
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        redirect = error.get_response()
        return Response(redirect.get_data(), redirect.status_code, list(redirect.headers))
    code, detail = HTTP_ERRORS.get(error.code, ("http", error.name))
    kept = {k: v for k, v in error.get_headers() if k in ("Allow", "Retry-After")}
    return respond(problem(error.code, code, say(detail), headers=kept))


def register_error_handlers(app: Flask) -> None:
    """Let views raise dibs' own errors; whatever else an app raises stays its own."""
    app.register_error_handler(DibsError, from_error)


def register_http_error_handlers(app: Flask) -> None:
    """Answer HTTP's own errors as problem details too: for the service's own app."""
    app.register_error_handler(HTTPException, from_http)
