"""Pages for who has lost a password, and for who wants to be ready for that."""

from __future__ import annotations

from flask import Response, request, url_for

from dibs.accounts.recovery import RecoveryFailed
from dibs.web.api import recovery
from dibs.web.http.current import deadline, parts
from dibs.web.http.route import Route, says
from dibs.web.pages.account import account_page
from dibs.web.pages.base import blueprint, go, page
from dibs.web.pages.browser_session import signed_in
from dibs.web.pages.forms import Form, redisplays
from dibs.web.pages.sign_in import refuse_sign_in
from dibs.web.pages.staff import seen_user, staff_page


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


@blueprint.get("/forgot-password")
@says(Route(admits="anybody", limit="rest"))
def forgot() -> Response:
    """Show it."""
    return forgot_page(Form())


@blueprint.post("/forgot-password")
@says(Route(admits="anybody", limit="login", credential="named", sent="form"))
@redisplays(forgot_page, passwords="new_password", others={RecoveryFailed: "code"})
def do_recover() -> Response:
    """Set a new password by a code."""
    parts().accounts.recovery.by_code(
        request.form.get("username", ""),
        request.form.get("code", ""),
        request.form.get("new_password", ""),
        deadline=deadline(),
    )
    return go("sign_in", "password", username=request.form.get("username", ""))


@blueprint.post("/forgot-password/link")
@says(Route(admits="anybody", limit="login", sent="form"))
@redisplays(forgot_page)
def do_ask_link() -> Response:
    """Have the app send a link."""
    refuse_sign_in()
    recovery.ask(request.form.get("username", ""))
    return go("sign_in", "asked")


def link_page(form: Form) -> Response:
    """The form with a new password, behind a link."""
    refuse_sign_in()
    return page(
        "new-password.html",
        form.status,
        form=form,
        token=(request.view_args or {})["token"],
        shortest=parts().settings.password_min_length,
    )


@blueprint.get("/new-password/<token>")
@says(Route(admits="anybody", limit="rest"))
def new_password(token: str) -> Response:
    """Show it; whether the link is good is said when it is used."""
    del token
    return link_page(Form())


@blueprint.post("/new-password/<token>")
@says(Route(admits="anybody", limit="login", sent="form"))
@redisplays(link_page, passwords="new_password")
def do_new_password(token: str) -> Response:
    """Set a new password by a link."""
    parts().accounts.recovery.by_link(
        token, request.form.get("new_password", ""), deadline=deadline()
    )
    return go("sign_in", "password")


@blueprint.post("/account/codes")
@says(Route(admits="user", limit="rest", credential="own", sent="form"))
@redisplays(account_page)
def do_make_codes() -> Response:
    """Make codes and show them, this once."""
    codes = parts().accounts.recovery.make_codes(
        signed_in().user_id,
        current=request.form.get("current_password", ""),
        deadline=deadline(),
    )
    return page("codes.html", codes=codes)


@blueprint.post("/staff/link")
@says(Route(admits="staff", limit="rest", sent="form"))
@redisplays(staff_page, names="")
def do_make_link() -> Response:
    """Make a link for a user, and show it, this once."""
    user_id, row = seen_user()
    token = parts().accounts.recovery.make_link(user_id, deadline=deadline())
    link = url_for("dibs_pages.new_password", token=token, _external=True)
    return page("recovery-link.html", name=row.display, link=link)
