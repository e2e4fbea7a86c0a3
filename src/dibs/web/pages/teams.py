"""Teams: made on one's account, changed on their own page."""

from __future__ import annotations

from typing import cast

from flask import Response, request, url_for

from dibs.errors import TeamNotFound, UserNotFound
from dibs.store.accounts.teams import Role
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import is_id, user_id_of
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages import browser_session
from dibs.web.pages.account import account_page, is_same
from dibs.web.pages.base import blueprint, go, page
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.forms import Form, NotConfirmed, key_of_form, redisplays
from dibs.web.pages.phrases import rest

ROLES = ("owner", "member")


def team_page(team_id: str, form: Form) -> Response:
    """Show a team: its members to members, and the forms to its owners."""
    reader = browser_session.visitor()
    team = parts().accounts.teams.get(team_id, reader=reader, deadline=deadline())
    roles = {one.user_id: one.role for one in team.members or ()}
    own = roles.get(reader.user_id) if reader else None
    owns = own == "owner" or (reader is not None and reader.role == "staff")
    return page(
        "team.html",
        form.status,
        here=url_for("dibs_pages.profile", name=team.name),
        team=team,
        form=form,
        me=reader.user_id if reader else None,
        own=own,
        owns=owns,
    )


def _page_here(form: Form) -> Response:
    """The page of the team that the address names."""
    signed_in()
    return team_page(_id("team_id"), form)


@blueprint.post("/account/teams")
@says(Route(admits="user", limit="register", sent="form"))
@redisplays(account_page, names="name")
def do_create_team() -> Response:
    """Create a team, owned by the signed-in user."""
    owner, name = signed_in(), request.form.get("name", "")
    key, repeatable = key_of_form()
    with suggesting(name, key):
        team = parts().accounts.teams.create(
            name,
            owner=owner,
            request=(
                b"POST /account/teams",
                owner.user_id.encode(),
                key.encode(),
                name.encode(),
            ),
            repeatable=repeatable,
            deadline=deadline(),
        )
    return go("profile", "team_made", name=team.name)


@blueprint.post("/account/teams/<team_id>/members")
@says(Route(admits="user", limit="rest", sent="form"))
@redisplays(_page_here)
def do_add_member(team_id: str) -> Response:
    """Add a user to the team, by their name."""
    by = signed_in()
    name, user_id = _name_of(team_id), user_id_of(request.form.get("username", ""))
    put = parts().accounts.teams.put_member
    put(team_id, user_id, "member", by=by, deadline=deadline())
    return go("profile", "members", name=name)


@blueprint.post("/account/teams/<team_id>/members/<user_id>")
@says(Route(admits="user", limit="rest", sent="form"))
@redisplays(_page_here)
def do_change_member(team_id: str, user_id: str) -> Response:
    """Make a member an owner or back, or remove them; everybody may leave."""
    by, teams = signed_in(), parts().accounts.teams
    name, role = _name_of(team_id), request.form.get("role", "")
    if not is_id(user_id):
        raise UserNotFound
    if role in ROLES:
        teams.put_member(team_id, user_id, cast("Role", role), by=by, deadline=deadline())
        return go("profile", "members", name=name)
    teams.remove_member(team_id, user_id, by=by, deadline=deadline())
    if user_id == by.user_id:
        return go("account", "left")
    return go("profile", "members", name=name)


def end_page(form: Form) -> Response:
    """What the end of a team means, and the last question."""
    team_id = _id("team_id")
    team = parts().accounts.teams.get(team_id, reader=signed_in(), deadline=deadline())
    return page("end-team.html", form.status, team=team, form=form, rest=rest)


@blueprint.get("/account/teams/<team_id>/end")
@says(Route(admits="user", limit="rest"))
def end_team(team_id: str) -> Response:
    """Show it."""
    del team_id
    return end_page(Form())


@blueprint.post("/account/teams/<team_id>/end")
@says(Route(admits="user", limit="rest", sent="form"))
@redisplays(end_page)
def do_end_team(team_id: str) -> Response:
    """Delete a team, and free its name."""
    by = signed_in()
    if not is_same(request.form.get("username", ""), _name_of(team_id)):
        raise NotConfirmed
    parts().accounts.teams.delete(team_id, by=by, deadline=deadline())
    return go("account", "team_ended")


def _id(name: str) -> str:
    found = str((request.view_args or {}).get(name, ""))
    if not is_id(found):
        raise TeamNotFound
    return found


def _name_of(team_id: str) -> str:
    if not is_id(team_id):
        raise TeamNotFound
    return parts().accounts.teams.get(team_id, reader=signed_in(), deadline=deadline()).name
