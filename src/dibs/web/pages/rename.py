"""Another name for who is logged in."""

from __future__ import annotations

from flask import Response, request

from dibs.web.here import deadline, parts
from dibs.web.pages.account import account_page
from dibs.web.pages.base import blueprint, go
from dibs.web.pages.forms import comes_back, key_of_form
from dibs.web.pages.visitor import signed_in
from dibs.web.registration import taking


@blueprint.post("/account/name")
@comes_back(account_page)
def do_rename() -> Response:
    """Rename; what it means stands above the form."""
    living, name = signed_in(), request.form.get("username", "")
    key, _ = key_of_form()
    with taking(name, key):
        parts().accounts.profiles.rename(living.user_id, name, deadline=deadline())
    return go("account", "renamed")
