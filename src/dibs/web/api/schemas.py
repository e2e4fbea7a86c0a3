"""What the API takes and returns, for marshmallow and the OpenAPI page."""

from __future__ import annotations

from typing import Any, get_args

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from dibs.accounts.passwords import MAX_LENGTH, MIN_LENGTH
from dibs.accounts.registration import MOST, WEEK_DAYS
from dibs.names import DEFAULT_POLICY, NamePolicy
from dibs.store.accounts.recoveries import EventKind
from dibs.web.api.representations import ID, is_id
from dibs.web.api.strict import FLAG, NAMES, NUMBER, TEXT, Body, Flag, Names, Number
from dibs.web.checks import MAX_CHECKED

# --- what the OpenAPI page says of it ------------------------------------------

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
CURRENT_PASSWORD = {"format": "password"}
EXAMPLE_PASSWORD = {"password": "correct horse battery"}
TYPED_PASSWORD = {**CURRENT_PASSWORD, "examples": [*EXAMPLE_PASSWORD.values()]}
PASSWORD = {"minLength": MIN_LENGTH, "maxLength": MAX_LENGTH, **TYPED_PASSWORD}
HOLD_TOKEN = {"description": "The token of a hold for this name; see `POST /holds`."}
NAMESPACE = {
    "format": "dibs-namespace",
    "description": "The namespace; that of users and teams if left out.",
}
"""Those of DIBS_NAMESPACE and DIBS_NAMESPACES, some of which may be a beginning and a star."""
MAX_PAGE = 100
ROLES = ("owner", "member")
KEPT = ("reserved", "held")


def id_in_path(name: str) -> dict[str, object]:
    """How the OpenAPI page has an id that is part of an address."""
    schema = {"type": "string", "format": "uuid", "pattern": f"^{ID}$"}
    return {"in": "path", "name": name, "required": True, "schema": schema}


# --- kinds of fields -----------------------------------------------------------


def _said(description: str, **options: Any) -> fields.String:
    """A text of an answer that is not plain from its name."""
    return fields.String(metadata={"description": description}, **options)


def _moment(description: str | None = None, **options: Any) -> fields.String:
    said = {"description": description} if description else {}
    return fields.String(metadata={"format": "date-time"} | said, **options)


def _sent(metadata: dict[str, Any] | None = None, **options: Any) -> fields.String:
    """A text of a body or a query."""
    return fields.String(error_messages=TEXT, metadata=metadata or {}, **options)


def _wanted(metadata: dict[str, Any] | None = None, *, secret: bool = False) -> fields.String:
    """One that must be there; a secret is in no answer."""
    return _sent(metadata, required=True, load_only=secret)


def _up_to(most: int, **options: Any) -> Number:
    """A number from 1 to so many."""
    in_range = validate.Range(1, most, error="not_a_number")
    return Number(error_messages=NUMBER, validate=in_range, **options)


def _wanted_id(description: str) -> fields.String:
    """One that may be there, and is an id then."""

    def refuse_other(text: str) -> None:
        # Not `Regexp`: what Python calls \\Z is `$` to everybody who reads the OpenAPI page.
        if not is_id(text):
            raise ValidationError("not_an_id")

    said = {"description": description, "pattern": f"^{ID}$"}
    return _sent(said, load_default=None, validate=refuse_other)


def _answer(name: str, /, **given: fields.Field[Any]) -> type[Schema]:
    return Schema.from_dict(dict(given), name=name)


def _body(name: str, /, **given: fields.Field[Any]) -> type[Schema]:
    return Body.from_dict(dict(given), name=name)


PAGE = {"next": fields.String(allow_none=True)}


# --- users ---------------------------------------------------------------------

Done = _answer("Done", message=fields.String())
Changed = _answer("Changed", message=fields.String(), username=fields.String())


class PlainUserSchema(Schema):
    """A user as everybody sees them."""

    id = fields.String(dump_only=True)
    username = _wanted(NAME)


class PlainTeamSchema(Schema):
    """A team as everybody sees it."""

    id = fields.String(dump_only=True)
    name = _wanted(NAME)


class UserSchema(PlainUserSchema):
    """A user: id and name, and the rest for readers who may see it."""

    password = _sent(PASSWORD, load_only=True)
    created_at = _moment(dump_only=True)
    role = _said("`staff`, or null.", dump_only=True, allow_none=True)
    teams = fields.List(fields.Nested(PlainTeamSchema), dump_only=True)
    disabled_at = _moment("For staff: since when, or null.", dump_only=True, allow_none=True)
    last_sign_in = _moment("For staff: null if it is not known.", dump_only=True, allow_none=True)
    sessions = fields.Integer(
        dump_only=True, metadata={"description": "For staff: how many go on."}
    )


class ChangeBody(Body):
    """The body of `PATCH /users/me`: another name, or another password."""

    username = _sent(NAME)
    hold_token = _sent(HOLD_TOKEN)
    password = _sent(PASSWORD, load_only=True)
    current_password = _sent(CURRENT_PASSWORD, load_only=True)

    @validates_schema
    def _one_at_a_time(self, data: dict[str, str], **kwargs: object) -> None:
        del kwargs
        if ("username" in data) == ("password" in data):
            raise ValidationError("one_change", "username")
        if "hold_token" in data and "username" not in data:
            raise ValidationError("one_change", "hold_token")


LeaveBody = _body("LeaveBody", password=_sent(CURRENT_PASSWORD, load_only=True))


class StaffChangeBody(Body):
    """The body of `PATCH /users/<id>`: what staff change of a user, one thing or more."""

    username = _sent(NAME)
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


UserPage = _answer("UserPage", items=fields.List(fields.Nested(UserSchema)), **PAGE)


class PageQuery(Body):
    """Which page: keyset pagination, so that inserts neither repeat nor hide a row."""

    limit = _up_to(MAX_PAGE, load_default=50)
    after = _wanted_id("The `next` of an earlier page.")


class UserQuery(PageQuery):
    """Which users."""

    name = _sent(
        {
            "description": "For staff: those whose names begin like this, in any spelling, in the"
            " order of their names."
        },
        load_default="",
    )


class EventQuery(PageQuery):
    """Which events."""

    user = _wanted_id("Only this user's, by id.")


class KeptQuery(Body):
    """Which names that are kept back."""

    state = _sent(
        {"enum": KEPT},
        load_default=KEPT[0],
        validate=validate.OneOf(KEPT, error="not_kept"),
    )
    limit = _up_to(MAX_PAGE, load_default=50)
    after = _sent(
        {"description": "The `next` of an earlier page; holds are on one."}, load_default=""
    )


KeptSchema = _answer(
    "KeptSchema",
    name=fields.String(),
    state=fields.String(metadata={"enum": KEPT}),
    reason=_said("Why staff reserved it; null for a hold.", allow_none=True),
    expires_in=fields.Integer(
        allow_none=True, metadata={"description": "Seconds until a hold ends."}
    ),
)
KeptPage = _answer("KeptPage", items=fields.List(fields.Nested(KeptSchema)), **PAGE)


EventSchema = _answer(
    "EventSchema",
    id=fields.String(),
    at=_moment(),
    kind=fields.String(metadata={"enum": list(get_args(EventKind))}),
    user=_said("The id of the account, which may be no more."),
    actor=_said("Who did it: a user's id, or the command.", allow_none=True),
    request_id=fields.String(allow_none=True),
)

EventPage = _answer("EventPage", items=fields.List(fields.Nested(EventSchema)), **PAGE)


# --- names ---------------------------------------------------------------------

ReasonSchema = _answer(
    "ReasonSchema", code=fields.String(), field=fields.String(), detail=fields.String()
)

SuggestionSchema = _answer(
    "SuggestionSchema", name=fields.String(), method=_said("digits, separator, word or initials")
)


def _retry_after() -> fields.Integer:
    return fields.Integer(metadata={"description": "For a held name: seconds until the hold ends."})


class Problem(Schema):
    """RFC 9457 problem details."""

    type = _said("Left out if it is about:blank.")
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = _said("Stable, the same in every language.")
    reasons = fields.List(fields.Nested(ReasonSchema))
    suggestions = fields.List(fields.Nested(SuggestionSchema))
    retry_after = _retry_after()
    idempotency_key = _said("The key to retry with, if there is one.")
    error = _said("The detail, for clients that read `error`.")
    message = _said("The detail again.")


CheckBody = _body(
    "CheckBody",
    names=Names(
        fields.String(),
        required=True,
        error_messages=NAMES,
        validate=validate.Length(1, MAX_CHECKED, error="not_names"),
        metadata={"examples": [["ada", "grace"]]},
    ),
    namespace=_sent(NAMESPACE, load_default=None),
)


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
    renamed_to = _said(
        "The present name of the user who gave this name up, if known.", allow_none=True
    )
    retry_after = _retry_after()


class Verdict(PlainVerdict):
    """A verdict, with other names if this one cannot be had."""

    suggestions = fields.List(fields.Nested(SuggestionSchema))


Verdicts = _answer("Verdicts", results=fields.List(fields.Nested(PlainVerdict)))


INVITATION = {"description": "The token of an invitation, where registration is by invitation."}
HoldBody = _body("HoldBody", username=_wanted(NAME), invitation=_sent(INVITATION))
HoldSchema = _answer(
    "HoldSchema",
    hold_token=_said("For `POST /register`."),
    username=fields.String(),
    expires_at=_moment(),
    expires_in=fields.Integer(metadata={"description": "Seconds."}),
)


RegisterBody = _body(
    "RegisterBody",
    username=_wanted(NAME),
    password=_sent(PASSWORD, load_only=True),
    hold_token=_sent(HOLD_TOKEN),
    invitation=_sent(INVITATION),
)
Registered = _answer(
    "Registered",
    message=fields.String(),
    id=fields.String(dump_only=True),
    username=fields.String(),
)


# --- invitations ---------------------------------------------------------------

InviteBody = _body(
    "InviteBody", uses=_up_to(MOST, required=True), days=_up_to(MOST, load_default=WEEK_DAYS)
)
InvitedSchema = _answer(
    "InvitedSchema",
    id=fields.String(),
    token=_said("Stands behind `/join/` in the link; shown this once."),
)
InvitationSchema = _answer(
    "InvitationSchema",
    id=fields.String(),
    uses=fields.Integer(metadata={"description": "How many it lets register."}),
    used=fields.Integer(metadata={"description": "How many have."}),
    created_at=_moment(),
    expires_at=_moment(),
    actor=_said("Who made it: a user's id, or the command.", allow_none=True),
    good=fields.Boolean(metadata={"description": "Whether it lets somebody register still."}),
)
InvitationPage = _answer(
    "InvitationPage", items=fields.List(fields.Nested(InvitationSchema)), **PAGE
)


# --- signing in ----------------------------------------------------------------

LoginBody = _body(
    "LoginBody",
    username=_wanted(NAME),
    password=_wanted(TYPED_PASSWORD, secret=True),
    cookies=Flag(
        load_default=False,
        error_messages=FLAG,
        metadata={"description": "Whether to answer with cookies, for a page in a browser."},
    ),
)

CodeBody = _body(
    "CodeBody",
    username=_wanted(NAME),
    code=_wanted({"description": "In any capitals, with hyphens or without."}, secret=True),
    password=_wanted(PASSWORD, secret=True),
)

LinkBody = _body("LinkBody", token=_wanted(secret=True), password=_wanted(PASSWORD, secret=True))
AskBody = _body("AskBody", username=_wanted(NAME))
CodesBody = _body("CodesBody", password=_wanted(CURRENT_PASSWORD, secret=True))
CodesSchema = _answer("CodesSchema", codes=fields.List(fields.String()))
LinkSchema = _answer(
    "LinkSchema",
    token=_said("For `POST /recover/link`."),
    expires_in=fields.Integer(metadata={"description": "Seconds."}),
)

RefreshBody = _body("RefreshBody", refresh_token=_sent(load_only=True))
TokenSchema = _answer(
    "TokenSchema",
    access_token=fields.String(),
    refresh_token=fields.String(),
    token_type=fields.String(metadata={"enum": ["Bearer"]}),
    expires_in=fields.Integer(
        required=True, metadata={"description": "Seconds until the access token ends."}
    ),
    csrf_token=_said("For the header X-CSRF-Token; also the cookie dibs_csrf."),
)

SessionSchema = _answer(
    "SessionSchema",
    id=fields.String(),
    device=_said("The name that the client gives itself."),
    created_at=_moment(),
    used_at=_moment(),
    expires_at=_moment(),
    current=fields.Boolean(metadata={"description": "Whether this request belongs to it."}),
)

SessionList = _answer("SessionList", items=fields.List(fields.Nested(SessionSchema)))
Export = _answer(
    "Export",
    user=fields.Nested(UserSchema),
    sessions=fields.List(fields.Nested(SessionSchema)),
    names=fields.List(fields.Dict(), metadata={"description": "What happened to their names."}),
    events=fields.List(fields.Nested(EventSchema)),
)
KeySet = _answer("KeySet", keys=fields.List(fields.Dict()))
Health = _answer("Health", status=fields.String())
Readiness = _answer("Readiness", status=fields.String(), detail=fields.String())


# --- teams ---------------------------------------------------------------------


class MemberSchema(PlainUserSchema):
    """A member of a team, with their role."""

    role = fields.String(validate=validate.OneOf(ROLES))


class TeamSchema(PlainTeamSchema):
    """A team: id and name, and the rest for readers who may see it."""

    created_at = _moment(dump_only=True)
    members = fields.List(fields.Nested(MemberSchema), dump_only=True)


TeamPage = _answer("TeamPage", items=fields.List(fields.Nested(PlainTeamSchema)), **PAGE)


TeamBody = _body("TeamBody", name=_wanted(NAME))
MemberBody = _body(
    "MemberBody",
    role=fields.String(
        required=True,
        error_messages=TEXT | {"invalid": "not_a_role", "null": "not_a_role"},
        validate=validate.OneOf(ROLES, error="not_a_role"),
    ),
)
