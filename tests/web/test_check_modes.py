"""DIBS_CHECK: who may ask whether somebody has a name, and what they are told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Request
from werkzeug.test import TestResponse

from dibs.errors import ConfigError
from dibs.state import parts_of, state_of
from dibs.web.http import auth
from dibs.web.http.auth import HOLD_TOKEN
from tests.backends import SQLITE
from tests.web.people import Person, newcomer, nobody
from tests.web.site import Site, problem

MODES = ("open", "token", "staff", "blind")
WHO = ("anonymous", "user", "staff")
ANSWERS = {
    "open": (200, 200, 200),
    "token": (401, 200, 200),
    "staff": (401, 403, 200),
    "blind": (200, 200, 200),
}
ROUTES = ("GET", "POST")
CELLS = [
    pytest.param(mode, method, who, status, id=f"{mode} {method} {who}")
    for mode, statuses in ANSWERS.items()
    for method in ROUTES
    for who, status in zip(WHO, statuses, strict=True)
]

Make = Callable[[str], dict[str, Person]]


@pytest.fixture(scope="module")
def world() -> Iterator[Make]:
    """Makes a site in each mode once; the user is called the-user, staff have reserved brand."""
    made: dict[str, dict[str, Person]] = {}
    urls: list[str] = []

    def make(mode: str) -> dict[str, Person]:
        if mode not in made:
            urls.append(SQLITE.migrated())
            site = Site(urls[-1], check=mode, argon2_memory_kib="64")
            made[mode] = {
                "anonymous": nobody(site),
                "user": newcomer(site, "the-user"),
                "staff": newcomer(site, "the-staff", staff=True),
            }
            budget = site.parts.budget
            site.parts.registry.reserve("brand", reason="x", deadline=budget.start())
        return made[mode]

    yield make
    for people in made.values():
        people["user"].site.close()
    for url in urls:
        SQLITE.drop(url)


def ask(person: Person, method: str, name: str = "the-user", **headers: str) -> TestResponse:
    if method == "GET":
        return person.ask("GET", f"/usernames/{name}", **headers)
    return person.ask("POST", "/usernames/check", {"names": [name]}, **headers)


def ask_itself(person: Person) -> TestResponse:
    return person.ask("GET", "/usernames/check")


def verdict(answer: TestResponse) -> dict[str, Any]:
    body: dict[str, Any] = answer.get_json()
    found: dict[str, Any] = body["results"][0] if "results" in body else body
    return found


def selects(site: Site) -> list[str]:
    return [one for one in site.sql if one.lstrip().startswith("SELECT")]


@pytest.mark.parametrize(("mode", "method", "who", "status"), CELLS)
def test_cell(world: Make, mode, method, who, status):
    """Who is answered; who is, is told the truth unless nobody is told anything."""
    answer = ask(world(mode)[who], method)
    assert answer.status_code == status, answer.text
    assert ask_itself(world(mode)[who]).status_code == status
    if status == 200:
        assert verdict(answer)["available"] is (None if mode == "blind" else False)
        return
    problem(answer, status, {401: "unauthenticated", 403: "forbidden"}[status])
    assert "the-user" not in answer.text
    assert answer.headers.get("WWW-Authenticate") == (
        'Bearer realm="dibs"' if status == 401 else None
    )


@pytest.mark.parametrize(("mode", "method"), [(m, r) for m in ("token", "staff") for r in ROUTES])
def test_who_is_refused_is_told_nothing_by_any_name(world: Make, mode, method):
    """Taken, free, invalid or in no namespace: the answer is one, and the database rests."""
    stranger = world(mode)["anonymous"]
    stranger.site.sql.clear()
    answers = {ask(stranger, method, name).text for name in ("the-user", "nobody", "a", "brand")}
    assert len(answers) == 1
    assert stranger.ask("POST", "/usernames/check", {"names": "no list"}).status_code == 401
    assert stranger.ask("GET", "/usernames/ada?namespace=nowhere").status_code == 401
    assert stranger.site.sql == []


@pytest.mark.parametrize("method", ROUTES)
@pytest.mark.parametrize("who", WHO)
def test_open_and_blind_do_not_look_who_asks(world: Make, method, who):
    """One statement, or none, with a token or without; nor is one looked at that is spoilt."""
    for mode, number in (("open", 1), ("blind", 0)):
        person = world(mode)[who]
        person.site.sql.clear()
        assert ask(person, method, "nobody-here").status_code == 200
        assert len(selects(person.site)) == number
        assert ask(person, method, Authorization="Bearer x").status_code == 200


@pytest.mark.parametrize("method", ROUTES)
@pytest.mark.parametrize("mode", ["token", "staff"])
def test_a_spoilt_token_is_called_that(world: Make, mode, method):
    answer = ask(world(mode)["anonymous"], method, Authorization="Bearer x")
    problem(answer, 401, "token_invalid")


# --- token ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ROUTES)
def test_the_token_of_a_hold_is_a_proof(world: Make, monkeypatch, method):
    """One that is living; another is none."""
    monkeypatch.setattr(auth, "is_hold_token", lambda token: token == "living")
    stranger = world("token")["anonymous"]
    assert ask(stranger, method, **{HOLD_TOKEN: "living"}).status_code == 200
    problem(ask(stranger, method, **{HOLD_TOKEN: "expired"}), 401, "unauthenticated")
    problem(ask(stranger, method, **{HOLD_TOKEN: ""}), 401, "unauthenticated")


@pytest.mark.parametrize("mode", ["token", "staff", "blind"])
@pytest.mark.parametrize("method", ROUTES)
def test_the_app_s_own_proof(make_site, mode, method):
    """It is asked in the mode `token`, and changes nothing in another."""
    site = make_site(check=mode)
    asked: list[Request] = []

    def solved(request: Request) -> bool:
        asked.append(request)
        return request.headers.get("Captcha") == "solved"

    site.register("ada")
    state_of(site.app).check_token = solved
    statuses = [
        ask(nobody(site), method, "ada", **headers).status_code
        for headers in ({}, {"Captcha": "wrong"}, {"Captcha": "solved"})
    ]
    assert statuses == {"token": [401, 401, 200], "staff": [401] * 3, "blind": [200] * 3}[mode]
    assert len(asked) == (3 if mode == "token" else 0)


def test_create_app_takes_the_hook(tmp_path):
    from dibs.app import create_app

    url = SQLITE.migrated()
    config = {"DIBS_DATABASE_URL": url, "DIBS_CHECK": "token", "DIBS_HOME": str(tmp_path)}
    app = create_app(config, check_token=lambda request: "captcha" in request.args)
    client = app.test_client()
    assert client.get("/usernames/ada").status_code == 401
    assert client.get("/usernames/ada?captcha=1").status_code == 200
    parts_of(app).store.close()
    SQLITE.drop(url)


@pytest.mark.parametrize("accepts", [lambda _: 1, lambda _: "yes", lambda _: asyncio.sleep(0)])
def test_only_true_is_a_yes(make_site, accepts):
    """What was not awaited is true to Python."""
    made: list[Any] = []

    def hook(request: Request) -> Any:
        made.append(accepts(request))
        return made[-1]

    site = make_site(check="token")
    state_of(site.app).check_token = hook
    problem(site.get("/usernames/ada"), 401, "unauthenticated")
    for one in made:
        if asyncio.iscoroutine(one):
            one.close()


@pytest.mark.parametrize("mode", ["token", "staff"])
def test_a_page_s_cookies_need_their_csrf_token(make_site, mode):
    """For the POST alone."""
    site = make_site(check=mode, password="required", argon2_memory_kib="64")
    person = newcomer(site, "ada", staff=True)
    csrf = person.login(cookies=True).get_json()["csrf_token"]
    person.tokens = {}
    assert ask(person, "GET", "ada").status_code == 200
    problem(ask(person, "POST", "ada"), 403, "csrf")
    assert ask(person, "POST", "ada", X_CSRF_Token=csrf).status_code == 200


# --- blind ---------------------------------------------------------------------


def everything(answer: TestResponse) -> tuple[int, dict[str, str], bytes]:
    return answer.status_code, dict(answer.headers), answer.data


@pytest.mark.parametrize("limits", ["off", "on"])
def test_no_answer_differs_by_who_is_here(make_site, limits):
    """The same requests to a site with nobody and to one where every name is taken or reserved."""
    empty, full = (make_site(check="blind", rate_limits=limits) for _ in range(2))
    for name in ("ada", "grace"):
        assert full.register(name).status_code == 201
    for name in ("brand", "puma"):
        full.parts.registry.reserve(name, reason="x", deadline=full.parts.budget.start())
    names = ["ada", "ADA", "\u0430da", "1da", "brand", "pum\u0430", "grace", "admin", "a", "a b"]
    answers = []
    for site in (empty, full):
        site.sql.clear()
        said = [everything(site.get(f"/usernames/{name}")) for name in names]
        body = {"names": [*names, *names]}
        said.append(everything(site.client.post("/usernames/check", json=body)))
        said.append(everything(site.client.get("/usernames/ada", method="HEAD")))
        answers.append([(status, _settled(headers), data) for status, headers, data in said])
        assert site.sql == []
    assert answers[0] == answers[1]


def _settled(headers: dict[str, str]) -> dict[str, str]:
    """Without what no two answers share: the request's id, and the seconds left of a minute."""
    kept = {name: value for name, value in headers.items() if name != "X-Request-ID"}
    return {name: re.sub(r";t=\d+", "", value) for name, value in kept.items()}


def test_blind_says_what_the_rules_say(make_site):
    """Nothing of others; `null` is not `true`."""
    site = make_site(check="blind")
    site.register("ada")
    allowed = site.get("/usernames/Ada").json
    assert (allowed["available"], allowed["canonical"], allowed["reason"]) == (None, "ada", None)
    broken = site.get("/usernames/a%20b").json
    assert (broken["available"], broken["reason"]) == (False, "invalid")
    assert "white_space" in [reason["code"] for reason in broken["reasons"]]
    reserved = site.get("/usernames/login").json
    assert (reserved["available"], reserved["reason"]) == (False, "reserved")
    assert reserved["suggestions"] == []
    assert site.register("ada").status_code == 409  # which is told, and said in the docs


def test_blind_asks_no_cache_either(make_site, monkeypatch):
    """What a worker remembers is as telling as the database."""
    site = make_site(check="blind", strategy="cache_aside")
    site.register("ada")

    def asked(*_: object, **__: object) -> dict[str, object]:
        raise AssertionError("a cache was asked")

    monkeypatch.setattr(site.parts.cache, "taken", asked)
    assert site.get("/usernames/ada").json["available"] is None
    body = {"names": ["ada"]}
    found = site.client.post("/usernames/check", json=body).json["results"]
    assert found[0]["available"] is None


# --- the setting and the OpenAPI page ------------------------------------------


def test_another_mode_is_refused(make_site):
    with pytest.raises(ConfigError, match="DIBS_CHECK"):
        make_site(check="closed")


@pytest.mark.parametrize("mode", MODES)
def test_the_page_says_what_is_needed(make_site, mode):
    paths = make_site(check=mode).get("/openapi.json").json["paths"]
    for path, method in (("/usernames/{name}", "get"), ("/usernames/check", "post")):
        operation = paths[path][method]
        ways = operation.get("security", [])
        assert ({} in ways, {"bearer": []} in ways) == {
            "open": (False, False),
            "token": (True, True),
            "staff": (False, True),
            "blind": (False, False),
        }[mode]
        assert ("401" in operation["responses"]) == bool(ways)
        sent = {one.get("name") for one in operation["parameters"]}
        assert (HOLD_TOKEN in sent) == (mode == "token")
        assert ("X-CSRF-Token" in sent) == (bool(ways) and method == "post")
