"""Which status and which title each code has, and what HTTP itself refuses."""

from __future__ import annotations

from http import HTTPStatus

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
    "forbidden": HTTPStatus.FORBIDDEN,
    "wrong_password": HTTPStatus.FORBIDDEN,
    "csrf": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "last_owner": HTTPStatus.CONFLICT,
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
    "not_owned": "Not your name",
    "has_changed": "Not your name",
    "request_in_progress": "This request is being served",
    "idempotency_key_reused": "This key was sent with another request",
}

# Where clients that know problem details, and not us, are to know what happened.
TYPED = {"request_in_progress", "idempotency_key_reused"}

NOT_KNOWN = "It is not known whether this was done. Please send the same request again."

# What HTTP itself refuses, before any of our own code runs.
HTTP_ERRORS = {
    400: ("malformed", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; see the Allow header."),
    413: ("too_large", "The body is too large; send at most 64 KiB."),
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
