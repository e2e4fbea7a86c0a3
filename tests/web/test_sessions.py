"""`/login`, `/refresh`, `/logout` and `/sessions`."""

from __future__ import annotations

import json
import secrets

import pytest

from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, problem

TOKENS = {"access_token", "refresh_token", "token_type", "expires_in"}


@pytest.fixture
def ada(make_site) -> Person:
    return newcomer(make_site(password="required", argon2_memory_kib="64"), "Ada.Lovelace")


def another_device(person: Person, device: str = "phone") -> Person:
    """The same person, logged in once more."""
    other = Person(person.site, person.name, person.id)
    body = {"username": person.name, "password": PASSWORD}
    headers = {"User-Agent": device}
    other.tokens = person.site.client.post("/login", json=body, headers=headers).get_json()
    return other


def status_of(person: Person) -> int:
    return person.ask("GET", "/users/me").status_code


def test_the_classic_flow(ada):
    """Register, log in, who am I, refresh, log out, and nothing more."""
    assert ada.ask("GET", "/users/me").get_json()["username"] == "Ada.Lovelace"
    old = dict(ada.tokens)
    answer = ada.site.client.post("/refresh", json={"refresh_token": old["refresh_token"]})
    assert (answer.status_code, answer.json.keys()) == (200, TOKENS)
    ada.tokens = answer.json
    assert ada.ask("POST", "/logout").get_json() == {"message": "You are signed out."}
    problem(ada.ask("GET", "/users/me"), 401, "session_ended")
    for token in (old, ada.tokens):
        body = {"refresh_token": token["refresh_token"]}
        problem(ada.site.client.post("/refresh", json=body), 401, "session_ended")


@pytest.mark.parametrize("name", ["ADA.LOVELACE", "ada.lovelace", "ａｄａ.lovelace"])
def test_any_spelling_logs_in(ada, name):
    body = {"username": name, "password": PASSWORD}
    answer = ada.site.client.post("/login", json=body)
    assert (answer.status_code, answer.json.keys()) == (200, TOKENS)
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 300


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada.lovelace", "wrong"),
        ("ada.lovelace", ""),
        ("ada.lovelace", "x" * 60_000),
        ("ada.lovelace", "\ud800"),
        ("ada.lovelace", PASSWORD + "\0"),
        ("ada.love1ace", PASSWORD),
        ("grace", PASSWORD),
        ("", PASSWORD),
        ("a b", PASSWORD),
        ("\ud800", PASSWORD),
        ("x" * 60_000, PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("admin", PASSWORD),
    ],
)
def test_every_failure_looks_alike(ada, name, password):
    """A look-alike is somebody else; nothing is said of who exists."""
    sent = json.dumps({"username": name, "password": password})
    answer = ada.site.client.post("/login", data=sent, content_type="application/json")
    body = problem(answer, 401, "login_failed")
    assert body["detail"] == "The username or the password is wrong."


def test_a_team_cannot_log_in(ada):
    """It has a name, and nobody is it."""
    ada.ask("POST", "/teams", {"name": "rockets"})
    body = {"username": "rockets", "password": PASSWORD}
    problem(ada.site.client.post("/login", json=body), 401, "login_failed")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "empty"),
        ({"username": "ada"}, 422, "invalid"),
        ({"username": 1, "password": PASSWORD}, 422, "invalid"),
        ({"username": "ada", "password": None}, 422, "invalid"),
        ({"username": "ada", "password": PASSWORD, "remember": True}, 422, "invalid"),
    ],
)
def test_a_body_that_is_no_login(ada, body, status, code):
    problem(ada.site.client.post("/login", json=body), status, code)


@pytest.mark.parametrize("value", [1, 0, "true", "yes", None, []])
def test_what_only_looks_like_true_or_false(ada, value):
    body = {"username": ada.name, "password": PASSWORD, "cookies": value}
    reasons = problem(ada.site.client.post("/login", json=body), 422, "invalid")["reasons"]
    assert [reason["code"] for reason in reasons] == ["not_a_boolean"]


def test_tokens_are_kept_by_nobody(ada):
    """RFC 6749, 5.1."""
    answers = [
        ada.login(),
        ada.ask("POST", "/refresh", Authorization=f"Bearer {ada.tokens['refresh_token']}"),
        ada.ask("POST", "/refresh", {"refresh_token": "x"}),
        ada.ask("GET", "/sessions"),
        ada.ask("GET", "/users/me"),
    ]
    assert [answer.headers["Cache-Control"] for answer in answers] == ["no-store"] * 5


def test_refresh_takes_the_token_in_two_ways(ada):
    """As Bearer and in the body; the header counts."""
    header = {"Authorization": f"bearer {ada.tokens['refresh_token']}"}
    first = ada.site.client.post("/refresh", headers=header)
    assert first.status_code == 200
    token = first.json["refresh_token"]
    second = ada.site.client.post("/refresh", json={"refresh_token": token})
    assert second.status_code == 200
    both = {"Authorization": f"Bearer {second.json['refresh_token']}"}
    assert ada.site.client.post("/refresh", headers=both, json={}).status_code == 200


def test_refresh_without_a_token(ada):
    problem(ada.site.client.post("/refresh"), 401, "unauthenticated")
    problem(ada.site.client.post("/refresh", json={}), 401, "unauthenticated")
    for body in ({"refresh_token": 1}, {"refresh_token": None}, {"x": "y"}):
        problem(ada.site.client.post("/refresh", json=body), 422, "invalid")
    problem(ada.site.client.post("/refresh", data=b"x"), 415, "unsupported_media_type")


def test_a_token_that_is_used_again_ends_the_session(ada):
    """Once its reply may have been lost; after the next one, somebody stole it."""
    first = ada.tokens["refresh_token"]

    def refresh(token: str) -> int:
        return int(ada.site.client.post("/refresh", json={"refresh_token": token}).status_code)

    answer = ada.site.client.post("/refresh", json={"refresh_token": first})
    second = answer.json["refresh_token"]
    assert refresh(first) == 200
    assert refresh(second) == 200
    assert refresh(first) == 401
    assert status_of(ada) == 401


def test_sessions_are_listed(ada):
    """With device and times; the one that asks is marked."""
    phone = another_device(ada, "phone \u00e9")
    items = phone.ask("GET", "/sessions").get_json()["items"]
    assert len(items) == 2
    assert {item["current"] for item in items} == {True, False}
    current = next(item for item in items if item["current"])
    assert current.keys() == {"id", "device", "created_at", "used_at", "expires_at", "current"}
    assert current["device"].startswith("phone")
    assert all(current[when].endswith("Z") for when in ("created_at", "used_at", "expires_at"))


def test_one_session_is_ended(ada):
    phone = another_device(ada)
    items = ada.ask("GET", "/sessions").get_json()["items"]
    other = next(item["id"] for item in items if not item["current"])
    answer = ada.ask("DELETE", f"/sessions/{other}")
    assert (answer.status_code, answer.data) == (204, b"")
    problem(ada.ask("DELETE", f"/sessions/{other}"), 404, "not_found")
    assert (status_of(phone), status_of(ada)) == (401, 200)


@pytest.mark.parametrize("session_id", ["x", "%00", "' OR 1=1", "0" * 10_000])
def test_what_is_no_session_is_not_asked_for(ada, session_id):
    ada.site.sql.clear()
    problem(ada.ask("DELETE", f"/sessions/{session_id}"), 404, "not_found")
    assert all("DELETE" not in one for one in ada.site.sql)


def test_logout_everywhere(ada):
    phone = another_device(ada)
    grace = newcomer(ada.site, "grace")
    answer = phone.ask("POST", "/logout/all", Accept_Language="ja")
    assert (answer.status_code, answer.headers["Content-Language"]) == (200, "ja")
    assert [status_of(one) for one in (ada, phone, grace)] == [401, 401, 200]


def test_keys_are_shown_to_everybody(ada):
    """And never the private part."""
    answer = ada.site.get("/.well-known/jwks.json")
    (key,) = answer.json["keys"]
    assert key.keys() == {"alg", "crv", "kid", "kty", "use", "x"}
    assert "max-age" in answer.headers["Cache-Control"]


def test_a_secret_is_no_public_key(make_site):
    """HS256 has nothing to show."""
    secret = secrets.token_hex(32)
    site = make_site(password="required", argon2_memory_kib="64", token_secret=secret)
    ada = newcomer(site)
    assert status_of(ada) == 200
    assert site.get("/.well-known/jwks.json").json == {"keys": []}


def test_a_password_is_never_repeated(ada, caplog):
    """Nor a token in a log."""
    answers = [ada.login(), ada.ask("GET", "/users/me"), ada.ask("GET", "/sessions")]
    assert all(PASSWORD not in one.text and "argon2" not in one.text for one in answers)
    assert ada.tokens["refresh_token"] not in caplog.text
