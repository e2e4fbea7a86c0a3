"""Holds."""

from __future__ import annotations

from marshmallow import Schema, fields

from dibs.web.bodies import Body
from dibs.web.schemas.plain import PlainUserSchema


class HoldBody(PlainUserSchema, Body):
    """The body of `POST /holds`."""

    class Meta:  # noqa: D106  # marshmallow's own
        fields = ("username",)


class HoldSchema(Schema):
    """A name that is held."""

    hold_token = fields.String(metadata={"description": "For `POST /register`."})
    username = fields.String()
    expires_at = fields.String(metadata={"format": "date-time"})
    expires_in = fields.Integer(metadata={"description": "Seconds."})
