"""Holds, renames and their ends, seen by another worker with the same Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.backends import SQLITE, Backend
from tests.caches import PATIENCE_S
from tests.fault.helpers import eventually
from tests.services import RedisServer
from tests.web.people import newcomer
from tests.web.site import Site, problem

STRATEGIES = ("cache_aside", "membership_filter")
LATE_S = 3.0
"""What a check may be late at most: two seconds, and some for a busy machine."""

pytestmark = pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)

Pair = tuple[Site, Site]


@pytest.fixture(params=STRATEGIES)
def pair(
    request: pytest.FixtureRequest, backend: Backend, url: str, redis: RedisServer
) -> Iterator[Pair]:
    """Two workers of one service, both of which have asked Redis already."""
    sites = tuple(
        Site(
            url,
            redis_url=redis.url,
            strategy=request.param,
            password="optional",
            argon2_memory_kib="64",
        )
        for _ in range(2)
    )
    for site in sites:
        reach_redis(site)
    yield sites[0], sites[1]
    for site in sites:
        site.close()


def reach_redis(site: Site) -> None:
    """The first request starts the way there, and learns the database's secret."""
    site.get("/usernames/nobody")
    assert site.parts.cache._shared._link.wait(PATIENCE_S)  # type: ignore[union-attr]


def is_free(site: Site, name: str) -> bool:
    return site.get(f"/usernames/{name}").get_json()["available"] is True


def refuses(site: Site, name: str, code: str) -> None:
    """A registration at once; why, it and a check say in good time, and know it from then on."""
    assert site.register(name).status_code == 409

    def told() -> bool:
        return bool(
            site.register(name).get_json()["code"] == code
            and site.get(f"/usernames/{name}").get_json()["reason"] == code
        )

    assert eventually(told, timeout_s=LATE_S)
    assert told()
    problem(site.register(name), 409, code)


def comes_free(site: Site, name: str) -> None:
    """A registration wins at once, and a check says so in good time."""
    assert eventually(lambda: is_free(site, name), timeout_s=LATE_S)
    assert site.register(name).status_code == 201


def test_a_hold_is_seen(pair: Pair) -> None:
    here, there = pair
    assert is_free(there, "ada")
    token = here.client.post("/holds", json={"username": "ada"}).get_json()["hold_token"]
    refuses(there, "ada", "held")
    answer = there.client.post("/register", json={"username": "ada", "hold_token": token})
    assert answer.status_code == 201, "a cached refusal is not for who has the token"
    refuses(here, "ada", "taken")


def test_the_end_of_a_hold_is_seen(pair: Pair) -> None:
    here, there = pair
    token = here.client.post("/holds", json={"username": "ada"}).get_json()["hold_token"]
    refuses(there, "ada", "held")
    refuses(here, "ada", "held")
    assert here.client.delete(f"/holds/{token}").status_code == 204
    comes_free(there, "ada")


def test_a_rename_is_seen(pair: Pair) -> None:
    """Of both names; where nothing rests the old one is anybody's."""
    here, there = pair
    ada = newcomer(here, "ada")
    refuses(there, "ada", "taken")
    assert is_free(there, "lovelace")
    assert ada.ask("PATCH", "/users/me", {"username": "lovelace"}).status_code == 200
    refuses(there, "lovelace", "taken")
    comes_free(there, "ada")


def test_a_name_taken_back_is_seen(pair: Pair) -> None:
    here, there = pair
    ada = newcomer(here, "ada")
    for name in ("lovelace", "ada", "lovelace"):
        assert ada.ask("PATCH", "/users/me", {"username": name}).status_code == 200
        refuses(there, name, "taken")
    comes_free(there, "ada")


def test_a_release_is_seen(pair: Pair) -> None:
    here, there = pair
    ada = newcomer(here, "ada")
    refuses(there, "ada", "taken")
    assert ada.ask("DELETE", "/users/me").status_code == 204
    comes_free(there, "ada")


def test_a_quarantine_is_told_as_one(
    backend: Backend, url: str, redis: RedisServer, pair: Pair, make: Callable[..., Site]
) -> None:
    """Whatever had been known of the name, and its last owner gets it back all the same."""
    here = make(url, redis.url)
    there = pair[1]
    ada = newcomer(here, "ada")
    refuses(there, "ada", "taken")
    assert ada.ask("PATCH", "/users/me", {"username": "lovelace"}).status_code == 200
    refuses(there, "ada", "quarantined")
    there_too = {"Authorization": ada.headers["Authorization"]}
    answer = there.client.patch("/users/me", json={"username": "ada"}, headers=there_too)
    assert answer.status_code == 200
    problem(here.register("ada"), 409, "taken")


@pytest.fixture
def make() -> Iterator[Callable[..., Site]]:
    """A worker where names rest."""
    made: list[Site] = []

    def one(url: str, redis_url: str) -> Site:
        made.append(
            Site(
                url,
                redis_url=redis_url,
                strategy="cache_aside",
                password="optional",
                argon2_memory_kib="64",
                quarantine="1",
            )
        )
        reach_redis(made[-1])
        return made[-1]

    yield one
    for site in made:
        site.close()
