"""Request bodies: strict JSON, and every broken field said at once."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from flask import Request
from marshmallow import Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from dibs.errors import DibsError, EmptyName, Reason
from dibs.names.messages import NOT_TEXT

MAX_BODY = 64 * 1024

NOT_A_NUMBER = "%(field)s must be a whole number from 1 to 100."
REQUIRED = "The field %(field)s is required."
REPEATED = "%(field)s can only be given once."
UNKNOWN = "Unknown field %(field)s. Please leave it out."
NOT_A_BOOLEAN = "%(field)s must be true or false."
NOT_A_ROLE = "%(field)s must be owner or member."
ONE_CHANGE = "Change one thing at a time: the username (with its hold_token) or the password."
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
    "not_names": NOT_NAMES,
}
TEXT: dict[str, Any] = {"required": "required", "invalid": "not_text", "null": "not_text"}
NAMES: dict[str, Any] = {"required": "required", "invalid": "not_names", "null": "not_names"}
FLAG: dict[str, Any] = {"invalid": "not_a_boolean", "null": "not_a_boolean"}
NUMBER: dict[str, Any] = {"required": "required", "invalid": "not_a_number", "null": "not_a_number"}

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


class Body(Schema):
    """A body or query whose unknown fields are refused, not passed over."""

    error_messages = {"unknown": "unknown"}  # noqa: RUF012


class Flag(fields.Boolean):
    """`true` or `false`, and nothing that looks like it: `1`, `"yes"`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class Names(fields.List[Any]):
    """A list of strings; what is wrong with it is said once, and not of each string."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        del attr, data, options
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.make_error("invalid")
        return value


class Number(fields.Integer):
    """Digits, as everybody writes them; Python's own reading takes `1_0` and `\u0663` too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        if not re.fullmatch("[0-9]{1,9}", str(value)):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **options)


class StrictParser(FlaskParser):
    """webargs' parser with a stricter reading of JSON."""

    DEFAULT_UNKNOWN_BY_LOCATION = {}  # noqa: RUF012  # the schema says: refuse

    def _raw_load_json(self, req: Request) -> Any:
        if req.content_type is None and not read_body(req):
            return {}  # nothing at all: a body whose fields may all be left out
        if not req.is_json:
            raise UnsupportedMediaType
        body = read_json(read_body(req))
        if not isinstance(body, dict):
            raise NotAnObject
        return body

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body; a namespace in the query, which would be passed over, is refused as there.

        Raises:
            BodyInvalid: Names of another namespace may be meant, and users' would be taken.
        """
        body = super().load_json(req, schema)
        if "namespace" in req.args and "namespace" not in schema.fields:
            raise BodyInvalid([_reason("namespace", ["unknown"])])
        return body

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The query; of two equal names it would not be clear which one is meant.

        Raises:
            BodyInvalid: A name stands there twice.
        """
        if twice := sorted(name for name, values in req.args.lists() if len(values) > 1):
            raise BodyInvalid([_reason(name, ["repeated"]) for name in twice])
        return super().load_querystring(req, schema)

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, **options: Any
    ) -> NoReturn:
        del req, schema, options
        (found,) = dict(error.normalized_messages()).values()  # type: ignore[no-untyped-call]
        if found.get("username") == ["required"]:
            raise EmptyName from error
        raise BodyInvalid([_reason(*item) for item in sorted(found.items())]) from error


def _reason(field: str, codes: Any) -> tuple[str, Reason]:
    code = codes[0] if isinstance(codes, list) else "not_text"
    field = field if len(field) <= 64 else field[:64] + "..."
    # JSON can spell half a surrogate pair, which no answer in UTF-8 can repeat.
    field = field.encode(errors="backslashreplace").decode()
    return field, Reason(code, WORDS.get(code, NOT_TEXT), {"field": field})


def read_body(req: Request) -> bytes:
    """The body, if it is not too large.

    Raises:
        RequestEntityTooLarge: It is larger than `MAX_BODY`.
    """
    req.max_content_length = MAX_BODY
    body = req.get_data(cache=True)
    # One that came in chunks is cut off at the limit without a word (werkzeug 3.1).
    if req.content_length is None and len(body) >= MAX_BODY:
        raise RequestEntityTooLarge
    return body


def read_json(body: bytes) -> Any:
    """What the body says, if it says one thing.

    A parser that takes the last of two equal names and a checker that takes
    the first disagree about what was asked (RFC 8259, 4); NaN is no JSON.

    Raises:
        NotJson: It is not UTF-8, not JSON, too deeply nested, or says a name twice.
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJson from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a name stands twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
