"""Teams and their members."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dibs.web.bodies import TEXT, Body
from dibs.web.schemas.plain import PlainTeamSchema, PlainUserSchema

ROLES = ("owner", "member")


class MemberSchema(PlainUserSchema):
    """Who is in a team, and as what."""

    role = fields.String(validate=validate.OneOf(ROLES))


class TeamSchema(PlainTeamSchema):
    """A team; only its id and its name, unless the reader may see the rest."""

    created_at = fields.String(dump_only=True, metadata={"format": "date-time"})
    members = fields.List(fields.Nested(MemberSchema), dump_only=True)


class TeamPage(Schema):
    """One page of teams, in the order of their ids."""

    items = fields.List(fields.Nested(PlainTeamSchema))
    next = fields.String(allow_none=True)


class TeamBody(PlainTeamSchema, Body):
    """The body of `POST /teams`."""

    class Meta:  # noqa: D106  # marshmallow's own
        fields = ("name",)


class MemberBody(Body):
    """The body of `PUT /teams/<id>/members/<user id>`."""

    role = fields.String(
        required=True,
        error_messages=TEXT | {"invalid": "not_a_role", "null": "not_a_role"},
        validate=validate.OneOf(ROLES, error="not_a_role"),
    )
