"""Deleted users leave the history and the events when their time is over, and nobody else does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dibs.accounts import housekeeping
from dibs.config import load
from dibs.errors import ConfigError, StoreUnavailable
from dibs.names import parse
from dibs.store.accounts import erasures
from tests.accounts.people import Process, processes
from tests.backends import Backend
from tests.race.harness import at_once
from tests.support.contract import soon

A_DAY_MS = 86_400_000


class Site(Process):
    """A process whose database's rows are counted and moved through time."""

    backend: Backend
    address: str

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.backend.execute(sql, self.address)]

    def lines(self, owner: str) -> int:
        ((number,),) = self.rows(f"SELECT COUNT(*) FROM dibs_history WHERE owner = '{owner}'")
        return int(str(number))

    def events(self, user_id: str) -> list[str]:
        found = self.parts.accounts.recovery.ways.events(user_id, limit=20, deadline=soon())
        return [one.kind for one in found]

    def age(self, user_id: str) -> None:
        """As if they had been deleted so long ago."""
        self.rows(f"UPDATE dibs_events SET at = at - {A_DAY_MS} WHERE user_id = '{user_id}'")

    def keep_house(self) -> None:
        """What is done once an hour, now."""
        self.logins._housekeeping._next = 0.0
        self.login("eve")

    def who_leaves(self, name: str = "ada") -> str:
        """A user with lines and events, who was deleted; returns their id."""
        user_id = self.register(name)
        self.parts.renames.rename(f"{name}-new", user_id=user_id, deadline=soon())
        self.parts.accounts.staff.sign_out(user_id, deadline=soon())
        self.profiles.delete(user_id, deadline=soon())
        return user_id


def opened(backend: Backend, url: str, home: Path, **settings: object) -> Iterator[Site]:
    site = Site(url, home, **settings)
    site.backend, site.address = backend, url
    site.register("eve")
    yield site
    site.close()


@pytest.fixture
def site(backend: Backend, url: str, tmp_path: Path) -> Iterator[Site]:
    yield from opened(backend, url, tmp_path, history_days=1, quarantine="90")


def test_who_was_deleted_leaves_the_history(site: Site) -> None:
    """At the end of their time and not before; their names rest on, and others are still there."""
    ada, bob = site.who_leaves(), site.register("bob")
    site.parts.renames.rename("robert", user_id=bob, deadline=soon())
    names = site.rows("SELECT * FROM dibs_names WHERE owner IS NULL ORDER BY name_key")
    site.keep_house()
    assert site.lines(ada) == 4
    assert site.events(ada) == ["deleted", "signed_out"]

    site.age(ada)
    site.keep_house()
    assert site.lines(ada) == 0
    assert site.events(ada) == []
    assert site.rows("SELECT * FROM dibs_names WHERE owner IS NULL ORDER BY name_key") == names
    assert site.lines(bob) > 0
    past = site.parts.history.of_name(parse("ada-new"), limit=20, deadline=soon())
    assert [one.change.owner for one in past] == []


def test_the_name_goes_on(site: Site) -> None:
    """Its versions too: who has it next begins where the last one ended."""
    ada = site.who_leaves()
    site.age(ada)
    site.keep_house()
    site.rows("UPDATE dibs_names SET expires_at = 1 WHERE name_key = 'ada-new'")
    again = site.register("ada-new")
    site.parts.renames.rename("lovelace", user_id=again, deadline=soon())
    past = site.parts.history.of_name(parse("ada-new"), limit=20, deadline=soon())
    assert {one.change.owner for one in past} == {again}
    assert min(one.change.version for one in past) > 2


def test_nobody_leaves_by_default(backend: Backend, url: str, tmp_path: Path) -> None:
    for site in opened(backend, url, tmp_path):
        ada = site.who_leaves()
        for _ in range(40):
            site.age(ada)
        site.keep_house()
        assert site.lines(ada) == 4
        assert site.events(ada) == ["deleted", "signed_out"]


def test_many_leave_some_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    monkeypatch.setattr(erasures, "AT_ONCE", 2)
    gone = [site.who_leaves(f"ada{i}") for i in range(5)]
    for one in gone:
        site.age(one)
    site.keep_house()
    assert sum(bool(site.lines(one)) for one in gone) == 3
    for _ in range(2):
        site.login("eve")
    assert [site.lines(one) for one in gone] == [0] * 5


@pytest.mark.race
def test_two_processes_at_once(site: Site, tmp_path: Path) -> None:
    gone = [site.who_leaves(f"ada{i}") for i in range(6)]
    for one in gone:
        site.age(one)
    with processes(3, site.address, tmp_path, history_days=1) as others:
        work = [
            partial(
                erasures.Erasures(one.parts.store.transactions, A_DAY_MS // 2).remove_expired,
                limit=4,
                deadline=soon(),
            )
            for one in others
        ]
        at_once(work)
        at_once(work)
    assert [site.lines(one) for one in gone] == [0] * 6


def test_a_failure_fails_no_login(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object, **kwargs: object) -> int:
        raise StoreUnavailable

    monkeypatch.setattr(erasures.Erasures, "remove_expired", away)
    site.keep_house()


@pytest.mark.parametrize("days", ["-1", "x", "nan", "1e9"])
def test_days_that_are_none(days: str) -> None:
    with pytest.raises(ConfigError, match="DIBS_HISTORY_DAYS"):
        load({"DIBS_HISTORY_DAYS": days})
