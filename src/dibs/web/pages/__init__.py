"""Pages for people: plain HTML that works without a script, on the same parts as the API."""

from __future__ import annotations

from flask import Flask

from dibs.state import state_of
from dibs.web.pages import account, errors, invitations, profile, sign_in, staff
from dibs.web.pages.base import blueprint, icon, look

MODULES = (account, errors, invitations, profile, sign_in, staff)
"""The modules with the blueprint's views."""


def register_pages(app: Flask, *, url_prefix: str = "", front: bool) -> None:
    """Mount the pages on an app that has the API under the same prefix.

    Args:
        app: The app.
        url_prefix: What stands before each address.
        front: Whether `/` below the prefix is a page of ours: a host app has its own.
    """
    state_of(app).has_pages = state_of(app).offers_languages = True
    app.register_blueprint(look, url_prefix=url_prefix or None)
    app.register_blueprint(blueprint, url_prefix=url_prefix or None)
    if front:
        app.add_url_rule(f"{url_prefix}/", sign_in.FRONT, sign_in.home)
    if front and not url_prefix:
        # Browsers ask for it by themselves where a page names none, as /docs and answers in JSON.
        app.add_url_rule("/favicon.ico", "dibs_look.favicon", icon)
