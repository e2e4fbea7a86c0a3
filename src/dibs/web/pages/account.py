"""One's own account: name, password, sessions, teams, and leaving."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from dibs.errors import InvalidName, SessionEnded, SessionNotFound
from dibs.names import sign_in_form
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import is_id, users_shown
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.i18n import iso
from dibs.web.pages import browser_session
from dibs.web.pages.base import blueprint, go, go_out, is_open, page
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.figures import when
from dibs.web.pages.forms import Form, NotConfirmed, key_of_form, redisplays
from dibs.web.pages.phrases import described, rest


def me() -> dict[str, Any]:
    """The signed-in user, with everything about them.

    Raises:
        Unauthenticated: Nobody is logged in.
        SessionEnded: They have deleted themselves a moment ago.
    """
    user_id, namespace = signed_in().user_id, parts().settings.namespace
    found = parts().store.user(user_id, namespace=namespace, deadline=deadline())
    shown = users_shown([found]) if found else []
    if not shown:
        raise SessionEnded
    return shown[0]


def account_page(form: Form) -> Response:
    """All of it on one page."""
    living = signed_in()
    sessions = parts().accounts.logins.sessions.of(living.user_id, deadline=deadline())
    codes = parts().accounts.recovery.ways.codes_left(living.user_id, deadline=deadline())
    ordered = sorted(sessions, key=lambda one: one.id != living.session_id)
    return page(
        "account.html",
        form.status,
        form=form,
        here=url_for("dibs_pages.account"),
        me=me(),
        rest=rest,
        sessions=[(one, described(one.device), one.id == living.session_id) for one in ordered],
        when=when,
        iso=iso,
        codes=codes,
        shortest=parts().settings.password_min_length,
    )


@blueprint.get("/account")
@says(Route(admits="user", limit="rest"))
def account() -> Response:
    """Show the account; `?name=` fills in a new team's name, `?username=` a new username."""
    asked = {field: request.args.get(field, "") for field in ("name", "username")}
    return account_page(Form(typed=asked))


@blueprint.post("/account/password")
@says(Route(admits="user", limit="rest", credential="own", sent="form"))
@redisplays(account_page, passwords="new_password")
def do_change_password() -> Response:
    """Change the password, and end all sessions."""
    parts().accounts.profiles.change_password(
        signed_in().user_id,
        current=request.form.get("current_password"),
        new=request.form.get("new_password", ""),
        deadline=deadline(),
    )
    browser_session.sign_out()
    return go_out("password")


@blueprint.post("/account/sessions/end")
@says(Route(admits="user", limit="rest", sent="form"))
@redisplays(account_page)
def do_end_session() -> Response:
    """End one session, or all of them."""
    living, logins = signed_in(), parts().accounts.logins
    session_id = request.form.get("session", "")
    if session_id == "all":
        logins.logout_all(living.user_id, deadline=deadline())
        browser_session.sign_out()
        return go_out("signed_out_everywhere")
    if not is_id(session_id) or not logins.end(
        session_id, user_id=living.user_id, deadline=deadline()
    ):
        raise SessionNotFound
    if session_id == living.session_id:
        browser_session.sign_out()
        return go_out("signed_out")
    return go("account", "session_closed")


def delete_page(form: Form) -> Response:
    """What leaving means, and the last question."""
    return page("delete.html", form.status, form=form, me=me(), rest=rest)


@blueprint.get("/account/delete")
@says(Route(admits="user", limit="rest"))
def delete() -> Response:
    """Show it."""
    return delete_page(Form())


@blueprint.post("/account/delete")
@says(Route(admits="user", limit="rest", sent="form"))
@redisplays(delete_page)
def do_delete() -> Response:
    """Delete the signed-in user and free their name."""
    if not is_same(request.form.get("username", ""), me()["username"]):
        raise NotConfirmed
    parts().accounts.profiles.delete(signed_in().user_id, deadline=deadline())
    browser_session.sign_out()
    return go("sign_up", "deleted") if is_open() else go_out("deleted")


def is_same(typed: str, name: str) -> bool:
    """Whether somebody has typed this name, in any spelling."""
    parser = parts().parser
    try:
        one, other = (parser.typed(text) for text in (typed, name))
    except InvalidName:
        return False
    return sign_in_form(one.canonical) == sign_in_form(other.canonical)


@blueprint.post("/account/name")
@says(Route(admits="user", limit="register", sent="form"))
@redisplays(account_page)
def do_rename() -> Response:
    """Rename the signed-in user; the text above the form says what that means."""
    living, name = signed_in(), request.form.get("username", "")
    key, _ = key_of_form()
    with suggesting(name, key):
        parts().renames.rename(name, user_id=living.user_id, deadline=deadline())
    return go("account", "renamed")
