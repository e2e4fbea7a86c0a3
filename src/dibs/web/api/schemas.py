"""What the API takes and returns, for marshmallow and the OpenAPI page."""

from __future__ import annotations

import re
from typing import Any, get_args

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from dibs.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from dibs.names import DEFAULT_POLICY, NamePolicy
from dibs.store.accounts.recoveries import EventKind
from dibs.web.checks import MAX_CHECKED
from dibs.web.http.fields import FLAG, NAMES, NUMBER, TEXT, Body, Flag, Names, Number


class Done(Schema):
    """What was done, in words."""

    message = fields.String()


NAME_FORMAT = "dibs-username"
"""Names by all their rules, which no JSON Schema can say; `docs/names.md` does."""


def name_limits(policy: NamePolicy) -> dict[str, Any]:
    """What JSON Schema can say of a policy."""
    return {
        "maxLength": policy.max_code_points,
        "description": f"{policy.min_length} to {policy.max_length}"
        " characters as a reader counts them.",
    }


NAME = {
    "minLength": 1,
    "format": NAME_FORMAT,
    **name_limits(DEFAULT_POLICY),
    "examples": ["ada"],
}
PASSWORD = {
    "minLength": MIN_LENGTH,
    "maxLength": MAX_LENGTH,
    "format": "password",
    "examples": ["correct horse battery"],
}
HOLD_TOKEN = {"description": "The token of a hold for this name; see `POST /holds`."}


class PlainUserSchema(Schema):
    """A user as everybody sees them."""

    id = fields.String(dump_only=True)
    username = fields.String(required=True, error_messages=TEXT, metadata=NAME)


class PlainTeamSchema(Schema):
    """A team as everybody sees it."""

    id = fields.String(dump_only=True)
    name = fields.String(required=True, error_messages=TEXT, metadata=NAME)


class UserSchema(PlainUserSchema):
    """A user: id and name, and the rest for readers who may see it."""

    password = fields.String(load_only=True, error_messages=TEXT, metadata=PASSWORD)
    created_at = fields.String(dump_only=True, metadata={"format": "date-time"})
    role = fields.String(
        dump_only=True, allow_none=True, metadata={"description": "`staff`, or null."}
    )
    teams = fields.List(fields.Nested(PlainTeamSchema), dump_only=True)
    disabled_at = fields.String(
        dump_only=True,
        allow_none=True,
        metadata={"format": "date-time", "description": "For staff: since when, or null."},
    )
    last_sign_in = fields.String(
        dump_only=True,
        allow_none=True,
        metadata={"format": "date-time", "description": "For staff: null if it is not known."},
    )
    sessions = fields.Integer(
        dump_only=True, metadata={"description": "For staff: how many go on."}
    )


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


class StaffChangeBody(Body):
    """The body of `PATCH /users/<id>`: what staff change of a user, one thing or more."""

    username = fields.String(error_messages=TEXT, metadata=NAME)
    role = fields.String(
        allow_none=True,
        error_messages=TEXT | {"invalid": "not_staff"},
        validate=validate.OneOf(["staff"], error="not_staff"),
    )
    disabled = Flag(error_messages=FLAG)

    @validates_schema
    def _anything(self, data: dict[str, object], **kwargs: object) -> None:
        del kwargs
        if not data:
            raise ValidationError("no_change", "username")


class Changed(Done):
    """What was changed, with the name if it was the name."""

    username = fields.String()


class Health(Schema):
    """`ok` or `ready`."""

    status = fields.String()


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


MAX_PAGE = 100
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def is_id(text: str) -> bool:
    """Whether it can be an id; what cannot is not asked for: a NUL is an error to PostgreSQL."""
    return re.fullmatch(ID, text) is not None


def id_in_path(name: str) -> dict[str, object]:
    """How the OpenAPI page has an id that is part of an address."""
    schema = {"type": "string", "format": "uuid", "pattern": f"^{ID}$"}
    return {"in": "path", "name": name, "required": True, "schema": schema}


def _refuse_other(text: str) -> None:
    # Not `Regexp`: what Python calls \\Z is `$` to everybody who reads the OpenAPI page.
    if not is_id(text):
        raise ValidationError("not_an_id")


class PageQuery(Body):
    """Which page: keyset pagination, so that inserts neither repeat nor hide a row."""

    limit = Number(
        load_default=50,
        error_messages=NUMBER,
        validate=validate.Range(1, MAX_PAGE, error="not_a_number"),
    )
    after = fields.String(
        load_default=None,
        error_messages=TEXT,
        validate=_refuse_other,
        metadata={"description": "The `next` of an earlier page.", "pattern": f"^{ID}$"},
    )


class UserQuery(PageQuery):
    """Which users."""

    name = fields.String(
        load_default="",
        error_messages=TEXT,
        metadata={
            "description": "For staff: those whose names begin like this, in any spelling, in the"
            " order of their names."
        },
    )


class EventQuery(PageQuery):
    """Which events."""

    user = fields.String(
        load_default=None,
        error_messages=TEXT,
        validate=_refuse_other,
        metadata={"description": "Only this user's, by id.", "pattern": f"^{ID}$"},
    )


class EventSchema(Schema):
    """Something that was done to an account."""

    id = fields.String()
    at = fields.String(metadata={"format": "date-time"})
    kind = fields.String(metadata={"enum": list(get_args(EventKind))})
    user = fields.String(metadata={"description": "The id of the account, which may be no more."})
    actor = fields.String(
        allow_none=True, metadata={"description": "Who did it: a user's id, or the command."}
    )
    request_id = fields.String(allow_none=True)


class EventPage(Schema):
    """One page of events, the newest first."""

    items = fields.List(fields.Nested(EventSchema))
    next = fields.String(allow_none=True)


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

    type = fields.String(metadata={"description": "Left out if it is about:blank."})
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String(metadata={"description": "Stable, the same in every language."})
    reasons = fields.List(fields.Nested(ReasonSchema))
    suggestions = fields.List(fields.Nested(SuggestionSchema))
    retry_after = fields.Integer(
        metadata={"description": "For a held name: seconds until the hold ends."}
    )
    idempotency_key = fields.String(
        metadata={"description": "The key to retry with, if there is one."}
    )
    error = fields.String(metadata={"description": "The detail, for clients that read `error`."})
    message = fields.String(metadata={"description": "The detail again."})


NAMESPACE = {
    "format": "dibs-namespace",
    "description": "The namespace; that of users and teams if left out.",
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
        metadata={"description": "Null if the service does not tell whether the name is taken."},
    )
    reason = fields.String(allow_none=True)
    message = fields.String(allow_none=True)
    reasons = fields.List(fields.Dict())
    renamed_to = fields.String(
        allow_none=True,
        metadata={"description": "The present name of the user who gave this name up, if known."},
    )
    retry_after = fields.Integer(
        metadata={"description": "For a held name: seconds until the hold ends."}
    )


class Verdict(PlainVerdict):
    """A verdict, with other names if this one cannot be had."""

    suggestions = fields.List(fields.Nested(SuggestionSchema))


class Verdicts(Schema):
    """A verdict on each name, in the order of the names."""

    results = fields.List(fields.Nested(PlainVerdict))


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


def _new_password() -> fields.String:
    return fields.String(required=True, load_only=True, error_messages=TEXT, metadata=PASSWORD)


def _username() -> fields.String:
    return fields.String(required=True, error_messages=TEXT, metadata=NAME)


class CodeBody(Body):
    """The body of `POST /recover/code`."""

    username = _username()
    code = fields.String(
        required=True,
        load_only=True,
        error_messages=TEXT,
        metadata={"description": "In any capitals, with hyphens or without."},
    )
    password = _new_password()


class LinkBody(Body):
    """The body of `POST /recover/link`."""

    token = fields.String(required=True, load_only=True, error_messages=TEXT)
    password = _new_password()


class AskBody(Body):
    """The body of `POST /recover/request`."""

    username = _username()


class CodesBody(Body):
    """The body of `POST /users/me/recovery-codes`: the current password."""

    password = fields.String(
        required=True, load_only=True, error_messages=TEXT, metadata={"format": "password"}
    )


class CodesSchema(Schema):
    """Recovery codes, each good once."""

    codes = fields.List(fields.String())


class LinkSchema(Schema):
    """What a recovery link is made of."""

    token = fields.String(metadata={"description": "For `POST /recover/link`."})
    expires_in = fields.Integer(metadata={"description": "Seconds."})


class RefreshBody(Body):
    """The body of `POST /refresh`, unless the token is sent as a Bearer token."""

    refresh_token = fields.String(load_only=True, error_messages=TEXT)


class TokenSchema(Schema):
    """The tokens; with cookies they are in the cookies, and only the CSRF token is here."""

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
    device = fields.String(metadata={"description": "The name that the client gives itself."})
    created_at = fields.String(metadata={"format": "date-time"})
    used_at = fields.String(metadata={"format": "date-time"})
    expires_at = fields.String(metadata={"format": "date-time"})
    current = fields.Boolean(metadata={"description": "Whether this request belongs to it."})


class SessionList(Schema):
    """A user's sessions, the most recently used first."""

    items = fields.List(fields.Nested(SessionSchema))


class KeySet(Schema):
    """The public keys of access tokens (RFC 7517)."""

    keys = fields.List(fields.Dict())


ROLES = ("owner", "member")


class MemberSchema(PlainUserSchema):
    """A member of a team, with their role."""

    role = fields.String(validate=validate.OneOf(ROLES))


class TeamSchema(PlainTeamSchema):
    """A team: id and name, and the rest for readers who may see it."""

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
