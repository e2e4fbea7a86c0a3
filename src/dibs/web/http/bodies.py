"""Bodies: strict JSON, what is said of a broken field, and the JSON of an answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any, NoReturn

from flask import Request, Response, jsonify
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from dibs.errors import DibsError, EmptyName, Reason
from dibs.names.messages import NOT_TEXT
from dibs.web.i18n import localised, say

MAX_BODY = 64 * 1024

NOT_A_NUMBER = "Please give a whole number from 1 to 100."
REQUIRED = "The field %(field)s is required."
REPEATED = "%(field)s can only be given once."
UNKNOWN = "Unknown field %(field)s. Please leave it out."
NOT_A_BOOLEAN = "%(field)s must be true or false."
NOT_A_ROLE = "%(field)s must be owner or member."
ONE_CHANGE = "Change one thing at a time: the username (with its hold_token) or the password."
NOT_STAFF = "%(field)s must be staff or null."
NOT_KEPT = "%(field)s must be reserved or held."
NO_CHANGE = "Say what is to be changed."
NOT_NAMES = "%(field)s must be a list of 1 to 100 strings."
NOT_AN_ID = "`%(field)s` must be the `next` of an earlier page."

# marshmallow's own messages are replaced by these codes, so that nothing is
# ever told apart by the text of a message.
WORDS = {
    "required": REQUIRED,
    "not_text": NOT_TEXT,
    "not_a_number": NOT_A_NUMBER,
    "unknown": UNKNOWN,
    "repeated": REPEATED,
    "not_an_id": NOT_AN_ID,
    "not_a_boolean": NOT_A_BOOLEAN,
    "not_a_role": NOT_A_ROLE,
    "one_change": ONE_CHANGE,
    "not_staff": NOT_STAFF,
    "not_kept": NOT_KEPT,
    "no_change": NO_CHANGE,
    "not_names": NOT_NAMES,
}
MESSAGES = tuple(WORDS.values())


class Malformed(DibsError):
    """The request cannot be read as what it should be."""

    code = "malformed"
    message = "The request cannot be read."


class NotJson(Malformed):
    """The body is not JSON, or JSON that does not mean one thing."""

    message = (
        "The body is not valid JSON. Send one UTF-8 object, without duplicate keys and without NaN."
    )


class NotAnObject(Malformed):
    """The body is JSON, but a list, a number, a string, a boolean or null."""

    message = "The body must be a JSON object."


class BodyInvalid(DibsError):
    """Fields of the body break rules; `reasons` holds every one, by field."""

    code = "invalid"
    message = "A field cannot be used."

    def __init__(self, reasons: Sequence[tuple[str, Reason]]) -> None:
        self.reasons = tuple(reasons)
        super().__init__()


def broken(field: str, code: str) -> tuple[str, Reason]:
    """A field and what is wrong with it."""
    field = field if len(field) <= 64 else field[:64] + "..."
    # JSON can spell half a surrogate pair, which no answer in UTF-8 can repeat.
    field = field.encode(errors="backslashreplace").decode()
    return field, Reason(code, WORDS.get(code, NOT_TEXT), {"field": field})


def texts(
    body: Mapping[str, Any], *, required: Set[str], optional: Set[str] = frozenset()
) -> dict[str, str]:
    """The fields of a body that has no others, each of them text.

    Raises:
        EmptyName: There is no username, and there must be one.
        BodyInvalid: Another field is missing, is none of these, or is no text.
    """
    known = {*required, *optional}
    wrong = dict.fromkeys(required - body.keys(), "required")
    for field, value in body.items():
        if field not in known:
            wrong[field] = "unknown"
        elif not isinstance(value, str):
            wrong[field] = "not_text"
    if wrong.get("username") == "required":
        raise EmptyName
    if wrong:
        raise BodyInvalid([broken(*item) for item in sorted(wrong.items())])
    return dict(body)


def read_body(req: Request) -> bytes:
    """The body, if it is not too large; `RequestEntityTooLarge` if it is larger than `MAX_BODY`."""
    try:
        req.max_content_length = MAX_BODY
    except AttributeError:  # Flask 3.0, where only the whole app can have a limit
        if (req.content_length or 0) > MAX_BODY:
            raise RequestEntityTooLarge from None
    body = req.get_data(cache=True)
    # One that came in chunks is cut off at the limit without a word (werkzeug 3.1).
    if req.content_length is None and len(body) >= MAX_BODY:
        raise RequestEntityTooLarge
    return body


def read_object(req: Request) -> dict[str, Any]:
    """The object of JSON that the body is; none at all is one whose fields are all left out.

    Raises:
        UnsupportedMediaType: It is not sent as JSON.
        RequestEntityTooLarge: It is too large.
        NotJson, NotAnObject: See `object_of`.
    """
    if req.content_type is None and not read_body(req):
        return {}
    if not req.is_json:
        raise UnsupportedMediaType
    return object_of(read_body(req))


def object_of(body: bytes) -> dict[str, Any]:
    """The object of JSON that these bytes are.

    Raises:
        NotJson: They are no JSON.
        NotAnObject: They are something else.
    """
    if isinstance(said := read_json(body), dict):
        return said
    raise NotAnObject


def read_json(body: bytes) -> Any:
    """What the body says, if it says one thing.

    A parser that takes the last of two equal names and a checker that takes
    the first disagree about what was asked (RFC 8259, 4); NaN is no JSON.

    Raises:
        NotJson: It is not UTF-8, not JSON, too deeply nested, or says a name twice.
    """
    try:
        return STRICT.decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise NotJson from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)


def done(message: str, status: int = 200, **members: str) -> Response:
    """The response that says in the reader's language what was done."""
    return answered(status, localised(), {"message": say(message), **members})


def answered(status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> Response:
    """The response of this status that has these headers and is this JSON."""
    response = jsonify(body)
    response.status_code = status
    response.headers.update(headers)
    return response
