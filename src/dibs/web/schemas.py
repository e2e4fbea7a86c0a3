"""What goes in and out, for marshmallow and the OpenAPI page."""

from __future__ import annotations

import re

from marshmallow import Schema, ValidationError, fields, validate

from dibs.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from dibs.names import DEFAULT_POLICY
from dibs.web.bodies import NUMBER, TEXT, Body
from dibs.web.problems import SuggestionSchema

MAX_PAGE = 100
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def _is_id(value: str) -> None:
    # Not `Regexp`: what Python calls \\Z is `$` to everybody who reads the OpenAPI page.
    if not re.fullmatch(ID, value):
        raise ValidationError("not_an_id")


class RegisterBody(Body):
    """The body of `POST /register`."""

    username = fields.String(
        required=True,
        error_messages=TEXT,
        metadata={
            "minLength": 1,
            "maxLength": DEFAULT_POLICY.max_code_points,
            "description": f"{DEFAULT_POLICY.min_length} to {DEFAULT_POLICY.max_length}"
            " characters as a reader counts them.",
            "examples": ["ada"],
        },
    )
    password = fields.String(
        load_only=True,
        error_messages=TEXT,
        metadata={
            "minLength": MIN_LENGTH,
            "maxLength": MAX_LENGTH,
            "format": "password",
            "examples": ["correct horse battery"],
        },
    )


class Registered(Schema):
    """The answer to a registration."""

    message = fields.String()
    id = fields.String(dump_only=True)
    username = fields.String()


class Verdict(Schema):
    """Whether a name can be had: advice, never a promise."""

    name = fields.String()
    canonical = fields.String(allow_none=True)
    available = fields.Boolean()
    reason = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    reasons = fields.List(fields.Dict())
    renamed_to = fields.String(
        allow_none=True, metadata={"description": "For later; always null yet."}
    )
    suggestions = fields.List(fields.Nested(SuggestionSchema))


class Health(Schema):
    """`ok` or `ready`."""

    status = fields.String()


class UserSchema(Schema):
    """A user as everybody sees her."""

    id = fields.String(dump_only=True)
    username = fields.String()


class PageQuery(Body):
    """Which page: keyset pagination, so that inserts neither repeat nor hide a user."""

    limit = fields.Integer(
        load_default=50,
        error_messages=NUMBER,
        validate=validate.Range(1, MAX_PAGE, error="not_a_number"),
    )
    after = fields.String(
        load_default=None,
        error_messages=TEXT,
        validate=_is_id,
        metadata={"description": "The `next` of an earlier page.", "pattern": f"^{ID}$"},
    )


class UserPage(Schema):
    """One page of users, in the order of their ids."""

    items = fields.List(fields.Nested(UserSchema))
    next = fields.String(allow_none=True)
