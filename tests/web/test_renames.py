"""Renames over HTTP: another name, the old one to rest, and addresses that lead on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import pytest
from werkzeug.test import TestResponse

from tests.backends import SQLITE
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem

DAY_MS = 86_400_000

Make = Callable[..., Site]


@pytest.fixture
def make(make_site: Callable[..., Site]) -> Make:
    """Sites with passwords, where names rest for 90 days."""
    usual = {"password": "required", "argon2_memory_kib": "64", "quarantine": "90"}
    return lambda url="", **settings: make_site(url, **usual | settings)


@pytest.fixture
def ada(make: Make) -> Person:
    return newcomer(make())


def sql(site: Site, statement: str) -> list[tuple[Any, ...]]:
    return SQLITE.execute(statement, site.parts.settings.resolved_database_url)


def rename(person: Person, name: object, **more: object) -> TestResponse:
    return person.ask("PATCH", "/users/me", {"username": name, **more})


def renamed(person: Person, name: str) -> None:
    answer = rename(person, name)
    assert answer.status_code == 200, answer.text


def age(site: Site, milliseconds: int) -> None:
    """As if all renames had been so much earlier."""
    sql(site, f"UPDATE dibs_history SET at = at - {milliseconds}")


def state_of(site: Site, name: str) -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"/usernames/{quote(name, safe='')}").get_json()
    return found


# --- the name --------------------------------------------------------------------


def test_the_new_name_takes_the_place_of_the_old(ada):
    """In all that speaks of her, and for who logs in; who she is stays."""
    answer = rename(ada, "Lovelace")
    assert answer.status_code == 200
    assert answer.get_json() == {"message": "The username was changed.", "username": "Lovelace"}
    me = ada.ask("GET", "/users/me").get_json()
    assert (me["id"], me["username"]) == (ada.id, "Lovelace")
    assert [user["username"] for user in ada.site.users()] == ["Lovelace"]
    old, new = (
        ada.site.client.post("/login", json={"username": name, "password": PASSWORD})
        for name in ("ada", "lovelace")
    )
    problem(old, 401, "login_failed")
    assert new.status_code == 200


def test_the_answer_is_in_the_readers_language(ada):
    said = {}
    for language in ("zh", "ja"):
        answer = ada.ask(
            "PATCH", "/users/me", {"username": f"ada-{language}"}, Accept_Language=language
        )
        assert answer.headers["Content-Language"] == language
        said[language] = answer.get_json()["message"]
    assert "The username was changed." not in said.values()
    assert len(set(said.values())) == 2


def test_the_old_name_rests_and_leads_to_the_new_one(ada):
    renamed(ada, "Lovelace")
    said = state_of(ada.site, "ADA")
    assert (said["available"], said["reason"], said["renamed_to"]) == (
        False,
        "quarantined",
        "Lovelace",
    )
    problem(ada.site.register("ada", PASSWORD), 409, "quarantined")
    problem(rename(newcomer(ada.site, "eve"), "ada"), 409, "quarantined")
    many = ada.site.client.post("/usernames/check", json={"names": ["ada"]}).get_json()
    assert many["results"][0]["reason"] == "quarantined"


NAMES = ["Lovelace", "李明", "Zoë", "jean-luc.picard", "عائشة"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_old_address_leads_to_the_new_one(ada, name, language):
    """By a redirect whose Location is an address, whatever the name is made of."""
    renamed(ada, name)
    answer = ada.site.get("/users/by-name/ada", Accept_Language=language)
    assert answer.status_code == 308
    location = answer.headers["Location"]
    assert location.isascii()
    assert unquote(location) == f"/users/by-name/{name}"
    assert ada.site.get(location).get_json()["id"] == ada.id


@pytest.mark.parametrize("name", ["a/b", "a//b", "100%", "a%2Fb", "?x=1#y", "../users", "李/明"])
def test_a_name_of_older_rules_is_an_address_too(ada, name):
    """What stands in it does not become a part of the address."""
    renamed(ada, "lovelace")
    shown = name.replace("'", "''")
    sql(ada.site, f"UPDATE dibs_names SET display = '{shown}' WHERE state = 'owned'")
    location = ada.site.get("/users/by-name/ada").headers["Location"]
    path, question, _ = location.partition("?")
    assert (unquote(path), question) == (f"/users/by-name/{name}", "")
    assert "#" not in location


def test_every_old_name_leads_to_the_newest_in_one_step(ada):
    for name in ("first", "second", "third"):
        renamed(ada, name)
    for old in ("ada", "first", "second"):
        answer = ada.site.get(f"/users/by-name/{old}")
        assert (answer.status_code, answer.headers["Location"]) == (308, "/users/by-name/third")
        assert state_of(ada.site, old)["renamed_to"] == "third"


def test_until_somebody_else_has_it(make):
    """Without a quarantine an old name leads on as long as it is free."""
    site = make(quarantine="0")
    ada = newcomer(site)
    renamed(ada, "lovelace")
    assert site.get("/users/by-name/ada").status_code == 308
    assert state_of(site, "ada")["available"] is True
    eve = newcomer(site, "ada")
    assert site.get("/users/by-name/ada").get_json()["id"] == eve.id
    assert state_of(site, "ada")["renamed_to"] is None


def test_a_look_alike_of_an_old_name_leads_nowhere(make):
    site = make()
    renamed(newcomer(site, "lolly"), "lovelace")
    problem(site.get("/users/by-name/1o11y"), 404, "not_found")
    assert state_of(site, "1o11y")["renamed_to"] is None


def test_redirects_can_be_off(make):
    """For those whose users rename to be found no more; the name rests all the same."""
    site = make(redirects="off")
    renamed(newcomer(site), "lovelace")
    problem(site.get("/users/by-name/ada"), 404, "not_found")
    said = state_of(site, "ada")
    assert (said["reason"], said["renamed_to"]) == ("quarantined", None)


def test_blind_tells_nobody(make):
    site = make(check="blind")
    renamed(newcomer(site), "lovelace")
    said = state_of(site, "ada")
    assert (said["available"], said["renamed_to"]) == (None, None)


# --- back, and in other spellings ---------------------------------------------------


def test_ones_own_name_is_taken_back(make):
    """Also where names rest for ever: they do not rest from their last owner."""
    site = make(quarantine="forever")
    ada = newcomer(site)
    renamed(ada, "lovelace")
    renamed(ada, "Ada")
    assert ada.ask("GET", "/users/me").get_json()["username"] == "Ada"
    assert site.get("/users/by-name/lovelace").headers["Location"] == "/users/by-name/Ada"


def test_another_spelling_is_no_other_name(make):
    """It is not counted, nothing rests, and the old spelling finds her."""
    site = make(renames="0", rename_pause="3600")
    ada = newcomer(site)
    for spelling in ("Ada", "ADA", "ada", "ada"):
        answer = rename(ada, spelling)
        assert (answer.status_code, answer.get_json()["username"]) == (200, spelling)
    assert len(sql(site, "SELECT 1 FROM dibs_names")) == 1
    problem(rename(ada, "lovelace"), 429, "renamed_too_often")


def test_a_look_alike_of_ones_own_name_may_be_had(make):
    """Both share a row; nobody else is fooled by it. The old one leads nowhere then."""
    site = make()
    ada = newcomer(site, "lolly")
    renamed(ada, "1o11y")
    assert ada.ask("GET", "/users/me").get_json()["username"] == "1o11y"
    problem(site.register("lolly", PASSWORD), 409, "lookalike")


def test_asked_twice_it_is_done_once(ada):
    """As after a lost reply."""
    for _ in range(2):
        renamed(ada, "lovelace")
    rows = sql(ada.site, "SELECT action FROM dibs_history ORDER BY at, version")
    assert sorted(row[0] for row in rows) == ["claimed", "left", "renamed"]


# --- how often ------------------------------------------------------------------


def test_so_many_within_thirty_days(make):
    """The answer says when the next one is possible."""
    site = make(renames="2")
    ada = newcomer(site)
    renamed(ada, "first")
    age(site, 10 * DAY_MS)
    renamed(ada, "second")
    refused = rename(ada, "third")
    problem(refused, 429, "renamed_too_often")
    wait = int(refused.headers["Retry-After"])
    assert 19.9 * DAY_MS < 1000 * wait <= 20 * DAY_MS
    assert state_of(site, "third")["available"] is True
    age(site, 1000 * wait)
    renamed(ada, "third")


def test_a_pause_between_two(make):
    site = make(rename_pause="3600")
    ada, eve = newcomer(site), newcomer(site, "eve")
    renamed(ada, "first")
    refused = rename(ada, "ada")
    problem(refused, 429, "renamed_too_often")
    assert 3590 <= int(refused.headers["Retry-After"]) <= 3600
    renamed(eve, "grace")  # it is hers alone
    age(site, 3_600_000)
    renamed(ada, "ada")


def test_none_at_all(make):
    ada = newcomer(make(renames="0"))
    refused = rename(ada, "lovelace")
    problem(refused, 429, "renamed_too_often")
    assert int(refused.headers["Retry-After"]) > 0


# --- what is refused -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code"),
    [("eve", "taken"), ("1o11y", "lookalike"), ("login", "reserved"), ("brand", "reserved")],
)
def test_a_name_that_is_not_available(ada, name, code):
    """She keeps hers, and is told others that are free."""
    site = ada.site
    site.register("eve", PASSWORD)
    site.register("lolly", PASSWORD)
    site.parts.registry.reserve("brand", reason="x", deadline=site.parts.budget.start())
    body = problem(rename(ada, name), 409, code)
    assert body["suggestions"]
    assert all(state_of(site, one["name"])["available"] for one in body["suggestions"])
    assert ada.ask("GET", "/users/me").get_json()["username"] == "ada"


def test_a_name_that_is_held_says_for_how_long(ada):
    ada.site.client.post("/holds", json={"username": "eve"})
    refused = rename(ada, "eve")
    body = problem(refused, 409, "held")
    assert body["suggestions"]
    assert 590 <= body["retry_after"] == int(refused.headers["Retry-After"]) <= 600


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"username": "eve", "password": "another long password"}, 422),
        ({"username": ""}, 400),
        ({"username": "a b"}, 422),
        ({"username": "a\0b"}, 422),
        ({"username": "a/b"}, 422),
        ({"username": "x" * 1000}, 422),
        ({"username": None}, 422),
        ({"username": ["eve"]}, 422),
        ({"username": "eve", "hold_token": 1}, 422),
        ({"hold_token": "YWRh.x"}, 422),
        ({"hold_token": "YWRh.x", "password": "another long password"}, 422),
        ({"username": "eve", "id": "x"}, 422),
        ({}, 422),
    ],
    ids=str,
)
def test_a_body_that_says_something_else(ada, body, status):
    answer = ada.ask("PATCH", "/users/me", body)
    assert answer.status_code == status, answer.text
    assert answer.get_json()["detail"]
    assert ada.ask("GET", "/users/me").get_json()["username"] == "ada"


def test_half_a_surrogate_pair(ada):
    answer = ada.site.client.patch(
        "/users/me",
        data=rb'{"username": "a\ud800"}',
        headers=ada.headers,
        content_type="application/json",
    )
    problem(answer, 422, "invalid")


def test_a_page_needs_the_csrf_token(make):
    """Or any other page could rename whoever looks at it."""
    site = make()
    newcomer(site)
    client = site.app.test_client()
    login = {"username": "ada", "password": PASSWORD, "cookies": True}
    token = client.post("/login", json=login).get_json()["csrf_token"]
    problem(client.patch("/users/me", json={"username": "eve"}), 403, "csrf")
    answer = client.patch("/users/me", json={"username": "eve"}, headers={"X-CSRF-Token": token})
    assert answer.status_code == 200
    assert client.get("/users/me").get_json()["username"] == "eve"


def test_who_is_disabled_has_no_say(ada):
    site = ada.site
    # Past the service: so that no process knows it but the database.
    sql(site, "UPDATE dibs_users SET disabled_at = 1")
    assert rename(ada, "eve").status_code in (401, 404)
    assert state_of(site, "eve")["available"] is True
    assert [user["username"] for user in site.users()] == ["ada"]


def test_nobody_renames_nobody(ada):
    answer = ada.site.client.patch("/users/me", json={"username": "eve"})
    problem(answer, 401, "unauthenticated")


# --- who leaves -------------------------------------------------------------------


def test_who_is_deleted_is_found_no_more(ada):
    """None of her names leads anywhere, and nobody takes them back: her id is nobody's."""
    site = ada.site
    renamed(ada, "lovelace")
    assert ada.ask("DELETE", "/users/me").status_code == 204
    for name in ("ada", "lovelace"):
        problem(site.get(f"/users/by-name/{name}"), 404, "not_found")
        said = state_of(site, name)
        assert (said["reason"], said["renamed_to"]) == ("quarantined", None)
        problem(site.register(name, PASSWORD), 409, "quarantined")
    assert sql(site, "SELECT owner FROM dibs_names") == [(None,), (None,)]


def test_a_name_that_was_passed_on_is_nobodys_earlier_success(make):
    """The retry of the registration that made it, when its stored answer is no more."""
    site = make()
    first = site.register("ada", PASSWORD, Idempotency_Key="0123456789abcdef")
    eve = newcomer(site, "eve")
    site.parts.renames.transfer(
        "ada", to="eve", instead="lovelace", deadline=site.parts.budget.start()
    )
    sql(site, "DELETE FROM dibs_requests")
    again = site.register("ada", PASSWORD, Idempotency_Key="0123456789abcdef")
    problem(again, 409, "taken")
    me = eve.ask("GET", "/users/me").get_json()
    assert (me["id"], me["username"]) == (eve.id, "ada")
    assert site.get("/users/by-name/lovelace").get_json()["id"] == first.get_json()["id"]


# --- who did it, and by which request --------------------------------------------------


@pytest.mark.parametrize("sent", ["4f1c8a52e07b4d36", "a" * 64, "Root=1-5759e988:bd=+/._"])
def test_the_history_has_the_clients_request_id(ada, sent):
    answer = ada.ask("PATCH", "/users/me", {"username": "eve"}, X_Request_ID=sent)
    assert answer.headers["X-Request-ID"] == sent
    rows = sql(
        ada.site,
        "SELECT action, was, became, owner, actor, request_id FROM dibs_history"
        " WHERE action <> 'claimed' ORDER BY action",
    )
    assert rows == [
        ("left", "ada", "eve", ada.id, ada.id, sent),
        ("renamed", "ada", "eve", ada.id, ada.id, sent),
    ]


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 65, "a\tb", "<script>", "é", "a,b"])
def test_an_id_that_logs_cannot_have_is_made_anew(ada, sent):
    """The answer says which it is."""
    answer = ada.ask("PATCH", "/users/me", {"username": "eve"}, X_Request_ID=sent)
    made = answer.headers["X-Request-ID"]
    assert (answer.status_code, len(made)) == (200, 16)
    rows = sql(ada.site, "SELECT request_id FROM dibs_history WHERE action = 'renamed'")
    assert rows == [(made,)]


def test_each_request_has_an_id_of_its_own(ada):
    """Whether it succeeds, is refused or is no address at all."""
    paths = ["/users", "/usernames/a%20b", "/nowhere", "/users/me", "/healthz"]
    made = [ada.site.get(path).headers["X-Request-ID"] for path in paths for _ in range(2)]
    assert len(set(made)) == len(made)


def test_a_registration_is_by_somebody_not_logged_in(ada):
    """The id of the one before does not stay with the thread."""
    renamed(ada, "eve")
    ada.site.register("grace", PASSWORD)
    rows = sql(ada.site, "SELECT actor FROM dibs_names WHERE name_key = 'grace'")
    assert rows == [(None,)]
