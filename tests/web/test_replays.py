"""Stored answers: what is kept of a request with an `Idempotency-Key`, for how long, for whom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import jsonify
from werkzeug.test import TestResponse

from dibs.accounts import housekeeping
from dibs.accounts.registration import Registration
from dibs.errors import OutcomeUnknown, StoreUnavailable
from dibs.store.accounts.idempotency import KEPT_MS, Requests
from dibs.web.http.idempotency import idempotent
from tests.backends import SQLITE
from tests.web.people import newcomer
from tests.web.site import PASSWORD, Site, problem

KEY, OTHER_KEY = "0123456789abcdef", "fedcba9876543210"
TAKEN_FOR_DEAD_MS = 7_000
"""DIBS_DEADLINE and two seconds."""


def sql(site: Site, statement: str) -> list[tuple[Any, ...]]:
    return SQLITE.execute(statement, site.parts.settings.resolved_database_url)


def rows(site: Site) -> list[tuple[Any, ...]]:
    return sql(site, "SELECT * FROM dibs_requests")


def age(site: Site, *, created: int = 0, started: int = 0) -> None:
    """As if all requests had been sent so many milliseconds earlier."""
    sql(
        site,
        f"UPDATE dibs_requests SET created_at = created_at - {created},"
        f" started_at = started_at - {started}",
    )


def is_replayed(answer: TestResponse) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def register(site: Site, name: str = "ada", key: str = KEY, **headers: str) -> TestResponse:
    return site.register(name, Idempotency_Key=key, **headers)


def assert_replay(again: TestResponse, first: TestResponse) -> None:
    """The same answer, marked as one that was given before."""
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    for header in ("Content-Type", "Location", "Content-Language", "Vary"):
        assert again.headers.get(header) == first.headers.get(header)


def test_a_success_is_answered_again(site):
    first = register(site)
    assert first.status_code == 201
    assert_replay(register(site), first)


def test_a_refusal_by_the_world_is_answered_again(site):
    """Also when the world has changed: whoever wants the name now sends a new request."""
    ada = site.register("ada").json
    first = register(site)
    problem(first, 409, "taken")
    site.parts.registry.release("ada", owner=ada["id"], deadline=site.parts.budget.start())
    assert_replay(register(site), first)
    assert register(site, key=OTHER_KEY).status_code == 201


def test_a_replay_is_in_the_language_of_the_first_answer(site):
    for name, status in (("ada", 201), ("admin", 409)):
        first = register(site, name, name.ljust(16, "k"), Accept_Language="zh")
        assert (first.status_code, first.headers["Content-Language"]) == (status, "zh")
        assert_replay(register(site, name, name.ljust(16, "k"), Accept_Language="ja"), first)


def test_a_team_is_answered_again(make_site):
    """For who made it: the same key of another user is another one."""
    site = make_site(password="required", argon2_memory_kib="64")
    ada, grace = newcomer(site, "ada"), newcomer(site, "grace")
    first = ada.ask("POST", "/teams", {"name": "comets"}, Idempotency_Key=KEY)
    assert first.status_code == 201
    again = ada.ask("POST", "/teams", {"name": "comets"}, Idempotency_Key=KEY)
    assert_replay(again, first)
    assert again.headers["Cache-Control"] == "no-store"
    other = grace.ask("POST", "/teams", {"name": "comets"}, Idempotency_Key=KEY)
    problem(other, 409, "taken")
    assert not is_replayed(other)


def test_a_key_of_one_route_is_another_one_elsewhere(make_site):
    site = make_site(password="required", argon2_memory_kib="64")
    ada = newcomer(site, "ada")
    assert site.register("grace", PASSWORD, Idempotency_Key=KEY).status_code == 201
    answer = ada.ask("POST", "/teams", {"name": "comets"}, Idempotency_Key=KEY)
    assert answer.status_code == 201


def test_services_that_share_a_database_share_no_keys(make_site):
    """Only names of one namespace are the same names."""
    first = make_site()
    second = make_site(first.parts.settings.resolved_database_url, namespace="other")
    ids = {register(site).get_json()["id"] for site in (first, second)}
    assert len(ids) == 2


def test_a_name_released_since_is_registered_anew(site):
    """The success of that time is none now."""
    first = register(site)
    site.parts.registry.release(
        "ada", owner=first.get_json()["id"], deadline=site.parts.budget.start()
    )
    anew = register(site)
    assert (anew.status_code, is_replayed(anew)) == (201, False)
    assert anew.get_json()["id"] != first.get_json()["id"]
    assert_replay(register(site), anew)


def test_a_name_that_is_somebody_elses_since_is_taken(site):
    first = register(site)
    site.parts.registry.release(
        "ada", owner=first.get_json()["id"], deadline=site.parts.budget.start()
    )
    assert site.register("ada").status_code == 201
    refused = register(site)
    problem(refused, 409, "taken")
    assert not is_replayed(refused)


def test_a_team_that_ended_is_made_anew(make_site):
    site = make_site(password="required", argon2_memory_kib="64")
    ada = newcomer(site, "ada")
    made = []
    for _ in range(2):
        answer = ada.ask("POST", "/teams", {"name": "comets"}, Idempotency_Key=KEY)
        assert (answer.status_code, is_replayed(answer)) == (201, False)
        made.append(answer.get_json()["id"])
        assert ada.ask("DELETE", f"/teams/{made[-1]}").status_code == 204
    assert made[0] != made[1]


# --- what is not kept ----------------------------------------------------------


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"username": 1}', b'{"username": "a b"}'])
def test_what_was_wrong_with_a_request_is_not_kept(site, body):
    """The same key then serves the request that is right."""
    assert site.send(body, Idempotency_Key=KEY).status_code in (400, 422)
    assert rows(site) == []
    assert register(site).status_code == 201


@pytest.mark.parametrize("error", [OutcomeUnknown, StoreUnavailable, RuntimeError])
def test_what_went_wrong_here_is_not_kept(site, monkeypatch, error):
    """The retry runs at once, and finds what the first one left."""
    work = Registration.register

    def lose(self: Registration, *args: Any, **kwargs: Any) -> Any:
        work(self, *args, **kwargs)
        raise error

    monkeypatch.setattr(Registration, "register", lose)
    assert register(site).status_code in (500, 503)
    monkeypatch.undo()
    (user,) = site.users()
    again = register(site)
    assert (again.status_code, again.get_json()["id"], is_replayed(again)) == (
        201,
        user["id"],
        False,
    )


def test_the_database_goes_away_before_the_answer_is_stored(site, monkeypatch):
    """It is sent all the same; the retry waits until the first is taken for dead."""

    def fail(*args: object, **kwargs: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(Requests, "finish", fail)
    first = register(site)
    assert first.status_code == 201
    monkeypatch.undo()
    waiting = register(site)
    assert problem(waiting, 409, "request_in_progress")["type"].endswith("request_in_progress")
    assert waiting.headers["Retry-After"] == "1"
    age(site, started=TAKEN_FOR_DEAD_MS)
    again = register(site)
    assert (again.status_code, again.json) == (201, first.json)
    assert_replay(register(site), first)


def test_who_is_told_to_retry_is_told_when(site, monkeypatch):
    """Where the request cannot even be forgotten, it seems to run for some seconds more."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr(Registration, "register", fail)
    monkeypatch.setattr(Requests, "forget", fail)
    refused = register(site)
    problem(refused, 503, "outcome_unknown")
    monkeypatch.undo()
    assert 6 <= int(refused.headers["Retry-After"]) <= 7
    problem(register(site), 409, "request_in_progress")
    age(site, started=1000 * int(refused.headers["Retry-After"]))
    assert register(site).status_code == 201


def test_the_database_is_away_at_the_start(site, monkeypatch):
    """Then nothing is run."""

    def fail(*args: object, **kwargs: object) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr(site.parts.store.transactions, "write", fail)
    problem(register(site), 503, "unavailable")
    monkeypatch.undo()
    assert site.users() == []


# --- who runs, and for how long that is known ------------------------------------


def running(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves a request behind that has begun and not ended."""
    with monkeypatch.context() as broken:
        for method in ("finish", "forget"):
            broken.setattr(Requests, method, lambda *args, **kwargs: None)
        broken.setattr(Registration, "register", lambda *args, **kwargs: 1 / 0)
        assert register(site).status_code == 500


def test_a_request_that_runs_is_not_run_again(site, monkeypatch):
    running(site, monkeypatch)
    age(site, started=TAKEN_FOR_DEAD_MS - 1000)
    problem(register(site), 409, "request_in_progress")
    problem(register(site, "grace"), 422, "idempotency_key_reused")
    assert site.users() == []


def test_a_request_whose_server_died_is_run_again(site, monkeypatch):
    running(site, monkeypatch)
    age(site, started=TAKEN_FOR_DEAD_MS)
    problem(register(site, "grace"), 422, "idempotency_key_reused")
    first = register(site)
    assert first.status_code == 201
    assert_replay(register(site), first)


def test_one_that_was_taken_for_dead_overwrites_nothing(site, monkeypatch):
    """It ends after all, when another one has run in its place."""
    ends: list[Any] = []
    with monkeypatch.context() as slow:
        for method in ("finish", "forget"):
            end = getattr(Requests, method)
            slow.setattr(
                Requests, method, lambda *args, end=end, **kwargs: ends.append((end, args, kwargs))
            )
        assert register(site).status_code == 201
    age(site, started=TAKEN_FOR_DEAD_MS)
    first = register(site)
    before = rows(site)
    assert len(ends) == 1
    for end, args, kwargs in ends:
        end(*args, **{**kwargs, "deadline": site.parts.budget.start()})
        Requests.forget(args[0], args[1], deadline=site.parts.budget.start())
    assert rows(site) == before
    assert_replay(register(site), first)


@pytest.mark.parametrize("name", ["ada", "grace"])
def test_after_a_day_a_key_is_as_new(site, name):
    """With another body, too; who still has her name is told so by the claim's own token."""
    first = register(site)
    age(site, created=KEPT_MS - 60_000)
    assert_replay(register(site), first)
    age(site, created=60_000)
    anew = register(site, name)
    assert (anew.status_code, is_replayed(anew)) == (201, False)
    assert (anew.get_json()["id"] == first.get_json()["id"]) is (name == "ada")
    assert_replay(register(site, name), anew)


def test_what_is_a_day_old_is_removed(site, monkeypatch):
    """A few at a time, by those who send requests with a key."""
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    repeats = site.parts.accounts.repeats._housekeeping
    repeats._next = float("inf")
    for i in range(5):
        register(site, f"name{i}", f"key-{i:012}")
    age(site, created=KEPT_MS)
    repeats._next = 0.0
    counts = []
    for i in range(4):
        register(site, f"more{i}", f"more-{i:011}")
        counts.append(len(rows(site)))
    assert counts == [4, 3, 3, 4]


# --- what it costs, and what is in the table ---------------------------------------


def words(site: Site) -> list[str]:
    """The first word of each statement since the last time, and the table."""
    found = [re.match(r"\s*(\w+)(?:.*?\b(dibs_\w+))?", one, re.S) for one in site.sql]
    site.sql.clear()
    return [" ".join(filter(None, one.groups())) for one in found if one]


def test_statements(site):
    """None more without the header."""
    register(site, "warm", OTHER_KEY)
    site.sql.clear()
    claim = ["BEGIN", "INSERT dibs_names", "COMMIT"]
    site.register("ada")
    assert words(site) == claim
    begin = ["BEGIN", "INSERT dibs_requests", "SELECT dibs_requests"]
    register(site, "grace")
    end = ["BEGIN", "UPDATE dibs_requests", "COMMIT"]
    assert words(site) == [*begin, "COMMIT", *claim, *end]
    register(site, "grace")
    assert words(site) == [*begin, "ROLLBACK", "SELECT dibs_names"]
    register(site, "hedy")
    assert words(site) == [*begin, "ROLLBACK"]


def test_neither_password_nor_key_is_in_the_table(make_site):
    site = make_site(password="required", argon2_memory_kib="64")
    assert site.register("ada", PASSWORD, Idempotency_Key=KEY).status_code == 201
    (row,) = rows(site)
    assert "ada" in str(row)
    assert not {PASSWORD, KEY} & {word for cell in row for word in re.split(r'["\s]', str(cell))}
    assert PASSWORD not in str(row)


def test_the_fingerprint_needs_the_key(make_site):
    """The same body under another key has another one, so that no table of passwords helps."""
    site = make_site()
    for key in (KEY, OTHER_KEY):
        register(site, "ada", key)
    ids, fingerprints = zip(*sql(site, "SELECT id, fingerprint FROM dibs_requests"), strict=True)
    assert len({*ids, *fingerprints}) == 4


def test_a_secret_is_made_again_and_not_kept(site):
    """As a hold's token: the view runs again, and its key is as good as any for refusals."""
    calls: list[int] = []

    @site.app.post("/rooms")
    @idempotent("POST /holds", secret=True)
    def hold() -> Any:
        calls.append(1)
        return jsonify(hold_token="secret"), 201

    def ask(body: str) -> TestResponse:
        headers = {"Idempotency-Key": KEY}
        answer: TestResponse = site.client.post("/rooms", data=body, headers=headers)
        return answer

    answers = [ask("ada"), ask("ada")]
    assert [(one.status_code, one.json, is_replayed(one)) for one in answers] == [
        (201, {"hold_token": "secret"}, False)
    ] * 2
    assert len(calls) == 2
    assert "secret" not in str(rows(site))
    problem(ask("grace"), 422, "idempotency_key_reused")


def test_who_is_told_to_come_again_is_not_told_the_same_then(site):
    """As by a name that is held: the refusal ends by itself."""
    left = [{"Retry-After": "9"}, {}]

    @site.app.post("/rooms")
    @idempotent("POST /holds")
    def hold() -> Any:
        return "held", 409, left.pop(0)

    asked = [site.client.post("/rooms", headers={"Idempotency-Key": KEY}) for _ in range(3)]
    assert [is_replayed(answer) for answer in asked] == [False, False, True]


def test_an_answer_that_is_too_long_is_made_again(site, monkeypatch):
    monkeypatch.setattr("dibs.store.accounts.idempotency.MAX_ANSWER", 20)
    first, again = register(site), register(site)
    assert first.json == again.json
    assert not is_replayed(again)
