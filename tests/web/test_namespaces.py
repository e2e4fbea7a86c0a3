"""Names of several namespaces, asked about over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy
from werkzeug.test import TestResponse

from dibs import Dibs
from dibs.errors import ConfigError
from dibs.state import parts_of
from tests.web.site import Site, problem

SOME = "projects, tenant-*"
STRATEGIES = ["query_then_insert", "unique_constraint", "cache_aside", "membership_filter"]


def post(site: Site, *names: str, **more: str) -> TestResponse:
    return site.client.post("/usernames/check", json={"names": names, **more})


def reason(site: Site, name: str, namespace: str | None = None) -> str | None:
    """Why it cannot be had, by both routes, which must say the same."""
    query, more = ("", {}) if namespace is None else (f"?namespace={namespace}", {"n": namespace})
    one = site.get(f"/usernames/{name}{query}").get_json()
    (other,) = post(site, name, **({"namespace": more["n"]} if more else {})).get_json()["results"]
    one.pop("suggestions")
    assert one == other
    found: str | None = one["reason"]
    return found


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_taken_in_one_is_free_in_another(make_site, strategy):
    """Also when a cache or a filter knows of the first."""
    site = make_site(namespaces=SOME, strategy=strategy)
    site.register("ada")
    deadline = site.parts.budget.start()
    site.parts.registry.within("projects").reserve("brand", reason="x", deadline=deadline)
    for _ in range(2):
        assert reason(site, "ada") == reason(site, "Ada", "default") == "taken"
        assert reason(site, "ada", "projects") is None
        assert reason(site, "ada", "tenant-acme") is None
        assert reason(site, "\u0430da", "projects") == "invalid"
        assert (reason(site, "brand"), reason(site, "brand", "projects")) == (None, "reserved")
        assert reason(site, "brand", "tenant-acme") is None
        assert reason(site, "admin", "projects") == "reserved"


def test_suggestions_are_those_of_the_namespace(make_site):
    """What users have is no reason against a project."""
    site = make_site(namespaces=SOME)
    deadline = site.parts.budget.start()
    projects = site.parts.registry.within("projects")
    projects.reserve("grace", reason="x", deadline=deadline)
    site.register("grace")
    path = "/usernames/grace?namespace=projects"
    offered = [one["name"] for one in site.get(path).get_json()["suggestions"]]
    assert offered
    for name in offered:
        projects.reserve(name, reason="x", deadline=site.parts.budget.start())
    assert {reason(site, name) for name in offered} == {None}
    again = [one["name"] for one in site.get(path).get_json()["suggestions"]]
    assert set(again).isdisjoint(offered)


@pytest.mark.parametrize("mode", ["open", "blind"])
@pytest.mark.parametrize(
    "namespace",
    [
        "",
        "nowhere",
        "Projects",
        "projects ",
        "tenant-",
        "tenants",
        "tenant-" + "x" * 58,
        "tenant-%00",
        "tenant-%0A",
        "%FF",
    ],
)
def test_one_that_is_not_there_is_told_so(make_site, mode, namespace):
    """In words, and nothing is looked for."""
    site = make_site(namespaces="projects,tenant-*", check=mode)
    answer = site.get(f"/usernames/ada?namespace={namespace}")
    body = problem(answer, 422, "invalid")
    assert [(one["field"], one["code"]) for one in body["reasons"]] == [
        ("namespace", "no_namespace")
    ]
    assert "namespace" in body["detail"]
    assert site.sql == []
    if "%" not in namespace:
        problem(post(site, "ada", namespace=namespace), 422, "invalid")


@pytest.mark.parametrize("path", ["/register", "/holds"])
@pytest.mark.parametrize("namespace", ["projects", "default", "nowhere"])
def test_no_query_chooses_where_a_name_is_taken(make_site, path, namespace):
    """It is users' names that are taken: who asks for others is told so, as in the body."""
    site = make_site(namespaces="projects")
    body = {"username": "ada"}
    said = [
        site.client.post(f"{path}?namespace={namespace}", json=body),
        site.client.post(path, json={**body, "namespace": namespace}),
    ]
    for answer in said:
        (reason,) = problem(answer, 422, "invalid")["reasons"]
        assert (reason["field"], reason["code"]) == ("namespace", "unknown")
    assert site.get("/usernames/ada").get_json()["available"] is True
    assert site.client.post(f"{path}?suggestions=0&x=1", json=body).status_code == 201


def test_nor_what_a_list_asks_about(make_site):
    """Of a list it is the body that says it."""
    site = make_site(namespaces="projects")
    answer = site.client.post("/usernames/check?namespace=projects", json={"names": ["ada"]})
    (reason,) = problem(answer, 422, "invalid")["reasons"]
    assert (reason["field"], reason["code"]) == ("namespace", "unknown")


def test_without_the_setting_there_is_one(site):
    assert site.get("/usernames/ada?namespace=default").status_code == 200
    problem(site.get("/usernames/ada?namespace=projects"), 422, "invalid")


@pytest.mark.parametrize("text", ["*", "a*b", "projects,*", "x" * 65, "a\tb", "a**"])
def test_what_can_be_none_is_refused_at_the_start(make_site, text):
    """In words that name the setting."""
    with pytest.raises(ConfigError, match="DIBS_NAMESPACES"):
        make_site(namespaces=text)


# --- in an app of one's own ----------------------------------------------------


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    apps: list[tuple[Flask, SQLAlchemy]] = []

    def make(check: str = "open", rate_limits: str = "off", **options: object) -> Flask:
        db = SQLAlchemy()
        dibs = Dibs(metadata=db.metadata)
        app = Flask(__name__)
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'host.db'}"
        app.config |= {"DIBS_PASSWORD": "off", "DIBS_NAMESPACES": SOME, "DIBS_CHECK": check}
        app.config |= {"DIBS_RATE_LIMITS": rate_limits, "DIBS_HOME": str(tmp_path)}
        db.init_app(app)
        dibs.init_app(app, api=True, **options)  # type: ignore[arg-type]
        apps.append((app, db))
        with app.app_context():
            db.create_all()
            for name, namespace in (("rover", "projects"), ("acme-1", "tenant-acme")):
                dibs.namespace(namespace).claim(name, owner="7", kind="project")
            dibs.claim("ada", owner="7", kind="member")
            db.session.commit()
        return app

    yield make
    for app, db in apps:
        parts_of(app).store.close()
        with app.app_context():
            db.engine.dispose()


def tenant() -> str:
    return "tenant-" + request.host.partition(".")[0]


def available(app: Flask, path: str, host: str = "localhost") -> bool | None:
    client = app.test_client()
    one = client.get(path, base_url=f"http://{host}").get_json()
    prefix, _, name = path.rpartition("/")
    body = {"names": [name]}
    many = client.post(f"{prefix}/check", json=body, base_url=f"http://{host}").get_json()
    assert many["results"][0]["available"] == one["available"]
    found: bool | None = one["available"]
    return found


def test_addresses_of_their_own(make_app):
    """One with its namespace, one with what says it; the usual ones are as they were."""
    app = make_app(checks={"/projects": "projects", "/here": tenant})
    taken = {("", "ada"), ("/projects", "rover"), ("/here", "acme-1")}
    for prefix in ("", "/projects", "/here"):
        for name in ("ada", "rover", "acme-1"):
            found = available(app, f"{prefix}/usernames/{name}", "acme.example.org")
            assert found == ((prefix, name) not in taken)
    assert available(app, "/here/usernames/acme-1", "zeta.example.org")


def test_such_an_address_leads_nowhere_else(make_app):
    """Not by a query, a body or a host that makes up a namespace."""
    app = make_app(checks={"/projects": "projects", "/here": tenant})
    client = app.test_client()
    assert client.get("/projects/usernames/ada?namespace=projects").status_code == 200
    problem(client.get("/projects/usernames/ada?namespace=default"), 422, "invalid")
    problem(client.get("/projects/usernames/ada?namespace=tenant-acme"), 422, "invalid")
    long = f"http://{'x' * 60}.example.org"
    problem(client.get("/here/usernames/ada", base_url=long), 422, "invalid")
    body = {"names": ["ada"], "namespace": "default"}
    problem(client.post("/projects/usernames/check", json=body), 422, "invalid")


@pytest.mark.parametrize("mode", ["token", "staff"])
def test_such_an_address_is_for_the_same_people(make_app, mode):
    client = make_app(mode, checks={"/projects": "projects"}).test_client()
    for path in ("/usernames", "/projects/usernames"):
        assert client.get(f"{path}/ada").status_code == 401
        assert client.post(f"{path}/check", json={"names": ["ada"]}).status_code == 401


def test_an_app_says_what_a_proof_is(make_app):
    app = make_app("token", check_token=lambda request: request.headers.get("X-Captcha") == "yes")
    client = app.test_client()
    assert client.get("/usernames/ada").status_code == 401
    assert client.get("/usernames/ada", headers={"X-Captcha": "yes"}).status_code == 200


def test_all_addresses_share_one_limit(make_app):
    """Or each would be one more way to go through a dictionary."""
    app = make_app(rate_limits="check=3/minute", checks={"/projects": "projects"})
    client = app.test_client()
    assert client.get("/usernames/ada").status_code == 200
    body = {"names": ["ada", "eve"]}
    assert client.post("/projects/usernames/check", json=body).status_code == 200
    assert client.get("/projects/usernames/ada").status_code == 429
    assert client.get("/usernames/ada").status_code == 429


def test_the_page_has_them(make_app):
    paths = make_app(checks={"/projects": "projects"}).test_client().get("/openapi.json").json
    assert {"/projects/usernames/{name}", "/projects/usernames/check"} <= paths["paths"].keys()
    used = {tag for item in paths["paths"].values() for tag in item.get("get", {}).get("tags", ())}
    assert "Names" in used


def test_an_address_of_no_namespace_is_refused_at_the_start(make_app):
    with pytest.raises(ConfigError, match="nowhere"):
        make_app(checks={"/projects": "nowhere"})
