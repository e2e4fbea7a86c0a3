"""The service as it is without any setting: with passwords, limits and a quarantine.

The other tests turn limits and quarantine off, and hash for next to nothing.
"""

from __future__ import annotations

from dataclasses import asdict

import pytest

from dibs.config import Settings
from dibs.config.rates import parse
from tests.web.limiting import Clock
from tests.web.people import newcomer
from tests.web.site import PASSWORD, Site, problem

WHERE = {"database_url", "home"}
REGISTER = parse("on")["register"][0]


@pytest.fixture
def site(make_site) -> Site:
    """An empty setting is one that was not made."""
    unset = dict.fromkeys(("password", "rate_limits", "quarantine", "argon2_memory_kib"), "")
    made: Site = make_site(**unset)
    given, defaults = asdict(made.parts.settings), asdict(Settings())
    assert {name for name in defaults if given[name] != defaults[name]} == WHERE
    return made


def state(site: Site, name: str) -> tuple[bool, str | None]:
    """Whether it can be had, and why not."""
    found = site.get(f"/usernames/{name}").get_json()
    return found["available"], found.get("reason")


def test_a_name_is_registered_once(site):
    """However the second one writes it; and nobody registers without a password."""
    assert state(site, "ada")[0]
    ada = newcomer(site, "ada")
    for spelling in ("ada", "ADA", "\uff41da"):
        problem(site.register(spelling, PASSWORD), 409, "taken")
    assert state(site, "ada") == (False, "taken")
    assert site.register("bob").status_code == 422
    assert [(user["id"], user["username"]) for user in site.users()] == [(ada.id, "ada")]


def test_the_owner_logs_in(site):
    ada = newcomer(site, "ada")
    assert ada.ask("GET", "/users/me").get_json()["username"] == "ada"
    wrong = site.client.post("/login", json={"username": "ada", "password": "something else"})
    problem(wrong, 401, "login_failed")
    assert ada.login().status_code == 200


def test_an_old_name_is_its_last_owners_alone(site):
    """Until they have it back, and after they have left it is nobody's for a while."""
    ada, eve = newcomer(site, "ada"), newcomer(site, "eve")
    assert ada.ask("PATCH", "/users/me", {"username": "lovelace"}).status_code == 200
    problem(site.register("ada", PASSWORD), 409, "quarantined")
    problem(eve.ask("PATCH", "/users/me", {"username": "ADA"}), 409, "quarantined")
    assert state(site, "ada") == (False, "quarantined")
    assert ada.ask("PATCH", "/users/me", {"username": "ada"}).status_code == 200
    assert ada.ask("DELETE", "/users/me").status_code == 204
    for name in ("ada", "lovelace"):
        problem(site.register(name, PASSWORD), 409, "quarantined")
    assert [user["username"] for user in site.users()] == ["eve"]


def test_a_released_name_is_quarantined(site):
    ada = newcomer(site, "ada")
    deadline = site.parts.budget.start()
    assert site.parts.registry.release("ada", owner=ada.id, deadline=deadline)
    problem(site.register("ada", PASSWORD), 409, "quarantined")


def test_who_asks_too_often_is_told_when_to_come_again(site):
    """And has registered nothing by the request that was one too many."""
    clock = Clock(site)
    for _ in range(REGISTER.number):
        problem(site.register("admin", PASSWORD), 409, "reserved")
    refused = site.register("ada", PASSWORD)
    problem(refused, 429, "rate_limited")
    assert refused.headers["Retry-After"] == str(REGISTER.seconds)
    assert state(site, "ada")[0]
    clock.now += REGISTER.seconds + 0.1
    assert site.register("ada", PASSWORD).status_code == 201
