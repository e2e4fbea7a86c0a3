"""`/@<name>`: the page that everybody sees of a user or a team, and what a team changes there."""

from __future__ import annotations

from typing import cast

from flask import Response, request, url_for

from dibs.accounts.teams import owner_for
from dibs.errors import DibsError, InvalidName, TeamNotFound, UserNotFound
from dibs.store.accounts.teams import Role
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import (
    is_id,
    may_see,
    moved_to,
    user_id_of,
    user_of,
    user_shown,
)
from dibs.web.http.current import deadline, parts
from dibs.web.pages import browser_session
from dibs.web.pages.account import account_page, is_same
from dibs.web.pages.base import go, go_to, page
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.forms import (
    Form,
    NotConfirmed,
    Shown,
    key_of_form,
    sent,
    shows,
    shows_form,
    takes_form,
)
from dibs.web.pages.phrases import rest

ROLES = ("owner", "member")
MEMBERS = "/account/teams/<team_id>/members"


class NobodyThere(DibsError):
    """Nobody has this name, or the reader may not see them."""

    code = "not_found"
    message = "Nobody has this name."


@shows("/@<dibs_any:name>", admits="anybody")
def profile(name: str) -> Response:
    """A user or a team, by any spelling of the name; a look-alike is somebody else."""
    try:
        row = parts().registry.row_of(name, deadline=deadline())
    except InvalidName as error:
        raise NobodyThere from error
    if row is None:
        raise NobodyThere
    if row.state != "owned":
        if (new := moved_to(row)) is not None:
            return _to(new, 308, was=row.display)
        raise NobodyThere
    if not may_see(row):
        raise NobodyThere
    if name != row.display:
        return _to(row.display, 302)
    if row.owner_kind == "team":
        return team_page(str(row.owner), Form())
    return page("profile.html", user=user_shown(user_of(str(row.owner))), was=_was(name))


def _was(name: str) -> str | None:
    """The old name that has led here, by `?was=`; none that did not lead to this one."""
    try:
        row = parts().registry.row_of(request.args["was"], deadline=deadline())
    except (KeyError, InvalidName):
        return None
    if row is None or row.state == "owned" or moved_to(row) != name:
        return None
    return row.display


def _to(name: str, status: int, was: str | None = None) -> Response:
    """Where the name is spelt as its owner does; not for good, as a name may change hands."""
    response = go_to(url_for("dibs_pages.profile", name=name, was=was), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


# --- teams ---------------------------------------------------------------------


def team_page(team_id: str, form: Form) -> Response:
    """Show a team: its members to members, and the forms to its owners."""
    reader = browser_session.visitor()
    team = parts().accounts.teams.get(team_id, reader=reader, deadline=deadline())
    roles = {one.user_id: one.role for one in team.members or ()}
    own = roles.get(reader.user_id) if reader else None
    return page(
        "team.html",
        form.status,
        here=url_for("dibs_pages.profile", name=team.name),
        team=team,
        form=form,
        me=reader.user_id if reader else None,
        own=own,
        # Who leaves a team alone would leave it to nobody.
        is_last=own == "owner" and sum(role == "owner" for role in roles.values()) == 1,
        was=_was(team.name),
        rest=rest,
        owns=own == "owner" or (reader is not None and reader.role == "staff"),
    )


def _page_here(form: Form) -> Response:
    """The page of the team that the address names."""
    signed_in()
    return team_page(_id(), form)


@takes_form("/account/teams", Shown(account_page, names="name"), admits="user", limit="register")
def do_create_team() -> Response:
    """Create a team, owned by the signed-in user."""
    owner, name = signed_in(), sent("name")
    key, repeatable = key_of_form()
    request_ = (b"POST /account/teams", owner.user_id.encode(), key.encode(), name.encode())
    with suggesting(name, key):
        team = parts().accounts.teams.create(
            name, owner=owner, request=request_, repeatable=repeatable, deadline=deadline()
        )
    return go("profile", "team_made", name=team.name)


@takes_form(
    "/account/teams/<team_id>/name",
    Shown(_page_here, names="name"),
    admits="user",
    limit="register",
)
def do_rename_team(team_id: str) -> Response:
    """Give a team another name; the text above the form says what that means."""
    by, name, ends = signed_in(), sent("name"), deadline()
    parts().accounts.teams.refuse_strangers(_id(), by, ends)
    with suggesting(name):
        renamed = parts().renames.rename_team(
            name, team_id=team_id, by=owner_for(by), deadline=ends
        )
    return go("profile", "team_renamed", name=renamed.became)


@takes_form(MEMBERS, _page_here, admits="user")
def do_add_member(team_id: str) -> Response:
    """Add a user to the team, by their name."""
    by = signed_in()
    name, user_id = _team_name(), user_id_of(sent("username"))
    put = parts().accounts.teams.put_member
    put(team_id, user_id, "member", by=by, deadline=deadline())
    return go("profile", "members", name=name)


@takes_form(f"{MEMBERS}/<user_id>", _page_here, admits="user")
def do_change_member(team_id: str, user_id: str) -> Response:
    """Make a member an owner or back, or remove them; everybody may leave."""
    by, teams = signed_in(), parts().accounts.teams
    name, role = _team_name(), sent("role")
    if not is_id(user_id):
        raise UserNotFound
    if role in ROLES:
        teams.put_member(team_id, user_id, cast("Role", role), by=by, deadline=deadline())
        return go("profile", "members", name=name)
    teams.remove_member(team_id, user_id, by=by, deadline=deadline())
    if user_id == by.user_id:
        return go("account", "left")
    return go("profile", "members", name=name)


@shows_form("/account/teams/<team_id>/end", "end_team", admits="user")
def end_page(form: Form) -> Response:
    """What the end of a team means, and the last question."""
    team_id = _id()
    team = parts().accounts.teams.get(team_id, reader=signed_in(), deadline=deadline())
    return page("end-team.html", form.status, team=team, form=form, rest=rest)


@takes_form("/account/teams/<team_id>/end", end_page, admits="user")
def do_end_team(team_id: str) -> Response:
    """Delete a team, and free its name."""
    by = signed_in()
    if not is_same(sent("username"), _team_name()):
        raise NotConfirmed
    parts().accounts.teams.delete(team_id, by=by, deadline=deadline())
    return go("account", "team_ended")


def _id() -> str:
    found = str((request.view_args or {}).get("team_id", ""))
    if not is_id(found):
        raise TeamNotFound
    return found


def _team_name() -> str:
    return parts().accounts.teams.get(_id(), reader=signed_in(), deadline=deadline()).name
