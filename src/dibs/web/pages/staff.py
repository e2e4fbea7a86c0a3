"""`/staff`: names and accounts, what may be done about them, and how much is going on."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from dibs.accounts.policy import STAFF
from dibs.errors import DibsError, NameHasChanged, OwnedAlready, UserNotFound
from dibs.store import NameRow
from dibs.web.api.kept import reserved
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import is_id, paged, user_id_of
from dibs.web.http.current import deadline, parts
from dibs.web.pages import figures
from dibs.web.pages.account import is_same
from dibs.web.pages.base import go, page
from dibs.web.pages.forms import (
    Form,
    NotConfirmed,
    Shown,
    require_staff,
    sent,
    shows,
    shows_form,
    takes_form,
)
from dibs.web.pages.phrases import rest
from dibs.web.pages.staff_search import ACTIONS, BUILT_IN, FREE, KINDS, STATES, look

STEPS = (20, 100, 500)
"""How much of a name's history is shown, at first and then."""

MAX_REASON = 64

PAGE = 50
"""How many users or events are on a page."""


class NoReason(DibsError):
    """A name would be reserved without a reason."""

    code = "invalid"
    message = "Give a reason of 1 to 64 characters."


@shows_form("/staff", "staff", admits="staff")
def staff_page(form: Form) -> Response:
    """A name, if `?name=` asks for one; else the figures."""
    require_staff()
    name = request.values.get("name", "")
    shown = _of_name(name) if name else {"figures": figures.figures()}
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
        "built_in": BUILT_IN,
        "kinds": KINDS,
        "rest": rest,
        "moment": figures.moment,
        "lasting": figures.lasting,
    }


OF_NAME = Shown(staff_page, names="")
RESERVED = Shown(staff_page, names="", others={NoReason: "reason"})
TRANSFERRED = Shown(staff_page, names="instead", people="to", others={OwnedAlready: "to"})


@takes_form("/staff/reserve", RESERVED, admits="staff")
def do_reserve() -> Response:
    """Keep a name back."""
    name, reason = sent("name"), sent("reason").strip()
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise NoReason
    parts().registry.reserve(name, reason=reason, deadline=deadline())
    return go("staff", "reserved", name=name)


@takes_form("/staff/unreserve", OF_NAME, admits="staff")
def do_unreserve() -> Response:
    """Let anybody register it again."""
    name = sent("name")
    _refuse_unseen(name)
    if not parts().registry.unreserve(name, deadline=deadline()):
        raise NameHasChanged
    return go("staff", "unreserved", name=name)


@takes_form("/staff/assign", Shown(staff_page, names="", people="user"), admits="staff")
def do_assign() -> Response:
    """Give a user this name instead of theirs."""
    name = sent("name")
    _refuse_unseen(name)
    user_id = user_id_of(sent("user"))
    with suggesting(name):
        parts().renames.rename(name, user_id=user_id, by_staff=True, deadline=deadline())
    return go("staff", "assigned", name=name)


@takes_form("/staff/transfer", TRANSFERRED, admits="staff")
def do_transfer() -> Response:
    """Pass a user's name on; both have one at any moment."""
    name, to, instead = sent("name"), sent("to"), sent("instead")
    _refuse_unseen(name)
    if not to:
        raise UserNotFound
    with suggesting(instead):
        parts().renames.transfer(
            name, to=to, instead=instead, version=_version(), deadline=deadline()
        )
    return go("staff", "transferred", name=name)


@takes_form("/staff/free", OF_NAME, admits="staff")
def do_free() -> Response:
    """End a hold or a quarantine, if it is still the one that staff saw."""
    name = sent("name")
    row = parts().registry.row_of(name, deadline=deadline())
    if row is None or row.free or row.version != _version():
        raise NameHasChanged
    if row.state not in ("held", "quarantined"):
        raise NameHasChanged
    if not parts().coherence.end(row, deadline=deadline()):
        raise NameHasChanged
    return go("staff", "freed", name=name)


# --- accounts ------------------------------------------------------------------


def _after() -> str | None:
    """The id that the page before ended with."""
    after = request.args.get("after", "")
    return after if is_id(after) else None


@shows("/staff/users", admits="staff")
def staff_users() -> Response:
    """All users, or those whose names begin with `?name=`."""
    name = request.args.get("name", "")
    found = parts().accounts.staff.find(name, after=_after(), limit=PAGE + 1, deadline=deadline())
    users, after = paged(found, PAGE)
    return page(
        "staff-users.html",
        users=users,
        asked=name,
        after=after,
        moment=figures.moment,
        here=url_for("dibs_pages.staff_users"),
    )


@shows("/staff/names", admits="staff")
def staff_names() -> Response:
    """Names that are kept back: reserved, page by page, and the newest holds."""
    names, after = reserved(request.args.get("after", ""), PAGE)
    return page(
        "staff-names.html",
        reserved=names,
        after=after,
        held=parts().holds.going_on(limit=PAGE, deadline=deadline()),
        lasting=figures.lasting,
        here=url_for("dibs_pages.staff_names"),
    )


@shows("/staff/log", admits="staff")
def staff_log() -> Response:
    """What was done to accounts, the newest first."""
    find = parts().accounts.recovery.ways.events
    events, after = paged(find(after=_after(), limit=PAGE + 1, deadline=deadline()), PAGE)
    ids = {one.user_id for one in events} | {one.actor for one in events if one.actor}
    return page(
        "staff-log.html",
        events=events,
        people=parts().history.names_now([*ids], deadline=deadline()),
        kinds=KINDS,
        after=after,
        moment=figures.moment,
        here=url_for("dibs_pages.staff_log"),
    )


@takes_form("/staff/link", OF_NAME, admits="staff")
def do_make_link() -> Response:
    """Make a recovery link for a user, and show it, this once."""
    user_id, row = seen_user()
    token = parts().accounts.recovery.make_link(user_id, deadline=deadline())
    link = url_for("dibs_pages.new_password", token=token, _external=True)
    return page("recovery-link.html", name=row.display, link=link)


@takes_form("/staff/disable", OF_NAME, admits="staff")
def do_disable() -> Response:
    """Keep a user out, or let them in again."""
    user_id, row = seen_user()
    disabled = sent("disabled") == "yes"
    parts().accounts.staff.set_disabled(user_id, disabled=disabled, deadline=deadline())
    return go("staff", "user_disabled" if disabled else "user_enabled", name=row.display)


@takes_form("/staff/role", OF_NAME, admits="staff")
def do_set_role() -> Response:
    """Give a user the staff role, or take it away."""
    user_id, row = seen_user()
    role = STAFF if sent("role") == STAFF else None
    parts().accounts.staff.set_role(user_id, role, deadline=deadline())
    return go("staff", "role_given" if role else "role_taken", name=row.display)


@takes_form("/staff/rename", staff_page, admits="staff")
def do_rename_user() -> Response:
    """Give a user another name, which may be a reserved one."""
    user_id, _ = seen_user()
    name = sent("username")
    with suggesting(name):
        renamed = parts().renames.rename(name, user_id=user_id, by_staff=True, deadline=deadline())
    return go("staff", "user_renamed", name=renamed.became)


@takes_form("/staff/sign-out", OF_NAME, admits="staff")
def do_sign_out_user() -> Response:
    """End all of a user's sessions."""
    user_id, row = seen_user()
    parts().accounts.staff.sign_out(user_id, deadline=deadline())
    return go("staff", "user_signed_out", name=row.display)


@takes_form("/staff/delete", Shown(staff_page, names="confirm"), admits="staff")
def do_delete_user() -> Response:
    """Delete a user, if their name was typed."""
    user_id, row = seen_user()
    if not is_same(sent("confirm"), row.display):
        raise NotConfirmed
    parts().accounts.staff.delete(user_id, deadline=deadline())
    return go("staff", "user_deleted", name=row.display)


def seen_user() -> tuple[str, NameRow]:
    """The id and the row of the user whom the form is about, if they still have that name.

    Raises:
        NameHasChanged: Somebody else has it by now, or they have another one.
    """
    row = parts().registry.row_of(sent("name"), deadline=deadline())
    if row is None or (row.state, row.owner_kind, row.version) != ("owned", "user", _version()):
        raise NameHasChanged
    return str(row.owner), row


def _version() -> int:
    """That of the row which the form was made of; 0 where there was none."""
    return request.form.get("version", 0, int)


def _refuse_unseen(name: str) -> None:
    """See that the name is still as staff saw it; `NameHasChanged` if it is not."""
    row = parts().registry.row_of(name, deadline=deadline())
    if (0 if row is None or row.free else row.version) != _version():
        raise NameHasChanged
