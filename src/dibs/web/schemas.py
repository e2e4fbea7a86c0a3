"""What goes in and out, for marshmallow and the OpenAPI page."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dibs.web.bodies import NUMBER, TEXT, Body

MAX_PAGE = 100
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class RegisterBody(Body):
    """The body of `POST /register`."""

    username = fields.String(required=True, error_messages=TEXT)
    password = fields.String(load_only=True, error_messages=TEXT)


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
    renamed_to = fields.String(allow_none=True)
    suggestions = fields.List(fields.Dict())


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
        validate=validate.Regexp(rf"{ID}\Z", error="not_an_id"),
        metadata={"description": "What `next` of the page before said."},
    )


class UserPage(Schema):
    """One page of users, in the order of their ids."""

    items = fields.List(fields.Nested(UserSchema))
    next = fields.String(allow_none=True)
