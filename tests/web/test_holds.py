"""Holds over HTTP: for whoever got the token, for a while, and not for too many names."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from werkzeug.test import TestResponse

from dibs.registry.holds import Holds
from dibs.store.names.store import NameStore
from tests.backends import SQLITE
from tests.web.people import newcomer
from tests.web.site import PASSWORD, Site, problem

KEY = "0123456789abcdef"
MINUTE_MS = 60_000


def sql(site: Site, statement: str) -> list[tuple[Any, ...]]:
    return SQLITE.execute(statement, site.parts.settings.resolved_database_url)


def hold(site: Site, name: object = "ada", **headers: str) -> TestResponse:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return site.client.post("/holds", json={"username": name}, headers=named)


def token_of(site: Site, name: str = "ada") -> str:
    answer = hold(site, name)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["hold_token"])


def redeem(site: Site, token: object, name: str = "ada", **more: object) -> TestResponse:
    return site.send(json.dumps({"username": name, "hold_token": token, **more}).encode())


def expire(site: Site) -> None:
    """As if every hold had begun so early that it is over now."""
    sql(site, "UPDATE dibs_names SET expires_at = 1 WHERE state = 'held'")


def test_a_name_is_held_for_a_while(make_site):
    """The database's clock says until when."""
    site = make_site(hold_seconds="90")
    answer = hold(site, "Ada")
    said = answer.get_json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert said.keys() == {"hold_token", "username", "expires_at", "expires_in"}
    assert said["username"] == "Ada"
    assert 88 <= said["expires_in"] <= 90
    left = datetime.fromisoformat(said["expires_at"]) - datetime.now(UTC)
    assert 80 < left.total_seconds() <= 90


@pytest.mark.parametrize("spelling", ["ada", "ADA", "ａｄａ"])
def test_everybody_else_is_told_for_how_long(site, strategy, spelling):
    """By a registration and by another hold alike, in any spelling."""
    token_of(site, "Ada")
    for answer in (site.register(spelling), hold(site, spelling)):
        body = problem(answer, 409, "held")
        assert 590 <= body["retry_after"] <= 600
        assert answer.headers["Retry-After"] == str(body["retry_after"])
        assert body["suggestions"]
    checked = site.get(f"/usernames/{spelling}").get_json()
    assert (checked["available"], checked["reason"]) == (False, "held")
    assert 590 <= checked["retry_after"] <= 600


@pytest.mark.parametrize("strategy", ["unique_constraint", "query_then_insert", "cache_aside"])
def test_the_token_makes_it_a_registration(make_site, strategy):
    """Once: who shows it again is told what everybody is told."""
    site = make_site(strategy=strategy)
    token = token_of(site)
    answer = redeem(site, token, "Ada")
    assert (answer.status_code, answer.get_json()["username"]) == (201, "Ada")
    problem(redeem(site, token), 409, "taken")
    problem(site.client.delete(f"/holds/{token}"), 404, "not_found")


def test_with_a_password(make_site):
    """A password that breaks a rule uses nothing up."""
    site = make_site(password="required", argon2_memory_kib="64")
    token = token_of(site)
    problem(redeem(site, token), 422, "invalid")
    problem(redeem(site, token, password="ada"), 422, "invalid")
    assert redeem(site, token, password=PASSWORD).status_code == 201
    login = {"username": "ada", "password": PASSWORD}
    assert site.client.post("/login", json=login).status_code == 200


def made_up(key: bytes, proof: str) -> str:
    return f"{urlsafe_b64encode(key).decode().rstrip('=')}.{proof}"


RUBBISH = [
    ".",
    "YWRh",
    "YWRh.",
    "YWRh.\ud800",
    "YWRh.\0",
    "\0",
    "é.é",
    "名前",
    "YWRh." + "f" * 10_000,
    "YWR\nh." + "f" * 64,
    made_up(b"a\0da", "f" * 64),
    made_up(b"\xff\xfe", "f" * 64),
    made_up(b"", "f" * 64),
    made_up(b"x" * 5_000, "f" * 64),
    "YWRh." + "F" * 64,
]


@pytest.mark.parametrize("token", RUBBISH, ids=range(len(RUBBISH)))
def test_a_token_of_rubbish_is_no_token_of_this_name(make_site, token):
    """It is said, whether the name is free or held, and with a rename too."""
    site = make_site(password="required", argon2_memory_kib="64")
    grace = newcomer(site, "grace")
    for _ in range(2):
        problem(redeem(site, token, password=PASSWORD), 422, "hold_mismatch")
        # As ASCII: what is half a surrogate pair can be spelled in JSON alone.
        body = json.dumps({"username": "ada", "hold_token": token})
        renamed = site.client.patch(
            "/users/me", data=body, headers=grace.headers, content_type="application/json"
        )
        problem(renamed, 422, "hold_mismatch")
        hold(site)
    if "\ud800" not in token:
        assert site.client.delete(f"/holds/{token}").status_code == 404


@pytest.mark.parametrize("token", [1, None, [], {}, True])
def test_a_token_is_text(site, token):
    problem(redeem(site, token), 422, "invalid")


def test_an_empty_token_is_none(site):
    """As forms send it that have none."""
    assert redeem(site, "").status_code == 201


def test_a_token_of_another_name(make_site):
    site = make_site(password="required", argon2_memory_kib="64")
    grace = newcomer(site, "grace")
    other = token_of(site, "eve")
    token_of(site, "ada")
    problem(redeem(site, other, password=PASSWORD), 422, "hold_mismatch")
    answer = grace.ask("PATCH", "/users/me", {"username": "ada", "hold_token": other})
    problem(answer, 422, "hold_mismatch")


def test_a_token_with_another_proof_is_not_the_holders(site):
    """Well made, of the right name, and still somebody else's."""
    token_of(site)
    forged = made_up(b"ada", "f" * 64)
    problem(redeem(site, forged), 409, "held")
    problem(site.client.delete(f"/holds/{forged}"), 404, "not_found")
    problem(site.register("ada"), 409, "held")


def test_a_hold_becomes_a_rename(make_site):
    site = make_site(password="required", argon2_memory_kib="64")
    ada = newcomer(site, "ada")
    token = token_of(site, "lovelace")
    problem(ada.ask("PATCH", "/users/me", {"username": "lovelace"}), 409, "held")
    answer = ada.ask("PATCH", "/users/me", {"username": "lovelace", "hold_token": token})
    assert (answer.status_code, answer.get_json()["username"]) == (200, "lovelace")


# --- the end of a hold ---------------------------------------------------------


def test_it_ends_early(site):
    """For everybody at once; a second time there is nothing to end."""
    token = token_of(site)
    first, second = (site.client.delete(f"/holds/{token}") for _ in range(2))
    assert (first.status_code, first.data) == (204, b"")
    problem(second, 404, "not_found")
    assert site.get("/usernames/ada").get_json()["available"] is True
    assert site.register("ada").status_code == 201


def test_what_is_over_is_anybodys(site):
    """Somebody else takes it over; the old token is worth nothing then."""
    token = token_of(site)
    expire(site)
    assert site.get("/usernames/ada").get_json()["available"] is True
    problem(site.client.delete(f"/holds/{token}"), 404, "not_found")
    second = token_of(site)
    assert second != token
    problem(redeem(site, token), 409, "held")
    assert redeem(site, second).status_code == 201


def test_what_is_over_may_still_become_hers(site):
    """Nobody came in between."""
    token = token_of(site)
    expire(site)
    assert redeem(site, token).status_code == 201


def test_what_is_over_is_registered_by_somebody_else(site):
    token = token_of(site)
    expire(site)
    assert site.register("ada").status_code == 201
    problem(redeem(site, token), 409, "taken")


# --- how many --------------------------------------------------------------------


def test_so_many_at_a_time(make_site):
    """The answer says when the first is over; ending one, and its end, make room."""
    site = make_site(holds="2", hold_seconds="300")
    first = token_of(site, "ada")
    sql(site, f"UPDATE dibs_names SET expires_at = expires_at - {MINUTE_MS}")
    token_of(site, "eve")
    refused = hold(site, "grace")
    problem(refused, 429, "too_many_holds")
    assert 235 <= int(refused.headers["Retry-After"]) <= 240
    assert site.get("/usernames/grace").get_json()["available"] is True
    assert site.client.delete(f"/holds/{first}").status_code == 204
    token_of(site, "grace")
    problem(hold(site, "bob"), 429, "too_many_holds")
    expire(site)
    token_of(site, "bob")
    assert site.register("eve").status_code == 201  # a registration is no hold


def test_of_two_that_come_at_once_neither_sneaks_past(make_site, monkeypatch):
    """Both counted before either was there: who counts again finds one too many, and ends it."""
    site = make_site(holds="1")
    count = NameStore.names_of
    sneaked: list[int] = []

    def names_of(self: NameStore, *args: Any, **kwargs: Any) -> Any:
        found = count(self, *args, **kwargs)
        if not sneaked:
            sneaked.append(1)
            sneaked.append(hold(site, "eve").status_code)
        return found

    monkeypatch.setattr(NameStore, "names_of", names_of)
    problem(hold(site, "ada"), 429, "too_many_holds")
    assert sneaked == [1, 201]
    assert site.get("/usernames/ada").get_json()["available"] is True


@pytest.mark.parametrize(
    ("mine", "others"),
    [
        ("2001:db8:1:2::1", {"2001:db8:1:2:ffff::9": 429, "2001:db8:1:3::1": 201}),
        ("192.0.2.1", {"192.0.2.1": 429, "192.0.2.2": 201, "::ffff:192.0.2.1": 429}),
    ],
)
def test_a_source_is_a_network(make_site, mine, others):
    """The /64 of an IPv6 address; an IPv4 address however it is written."""
    site = make_site(holds="1")

    def from_(address: str, name: str) -> int:
        place = {"REMOTE_ADDR": address}
        body = {"username": name}
        return int(site.client.post("/holds", json=body, environ_base=place).status_code)

    assert from_(mine, "ada") == 201
    statuses = {other: from_(other, f"eve{i}") for i, other in enumerate(others)}
    assert statuses == others


# --- retries and secrets -----------------------------------------------------------


def test_a_retry_gets_the_same_hold(site):
    """Not one more, and not a refusal by itself."""
    first, again = (hold(site, Idempotency_Key=KEY) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json()["hold_token"] == first.get_json()["hold_token"]
    assert again.get_json()["expires_at"] == first.get_json()["expires_at"]
    problem(hold(site, "eve", Idempotency_Key=KEY), 422, "idempotency_key_reused")
    problem(hold(site, Idempotency_Key="fedcba9876543210"), 409, "held")


def test_a_lost_reply_is_found_again(site, monkeypatch):
    """Also where the service went down before it could say anything."""
    work = Holds.hold

    def lose(self: Holds, *args: Any, **kwargs: Any) -> Any:
        work(self, *args, **kwargs)
        raise RuntimeError

    monkeypatch.setattr(Holds, "hold", lose)
    assert hold(site, Idempotency_Key=KEY).status_code == 500
    monkeypatch.undo()
    assert hold(site, Idempotency_Key=KEY).status_code == 201
    assert len(sql(site, "SELECT 1 FROM dibs_names")) == 1


def test_the_database_has_neither_token_nor_source(site):
    """Whoever reads a backup can redeem nothing, and finds nobody's address."""
    answer = site.client.post(
        "/holds",
        json={"username": "ada"},
        headers={"Idempotency-Key": KEY},
        environ_base={"REMOTE_ADDR": "192.0.2.77"},
    )
    token = answer.get_json()["hold_token"]
    hold(site, "eve", Idempotency_Key=KEY[::-1])
    tables = [row[0] for row in sql(site, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    stored = [
        value for table in tables for row in sql(site, f"SELECT * FROM {table}") for value in row
    ]
    assert "ada" in stored
    for secret in (token, token.partition(".")[2], "192.0.2.77", KEY):
        assert not [value for value in stored if secret in str(value)]


# --- what cannot be held -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("", 400, "empty"),
        ("a b", 422, "invalid"),
        ("x" * 500, 422, "invalid"),
        ("a\0b", 422, "invalid"),
        ("admin", 409, "reserved"),
        ("grace", 409, "taken"),
        ("1o11y", 409, "lookalike"),
        (1, 422, "invalid"),
        (None, 422, "invalid"),
    ],
)
def test_what_cannot_be_registered_cannot_be_held(site, name, status, code):
    site.register("grace")
    site.register("lolly")
    problem(hold(site, name), status, code)
    assert sql(site, "SELECT 1 FROM dibs_names WHERE state = 'held'") == []


@pytest.mark.parametrize("field", ["hold_seconds", "owner", "password", "hold_token"])
def test_nothing_else_is_taken(site, field):
    answer = site.client.post("/holds", json={"username": "ada", field: "x"})
    assert answer.status_code == 422
    assert field in answer.text


def test_methods(site):
    token = token_of(site)
    for path, method, allowed in (("/holds", "GET", "POST"), (f"/holds/{token}", "GET", "DELETE")):
        answer = site.client.open(path, method=method)
        assert (answer.status_code, allowed in answer.headers["Allow"]) == (405, True)


def test_a_hold_is_a_proof_for_checks(make_site):
    """While it lasts."""
    site = make_site(check="token")
    token = token_of(site)
    assert site.get("/usernames/eve", Dibs_Hold_Token=token).status_code == 200
    for wrong in ("YWRh.x", made_up(b"ada", "f" * 64)):
        problem(site.get("/usernames/eve", Dibs_Hold_Token=wrong), 401, "unauthenticated")
    expire(site)
    problem(site.get("/usernames/eve", Dibs_Hold_Token=token), 401, "unauthenticated")
