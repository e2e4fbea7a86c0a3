"""Pages for who has lost a password."""

from __future__ import annotations

from flask import Response, request

from dibs.accounts.recovery import RecoveryFailed
from dibs.web.api import recovery
from dibs.web.http.current import deadline, parts
from dibs.web.pages.base import go, page
from dibs.web.pages.forms import Form, Shown, sent, shows_form, takes_form
from dibs.web.pages.sign_in import refuse_sign_in


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
