"""Log-in, and the sessions that it begins."""

from __future__ import annotations

from marshmallow import Schema, fields

from dibs.web.bodies import FLAG, TEXT, Body, Flag
from dibs.web.schemas.formats import NAME, PASSWORD


class LoginBody(Body):
    """The body of `POST /login`."""

    username = fields.String(required=True, error_messages=TEXT, metadata=NAME)
    password = fields.String(
        required=True,
        load_only=True,
        error_messages=TEXT,
        metadata={"format": "password", "examples": PASSWORD["examples"]},
    )
    cookies = Flag(
        load_default=False,
        error_messages=FLAG,
        metadata={"description": "Whether to answer with cookies, for a page in a browser."},
    )


class RefreshBody(Body):
    """The body of `POST /refresh`, for who does not send the token as a Bearer token."""

    refresh_token = fields.String(load_only=True, error_messages=TEXT)


class TokenSchema(Schema):
    """What a login gives; with cookies the tokens are in these, and the CSRF token is here."""

    access_token = fields.String()
    refresh_token = fields.String()
    token_type = fields.String(metadata={"enum": ["Bearer"]})
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds until the access token ends."}
    )
    csrf_token = fields.String(
        metadata={"description": "For the header X-CSRF-Token; also the cookie dibs_csrf."}
    )


class SessionSchema(Schema):
    """One sign-in on one device."""

    id = fields.String()
    device = fields.String(metadata={"description": "What the client calls itself."})
    created_at = fields.String(metadata={"format": "date-time"})
    used_at = fields.String(metadata={"format": "date-time"})
    expires_at = fields.String(metadata={"format": "date-time"})
    current = fields.Boolean(metadata={"description": "Whether it is the one that asks."})


class SessionList(Schema):
    """A user's sessions, the one used last first."""

    items = fields.List(fields.Nested(SessionSchema))


class KeySet(Schema):
    """The public keys of access tokens (RFC 7517)."""

    keys = fields.List(fields.Dict())
