"""Users, and what they change of themselves."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validates_schema

from dibs.web.bodies import TEXT, Body
from dibs.web.schemas.done import Done
from dibs.web.schemas.formats import HOLD_TOKEN, NAME, PASSWORD
from dibs.web.schemas.plain import PlainTeamSchema, PlainUserSchema


class UserSchema(PlainUserSchema):
    """A user; only her id and her name, unless the reader may see the rest."""

    password = fields.String(load_only=True, error_messages=TEXT, metadata=PASSWORD)
    created_at = fields.String(dump_only=True, metadata={"format": "date-time"})
    role = fields.String(
        dump_only=True, allow_none=True, metadata={"description": "`staff`, or null."}
    )
    teams = fields.List(fields.Nested(PlainTeamSchema), dump_only=True)


class UserPage(Schema):
    """One page of users, in the order of their ids."""

    items = fields.List(fields.Nested(UserSchema))
    next = fields.String(allow_none=True)


class ChangeBody(UserSchema, Body):
    """The body of `PATCH /users/me`: another name, or another password."""

    class Meta:  # noqa: D106  # marshmallow's own
        fields = ("username", "hold_token", "password", "current_password")

    username = fields.String(error_messages=TEXT, metadata=NAME)
    hold_token = fields.String(error_messages=TEXT, metadata=HOLD_TOKEN)
    current_password = fields.String(
        load_only=True, error_messages=TEXT, metadata={"format": "password"}
    )

    @validates_schema
    def _one_at_a_time(self, data: dict[str, str], **kwargs: object) -> None:
        del kwargs
        if ("username" in data) == ("password" in data):
            raise ValidationError("one_change", "username")
        if "hold_token" in data and "username" not in data:
            raise ValidationError("one_change", "hold_token")


class Changed(Done):
    """What was changed; the name, if it was that."""

    username = fields.String()
