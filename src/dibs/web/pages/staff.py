"""`/staff`: names by any spelling, what may be done about them, and how much is going on."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from dibs.accounts.policy import STAFF
from dibs.errors import DibsError, NameHasChanged, NotAllowed, OwnedAlready, UserNotFound
from dibs.store import NameRow
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import user_id_of
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages import figures, phrases
from dibs.web.pages.base import blueprint, go, page
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.forms import Form, redisplays
from dibs.web.pages.phrases import rest
from dibs.web.pages.staff_search import ACTIONS, FREE, KINDS, STATES, look

STEPS = (20, 100, 500)
"""How much of a name's history is shown, at first and then."""

MAX_REASON = 64


class NoReason(DibsError):
    """A name would be reserved without a reason."""

    code = "invalid"
    message = "Give a reason of 1 to 64 characters."


class StaffOnly(NotAllowed):
    """The reader is not staff."""

    message = "This page is for staff only."


def require_staff() -> None:
    """See that the reader may read this.

    Raises:
        Unauthenticated: Nobody is logged in.
        StaffOnly: The reader is not staff.
    """
    if signed_in().role != STAFF:
        raise StaffOnly


def staff_page(form: Form) -> Response:
    """A name, if one is asked for; else the figures."""
    require_staff()
    name = request.values.get("name", "")
    shown = _of_name(name) if name else {"figures": figures.figures(), "reason": phrases.words}
    return page(
        "staff-name.html" if name else "staff.html",
        form.status,
        form=form,
        here=url_for("dibs_pages.staff"),
        **shown,
    )


def _of_name(name: str) -> dict[str, Any]:
    limit = min(request.args.get("limit", STEPS[0], int), STEPS[-1])
    limit = max(limit, STEPS[0])
    return {
        "found": look(name, limit=limit),
        "next_limit": next((step for step in STEPS if step > limit), None),
        "states": STATES,
        "actions": ACTIONS,
        "free": FREE,
        "kinds": KINDS,
        "rest": rest,
        "moment": figures.moment,
        "lasting": figures.lasting,
    }


@blueprint.get("/staff")
@says(Route(admits="staff", limit="rest"))
def staff() -> Response:
    """Show it; `?name=` is the name that is looked for."""
    return staff_page(Form())


@blueprint.post("/staff/reserve")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="", others={NoReason: "reason"})
def do_reserve() -> Response:
    """Keep a name back."""
    require_staff()
    name, reason = _name(), request.form.get("reason", "").strip()
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise NoReason
    parts().registry.reserve(name, reason=reason, deadline=deadline())
    return go("staff", "reserved", name=name)


@blueprint.post("/staff/unreserve")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_unreserve() -> Response:
    """Let anybody register it again."""
    require_staff()
    name = _name()
    _refuse_unseen(name)
    if not parts().registry.unreserve(name, deadline=deadline()):
        raise NameHasChanged
    return go("staff", "unreserved", name=name)


@blueprint.post("/staff/assign")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="", people="user")
def do_assign() -> Response:
    """Give a user this name instead of theirs."""
    require_staff()
    name = _name()
    _refuse_unseen(name)
    user_id = user_id_of(request.form.get("user", ""))
    with suggesting(name):
        parts().renames.rename(name, user_id=user_id, by_staff=True, deadline=deadline())
    return go("staff", "assigned", name=name)


@blueprint.post("/staff/transfer")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="instead", people="to", others={OwnedAlready: "to"})
def do_transfer() -> Response:
    """Pass a user's name on; both have one at any moment."""
    require_staff()
    name, to, instead = _name(), request.form.get("to", ""), request.form.get("instead", "")
    _refuse_unseen(name)
    if not to:
        raise UserNotFound
    with suggesting(instead):
        parts().renames.transfer(
            name, to=to, instead=instead, version=_version(), deadline=deadline()
        )
    return go("staff", "transferred", name=name)


@blueprint.post("/staff/free")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_free() -> Response:
    """End a hold or a quarantine, if it is still the one that staff saw."""
    require_staff()
    name = _name()
    row = parts().registry.row_of(name, deadline=deadline())
    rests = row is not None and row.state in ("held", "quarantined") and not row.free
    if row is None or not rests or not is_as_seen(row):
        raise NameHasChanged
    if not parts().coherence.end(row, deadline=deadline()):
        raise NameHasChanged
    return go("staff", "freed", name=name)


def seen_user() -> tuple[str, NameRow]:
    """The id and the row of the user whom the form is about, if they still have that name.

    Raises:
        StaffOnly: The reader is not staff.
        NameHasChanged: Somebody else has it by now, or they have another one.
    """
    require_staff()
    row = parts().registry.row_of(_name(), deadline=deadline())
    if row is None or row.state != "owned" or row.owner_kind != "user" or not is_as_seen(row):
        raise NameHasChanged
    return str(row.owner), row


def is_as_seen(row: NameRow) -> bool:
    """Whether the form that was sent was made of this row as it is now."""
    return row.version == _version()


def _version() -> int:
    """That of the row which the form was made of; 0 where there was none."""
    return request.form.get("version", 0, int)


def _refuse_unseen(name: str) -> None:
    """See that the name is still as staff saw it.

    Raises:
        NameHasChanged: It is not.
    """
    row = parts().registry.row_of(name, deadline=deadline())
    if (0 if row is None or row.free else row.version) != _version():
        raise NameHasChanged


def _name() -> str:
    return request.form.get("name", "")
