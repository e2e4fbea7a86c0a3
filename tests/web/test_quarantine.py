"""What a name is between two owners: nobody's, for as long as DIBS_QUARANTINE says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dibs.errors import ConfigError
from dibs.store.database.dialects.sqlite import SQLite
from tests.backends import SQLITE
from tests.web.people import Person, newcomer
from tests.web.site import PASSWORD, Site, problem

DAY_MS = 86_400_000

Make = Callable[[str], Site]


@pytest.fixture
def make(make_site: Callable[..., Site]) -> Make:
    """Sites with passwords and this quarantine."""
    return lambda days: make_site(
        quarantine=days, password="required", argon2_memory_kib="64", check="open"
    )


def sql(site: Site, statement: str) -> list[tuple[Any, ...]]:
    return SQLITE.execute(statement, site.parts.settings.resolved_database_url)


def user_left(site: Site) -> None:
    """A user who was called ada has deleted herself."""
    assert newcomer(site, "ada").ask("DELETE", "/users/me").status_code == 204


def user_renamed(site: Site) -> None:
    """A user who was called ada has another name."""
    answer = newcomer(site, "ada").ask("PATCH", "/users/me", {"username": "lovelace"})
    assert answer.status_code == 200


def team_ended(site: Site) -> None:
    """A team that was called ada is no more."""
    owner = newcomer(site, "grace")
    team = owner.ask("POST", "/teams", {"name": "ada"}).get_json()["id"]
    assert owner.ask("DELETE", f"/teams/{team}").status_code == 204


def registry_released(site: Site) -> None:
    """The name of a user who stays was released."""
    ada = newcomer(site, "ada")
    deadline = site.parts.budget.start()
    assert site.parts.registry.release("ada", owner=ada.id, deadline=deadline)


ENDS = [user_left, user_renamed, team_ended, registry_released]
ends = pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)


def state_of(site: Site, name: str = "ada") -> dict[str, Any]:
    found: dict[str, Any] = site.get(f"/usernames/{name}").get_json()
    return found


def expires_in(site: Site) -> int | None:
    """Milliseconds by the database's own clock."""
    (row,) = sql(site, f"SELECT expires_at - {SQLite.clock} FROM dibs_names WHERE name_key = 'ada'")
    return None if row[0] is None else int(row[0])


def refused_everywhere(site: Site, somebody: Person) -> None:
    """By every way to a name there is, in other spellings too."""
    for name in ("ada", "ADA"):
        problem(site.register(name, PASSWORD), 409, "quarantined")
        problem(somebody.ask("PATCH", "/users/me", {"username": name}), 409, "quarantined")
        problem(somebody.ask("POST", "/teams", {"name": name}), 409, "quarantined")
        problem(site.client.post("/holds", json={"username": name}), 409, "quarantined")
        assert (state_of(site, name)["available"], state_of(site, name)["reason"]) == (
            False,
            "quarantined",
        )


@ends
def test_without_one_a_name_is_free_at_once(make, end):
    site = make("0")
    end(site)
    assert state_of(site)["available"] is True
    assert site.register("ada", PASSWORD).status_code == 201


@ends
def test_for_so_many_days_it_is_nobodys(make, end):
    """Then it is anybody's; fractions of days count."""
    site = make("1.5")
    end(site)
    left = expires_in(site)
    assert left is not None
    assert 1.4 * DAY_MS < left <= 1.5 * DAY_MS
    refused_everywhere(site, newcomer(site, "eve"))
    sql(site, "UPDATE dibs_names SET expires_at = 1 WHERE name_key = 'ada'")
    assert state_of(site)["available"] is True
    assert site.register("ada", PASSWORD).status_code == 201


@ends
def test_for_ever(make, end):
    site = make("forever")
    end(site)
    assert expires_in(site) is None
    refused_everywhere(site, newcomer(site, "eve"))
    sql(site, "UPDATE dibs_names SET updated_at = 1, created_at = 1")
    refused_everywhere(site, newcomer(site, "bob"))


@ends
def test_a_look_alike_is_refused_too(make, end):
    """It would pass for the one who left, as the name itself would."""
    site = make("90")
    end(site)
    answer = site.register("аda", PASSWORD)  # the first one is Cyrillic
    assert answer.status_code in (409, 422)


def test_a_name_that_was_taken_back_rests_anew(make):
    """The second time as long as the first."""
    site = make("90")
    ada = newcomer(site, "ada")
    for name in ("lovelace", "ada", "lovelace"):
        assert ada.ask("PATCH", "/users/me", {"username": name}).status_code == 200
        sql(site, "UPDATE dibs_names SET expires_at = expires_at - 1000 WHERE expires_at > 0")
    left = expires_in(site)
    assert left is not None
    assert left > 89 * DAY_MS
    problem(site.register("ada", PASSWORD), 409, "quarantined")


def test_what_is_over_and_taken_is_taken_back_no_more(make):
    site = make("90")
    ada = newcomer(site, "ada")
    ada.ask("PATCH", "/users/me", {"username": "lovelace"})
    sql(site, "UPDATE dibs_names SET expires_at = 1 WHERE name_key = 'ada'")
    newcomer(site, "ada")
    problem(ada.ask("PATCH", "/users/me", {"username": "ada"}), 409, "taken")


@pytest.mark.parametrize("days", ["-1", "x", "nan", "inf", "1e9"])
def test_a_quarantine_that_is_none(make, days):
    with pytest.raises(ConfigError, match="DIBS_QUARANTINE"):
        make(days)
