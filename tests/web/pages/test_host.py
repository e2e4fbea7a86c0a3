"""Pages, routes or the field alone in an app of one's own: its prefix, its look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from dibs import Dibs
from dibs.errors import ConfigError
from dibs.state import parts_of

PASSWORD = "correct horse battery"
BASE = """
{% extends "dibs/base.html" %}
{% block site %}Fleet{% endblock %}
{% block brand %}<a href="/" class="ours">Fleet</a>{% endblock %}
"""


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    apps: list[tuple[Flask, SQLAlchemy]] = []

    def make(**options: object) -> Flask:
        db = SQLAlchemy()
        dibs = Dibs(metadata=db.metadata)
        app = Flask(__name__, root_path=str(tmp_path))
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
        app.config["DIBS_HOME"] = str(tmp_path)
        app.config["DIBS_ARGON2_MEMORY_KIB"] = "64"
        app.add_url_rule("/", "front", lambda: "ours")
        db.init_app(app)
        dibs.init_app(app, **options)  # type: ignore[arg-type]
        with app.app_context():
            db.create_all()
        apps.append((app, db))
        return app

    yield make
    for app, db in apps:
        parts_of(app).store.close()
        with app.app_context():
            db.engine.dispose()


def addresses(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("dibs_")}


def signed_up(app: Flask, prefix: str = ""):
    client = app.test_client()
    page = client.get(f"{prefix}/sign-up").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    typed = {"csrf_token": token, "username": "ada", "password": PASSWORD}
    answer = client.post(f"{prefix}/sign-up", data=typed)
    assert (answer.status_code, answer.location) == (303, f"{prefix}/account"), answer.text
    return client


def test_pages_beside_the_app_s_own(make_app):
    """Its first page stays its own, its headers too."""
    app = make_app(api=True, pages=True)
    client = signed_up(app)
    assert client.get("/").text == "ours"
    assert "Content-Security-Policy" not in client.get("/").headers
    assert 'class="brand" href="/"' in client.get("/account").text
    assert client.get("/nowhere").content_type == "text/html; charset=utf-8"
    assert "Content-Security-Policy" not in client.get("/nowhere").headers


def test_all_under_a_prefix(make_app):
    """Pages, routes and the first page; nothing of it elsewhere."""
    app = make_app(api=True, pages=True, url_prefix="/names")
    assert all(address.startswith("/names/") for address in addresses(app))
    client = signed_up(app, "/names")
    for path in ("", "account", "@ada", "dibs.css", "dibs-username.js", "usernames/x"):
        assert client.get(f"/names/{path}").status_code == 200
    assert client.get("/").text == "ours"
    client.delete_cookie("dibs_access")
    assert client.get("/names/account").status_code == 200


def test_routes_without_pages(make_app):
    app = make_app(api=True)
    assert not any("sign-up" in address for address in addresses(app))


def test_the_field_alone(make_app):
    """What `<dibs-username>` asks, and its module."""
    app = make_app(component=True, url_prefix="/names")
    checks = {"/names/usernames/<dibs_any:name>", "/names/usernames/check"}
    assert addresses(app) == checks | {"/names/dibs-username.js"}
    client = app.test_client()
    assert client.get("/names/usernames/ada").get_json()["available"] is True
    assert client.get("/names/dibs-username.js").mimetype == "text/javascript"


def test_pages_need_the_routes():
    with pytest.raises(ConfigError, match="api=True"):
        Dibs(lambda: None).init_app(Flask(__name__), pages=True)


def test_templates_of_the_app_s_own_go_first(make_app, tmp_path):
    """One page, or a block of all of them; and the errors' page."""
    folder = tmp_path / "templates" / "dibs"
    folder.mkdir(parents=True)
    (folder / "sign-in.html").write_text("{{ _('Sign in') }}: ours", encoding="utf-8")
    (folder / "profile.html").write_text(
        BASE + "{% block content %}{{ bdi(user.username) }}!{% endblock %}", encoding="utf-8"
    )
    (folder / "error.html").write_text("{{ title }} here", encoding="utf-8")
    client = signed_up(make_app(api=True, pages=True))
    page = client.get("/@ada").text
    assert '<a href="/" class="ours">Fleet</a>' in page
    assert "· Fleet</title>" in page
    assert "<bdi>ada</bdi>!" in page
    client.delete_cookie("dibs_access")
    client.delete_cookie("dibs_refresh")
    answer = client.get("/sign-in", headers={"Accept-Language": "zh"})
    assert answer.text == "登录: ours"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert client.get("/@nobody").text == "Not found here"


def test_headers_of_the_app_s_own_stay(make_app):
    """What it says of a page itself counts."""
    app = make_app(api=True, pages=True)

    @app.after_request
    def relaxed(response):
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    answer = app.test_client().get("/sign-in")
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
