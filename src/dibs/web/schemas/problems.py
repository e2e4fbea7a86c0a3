"""Problem details, as the OpenAPI page has them; `dibs.web.problems` makes them."""

from __future__ import annotations

from marshmallow import Schema, fields


class ReasonSchema(Schema):
    """One broken rule."""

    code = fields.String()
    field = fields.String()
    detail = fields.String()


class SuggestionSchema(Schema):
    """A name that was free a moment ago."""

    name = fields.String()
    method = fields.String(metadata={"description": "digits, separator, word or initials"})


class Problem(Schema):
    """RFC 9457 problem details."""

    type = fields.String(metadata={"description": "Left out where it is about:blank."})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String(metadata={"description": "Stable, the same in every language."})
    reasons = fields.List(fields.Nested(ReasonSchema))
    suggestions = fields.List(fields.Nested(SuggestionSchema))
    retry_after = fields.Integer(
        metadata={"description": "Of a name that is held: seconds until that is over."}
    )
    idempotency_key = fields.String(metadata={"description": "What to retry with, if anything."})
    error = fields.String(metadata={"description": "The detail, for clients that read `error`."})
    message = fields.String(metadata={"description": "The detail once more."})
