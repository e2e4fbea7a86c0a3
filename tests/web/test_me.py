"""`/users/me`, and users by name."""

from __future__ import annotations

import pytest

from tests.web.people import Person, long_ago, newcomer, nobody
from tests.web.site import PASSWORD, problem

NEW = "a much better password"


@pytest.fixture
def ada(make_site) -> Person:
    return newcomer(make_site(password="required", argon2_memory_kib="64"), "Ada.Lovelace")


def test_everything_about_oneself(ada):
    ada.ask("POST", "/teams", {"name": "Rockets"})
    shown = ada.ask("GET", "/users/me").get_json()
    assert shown.keys() == {"id", "username", "created_at", "role", "teams"}
    assert (shown["id"], shown["username"], shown["role"]) == (ada.id, "Ada.Lovelace", None)
    assert [team.keys() for team in shown["teams"]] == [{"id", "name"}]
    assert ada.ask("GET", f"/users/{ada.id}").get_json() == shown
    assert ada.ask("GET", "/users/by-name/ada.lovelace").get_json() == shown


# --- another password ----------------------------------------------------------


def test_a_new_password_ends_every_session(ada):
    answer = ada.ask("PATCH", "/users/me", {"password": NEW, "current_password": PASSWORD})
    assert answer.status_code == 200
    problem(ada.ask("GET", "/users/me"), 401, "session_ended")
    assert ada.login().status_code == 401
    body = {"username": ada.name, "password": NEW}
    assert ada.site.client.post("/login", json=body).status_code == 200


@pytest.mark.parametrize("current", [{}, {"current_password": "wrong"}, {"current_password": ""}])
def test_without_the_old_one_there_is_no_new_one(ada, current):
    problem(ada.ask("PATCH", "/users/me", {"password": NEW, **current}), 403, "wrong_password")
    assert ada.login().status_code == 200


def test_the_old_one_is_no_new_one(ada):
    """Who must change a password that somebody knows would go on with it."""
    body = {"password": PASSWORD, "current_password": PASSWORD}
    reasons = problem(ada.ask("PATCH", "/users/me", body), 422, "invalid")["reasons"]
    assert [(one["code"], one["field"]) for one in reasons] == [("password_unchanged", "password")]
    assert ada.ask("GET", "/users/me").status_code == 200
    body = {"password": PASSWORD, "current_password": "wrong"}
    problem(ada.ask("PATCH", "/users/me", body), 403, "wrong_password")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"password": NEW, "role": "staff"}, ["role"]),
        ({"password": NEW, "id": "1", "created_at": 0, "teams": []}, ["created_at", "id", "teams"]),
        ({"password": NEW, "username": "grace"}, ["username"]),
        (
            {"password": NEW, "disabled_at": None, "password_hash": "x"},
            ["disabled_at", "password_hash"],
        ),
        ({"role": "staff"}, ["role"]),
        ({}, ["username"]),
        ({"password": None}, ["password"]),
        ({"password": 12345678}, ["password"]),
        ({"password": "short"}, ["password"]),
        ({"password": "password123"}, ["password"]),
        ({"password": "ada.lovelace"}, ["password"]),
    ],
)
def test_nothing_else_can_be_changed(ada, body, fields):
    """Mass assignment: every field that is not hers to set is named."""
    sent = {"current_password": PASSWORD, **body}
    reasons = problem(ada.ask("PATCH", "/users/me", sent), 422, "invalid")["reasons"]
    assert [reason["field"] for reason in reasons] == fields
    assert ada.ask("GET", "/users/me").get_json()["role"] is None


@pytest.mark.parametrize("field", ["id", "role", "teams", "created_at", "is_admin"])
def test_nor_can_it_be_registered(ada, field):
    body = {"username": "grace", "password": PASSWORD, field: "staff"}
    reasons = problem(ada.site.client.post("/register", json=body), 422, "invalid")["reasons"]
    assert [reason["field"] for reason in reasons] == [field]


# --- leaving -------------------------------------------------------------------


def test_who_leaves_is_gone_and_her_name_is_free(ada):
    answer = ada.ask("DELETE", "/users/me")
    assert (answer.status_code, answer.data) == (204, b"")
    problem(ada.ask("GET", "/users/me"), 401, "session_ended")
    problem(ada.site.get(f"/users/{ada.id}"), 404, "not_found")
    problem(ada.site.get("/users/by-name/ada.lovelace"), 404, "not_found")
    assert ada.site.register("ada.lovelace", NEW).status_code == 201
    assert ada.login().status_code == 401


def test_all_that_is_kept_is_shown(ada):
    """Names, sessions and what was done to the account; no hash, and nothing of anybody else."""
    newcomer(ada.site, "grace")
    ada.ask("PATCH", "/users/me", {"username": "lovelace"})
    ada.ask("POST", "/users/me/recovery-codes", {"password": PASSWORD})
    shown = ada.ask("GET", "/users/me/export").get_json()
    assert (shown["user"]["id"], shown["user"]["username"]) == (ada.id, "lovelace")
    assert [one["current"] for one in shown["sessions"]] == [True]
    assert ("renamed", ada.name, "lovelace") in [
        (one["action"], one["was"], one["became"]) for one in shown["names"]
    ]
    assert [one["kind"] for one in shown["events"]] == ["recovery_codes"]
    assert "grace" not in str(shown)
    assert "hash" not in str(shown)


@pytest.mark.parametrize("body", [None, {}, {"password": "another one"}])
def test_who_leaves_gives_the_password_unless_they_signed_in_just_now(ada, body):
    """An open browser, or a token that leaked, is no way to be rid of somebody."""
    long_ago(ada.site)
    problem(ada.ask("DELETE", "/users/me", body), 403, "wrong_password")
    assert ada.ask("GET", "/users/me").status_code == 200
    assert ada.ask("DELETE", "/users/me", {"password": PASSWORD}).status_code == 204


def test_the_last_owner_stays(ada):
    """Said in words about teams, not about names."""
    team = ada.ask("POST", "/teams", {"name": "rockets"}).get_json()
    body = problem(ada.ask("DELETE", "/users/me"), 409, "last_owner")
    assert body["title"] == "A team needs an owner"
    grace = newcomer(ada.site, "grace")
    ada.ask("PUT", f"/teams/{team['id']}/members/{grace.id}", {"role": "owner"})
    assert ada.ask("DELETE", "/users/me").status_code == 204


# --- by name -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Ada.Lovelace", "ADA.LOVELACE", "%EF%BD%81da.lovelace"])
def test_any_spelling_finds_her(ada, name):
    shown = nobody(ada.site).ask("GET", f"/users/by-name/{name}")
    assert shown.get_json() == {"id": ada.id, "username": "Ada.Lovelace"}


def test_in_the_capitals_of_her_keyboard_too(ada):
    işıl = newcomer(ada.site, "Işıl")
    shown = {"id": işıl.id, "username": "Işıl"}
    assert ada.site.get("/users/by-name/IŞIL").get_json() == shown


@pytest.mark.parametrize(
    "name",
    [
        "ada.love1ace",
        "nobody",
        "rockets",
        "admin",
        "a",
        "",
        "/",
        "//",
        "/ada.lovelace",
        "ada.lovelace/",
        "ada//lovelace",
        "ada.lovelace%0A",
        "%00",
        "%FF",
        "%20ada.lovelace",
        "..",
        "me",
        "a%2Fb",
        "x" * 10_000,
    ],
)
def test_who_has_another_name_is_somebody_else(ada, name):
    """A look-alike, a team, what is no name at all: 404, and never a redirect."""
    ada.ask("POST", "/teams", {"name": "rockets"})
    problem(ada.site.get(f"/users/by-name/{name}"), 404, "not_found")
