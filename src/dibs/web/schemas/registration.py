"""Registrations."""

from __future__ import annotations

from marshmallow import Schema, fields

from dibs.web.bodies import TEXT, Body
from dibs.web.schemas.formats import HOLD_TOKEN
from dibs.web.schemas.users import UserSchema


class RegisterBody(UserSchema, Body):
    """The body of `POST /register`."""

    class Meta:  # noqa: D106  # marshmallow's own
        fields = ("username", "password", "hold_token")

    hold_token = fields.String(error_messages=TEXT, metadata=HOLD_TOKEN)


class Registered(Schema):
    """The answer to a registration."""

    message = fields.String()
    id = fields.String(dump_only=True)
    username = fields.String()
