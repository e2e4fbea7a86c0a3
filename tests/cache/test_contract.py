"""The contract of the cache, clause by clause, each with the order of events that breaks it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dibs import strategies
from dibs.cache.redis.taken import PUT_SHA
from dibs.cache.taken import STALE_FILL_SECONDS
from dibs.names import parse
from dibs.store import Won
from tests.cache.helpers import Desk, Hooked, Process, an_entry
from tests.services import RedisServer
from tests.support.contract import a_claim, a_row, soon, win
from tests.support.memory import MemoryStore

Processes = Callable[..., Process]
Desks = Callable[..., Desk]

HOUR_MS, MINUTE_MS = 3_600_000, 60_000


def left(redis: RedisServer, process: Process, key: str) -> int:
    """Milliseconds for which Redis still keeps this key's entry; negative without one."""
    return int(redis.command("PTTL", process.place(key)))


# --- what is written, and for how long -----------------------------------------


def test_what_one_process_learns_another_knows(redis: RedisServer, process: Processes) -> None:
    first, second = process(redis.url).ready(), process(redis.url).ready()
    entries = [an_entry("ada"), an_entry("bob", 5, state="reserved", canonical="Bob")]
    first.put(*entries)
    assert second.get("ada", "bob", "eve") == {entry.key: entry for entry in entries}


@pytest.mark.parametrize(
    ("expires_in", "lives"),
    [(None, HOUR_MS), (5000, 5000), (10 * HOUR_MS, HOUR_MS), (1, 1), (0, None), (-5, None)],
)
def test_an_entry_lives_until_it_expires(
    redis: RedisServer, process: Processes, expires_in: int | None, lives: int | None
) -> None:
    """And an hour at most; what has expired is not written."""
    one = process(redis.url).ready()
    one.put(an_entry(state="held", expires_in=expires_in))
    remains = left(redis, one, "ada")
    if lives is None or lives == 1:
        assert remains <= 1
    else:
        assert lives - 2000 < remains <= lives


def test_the_time_since_the_reading_counts(redis: RedisServer, process: Processes) -> None:
    """A hold that ends in 1.5 s and was read 1 s ago ends in half a second."""
    one = process(redis.url).ready()
    one.put(an_entry(state="held", expires_in=1500), ago=1.0)
    assert 0 < left(redis, one, "ada") <= 500
    one.put(an_entry("bob", state="held", expires_in=900), ago=1.0)
    assert left(redis, one, "bob") < 0


@pytest.mark.parametrize("state", ["held", "quarantined"])
def test_what_the_store_says_of_an_expiry_is_what_counts(
    redis: RedisServer, desk: Desks, process: Processes, state: Any
) -> None:
    """From the row to the entry's time to live, by way of a check."""
    store = MemoryStore()
    row = a_row("ada", state, expires_in_ms=5000)
    store._names[row.namespace, row.key] = row
    assert desk(store, redis.url).looks_taken("ada")
    own = process(redis.url, secret=store.secret(deadline=soon()))
    assert 3000 < left(redis, own, "ada") <= 5000


def test_a_late_fill_is_dropped(redis: RedisServer, process: Processes) -> None:
    one = process(redis.url).ready()
    one.put(an_entry(), ago=STALE_FILL_SECONDS + 0.01)
    assert not one.get("ada")
    assert one.count("cache_late_fill") == 1
    one.put(an_entry(), ago=STALE_FILL_SECONDS - 0.5)
    assert one.get("ada")


@pytest.mark.parametrize("older", [1, 9])
def test_an_older_version_loses(redis: RedisServer, process: Processes, older: int) -> None:
    """Numbers are compared, not their digits."""
    one = process(redis.url).ready()
    one.put(an_entry(version=10, canonical="new"))
    one.put(an_entry(version=older, canonical="old"))
    assert one.get("ada")["ada"].canonical == "new"
    assert one.count("cache_outdated") == 1
    one.put(an_entry(version=11, canonical="newest"))
    assert one.get("ada")["ada"].canonical == "newest"


def test_a_tombstone_is_kept_for_a_minute(redis: RedisServer, process: Processes) -> None:
    """Longer than any fill may take, and older rows do not get past it."""
    one = process(redis.url).ready()
    one.put(an_entry(version=1))
    one.forget({"ada": 2, "bob": 5})
    assert MINUTE_MS - 2000 < left(redis, one, "ada") <= MINUTE_MS
    one.put(an_entry(version=1), an_entry("bob", 4))
    assert not one.get("ada", "bob")
    one.put(an_entry(version=3))
    assert one.get("ada")


def test_a_late_tombstone_does_not_hide_a_newer_row(redis: RedisServer, process: Processes) -> None:
    one = process(redis.url).ready()
    one.put(an_entry(version=3))
    one.forget({"ada": 2})
    assert one.get("ada")


def test_the_script_may_be_lost(redis: RedisServer, process: Processes) -> None:
    one = process(redis.url).ready()
    redis.command("SCRIPT", "FLUSH")
    one.put(an_entry("ada"), an_entry("bob"))
    assert one.get("ada", "bob").keys() == {"ada", "bob"}
    assert redis.command("SCRIPT", "EXISTS", PUT_SHA) == [1]


# --- when it is written ---------------------------------------------------------


def test_only_what_is_committed_is_written(redis: RedisServer, desk: Desks) -> None:
    """While a claim is under way nobody is refused by a cache."""
    store = Hooked()
    mine, yours = desk(store, redis.url), desk(store, redis.url)
    seen: list[bool] = []
    store.read = lambda: seen.append(yours.refuses("ada"))
    mine.register("ada")
    assert seen == [False]
    assert yours.refuses("ada")


def test_a_refusal_and_a_check_fill_it(redis: RedisServer, desk: Desks) -> None:
    store = Hooked()
    win(store, a_claim("ada"))
    win(store, a_claim("bob"))
    one, other = desk(store, redis.url), desk(store, redis.url)
    assert one.is_taken("ada")
    assert one.looks_taken("bob")
    store.asked.clear()
    assert other.refuses("ada")
    assert other.refuses("bob")
    assert not store.asked


def test_a_claim_that_took_long_fills_nothing(
    redis: RedisServer, desk: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row may have been released by now."""
    store = Hooked()
    one = desk(store, redis.url)
    began: list[float] = []

    class Clock:
        """A claim that seems to have begun three seconds ago."""

        @staticmethod
        def monotonic() -> float:
            began.append(time.monotonic() - 3.0)
            return began[-1]

    monkeypatch.setattr(strategies, "time", Clock)
    one.register("ada")
    assert began
    assert not one.refuses("ada")


@pytest.mark.parametrize("how", ["check", "claim"])
def test_the_stale_write_back(redis: RedisServer, desk: Desks, how: str) -> None:
    """A reader loads, the release commits, the reader writes: the name is free all the same."""
    store = Hooked()
    reader, owner, next_one = (desk(store, redis.url) for _ in range(3))
    row = win(store, a_claim("ada"))
    store.read = lambda: owner.release(row)
    assert reader.looks_taken("ada") if how == "check" else reader.is_taken("ada")
    assert not next_one.refuses("ada")
    assert next_one.register("ada").owner != row.owner


def test_the_tombstone_is_there_before_the_release_commits(redis: RedisServer, desk: Desks) -> None:
    """Or between the two a name would be refused that is free."""
    store = Hooked()
    owner, other = desk(store, redis.url), desk(store, redis.url)
    row = owner.register("ada")
    assert other.refuses("ada")
    seen: list[bool] = []
    store.freeing = lambda: seen.append(other.refuses("ada"))
    store.freed = lambda: seen.append(other.refuses("ada"))
    owner.release(row)
    assert seen == [False, False]


def test_a_release_that_fails_leaves_the_name_taken(redis: RedisServer, desk: Desks) -> None:
    """The database is asked, and says so."""
    store = Hooked()
    owner, other = desk(store, redis.url), desk(store, redis.url)
    row = owner.register("ada")

    def fail() -> None:
        raise ConnectionResetError

    store.freeing = fail
    with pytest.raises(ConnectionResetError):
        owner.release(row)
    assert not other.refuses("ada")
    assert other.is_taken("ada")


def test_an_unreserved_name_is_free_everywhere(redis: RedisServer, desk: Desks) -> None:
    store = Hooked()
    staff, other = desk(store, redis.url), desk(store, redis.url)
    staff.registry.reserve("treasurer", reason="ours", deadline=soon())
    assert other.refuses("treasurer")
    assert staff.registry.unreserve("treasurer", deadline=soon())
    assert not other.refuses("treasurer")
    assert not other.is_taken("treasurer")


@pytest.mark.parametrize("strategy", ["query_then_insert", "unique_constraint"])
def test_who_does_not_use_it_writes_tombstones_too(
    redis: RedisServer, desk: Desks, strategy: str
) -> None:
    """Two servers on one database may have different strategies."""
    store = Hooked()
    other = desk(store, redis.url)
    owner = desk(store, redis.url, strategy)
    row = owner.register("ada")
    assert other.is_taken("ada")
    assert other.refuses("ada")
    owner.release(row)
    assert not other.refuses("ada")


# --- who skips it ----------------------------------------------------------------


def test_who_may_have_won_already_is_not_refused_by_it(redis: RedisServer, desk: Desks) -> None:
    """Nor is staff: the look before the insert leaves both to the database."""
    one = desk(Hooked(), redis.url)
    row = one.register("ada")
    assert one.refuses("ada")
    look, same = one.registry.look, a_claim(parse("ada"), token=str(row.claim_token))
    assert look(same, costly=False, repeatable=True, deadline=soon()) is None
    assert look(same, costly=True, repeatable=True, deadline=soon()) == row
    by_staff = replace(a_claim(parse("ada")), by_staff=True)
    assert look(by_staff, costly=False, deadline=soon()) is None
    again = one.store.claim_many([same], deadline=soon())
    assert again == [Won(row)]
