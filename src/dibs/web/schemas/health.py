"""Whether the service is well."""

from __future__ import annotations

from marshmallow import Schema, fields


class Health(Schema):
    """`ok` or `ready`."""

    status = fields.String()
