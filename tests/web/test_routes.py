"""What routes say of themselves: every one of them, and the truth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Blueprint as HostBlueprint
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

import dibs.web
from dibs import Dibs
from dibs.state import parts_of
from dibs.web.api import routes
from dibs.web.http.openapi import Blueprint
from dibs.web.http.route import Route, route_of, says
from tests.web.pages.browser import Browser, Forms, member
from tests.web.people import long_ago
from tests.web.site import Site

ELSEWHERE = {"swagger_ui", "static", "api-docs"}
"""Blueprints and endpoints of the service that others have written: nothing of dibs is in them."""

# Which of a site's routes counts where; all others are `rest`.
GROUPS = {
    "dibs_registration.register": "register",
    "dibs_teams.create": "register",
    "dibs_teams.rename": "register",
    "dibs_pages.do_rename_team": "register",
    "dibs_holds.hold": "register",
    "dibs_users.change": "register",
    "dibs_login.login": "login",
    "dibs_sessions.refresh": "refresh",
    "dibs_names.check": "check",
    "dibs_names.check_itself": "check",
    "dibs_names.check_many": "check",
    "dibs_pages.do_sign_up": "register",
    "dibs_pages.do_create_team": "register",
    "dibs_pages.do_rename": "register",
    "dibs_pages.do_sign_in": "login",
    "dibs_recovery.by_code": "login",
    "dibs_recovery.by_link": "login",
    "dibs_recovery.request_link": "login",
    "dibs_pages.do_recover": "login",
    "dibs_pages.do_ask_link": "login",
    "dibs_pages.do_new_password": "login",
    "dibs_pages.sign_up": "check",
    "dibs_pages.join": "check",
    "dibs_health.healthy": None,
    "dibs_health.ready": None,
}


def said_by(app: Flask) -> dict[str, Route | None]:
    return {endpoint: route_of(view) for endpoint, view in app.view_functions.items()}


@pytest.fixture
def site(make_site):
    return make_site(password="required")


def test_every_route_of_the_service_says_what_it_is(site):
    silent = {endpoint for endpoint, said in said_by(site.app).items() if said is None}
    assert {endpoint.partition(".")[0] for endpoint in silent} <= ELSEWHERE


@pytest.mark.parametrize("options", [{"api": True, "pages": True}, {"component": True}])
def test_every_route_in_a_host_app_does(tmp_path: Path, options: dict[str, Any]) -> None:
    """Also those of further namespaces; and what the app has itself says nothing, and need not."""
    app, db = Flask("host"), SQLAlchemy()
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
    app.config["DIBS_HOME"] = str(tmp_path)
    db.init_app(app)
    app.add_url_rule("/own", "own", lambda: "")
    Dibs(metadata=db.metadata).init_app(app, **options, checks={"/projects": "default"})
    said = said_by(app)
    assert "dibs_names-0.check" in said
    assert said["own"] is None
    silent = [endpoint for endpoint, one in said.items() if one is None]
    assert [endpoint for endpoint in silent if endpoint.startswith("dibs_")] == []
    parts_of(app).close()
    with app.app_context():
        db.engine.dispose()


def test_a_route_that_says_nothing_is_no_app(site, monkeypatch):
    """Its name is in the sentence; before it was served without limits, for years perhaps."""
    forgotten = Blueprint("dibs_new", __name__, title="New", description="New.")
    forgotten.add_url_rule("/new", "tell", lambda: "")
    monkeypatch.setattr(routes, "BLUEPRINTS", (*routes.BLUEPRINTS, forgotten))
    with pytest.raises(TypeError, match=r"^The route dibs_new\.tell does not say what it is: "):
        dibs.web.register_blueprints(Flask(__name__), site.parts)


def test_a_host_s_own_blueprint_may_begin_alike(site):
    """It says nothing, and is nothing of ours."""
    app, fans = Flask(__name__), HostBlueprint("dibs_fans", __name__)
    fans.add_url_rule("/fans", "count", lambda: "3")
    app.register_blueprint(fans)
    dibs.web.register_blueprints(app, site.parts)
    assert app.test_client().get("/fans").text == "3"


def test_each_counts_in_its_group(site):
    said = said_by(site.app)
    assert GROUPS.keys() <= said.keys()
    found = {endpoint: one.limit for endpoint, one in said.items() if one}
    assert found == {endpoint: GROUPS.get(endpoint, "rest") for endpoint in found}


# --- passwords -----------------------------------------------------------------

CREDENTIALS = {
    "dibs_registration.register": "chosen",
    "dibs_pages.do_sign_up": "chosen",
    "dibs_login.login": "named",
    "dibs_pages.do_sign_in": "named",
    "dibs_users.change": "own",
    "dibs_pages.do_change_password": "own",
    "dibs_recovery.by_code": "named",
    "dibs_pages.do_recover": "named",
    "dibs_recovery.make_codes": "own",
    "dibs_pages.do_make_codes": "own",
    "dibs_users.leave": "own",
    "dibs_pages.do_delete": "own",
}
LINKS = {"dibs_recovery.by_link", "dibs_pages.do_new_password"}
"""What a link lets somebody do: no password is tried, and nobody guesses a link."""


def test_whose_password_is_tried(site):
    said = said_by(site.app)
    assert {
        endpoint: one.credential for endpoint, one in said.items() if one and one.credential
    } == CREDENTIALS


def has_password(fields: Iterable[str]) -> bool:
    return any("password" in field for field in fields)


def bodies(site: Site) -> Iterator[tuple[str, str, set[str]]]:
    """Of each operation of the API: its method, its address, the fields of its body."""
    document = site.get("/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method in operations.keys() - {"parameters"}:
            for kind in operations[method].get("requestBody", {}).get("content", {}).values():
                schema = schemas[kind["schema"]["$ref"].rpartition("/")[2]]
                yield method, re.sub(r"\{\w+\}", "x", path), set(schema["properties"])


LOST = ("/forgot-password", "/new-password/x")


def test_who_takes_a_password_says_what_becomes_of_it(site):
    """In the body of the API and in the forms of pages: none is an oracle without limits."""
    sent = [(method, path) for method, path, fields in bodies(site) if has_password(fields)]
    for browser in (Browser(site), member(site, "Ada")):
        long_ago(site)
        for path in ("/", "/sign-up", "/sign-in", "/account", "/account/delete", "/@Ada", *LOST):
            forms = Forms(browser.get(path).text).found
            sent += [(form.method, form.action) for form in forms if has_password(form.fields)]
    adapter = site.app.url_map.bind("localhost")
    endpoints = {adapter.match(path.partition("?")[0], method.upper())[0] for method, path in sent}
    assert endpoints == CREDENTIALS.keys() | LINKS


# --- who may come in -----------------------------------------------------------

NOBODY = str(uuid4())


def test_who_is_not_logged_in_is_told_so_where_a_route_says_that(site):
    """Of the API; pages are laid side by side in `test_every_page`."""
    refused: set[str] = set()
    admitted: set[str] = set()
    for rule in site.app.url_map.iter_rules():
        said = route_of(site.app.view_functions[rule.endpoint])
        if said is None or rule.endpoint.startswith("dibs_pages."):
            continue
        path = re.sub(r"<[^>]+>", "x", rule.rule)
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        answer = site.client.open(path, method=method)
        unknown = answer.status_code == 401 and answer.get_json()["code"] == "unauthenticated"
        (refused if unknown else admitted).add(rule.endpoint)
        if said.admits in ("user", "staff"):
            assert unknown, rule
    assert admitted >= {"dibs_users.user", "dibs_login.login", "dibs_look.icon"}
    # Without a token there is nothing to refresh.
    users = {e for e, one in said_by(site.app).items() if one and one.admits in ("user", "staff")}
    assert refused == {e for e in users if not e.startswith("dibs_pages.")} | {
        "dibs_sessions.refresh"
    }


@pytest.mark.parametrize("admits", ["user", "staff"])
def test_pages_send_away_whom_their_routes_do_not_admit(site, admits):
    browser = Browser(site) if admits == "user" else member(site, "Ada")
    page, action = ("/sign-in", "/sign-in") if admits == "user" else ("/account", "/sign-out")
    token = browser.form(page, action).fields["csrf_token"]
    for rule in site.app.url_map.iter_rules():
        said = route_of(site.app.view_functions[rule.endpoint])
        if said is None or said.admits != admits or not rule.endpoint.startswith("dibs_pages."):
            continue
        path = re.sub(r"<[^>]+>", NOBODY, rule.rule)
        reads = "GET" in (rule.methods or ())
        answer = browser.get(path) if reads else browser.post(path, {"csrf_token": token})
        if admits == "user":
            assert (answer.location or "").startswith("/sign-in"), rule
        else:
            assert answer.status_code == 403, rule


def test_a_note_survives_what_is_put_around_a_view():
    said = Route(admits="anybody", limit="rest")

    @says(said)
    def view() -> str:
        return ""

    @wraps(view)
    def around() -> str:
        return view()

    assert route_of(around) == said
