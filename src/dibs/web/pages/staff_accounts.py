"""Other people's accounts, for staff: all of them, what may be done to one, and what was done."""

from __future__ import annotations

from flask import Response, request, url_for

from dibs.accounts.policy import STAFF
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import is_id
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages import figures
from dibs.web.pages.account import is_same
from dibs.web.pages.base import blueprint, go, page
from dibs.web.pages.forms import NotConfirmed, redisplays
from dibs.web.pages.staff import require_staff, seen_user, staff_page
from dibs.web.pages.staff_search import KINDS

PAGE = 50
"""How many users or events are on a page."""


def _after() -> str | None:
    """The id that the page before ended with."""
    sent = request.args.get("after", "")
    return sent if is_id(sent) else None


@blueprint.get("/staff/users")
@says(Route(admits="staff", limit="rest"))
def staff_users() -> Response:
    """All users, or those whose names begin with `?name=`."""
    require_staff()
    name = request.args.get("name", "")
    found = parts().accounts.staff.find(name, after=_after(), limit=PAGE + 1, deadline=deadline())
    return page(
        "staff-users.html",
        users=found[:PAGE],
        asked=name,
        after=found[PAGE - 1].id if len(found) > PAGE else None,
        moment=figures.moment,
        here=url_for("dibs_pages.staff_users"),
    )


@blueprint.get("/staff/log")
@says(Route(admits="staff", limit="rest"))
def staff_log() -> Response:
    """What was done to accounts, the newest first."""
    require_staff()
    events = parts().accounts.recovery.ways.events(
        after=_after(), limit=PAGE + 1, deadline=deadline()
    )
    ids = {one.user_id for one in events} | {one.actor for one in events if one.actor}
    return page(
        "staff-log.html",
        events=events[:PAGE],
        people=parts().history.names_now([*ids], deadline=deadline()),
        kinds=KINDS,
        after=events[PAGE - 1].id if len(events) > PAGE else None,
        moment=figures.moment,
        here=url_for("dibs_pages.staff_log"),
    )


@blueprint.post("/staff/disable")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_disable() -> Response:
    """Keep a user out, or let them in again."""
    user_id, row = seen_user()
    disabled = request.form.get("disabled") == "yes"
    parts().accounts.staff.set_disabled(user_id, disabled=disabled, deadline=deadline())
    return go("staff", "user_disabled" if disabled else "user_enabled", name=row.display)


@blueprint.post("/staff/role")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_set_role() -> Response:
    """Give a user the staff role, or take it away."""
    user_id, row = seen_user()
    role = STAFF if request.form.get("role") == STAFF else None
    parts().accounts.staff.set_role(user_id, role, deadline=deadline())
    return go("staff", "role_given" if role else "role_taken", name=row.display)


@blueprint.post("/staff/rename")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page)
def do_rename_user() -> Response:
    """Give a user another name, which may be a reserved one."""
    user_id, _ = seen_user()
    name = request.form.get("username", "")
    with suggesting(name):
        renamed = parts().renames.rename(name, user_id=user_id, by_staff=True, deadline=deadline())
    return go("staff", "user_renamed", name=renamed.became)


@blueprint.post("/staff/sign-out")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_sign_out_user() -> Response:
    """End all of a user's sessions."""
    user_id, row = seen_user()
    parts().accounts.staff.sign_out(user_id, deadline=deadline())
    return go("staff", "user_signed_out", name=row.display)


@blueprint.post("/staff/delete")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="confirm")
def do_delete_user() -> Response:
    """Delete a user, if their name was typed."""
    user_id, row = seen_user()
    if not is_same(request.form.get("confirm", ""), row.display):
        raise NotConfirmed
    parts().accounts.staff.delete(user_id, deadline=deadline())
    return go("staff", "user_deleted", name=row.display)
