"""Errors as RFC 9457 problem details: the only place where a code becomes a status."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from dibs.accounts.repeats import RequestRunning
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
from dibs.observe.logs import Sparse, root_of
from dibs.web import counting
from dibs.web.bodies import BodyInvalid
from dibs.web.statuses import HTTP_ERRORS, NOT_KNOWN, STATUS, TITLE_OF_CODE, TITLES, TYPED
from dibs.web.words import localised, say, together

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
) -> Response:
    """A problem-details response in the reader's language."""
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
    headers = {**localised(), **(headers or {})}
    # Whatever the host app's own JSON does, names and sentences stay readable.
    text = json.dumps(body, ensure_ascii=False)
    return Response(text + "\n", status, headers, content_type=CONTENT_TYPE)


def _title(status: int, code: str) -> str:
    title = TITLE_OF_CODE.get(code) or TITLES.get(status)
    return say(title) if title else HTTPStatus(status).phrase


def from_error(error: DibsError) -> Response:
    """The response that says what this error says."""
    if isinstance(error, InvalidName | NameTaken):
        counting.refused(error)
    match error:
        case InvalidName(only_reserved=True):
            return from_error(NameReserved())
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


def _plain(error: DibsError) -> Response:
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("%s", error, exc_info=error)
    return problem(status, error.code, say(error.message, error.params))


def _taken(error: NameTaken) -> Response:
    members: dict[str, Any] = {"suggestions": error.suggestions} if error.suggestions else {}
    headers = {}
    if isinstance(error, NameHeld) and error.retry_after is not None:
        members["retry_after"] = error.retry_after
        headers["Retry-After"] = str(error.retry_after)
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers, **members)


def _later(error: TooManyHolds | RenamedTooOften | RequestRunning) -> Response:
    headers = {"Retry-After": str(error.retry_after)}
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers)


def reason_items(reasons: Sequence[tuple[str, Reason]]) -> list[dict[str, str]]:
    """Each broken rule in the reader's language."""
    return [
        {"code": reason.code, "field": name, "detail": say(reason.message, reason.params)}
        for name, reason in reasons
    ]


def _broken(error: DibsError, reasons: Sequence[tuple[str, Reason]]) -> Response:
    items = reason_items(reasons)
    detail = together(item["detail"] for item in items)
    return problem(STATUS[error.code], error.code, detail, reasons=items)


def _unauthenticated(error: Unauthenticated) -> Response:
    """With the challenge of RFC 6750, 3: its attributes are for tokens that were sent."""
    challenge = 'Bearer realm="dibs"'
    if isinstance(error, InvalidToken):
        challenge += f', error="invalid_token", error_description="{error.message}"'
    headers = {"WWW-Authenticate": challenge, "Cache-Control": "no-store"}
    return problem(STATUS[error.code], error.code, say(error.message), headers=headers)


def _unavailable(error: StoreUnavailable | Overloaded, **members: str) -> Response:
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
    return problem(error.code, code, say(detail), headers=kept)


def _redirect(error: HTTPException) -> tuple[Any, int, Any]:
    response = error.get_response()
    return response.get_data(), response.status_code, list(response.headers)


def register_error_handlers(app: Flask) -> None:
    """Let views raise dibs' own errors; whatever else an app raises stays its own."""
    app.register_error_handler(DibsError, from_error)


def register_http_error_handlers(app: Flask) -> None:
    """Answer HTTP's own errors as problem details too: for apps that are all ours."""
    app.register_error_handler(HTTPException, from_http)
