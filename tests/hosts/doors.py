"""How each neighbour's app is asked for a name: by its own routes, forms and tasks, and no others.

This runs in the environment of the hosts (`make test` makes it), not in that of the tests.
"""

from __future__ import annotations

import re
import threading
from types import ModuleType
from typing import Any
from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

HEADERS = {"Accept": "application/json"}
PASSWORD = "correct horse battery"


class Doors:
    """An app whose routes are `/users/...`.

    Attributes:
        table: Where its users are.
        names: How many are wanted at once by all threads.
        said: The last page that answered a form.
    """

    names = 20
    said = ""
    table = '"user"'

    def __init__(self, module: ModuleType) -> None:
        self.module: Any = module
        self.app: Flask = module.app
        self.here = threading.local()
        self.prepare()

    def prepare(self) -> None:
        """Makes what its author makes once."""

    @property
    def engine(self) -> Any:
        with self.app.app_context():
            return self.module.db.engine

    def client(self) -> FlaskClient:
        """Of a stranger, or whoever may write: one for each thread."""
        if not hasattr(self.here, "client"):
            self.here.client = self.app.test_client()
        client: FlaskClient = self.here.client
        return client

    def ids(self) -> dict[str, int]:
        """Every user that is stored."""
        with self.engine.connect() as connection:
            rows = connection.execute(text(f"SELECT username, id FROM {self.table} ORDER BY id"))
            return {row.username: row.id for row in rows}

    def sign_up(self, name: str) -> int:
        """Returns the status."""
        return self.client().post(f"/users/{name}").status_code

    def rename(self, name: str, to: str) -> int:
        return self.client().put(f"/users/{self.ids()[name]}/{to}").status_code

    def delete(self, name: str) -> int:
        return self.client().delete(f"/users/{self.ids()[name]}").status_code


class Resources(Doors):
    """Routes that take JSON."""

    def sign_up(self, name: str) -> int:
        return self.client().post("/users", json={"username": name}).status_code

    def rename(self, name: str, to: str) -> int:
        path = f"/users/{self.ids()[name]}"
        return self.client().put(path, json={"username": to}).status_code


class PlainSQLAlchemy(Doors):
    table = "users"

    @property
    def engine(self) -> Any:
        return self.module.engine


class FlaskMigrate(Doors):
    """Its tables are made by its own migrations."""

    def prepare(self) -> None:
        from flask_migrate import init, migrate, upgrade

        with self.app.app_context():
            init()
            migrate()
            upgrade()


class FlaskLogin(Doors):
    """Everybody signs in before they rename or leave."""

    def sign_up(self, name: str) -> int:
        form = {"username": name, "password": "secret"}
        return self.app.test_client().post("/sign-up", data=form).status_code

    def signed_in(self, name: str) -> FlaskClient:
        client = self.app.test_client()
        form = {"username": name, "password": "secret"}
        assert client.post("/sign-in", data=form).status_code == 200
        return client

    def rename(self, name: str, to: str) -> int:
        return self.signed_in(name).post("/me/name", data={"username": to}).status_code

    def delete(self, name: str) -> int:
        return self.signed_in(name).post("/me/leave").status_code


class FlaskSecurity(Doors):
    """Registration, sign-in and change of name are the library's own."""

    names = 12

    def post(self, client: FlaskClient, path: str, **body: str) -> int:
        form: Any = client.get(path, headers=HEADERS).json
        token = form["response"]["csrf_token"]
        return client.post(path, json={**body, "csrf_token": token}, headers=HEADERS).status_code

    def sign_up(self, name: str) -> int:
        body = {"username": name, "email": f"{uuid4()}@example.org"}
        body |= {"password": PASSWORD, "password_confirm": PASSWORD}
        return self.post(self.app.test_client(), "/register", **body)

    def signed_in(self, name: str) -> FlaskClient:
        client = self.app.test_client()
        assert self.post(client, "/login", username=name, password=PASSWORD) == 200
        return client

    def rename(self, name: str, to: str) -> int:
        return self.post(self.signed_in(name), "/change-username", username=to)

    def delete(self, name: str) -> int:
        return self.signed_in(name).delete("/me", headers=HEADERS).status_code


class Forms(Doors):
    """Pages whose forms have a token; each is read before it is sent."""

    names = 10

    def submit(self, path: str, page: str = "", **fields: str) -> int:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.page(page or path))
        if token:
            fields["csrf_token"] = token[1]
        answer = self.client().post(path, data=fields)
        self.said = answer.text
        return answer.status_code

    def page(self, path: str) -> str:
        return self.client().get(path).text


class FlaskWTF(Forms):
    def sign_up(self, name: str) -> int:
        assert self.client().post("/sign-up", data={"username": name}).status_code == 400
        return self.submit("/sign-up", username=name)

    def rename(self, name: str, to: str) -> int:
        return self.submit(f"/users/{self.ids()[name]}", username=to)

    def delete(self, name: str) -> int:
        return self.submit(f"/users/{self.ids()[name]}/leave", "/sign-up")


class FlaskAdmin(Forms):
    def sign_up(self, name: str) -> int:
        return self.submit("/admin/user/new/", username=name)

    def rename(self, name: str, to: str) -> int:
        return self.submit(f"/admin/user/edit/?id={self.ids()[name]}", username=to)

    def delete(self, name: str) -> int:
        return self.submit("/admin/user/delete/", "/admin/user/", id=str(self.ids()[name]))


class FlaskAppBuilder(Forms):
    """Three doors in turn: the form for users, the REST API, and self-registration."""

    names = 6  # a page takes a tenth of a second
    table = "ab_user"

    def prepare(self) -> None:
        self.manager: Any = self.module.appbuilder.sm
        with self.app.test_request_context():
            admin = self.manager.find_role("Admin")
            assert self.manager.add_user("boss", "A", "B", "boss@example.org", admin, "secret")
            self.admin_role = admin.id
        self.turn = 0

    def client(self) -> FlaskClient:
        is_known = hasattr(self.here, "client")
        client = super().client()
        if not is_known:
            self.submit("/login/", username="boss", password="secret")
            body = {"username": "boss", "password": "secret", "provider": "db"}
            token: Any = client.post("/api/v1/security/login", json=body).json
            self.here.token = {"Authorization": f"Bearer {token['access_token']}"}
        return client

    def sign_up(self, name: str) -> int:
        self.turn += 1
        return (self.by_form, self.by_api, self.by_registration)[self.turn % 3](name)

    def by_form(self, name: str) -> int:
        return self.submit(
            "/users/add", **self.form(name), password="secret", conf_password="secret"
        )

    def form(self, name: str) -> dict[str, str]:
        whole = {"first_name": "A", "last_name": "B", "email": f"{uuid4()}@example.org"}
        return {**whole, "username": name, "active": "y", "roles": str(self.admin_role)}

    def by_api(self, name: str) -> int:
        body = {"first_name": "A", "last_name": "B", "email": f"{uuid4()}@example.org"}
        body |= {"username": name, "password": "secret"}
        return self.api("POST", "", {**body, "active": True, "roles": [self.admin_role]})

    def api(self, method: str, path: str, body: Any = None) -> int:
        client, path = self.client(), f"/api/v1/security/users/{path}"
        answer = client.open(path, method=method, json=body, headers=self.here.token)
        return answer.status_code

    def by_registration(self, name: str) -> int:
        with self.app.test_request_context():
            email = f"{uuid4()}@example.org"
            waiting = self.manager.add_register_user(name, "A", "B", email, "secret")
            if waiting is None:  # somebody waits for it already
                return 409
            path = f"/register/activation/{waiting.registration_hash}"
        return self.app.test_client().get(path).status_code

    def rename(self, name: str, to: str) -> int:
        self.turn += 1
        user = self.ids()[name]
        if self.turn % 2:
            return self.submit(f"/users/edit/{user}", **self.form(to))
        return self.api("PUT", str(user), {"username": to})

    def delete(self, name: str) -> int:
        self.turn += 1
        user = self.ids()[name]
        if self.turn % 2:
            return self.submit(f"/users/delete/{user}", "/users/add")
        return self.api("DELETE", str(user))


class Celery(Doors):
    """Its doors are tasks."""

    def prepare(self) -> None:
        self.module.worker.conf.task_always_eager = True

    def sign_up(self, name: str) -> int:
        return 409 if self.module.add_user.delay(name).result is None else 201

    def rename(self, name: str, to: str) -> int:
        self.module.rename.delay(self.ids()[name], to)
        return 200 if to in self.ids() else 409

    def delete(self, name: str) -> int:
        self.module.leave.delay(self.ids()[name])
        return 204


DOORS = {
    "celery": Celery,
    "flask-admin": FlaskAdmin,
    "flask-appbuilder": FlaskAppBuilder,
    "flask-login": FlaskLogin,
    "flask-migrate": FlaskMigrate,
    "flask-restful": Resources,
    "flask-security": FlaskSecurity,
    "flask-smorest": Resources,
    "flask-wtf": FlaskWTF,
    "sqlalchemy": PlainSQLAlchemy,
}
