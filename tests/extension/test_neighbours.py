"""What else a host has in its app: it stays the host's, and so do its routes."""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, g, jsonify, render_template_string, request, request_started
from flask.views import MethodView
from flask_babel import Babel, get_locale
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from flask_sqlalchemy import SQLAlchemy
from flask_wtf.csrf import CSRFProtect, generate_csrf  # type: ignore[import-untyped]
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, NotFound

from dibs import Dibs
from dibs.errors import ConfigError
from dibs.state import parts_of

Setup = Callable[[Flask], Any]


class Site:
    """A host app with a view of its own, and dibs put on it before or after a neighbour."""

    def __init__(self, tmp_path: Path, **options: Any) -> None:
        self.path, self.options = tmp_path, {"api": True, "pages": True, **options}
        self.app, self.db = Flask("host"), SQLAlchemy()
        self.app.config.update(
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/host.db",
            SECRET_KEY="a secret of the host's",
            DIBS_PASSWORD="off",
            DIBS_RATE_LIMITS="off",
        )
        self.dibs = Dibs(self.db, metadata=self.db.metadata)

    def made(self, *before: Setup, after: tuple[Setup, ...] = ()) -> "Site":
        self.db.init_app(self.app)
        for setup in before:
            setup(self.app)
        self.dibs.init_app(self.app, **self.options)
        for setup in after:
            setup(self.app)
        with self.app.app_context():
            self.db.create_all()
        return self

    def get(self, at: str, **how: Any) -> Any:
        return self.app.test_client().get(at, **how)

    def post(self, at: str, **how: Any) -> Any:
        return self.app.test_client().post(at, **how)

    def close(self) -> None:
        parts_of(self.app).close()
        with self.app.app_context():
            self.db.engine.dispose()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


ORDERS = pytest.mark.parametrize("order", ["before", "after"])


def put(site: Site, order: str, *setups: Setup) -> Site:
    return site.made(*setups) if order == "before" else site.made(after=setups)


def api_at(prefix: str | None, config_prefix: str = "") -> Setup:
    def setup(app: Flask) -> None:
        key = f"{config_prefix}_" if config_prefix else ""
        app.config[f"{key}API_TITLE"] = f"the shop {config_prefix}".strip()
        app.config[f"{key}API_VERSION"] = "v9"
        app.config[f"{key}OPENAPI_VERSION"] = "3.0.3"
        if prefix is not None:
            app.config[f"{key}OPENAPI_URL_PREFIX"] = prefix
        blueprint = SmorestBlueprint(f"pets{config_prefix}", "pets", url_prefix=f"/pets{key}")

        @blueprint.route("/")
        class Pets(MethodView):
            @blueprint.response(200)
            def get(self) -> dict[str, str]:
                return {"pet": "cat"}

        Api(app, config_prefix=config_prefix).register_blueprint(blueprint)

    return setup


@ORDERS
@pytest.mark.parametrize("prefix", [None, "/", "/shop"])
@pytest.mark.parametrize("component", [False, True])
def test_flask_smorest(tmp_path: Path, order: str, prefix: str | None, component: bool) -> None:
    mounted = {"api": not component, "pages": False, "component": component}
    site = put(Site(tmp_path, **mounted), order, api_at(prefix))
    assert site.get("/pets/").json == {"pet": "cat"}
    assert site.get("/usernames/ada").json["available"]
    if prefix is not None:
        theirs = site.get(f"{prefix.rstrip('/')}/openapi.json").json
        assert theirs["info"] == {"title": "the shop", "version": "v9"}
        assert list(theirs["paths"]) == ["/pets/"]
    ours = site.get("/dibs-openapi.json")
    if component:
        assert ours.status_code == 404  # what a field needs has no document
    else:
        assert ours.json["info"]["title"] == "dibs"
        assert "/pets/" not in ours.json["paths"]
        assert "/usernames/{name}" in str(ours.json["paths"])
        if prefix != "/":
            assert site.get("/openapi.json").json == ours.json
    site.close()


def test_two_apis_of_the_hosts(site: Site) -> None:
    site.made(api_at("/one", "ONE"), after=(api_at("/two", "TWO"),))
    for at in ("one", "two"):
        title = site.get(f"/{at}/openapi.json").json["info"]["title"]
        assert title == f"the shop {at.upper()}"
    assert site.get("/openapi.json").json["info"]["title"] == "dibs"


def test_no_settings_of_an_apis_are_written(site: Site) -> None:
    site.made()
    assert not [key for key in site.app.config if "API_" in key or "OPENAPI" in key]


def babel(app: Flask) -> None:
    Babel(app, locale_selector=lambda: request.args.get("lang", "de"))


@ORDERS
def test_babel(site: Site, order: str) -> None:
    """The host's selector chooses; each has translations of its own."""

    def view(app: Flask) -> None:
        @app.get("/mine")
        def mine() -> str:
            return render_template_string("{{ _('Sign in') }}") + f" {get_locale()}"

    put(site, order, babel, view)
    assert site.get("/mine?lang=ja").text == "Sign in ja"
    refused = site.post("/register?lang=ja", json={"username": "a"})
    assert refused.headers["Content-Language"] == "ja"
    assert "ユーザー" in refused.json["detail"]
    assert site.get("/mine?lang=zh").text == "Sign in zh"


@ORDERS
@pytest.mark.parametrize("checks", [True, False])
def test_csrf_protect(site: Site, order: str, checks: bool) -> None:
    """The host's forms need its token; dibs' routes need none of it, and dibs' forms their own."""
    site.app.config["WTF_CSRF_CHECK_DEFAULT"] = checks

    def protect(app: Flask) -> None:
        csrf = CSRFProtect(app)
        if not checks:
            app.before_request(lambda: csrf.protect(apply_exemptions=True))

        @app.route("/mine", methods=["GET", "POST"])
        def mine() -> str:
            return str(generate_csrf())

    put(site, order, protect)
    assert site.post("/mine").status_code == 400
    client = site.app.test_client()
    token = client.get("/mine").text
    assert client.post("/mine", data={"csrf_token": token}).status_code == 200
    assert client.post("/register", json={"username": "ada"}).status_code == 201
    assert client.post("/usernames/check", json={"names": ["ada"]}).status_code == 200
    form = client.get("/sign-up").text
    token = form.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = {"username": "grace", "csrf_token": token}
    assert client.post("/sign-up", data=sent).status_code == 303
    assert client.post("/sign-up", data={**sent, "username": "alan"}).status_code == 303
    refused = site.post("/sign-up", data={"username": "eve", "csrf_token": "x"})
    assert refused.status_code not in (200, 303)


def own_handlers(app: Flask) -> None:
    for what in (404, 405, 413, 415, 422, 500, HTTPException, Exception):
        app.register_error_handler(what, lambda error: (jsonify(shop=type(error).__name__), 418))

    @app.get("/bug")
    def bug() -> str:
        return str(1 // 0)

    @app.get("/gone")
    def gone() -> str:
        raise NotFound


@ORDERS
@pytest.mark.parametrize("config", [{}, {"TESTING": True}, {"TRAP_HTTP_EXCEPTIONS": True}])
def test_error_handlers(site: Site, order: str, config: dict[str, bool]) -> None:
    site.app.config.update(config)
    put(site, order, own_handlers)
    for at, kind in {"/bug": "ZeroDivisionError", "/gone": "NotFound", "/no": "NotFound"}.items():
        assert site.get(at).json == {"shop": kind}
    answers = [
        site.post("/register", json={"username": "a"}),
        site.post("/register", data="{", content_type="application/json"),
        site.post("/register", data="x", content_type="text/plain"),
        site.post("/register", data="x" * 70_000, content_type="application/json"),
        site.get("/users/nobody"),
    ]
    assert [answer.status_code for answer in answers] == [422, 400, 415, 413, 404]
    for answer in answers:
        assert answer.content_type == "application/problem+json"


def test_hooks_see_the_routes_too(site: Site) -> None:
    """A host's gate before all views is asked for dibs' as well, and may answer itself."""

    def gate(app: Flask) -> None:
        @app.before_request
        def closed() -> Response | None:
            return Response("closed", 403) if "X-Closed" in request.headers else None

    site.made(gate)
    assert site.get("/usernames/ada").status_code == 200
    assert site.get("/usernames/ada", headers={"X-Closed": "1"}).text == "closed"


def languages(app: Flask) -> None:
    @app.url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.language = (values or {}).pop("language", "en")

    @app.url_defaults
    def push(endpoint: str, values: dict[str, Any]) -> None:
        if app.url_map.is_endpoint_expecting(endpoint, "language"):
            values.setdefault("language", g.get("language", "en"))


@pytest.mark.parametrize("prefix", ["/<language>", "/<language>/names", "/a/b/c"])
def test_prefixes_with_variables(tmp_path: Path, prefix: str) -> None:
    """As hosts have them for languages or tenants: a preprocessor takes them out."""
    site = Site(tmp_path, url_prefix=prefix).made(languages)
    at = prefix.replace("<language>", "de")
    client = site.app.test_client()
    assert client.post(f"{at}/register", json={"username": "ada"}).status_code == 201
    page = client.get(f"{at}/sign-up")
    assert f'action="{at}/sign-up"' in page.text
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = client.post(f"{at}/sign-up", data={"username": "grace", "csrf_token": token})
    assert sent.status_code == 303
    assert sent.location.startswith(at)
    assert client.get(f"{at}/openapi.json").status_code == 200
    site.close()


def test_below_a_script_name_and_without_strict_slashes(site: Site) -> None:
    site.app.url_map.strict_slashes = False
    site.app.config["APPLICATION_ROOT"] = "/shop"
    site.made()
    page = site.get("/sign-up", environ_overrides={"SCRIPT_NAME": "/shop"})
    assert 'action="/shop/sign-up"' in page.text
    assert site.post("/register/", json={"username": "ada"}).status_code == 201


def test_host_matching_is_refused(tmp_path: Path) -> None:
    """There a route without a host is never found, and says nothing of it."""
    site = Site(tmp_path)
    site.app = Flask("host", host_matching=True, static_host="shop.example")
    site.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/h.db"
    with pytest.raises(ConfigError, match="host_matching"):
        site.made()


def test_subdomains(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.app = Flask("host", subdomain_matching=True, static_url_path="/s")
    site.app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/h.db",
        SERVER_NAME="shop.example",
        DIBS_PASSWORD="off",
        SECRET_KEY="s",
    )
    site.made()
    assert site.get("/usernames/ada", base_url="http://shop.example").status_code == 200
    site.close()


def test_hundreds_of_apps_leave_nothing_behind(tmp_path: Path) -> None:
    """As a test suite makes them: one `db`, one `Dibs`, an app for each test."""
    db = SQLAlchemy()
    dibs = Dibs(db, metadata=db.metadata)

    def create_app() -> None:
        app = Flask("test")
        app.config.update(
            SQLALCHEMY_DATABASE_URI="sqlite://", DIBS_PASSWORD="off", SECRET_KEY="s", TESTING=True
        )
        db.init_app(app)
        dibs.init_app(app, api=True, pages=True)
        with app.app_context():
            db.create_all()
            client = app.test_client()
            assert client.post("/register", json={"username": "ada"}).status_code == 201
            db.session.remove()
            db.engine.dispose()

    def left() -> tuple[int, int, int, int]:
        gc.collect()
        listening = len(Session().dispatch.after_commit) + len(request_started.receivers)
        files = len(os.listdir("/proc/self/fd"))
        apps = sum(type(one) is Flask for one in gc.get_objects())
        return threading.active_count(), listening, files, apps

    create_app()
    before = left()
    for _ in range(30):
        create_app()
    assert left() <= tuple(n + 1 for n in before)


def test_a_process_that_was_forked_has_everything_anew(tmp_path: Path) -> None:
    """Prefork servers and workers of queues: the parent has answered already."""
    site = Site(tmp_path).made()
    assert site.post("/register", json={"username": "ada"}).status_code == 201
    with site.app.app_context():
        site.db.engine.dispose()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            answers = [site.post("/register", json={"username": n}) for n in ("Ada", "grace")]
            os.write(writing, repr([a.status_code for a in answers]).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"[409, 201]"
    assert site.post("/register", json={"username": "Grace"}).status_code == 409
    os.close(reading)
    os.close(writing)
    site.close()
