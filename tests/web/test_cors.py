"""What pages of other origins may ask, and which are let in."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from dibs.config import load
from dibs.errors import ConfigError
from dibs.web.http import headers as cors
from dibs.web.http.route import route_of
from tests.web.site import Site

ORIGIN = "https://app.example"
OPEN = {"dibs_names.check", "dibs_names.check_itself", "dibs_names.check_many"}
ALLOWED = "Access-Control-Allow-Origin"
HOSTILE = [
    "null",
    "https://app.example.evil.example",
    "https://evil-app.example",
    "https://evilapp.example",
    "https://app.example:8443",
    "https://app.example:443",
    "http://app.example",
    "HTTPS://APP.EXAMPLE",
    "https://App.example",
    "https://app.example/",
    "https://app.example, https://evil.example",
    "https://app.example evil.example",
    "https://appXexample",
    "https://app.example.",
    "*",
    "",
]


@pytest.fixture
def open_site(make_site) -> Site:
    site: Site = make_site(cors_origins=f"{ORIGIN}, http://127.0.0.1:8000,http://[::1]:8000")
    return site


def cors_headers(answer: TestResponse) -> set[str]:
    return {name for name, _ in answer.headers if name.startswith("Access-Control")}


def test_nobody_is_let_in_by_default(site):
    answer = site.get("/usernames/ada", Origin=ORIGIN)
    assert answer.status_code == 200
    assert cors_headers(answer) == set()
    assert "Origin" not in answer.vary


@pytest.mark.parametrize("origin", [ORIGIN, "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_an_origin_of_the_list(open_site, origin):
    """It is told by its own name, without cookies, and a cache keeps the answers apart."""
    answer = open_site.get("/usernames/ada", Origin=origin)
    assert answer.headers[ALLOWED] == origin
    assert answer.vary.as_set() == {"origin", "accept-language"}
    assert "Access-Control-Allow-Credentials" not in answer.headers
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Retry-After", "RateLimit", "RateLimit-Policy"} == set(exposed)


@pytest.mark.parametrize("origin", HOSTILE)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_no_other(open_site, origin, method):
    """The answer is that of a request from nowhere, and a cache may not give it to others."""
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answer = open_site.client.open("/usernames/ada", method=method, headers=headers)
    assert answer.status_code == 200
    assert cors_headers(answer) == set()
    assert "Origin" in answer.vary


def test_without_origin_a_cache_keeps_them_apart_too(open_site):
    answer = open_site.get("/usernames/ada")
    assert cors_headers(answer) == set()
    assert "Origin" in answer.vary


def test_a_preflight(open_site):
    """What a browser asks before a request that a plain form could not send."""
    answer = open_site.client.options(
        "/usernames/ada", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    )
    assert answer.status_code == 200
    assert answer.headers[ALLOWED] == ORIGIN
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "Content-Type" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert int(answer.headers["Access-Control-Max-Age"]) > 0


def test_everybody(make_site):
    """Told as such, so that one answer is good for all."""
    site = make_site(cors_origins="*")
    for origin in (ORIGIN, "null"):
        answer = site.get("/usernames/ada", Origin=origin)
        assert answer.headers[ALLOWED] == "*"
        assert "Origin" not in answer.vary
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_errors_are_read_too(make_site):
    """Or the page could not tell when to try again."""
    site = make_site(cors_origins=ORIGIN, rate_limits="check=1/minute")
    site.get("/usernames/ada", Origin=ORIGIN)
    refused = site.get("/usernames/ada", Origin=ORIGIN)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.headers[ALLOWED] == ORIGIN
    assert "Retry-After" in refused.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origins", [ORIGIN, "*"])
def test_nothing_else_is_open(make_site, origins):
    """Every page; and to everybody every route but checks."""
    site = make_site(cors_origins=origins, password="required")
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint in {"dibs_component.module", *OPEN}:
            continue
        said = route_of(site.app.view_functions[rule.endpoint])
        if origins == ORIGIN and said is not None and said.is_api:
            continue
        path = rule.rule.partition("<")[0] + ("x" if "<" in rule.rule else "")
        for method in (rule.methods or set()) | {"OPTIONS"}:
            answer = site.client.open(path, method=method, headers={"Origin": ORIGIN})
            assert cors_headers(answer) == set(), (method, path)


def test_a_page_of_the_list_signs_in_with_a_bearer_token(make_site):
    """Every JSON route answers it, also with an error; a cookie is never sent along."""
    site = make_site(cors_origins=ORIGIN, password="required", argon2_memory_kib="64")
    body = {"username": "ada", "password": "correct horse battery"}
    made = site.client.post("/register", json=body, headers={"Origin": ORIGIN})
    assert made.headers[ALLOWED] == ORIGIN
    assert "Location" in made.headers["Access-Control-Expose-Headers"]
    token = site.client.post("/login", json=body, headers={"Origin": ORIGIN}).get_json()
    headers = {"Origin": ORIGIN, "Authorization": f"Bearer {token['access_token']}"}
    seen = 0
    for rule in site.app.url_map.iter_rules():
        said = route_of(site.app.view_functions[rule.endpoint])
        if said is None or not said.is_api:
            continue
        seen += 1
        path = rule.rule.partition("<")[0] + ("x" if "<" in rule.rule else "")
        answer = site.client.options(path, headers={"Origin": ORIGIN})
        assert answer.headers[ALLOWED] == ORIGIN, path
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in answer.headers
    assert seen > 30
    mine = site.client.get("/users/me", headers=headers)
    assert (mine.status_code, mine.headers[ALLOWED]) == (200, ORIGIN)
    refused = site.client.get("/users/me", headers={"Origin": ORIGIN})
    assert (refused.status_code, refused.headers[ALLOWED]) == (401, ORIGIN)


def test_what_is_open_says_so(site):
    views = site.app.view_functions.items()
    assert {endpoint for endpoint, view in views if (said := route_of(view)) and said.cors} == OPEN


def test_a_hosts_own_views_are_left_alone():
    app = Flask(__name__)
    cors.init_cors(app, "*")
    app.add_url_rule("/", "home", lambda: "hello")
    assert cors_headers(app.test_client().get("/", headers={"Origin": ORIGIN})) == set()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://app.example/", "do you mean https://app.example?"),
        ("https://app.example/join?x#y", "do you mean https://app.example?"),
        ("HTTPS://App.Example", "do you mean https://app.example?"),
        ("https://app.example:443", "do you mean https://app.example?"),
        ("http://app.example:80", "do you mean http://app.example?"),
        ("https://me@app.example", "such as https://app.example"),
        ("app.example", "such as https://app.example"),
        ("null", "such as https://app.example"),
        ("https://*.example", "such as https://app.example"),
        ("https://例え.example", "such as https://app.example"),
        ("https://app.example:x", "such as https://app.example"),
        ("https://app.example:0", "such as https://app.example"),
        ("https://a.example https://b.example", "such as https://app.example"),
        ("https://a.example,,https://b.example", "'' is no origin"),
        ("*, https://app.example", "give either * or origins"),
    ],
)
def test_what_no_browser_sends_is_refused_at_the_start(text, words):
    with pytest.raises(ConfigError, match="^DIBS_CORS_ORIGINS") as caught:
        load({"DIBS_CORS_ORIGINS": text})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["*", " https://a.example , http://localhost:3000 ", "capacitor://localhost", "  "]
)
def test_what_is_taken(text):
    assert load({"DIBS_CORS_ORIGINS": text}).cors_origins == text
