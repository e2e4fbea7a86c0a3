"""What was done, in words."""

from __future__ import annotations

from marshmallow import Schema, fields


class Done(Schema):
    """What was done, in words."""

    message = fields.String()
