"""The first page, signing up, in and out, and a way back in for who has lost a password."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Response, request, url_for

from dibs.accounts.recovery import RecoveryFailed
from dibs.errors import DibsError, LoginFailed, Overloaded, StoreUnavailable
from dibs.web.api import recovery
from dibs.web.api.names import verdict
from dibs.web.api.registration import suggesting
from dibs.web.http.auth import refuse_unsolved
from dibs.web.http.current import current, deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages import browser_session
from dibs.web.pages.base import ASKED, address_of, blueprint, go, go_out, go_to, page, registration
from dibs.web.pages.forms import (
    Form,
    Shown,
    key_of_form,
    sent,
    shows,
    shows_form,
    takes_form,
)


def sign_up_page(form: Form) -> Response:
    """The form to sign up with, and what is to be said of a name that was only asked about."""
    settings, name = parts().settings, request.args.get("username")
    invitation = request.view_args.get("token") if request.view_args else sent("invitation")
    is_open = registration() == "open" or (invitation and registration() == "invite")
    asked = None if form.name or name is None else _asked(name)
    return page(
        "sign-up.html",
        form.status if is_open else HTTPStatus.FORBIDDEN,
        form=form if form.name else _filled_in(name or "", asked),
        asked=asked,
        password=settings.password,
        shortest=settings.password_min_length,
        next=local(request.values.get("next")),
        invitation=invitation,
        **({"closed": None} if is_open else {}),
    )


def _asked(name: str) -> dict[str, Any] | None:
    """What is said of a name before it is wanted, where that is said to everybody."""
    if parts().settings.check not in ASKED:
        return None
    said = verdict(name, parts().registry)
    return None if said["available"] is None else said


def _filled_in(name: str, asked: dict[str, Any] | None) -> Form:
    """The form with a name, and why it cannot be had."""
    typed = {"username": name}
    if asked is None or asked["available"]:
        return Form(typed=typed)
    said = [one["detail"] for one in asked["reasons"]] or [asked["message"]]
    return Form(typed=typed, broken={"username": said}, name="do_sign_up")


@shows("/sign-up", admits="anybody", limit="check")
def sign_up() -> Response:
    """Show it, unless there is nothing to sign up for."""
    return go_to(landing()) if browser_session.visitor() else sign_up_page(Form())


@takes_form("/sign-up", sign_up_page, admits="anybody", limit="register", credential="chosen")
def do_sign_up() -> Response:
    """Register, and log in."""
    refuse_unsolved()
    name, password = sent("username"), sent("password") or None
    key, repeatable = key_of_form()
    with suggesting(name, key):
        user = parts().registration.register(
            name,
            password,
            request=(b"POST /sign-up", b"", key.encode(), f"{name}\0{password}".encode()),
            repeatable=repeatable,
            invitation=sent("invitation"),
            deadline=deadline(),
        )
    if password is None:
        return go("profile", "registered", name=user.username)
    # They have their name, whatever becomes of the login.
    with suppress(LoginFailed, Overloaded, StoreUnavailable):
        _log_in(user.username, password)
        return go_to(local(sent("next")) or landing(), "registered")
    return go("sign_in", "registered", username=user.username)


class NoSignIn(DibsError):
    """No passwords are used, so there is nothing to sign in with."""

    code = "not_found"
    message = "There is no signing in here: names are registered without a password."


def refuse_sign_in() -> None:
    """See that there is something to sign in with; `NoSignIn` if there is not."""
    if not parts().settings.hashes:
        raise NoSignIn


def sign_in_page(form: Form) -> Response:
    """The form to log in with."""
    refuse_sign_in()
    return page(
        "sign-in.html",
        form.status,
        form=form if form.name else Form(typed={"username": request.args.get("username", "")}),
        next=local(request.values.get("next")),
    )


@shows("/sign-in", admits="anybody")
def sign_in() -> Response:
    """Show it, unless they are logged in."""
    if browser_session.visitor():
        return go_to(local(request.args.get("next")) or landing())
    return sign_in_page(Form())


@takes_form("/sign-in", sign_in_page, admits="anybody", limit="login", credential="named")
def do_sign_in() -> Response:
    """Log in, by any spelling of the name."""
    refuse_sign_in()
    _log_in(sent("username"), sent("password"))
    return go_to(local(sent("next")) or landing())


@blueprint.post("/sign-out")
@says(Route(admits="user", limit="rest", sent="form"))
def sign_out() -> Response:
    """End this session; where none goes on, there is nothing to end."""
    living = browser_session.visitor()
    if living is not None:
        parts().accounts.logins.logout(living, deadline=deadline())
    browser_session.sign_out()
    return go_out("signed_out")


# --- a way back in -------------------------------------------------------------


@shows_form("/forgot-password", "forgot", admits="anybody")
def forgot_page(form: Form) -> Response:
    """The form with a code, and, where links are sent, the one that asks for a link."""
    refuse_sign_in()
    return page(
        "forgot.html",
        form.status,
        form=form if form.name else Form(typed={"username": request.args.get("username", "")}),
        sends=recovery.is_heard(),
        shortest=parts().settings.password_min_length,
    )


@takes_form(
    "/forgot-password",
    Shown(forgot_page, passwords="new_password", others={RecoveryFailed: "code"}),
    admits="anybody",
    limit="login",
    credential="named",
)
def do_recover() -> Response:
    """Set a new password by a code."""
    name, code, new = sent("username"), sent("code"), sent("new_password")
    parts().accounts.recovery.by_code(name, code, new, deadline=deadline())
    return go("sign_in", "password", username=name)


@takes_form("/forgot-password/link", forgot_page, admits="anybody", limit="login")
def do_ask_link() -> Response:
    """Have the app send a link."""
    refuse_sign_in()
    recovery.ask(sent("username"))
    return go("sign_in", "asked")


@shows_form("/new-password/<token>", "new_password", admits="anybody")
def link_page(form: Form) -> Response:
    """The form with a new password, behind a link; whether that is good is said when it is used."""
    refuse_sign_in()
    return page(
        "new-password.html",
        form.status,
        form=form,
        token=(request.view_args or {})["token"],
        shortest=parts().settings.password_min_length,
    )


@takes_form(
    "/new-password/<token>",
    Shown(link_page, passwords="new_password"),
    admits="anybody",
    limit="login",
)
def do_new_password(token: str) -> Response:
    """Set a new password by a link."""
    parts().accounts.recovery.by_link(token, sent("new_password"), deadline=deadline())
    return go("sign_in", "password")


# --- where to go ---------------------------------------------------------------


def landing() -> str:
    """Where users go after signing in."""
    return url_for("dibs_pages.account")


def local(address: str | None) -> str | None:
    """The address, if it is a page of this very host: no link is to lead anywhere else by ours.

    Browsers read a backslash as a slash and skip tabs and line ends, so neither may be in it.
    """
    if not address or not address.startswith("/") or address.startswith("//"):
        return None
    if "\\" in address or not address.isprintable():
        return None
    try:
        parts_of = urlsplit(address)
    except ValueError:
        return None
    return None if parts_of.scheme or parts_of.netloc else address


def _log_in(name: str, password: str) -> None:
    """Begin a session and end the browser's previous one, which nobody could end later."""
    logins, device = parts().accounts.logins, request.headers.get("User-Agent", "")
    tokens = logins.login(name, password, device=device, deadline=deadline())
    before = browser_session.visitor()
    current().tokens = tokens
    if before is not None:
        with suppress(StoreUnavailable):
            logins.logout(before, deadline=deadline())


FRONT = "dibs_pages.home"


@says(Route(admits="anybody", limit="rest"))
def home() -> Response:
    """What this is, and where to begin."""
    docs = address_of("swagger_ui.show")  # in an app that describes the API
    return page("home.html", docs=docs)
