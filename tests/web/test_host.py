"""Logins in an app of one's own: its views, its rules about who reads what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy

from dibs import Dibs, Reading, current_user, login_optional, login_required
from dibs.state import parts_of

PASSWORD = "correct horse battery"


class Secretive(Reading):
    """Nobody is shown to anybody who is not staff; teams are shown to their members."""

    def user(self, reader, user_id):
        seen = super().user(reader, user_id)
        return seen if "role" in seen else frozenset()

    def team(self, reader, *, inside):
        seen = super().team(reader, inside=inside)
        return seen if "members" in seen else frozenset()


class Unlisted(Reading):
    """Only staff go through everything."""

    def listed(self, reader):
        return reader is not None and reader.role == "staff"


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    apps: list[tuple[Flask, SQLAlchemy]] = []

    def make(reading: Reading | None = None) -> Flask:
        db = SQLAlchemy()
        dibs = Dibs(metadata=db.metadata)
        app = Flask(__name__)
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
        app.config["DIBS_HOME"] = str(tmp_path)
        app.config["DIBS_ARGON2_MEMORY_KIB"] = "64"
        db.init_app(app)
        dibs.init_app(app, api=True, reading=reading)
        with app.app_context():
            db.create_all()
        add_views(app)
        apps.append((app, db))
        return app

    yield make
    for app, db in apps:
        parts_of(app).store.close()
        with app.app_context():
            db.engine.dispose()


def add_views(app: Flask) -> None:
    @app.route("/diary", methods=["GET", "POST"])
    @login_required
    def diary():
        user = current_user()
        assert user
        return {"of": user.user_id, "role": user.role}

    @app.get("/front")
    @login_optional
    def front():
        user = current_user()
        return {"of": user.user_id if user else None}


def tokens_of(client: FlaskClient, name: str = "ada", **more: object) -> dict[str, str]:
    body = {"username": name, "password": PASSWORD}
    client.post("/register", json=body)
    answer = client.post("/login", json={**body, **more})
    assert answer.status_code == 200
    return dict(answer.get_json())


def bearer(tokens: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_a_view_of_the_apps_own_knows_who_asks(make_app):
    client = make_app().test_client()
    headers = bearer(tokens_of(client))
    me = client.get("/users/me", headers=headers).get_json()["id"]
    assert client.get("/diary", headers=headers).get_json() == {"of": me, "role": None}
    assert client.get("/front", headers=headers).get_json() == {"of": me}
    assert client.get("/front").get_json() == {"of": None}


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic x"])
def test_and_who_does_not(make_app, header):
    client = make_app().test_client()
    answer = client.get("/diary", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.content_type == "application/problem+json"


def test_cookies_and_their_csrf_token_work_there_too(make_app):
    client = make_app().test_client()
    token = tokens_of(client, cookies=True)["csrf_token"]
    assert client.get("/diary").status_code == 200
    assert client.post("/diary").status_code == 403
    assert client.post("/diary", headers={"X-CSRF-Token": token}).status_code == 200


def test_requests_in_one_app_context_do_not_share_a_user(make_app):
    """As in tests that push a context and never pop it."""
    app = make_app()
    client = app.test_client()
    headers = bearer(tokens_of(client))
    with app.app_context():
        assert client.get("/front", headers=headers).get_json()["of"]
        assert client.get("/front").get_json() == {"of": None}
        assert client.get("/diary").status_code == 401


def test_without_the_routes_there_are_no_logins():
    """Said in words to who wrote the app."""
    app = Flask(__name__)
    Dibs(lambda: None).init_app(app)
    app.testing = True
    add_views(app)
    with pytest.raises(RuntimeError, match="api=True"):
        app.test_client().get("/diary", headers={"Authorization": "Bearer x"})


def test_a_policy_of_the_apps_own(make_app):
    """Whoever may see nothing of somebody is told that there is nobody."""
    client = make_app(reading=Secretive()).test_client()
    headers, other = bearer(tokens_of(client)), bearer(tokens_of(client, "grace"))
    me = client.get("/users/me", headers=headers).get_json()["id"]
    team = client.post("/teams", json={"name": "rockets"}, headers=headers).get_json()["id"]
    for path in (f"/users/{me}", "/users/by-name/ada", f"/teams/{team}"):
        assert client.get(path, headers=headers).status_code == 200
        assert client.get(path, headers=other).status_code == 404
        assert client.get(path).status_code == 404
    for path in ("/users", "/teams"):
        assert client.get(path).get_json()["items"] == []
        assert len(client.get(path, headers=headers).get_json()["items"]) == 1


def test_lists_can_be_closed(make_app):
    client = make_app(reading=Unlisted()).test_client()
    headers = bearer(tokens_of(client))
    for path in ("/users", "/teams"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers=headers).status_code == 403


def test_routes_of_the_app_are_reserved(make_app):
    """Those that are there when the service's are mounted."""
    client = make_app().test_client()
    for name in ("login", "logout", "refresh", "sessions", "teams", "users"):
        assert client.get(f"/usernames/{name}").get_json()["reason"] == "reserved"


def test_an_old_name_does_not_tell_on_the_hidden(make_app):
    """What she is called now is told to whom she is shown, and to nobody else."""
    app = make_app(Secretive())
    client = app.test_client()
    client.post("/register", json={"username": "ada", "password": PASSWORD})
    login = client.post("/login", json={"username": "ada", "password": PASSWORD}).get_json()
    bearer = {"Authorization": f"Bearer {login['access_token']}"}
    changed = client.patch("/users/me", json={"username": "secret-life"}, headers=bearer)
    assert changed.status_code == 200
    assert client.get("/users/by-name/ada").status_code == 404
    assert client.get("/usernames/ada").get_json()["renamed_to"] is None
    assert client.get("/users/by-name/ada", headers=bearer).status_code == 308


def test_a_team_does_not_tell_on_the_hidden(make_app):
    """Who may not see her cannot make her a member, and so be shown her name."""
    app = make_app(Secretive())
    client = app.test_client()
    ada, eve = bearer(tokens_of(client)), bearer(tokens_of(client, "eve"))
    hidden = client.get("/users/me", headers=ada).get_json()["id"]
    team = client.post("/teams", json={"name": "rockets"}, headers=eve).get_json()["id"]
    nobody = "00000000-0000-4000-8000-000000000000"
    answers = [
        client.put(f"/teams/{team}/members/{one}", json={"role": "member"}, headers=eve)
        for one in (hidden, nobody)
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].get_json() == answers[1].get_json()
    members = client.get(f"/teams/{team}", headers=eve).get_json()["members"]
    assert [one["username"] for one in members] == ["eve"]


def test_and_a_hidden_team_is_none_to_who_would_change_it(make_app):
    client = make_app(Secretive()).test_client()
    ada, eve = bearer(tokens_of(client)), bearer(tokens_of(client, "eve"))
    team = client.post("/teams", json={"name": "rockets"}, headers=ada).get_json()["id"]
    for place in (team, "00000000-0000-4000-8000-000000000000"):
        assert client.delete(f"/teams/{place}", headers=eve).status_code == 404


def test_who_is_in_a_team_stays_in_reach_of_its_owners(make_app):
    """She is shown to them by it, whoever else may not see her."""
    app = make_app(Secretive())
    client = app.test_client()
    ada, eve = bearer(tokens_of(client)), bearer(tokens_of(client, "eve"))
    her = client.get("/users/me", headers=ada).get_json()["id"]
    team = client.post("/teams", json={"name": "rockets"}, headers=eve).get_json()["id"]
    parts = parts_of(app)
    eve_id = client.get("/users/me", headers=eve).get_json()["id"]
    parts.store.set_role(eve_id, "staff", deadline=parts.budget.start())
    at = f"/teams/{team}/members/{her}"
    staff = bearer(tokens_of(client, "eve"))
    assert client.put(at, json={"role": "member"}, headers=staff).status_code == 204
    parts.store.set_role(eve_id, None, deadline=parts.budget.start())
    plain = bearer(tokens_of(client, "eve"))
    assert client.put(at, json={"role": "owner"}, headers=plain).status_code == 204
