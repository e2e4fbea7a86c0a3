"""One's own account: name, password, recovery codes, sessions, and leaving."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from dibs.errors import InvalidName, SessionEnded, SessionNotFound, UserNotFound
from dibs.names import sign_in_form
from dibs.web.api.registration import suggesting
from dibs.web.api.representations import is_id, user_of, user_shown
from dibs.web.http.current import deadline, parts
from dibs.web.i18n import iso
from dibs.web.pages import browser_session
from dibs.web.pages.base import go, go_out, page, registration
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.figures import when
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
from dibs.web.pages.phrases import described, rest


def me() -> dict[str, Any]:
    """The signed-in user, with everything about them.

    Raises:
        Unauthenticated: Nobody is logged in.
        SessionEnded: They have deleted themselves a moment ago.
    """
    try:
        return user_shown(user_of(signed_in().user_id))
    except UserNotFound as error:
        raise SessionEnded from error


def account_page(form: Form) -> Response:
    """All of it on one page."""
    living, accounts = signed_in(), parts().accounts
    sessions = accounts.logins.sessions.of(living.user_id, deadline=deadline())
    codes = accounts.recovery.ways.codes_left(living.user_id, deadline=deadline())
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


@shows("/account", admits="user")
def account() -> Response:
    """Show the account; `?name=` fills in a new team's name, `?username=` a new username."""
    asked = {field: request.args.get(field, "") for field in ("name", "username")}
    return account_page(Form(typed=asked))


@takes_form(
    "/account/password",
    Shown(account_page, passwords="new_password"),
    admits="user",
    credential="own",
)
def do_change_password() -> Response:
    """Change the password, and end all sessions."""
    parts().accounts.profiles.change_password(
        signed_in().user_id,
        current=request.form.get("current_password"),
        new=sent("new_password"),
        deadline=deadline(),
    )
    browser_session.sign_out()
    return go_out("password")


@takes_form("/account/codes", account_page, admits="user", credential="own")
def do_make_codes() -> Response:
    """Make codes and show them, this once."""
    make, current = parts().accounts.recovery.make_codes, sent("current_password")
    codes = make(signed_in().user_id, current=current, deadline=deadline())
    return page("codes.html", codes=codes)


@takes_form("/account/sessions/end", account_page, admits="user")
def do_end_session() -> Response:
    """End one session, or all of them."""
    living, logins = signed_in(), parts().accounts.logins
    session_id, user_id, ends = sent("session"), living.user_id, deadline()
    if session_id == "all":
        logins.logout_all(user_id, deadline=ends)
        browser_session.sign_out()
        return go_out("signed_out_everywhere")
    if not is_id(session_id) or not logins.end(session_id, user_id=user_id, deadline=ends):
        raise SessionNotFound
    if session_id == living.session_id:
        browser_session.sign_out()
        return go_out("signed_out")
    return go("account", "session_closed")


@shows_form("/account/delete", "delete", admits="user")
def delete_page(form: Form) -> Response:
    """What leaving means, and the last question."""
    profiles = parts().accounts.profiles
    asks = profiles.needs_password(signed_in(), deadline=deadline())
    return page("delete.html", form.status, form=form, me=me(), rest=rest, asks_password=asks)


@takes_form("/account/delete", delete_page, admits="user", credential="own")
def do_delete() -> Response:
    """Delete the signed-in user and free their name."""
    if not is_same(sent("username"), me()["username"]):
        raise NotConfirmed
    current = sent("current_password")
    parts().accounts.profiles.leave(signed_in(), current=current, deadline=deadline())
    browser_session.sign_out()
    return go("sign_up", "deleted") if registration() == "open" else go_out("deleted")


def is_same(typed: str, name: str) -> bool:
    """Whether somebody has typed this name, in any spelling."""
    parser = parts().parser
    try:
        one, other = (parser.typed(text) for text in (typed, name))
    except InvalidName:
        return False
    return sign_in_form(one.canonical) == sign_in_form(other.canonical)


@takes_form("/account/name", account_page, admits="user", limit="register")
def do_rename() -> Response:
    """Rename the signed-in user; the text above the form says what that means."""
    user_id, name = signed_in().user_id, sent("username")
    key, _ = key_of_form()
    with suggesting(name, key):
        parts().renames.rename(name, user_id=user_id, deadline=deadline())
    return go("account", "renamed")
