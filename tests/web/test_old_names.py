"""Old names: what they tell, to whom, and what is no earlier success."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem
from tests.web.test_renames import rename, renamed, state_of

KEY = "0123456789abcdef"


@pytest.fixture
def ada(make_site: Callable[..., Site]) -> Person:
    settings = {"password": "required", "argon2_memory_kib": "64", "quarantine": "90"}
    return newcomer(make_site(**settings))


def test_a_redirect_is_not_kept(ada: Person) -> None:
    """The name may become somebody else's, and a 308 may be kept for ever."""
    renamed(ada, "lovelace")
    answer = ada.site.get("/users/by-name/ada")
    assert answer.status_code == 308
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data == b""
    assert "Content-Type" not in answer.headers


def test_their_own_name_is_free_to_them_in_another_spelling(ada: Person) -> None:
    """And to nobody else."""
    assert ada.ask("GET", "/usernames/ADA").get_json()["available"] is True
    assert ada.ask("GET", f"/usernames/{ada.name}").get_json()["reason"] == "taken"
    other = newcomer(ada.site, "grace")
    assert other.ask("GET", "/usernames/ADA").get_json()["reason"] == "taken"
    assert ada.site.get("/usernames/ADA").get_json()["reason"] == "taken"


def test_her_own_old_name_is_free_to_her(ada: Person) -> None:
    """And to nobody else; a bad token makes nobody of her."""
    renamed(ada, "lovelace")
    assert state_of(ada.site, "ada")["reason"] == "quarantined"
    mine = ada.ask("GET", "/usernames/ada").get_json()
    assert (mine["available"], mine["reason"], mine["renamed_to"]) == (True, None, None)
    other = newcomer(ada.site, "grace")
    assert other.ask("GET", "/usernames/ada").get_json()["available"] is False
    ada.tokens["access_token"] += "x"
    assert ada.ask("GET", "/usernames/ada").get_json()["reason"] == "quarantined"


@pytest.mark.parametrize("quarantine", ["0", "90"])
def test_a_retry_after_a_rename_is_no_success(
    make_site: Callable[..., Site], quarantine: str
) -> None:
    """The name is somebody else's, or nobody's: in no case the one that was registered."""
    site = make_site(password="required", argon2_memory_kib="64", quarantine=quarantine)
    first = site.register("ada", PASSWORD, Idempotency_Key=KEY)
    assert first.status_code == 201
    ada = Person(site, "ada", first.get_json()["id"])
    ada.login()
    renamed(ada, "lovelace")
    taken = site.register("ada", PASSWORD).status_code == 201
    assert taken == (quarantine == "0")
    again = site.register("ada", PASSWORD, Idempotency_Key=KEY)
    problem(again, 409, "taken" if taken else "quarantined")


def test_a_look_alike_is_another_name(make_site: Callable[..., Site]) -> None:
    """It is counted as one, though the database has one row for both."""
    site = make_site(password="required", argon2_memory_kib="64", renames="1")
    person = newcomer(site, "modern")
    renamed(person, "Modern")
    renamed(person, "modem")
    problem(rename(person, "modern"), 429, "renamed_too_often")
    renamed(person, "MODEM")


def test_another_change_is_no_good_password(make_site: Callable[..., Site]) -> None:
    """Or a stolen token could guess on and on, with a rename to her own name in between."""
    site = make_site(password="required", argon2_memory_kib="64", rate_limits="on")
    ada = newcomer(site)
    wrong = {"password": "another good one", "current_password": "not this one"}
    statuses = []
    for _ in range(4):
        statuses += [ada.ask("PATCH", "/users/me", wrong).status_code for _ in range(4)]
        statuses.append(rename(ada, "ada").status_code)
    assert 429 in statuses
    assert statuses.count(403) <= 10


def test_renames_are_counted_like_registrations(make_site: Callable[..., Site]) -> None:
    """Each tells whether a name is taken."""
    site = make_site(password="required", argon2_memory_kib="64", rate_limits="register=5/hour")
    ada, _ = newcomer(site), newcomer(site, "grace")
    statuses = [rename(ada, "grace").status_code for _ in range(4)]
    assert statuses == [409, 409, 409, 429]
