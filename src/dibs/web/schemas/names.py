"""Questions about names, and verdicts on them."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from dibs.web.bodies import NAMES, TEXT, Body, Names
from dibs.web.schemas.problems import SuggestionSchema

MAX_CHECKED = 100
NAMESPACE = {
    "format": "dibs-namespace",
    "description": "Whose names; those of users and teams where it is left out.",
}
"""Those of DIBS_NAMESPACE and DIBS_NAMESPACES, some of which may be a beginning and a star."""


class CheckBody(Body):
    """The body of `POST /usernames/check`."""

    names = Names(
        fields.String(),
        required=True,
        error_messages=NAMES,
        validate=validate.Length(1, MAX_CHECKED, error="not_names"),
        metadata={"examples": [["ada", "grace"]]},
    )
    namespace = fields.String(load_default=None, error_messages=TEXT, metadata=NAMESPACE)


class PlainVerdict(Schema):
    """Whether a name can be had: advice, never a promise."""

    name = fields.String()
    canonical = fields.String(allow_none=True)
    available = fields.Boolean(
        allow_none=True,
        metadata={"description": "Null where it is not told whether somebody has the name."},
    )
    reason = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    reasons = fields.List(fields.Dict())
    renamed_to = fields.String(
        allow_none=True,
        metadata={"description": "What whoever gave the name up is called now, if known."},
    )
    retry_after = fields.Integer(
        metadata={"description": "Of a name that is held: seconds until that is over."}
    )


class Verdict(PlainVerdict):
    """A verdict, and other names for who cannot have this one."""

    suggestions = fields.List(fields.Nested(SuggestionSchema))


class Verdicts(Schema):
    """A verdict on each name, in the order of the names."""

    results = fields.List(fields.Nested(PlainVerdict))
