"""A user and a team as everybody sees them."""

from __future__ import annotations

from marshmallow import Schema, fields

from dibs.web.bodies import TEXT
from dibs.web.schemas.formats import NAME


class PlainUserSchema(Schema):
    """A user as everybody sees her."""

    id = fields.String(dump_only=True)
    username = fields.String(required=True, error_messages=TEXT, metadata=NAME)


class PlainTeamSchema(Schema):
    """A team as everybody sees it."""

    id = fields.String(dump_only=True)
    name = fields.String(required=True, error_messages=TEXT, metadata=NAME)
