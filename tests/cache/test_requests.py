"""Requests that skip the cache, and what a known name costs over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dibs.accounts.passwords import Passwords
from tests.backends import SQLITE, Backend
from tests.caches import PATIENCE_S
from tests.fault.helpers import eventually
from tests.services import RedisServer
from tests.web.site import PASSWORD, Site

pytestmark = pytest.mark.parametrize("backend", [SQLITE], ids=str, indirect=True)

KEY = "a-key-of-this-very-request"


@pytest.fixture
def site(backend: Backend, url: str, redis: RedisServer) -> Iterator[Site]:
    site = Site(url, redis_url=redis.url, strategy="cache_aside", password="optional")
    assert site.parts.cache._shared is not None
    # The first request starts the way to Redis, and learns the database's secret.
    site.register("warm")
    assert eventually(lambda: site.get("/usernames/warm").status_code == 200)
    assert eventually(
        lambda: site.parts.cache._shared._link.wait(PATIENCE_S)  # type: ignore[union-attr]
    )
    yield site
    site.parts.cache.close()
    site.close()


def test_a_repeated_request_gets_its_own_success_again(site: Site) -> None:
    """With its name known as taken: to everybody else it is."""
    first = site.register("ada", Idempotency_Key=KEY)
    assert (first.status_code, site.register("ada").status_code) == (201, 409)
    for _ in range(2):
        again = site.register("ada", Idempotency_Key=KEY)
        assert (again.status_code, again.get_json()) == (201, first.get_json())
    stranger = site.register("ADA", Idempotency_Key=KEY)
    assert stranger.status_code == 422


def test_a_repeated_request_with_a_password_too(site: Site) -> None:
    first = site.register("ada", PASSWORD, Idempotency_Key=KEY)
    assert site.register("ada", PASSWORD).status_code == 409
    again = site.register("ada", PASSWORD, Idempotency_Key=KEY)
    assert (again.status_code, again.get_json()) == (201, first.get_json())


def test_a_known_name_costs_neither_sql_nor_a_hash(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.register("ada")
    hashed: list[str] = []
    monkeypatch.setattr(Passwords, "hash", lambda *a, **k: hashed.append("one"))
    site.sql.clear()
    told = [
        site.client.post("/register?suggestions=0", json={"username": "Ada"} | more)
        for more in ({}, {"password": PASSWORD})
    ]
    assert [one.status_code for one in told] == [409, 409]
    assert (site.sql, hashed) == ([], [])


def test_a_name_that_cannot_be_written_is_an_answer_all_the_same(site: Site) -> None:
    """Half a surrogate pair has no bytes, so there is no place for it in Redis."""
    for path in ("/usernames/%ED%A0%80", "/usernames/%00", "/usernames/" + "x" * 5000):
        assert site.get(path).status_code < 500
    assert site.send(b'{"username": "\\ud800ada"}').status_code < 500
